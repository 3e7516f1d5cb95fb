import { webcrypto } from "node:crypto";
import {
	BasicConstraintsExtension,
	cryptoProvider,
	type Extension,
	SubjectAlternativeNameExtension,
	type X509Certificate,
	X509CertificateGenerator,
} from "@peculiar/x509";

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const DAY_MS = 86_400_000;

export interface CertificateOptions {
	dns?: readonly string[];
	ip?: readonly string[];
	uri?: readonly string[];
	/** over since yesterday */
	expired?: boolean;
}

export interface Certificate {
	cert: string;
	key: string;
}

/** A certificate authority of one test; nothing outside it trusts what it signs. */
export class TestAuthority {
	/** its own certificate, PEM */
	readonly cert: string;
	readonly #certificate: X509Certificate;
	readonly #keys: webcrypto.CryptoKeyPair;
	#serial = 1;

	static async create(name = "test authority"): Promise<TestAuthority> {
		cryptoProvider.set(webcrypto as unknown as Parameters<typeof cryptoProvider.set>[0]);
		const keys = await generateKeys();
		const certificate = await X509CertificateGenerator.createSelfSigned({
			serialNumber: "01",
			name: `CN=${name}`,
			notBefore: new Date(Date.now() - 10 * DAY_MS),
			notAfter: new Date(Date.now() + DAY_MS),
			signingAlgorithm: ALGORITHM,
			keys,
			extensions: [new BasicConstraintsExtension(true, undefined, true)],
		});
		return new TestAuthority(certificate, keys);
	}

	private constructor(certificate: X509Certificate, keys: webcrypto.CryptoKeyPair) {
		this.#certificate = certificate;
		this.#keys = keys;
		this.cert = certificate.toString("pem");
	}

	async issue({ dns = [], ip = [], uri = [], expired = false }: CertificateOptions): Promise<Certificate> {
		const keys = await generateKeys();
		this.#serial += 1;
		const names = [
			...dns.map((value) => ({ type: "dns" as const, value })),
			...ip.map((value) => ({ type: "ip" as const, value })),
			...uri.map((value) => ({ type: "url" as const, value })),
		];
		const extensions: Extension[] = names.length === 0 ? [] : [new SubjectAlternativeNameExtension(names)];
		const certificate = await X509CertificateGenerator.create({
			serialNumber: this.#serial.toString(16).padStart(2, "0"),
			subject: "CN=test",
			issuer: this.#certificate.subject,
			notBefore: new Date(Date.now() - 9 * DAY_MS),
			notAfter: new Date(Date.now() + (expired ? -DAY_MS : DAY_MS)),
			signingKey: this.#keys.privateKey,
			publicKey: keys.publicKey,
			signingAlgorithm: ALGORITHM,
			extensions,
		});
		const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey)).toString("base64");
		const key = `-----BEGIN PRIVATE KEY-----\n${pkcs8.replace(/.{64}/g, "$&\n")}\n-----END PRIVATE KEY-----\n`;
		return { cert: certificate.toString("pem"), key };
	}
}

async function generateKeys(): Promise<webcrypto.CryptoKeyPair> {
	return webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
}
