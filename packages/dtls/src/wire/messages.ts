import { type DtlsSrtpSuite, profileOf, suiteOf } from "../suites.ts";
import { Reader, uint, uints, vector } from "./bytes.ts";

/** Handshake messages by their numbers (RFC 5246 §7.4, RFC 6347 §4.3.2). */
export const MESSAGE = {
	helloRequest: 0,
	clientHello: 1,
	serverHello: 2,
	helloVerifyRequest: 3,
	certificate: 11,
	serverKeyExchange: 12,
	certificateRequest: 13,
	serverHelloDone: 14,
	certificateVerify: 15,
	clientKeyExchange: 16,
	finished: 20,
} as const;

/** TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 and the same with RSA (RFC 5289 §3.2) */
export const ECDSA_SUITE = 0xc02b;
export const RSA_SUITE = 0xc02f;
/** TLS_EMPTY_RENEGOTIATION_INFO_SCSV (RFC 5746 §3.3) */
const RENEGOTIATION_SCSV = 0x00ff;

const VERSION = 0xfefd;
const NAMED_CURVE = 3;
/** ClientCertificateType (RFC 5246 §7.4.4, RFC 8422 §5.5) */
const CERTIFICATE_TYPES = [64, 1];

const EXTENSION = {
	supportedGroups: 10,
	pointFormats: 11,
	signatureSchemes: 13,
	useSrtp: 14,
	extendedMasterSecret: 23,
	renegotiationInfo: 0xff01,
} as const;

export interface ClientHello {
	random: Buffer;
	sessionId: Buffer;
	cookie: Buffer;
	cipherSuites: readonly number[];
	groups: readonly number[];
	/** RFC 5246 §7.4.1.4.1: undefined means SHA-1 only */
	signatureSchemes: readonly number[] | undefined;
	srtpSuites: readonly DtlsSrtpSuite[];
	extendedMasterSecret: boolean;
	/** RFC 5746: by extension or by cipher suite */
	secureRenegotiation: boolean;
}

export interface ServerHello {
	random: Buffer;
	cipherSuite: number;
	srtpSuite: DtlsSrtpSuite | undefined;
	extendedMasterSecret: boolean;
	secureRenegotiation: boolean;
}

export function writeClientHello(hello: ClientHello): Buffer {
	return Buffer.concat([
		uint(VERSION, 2),
		hello.random,
		vector(1, hello.sessionId),
		vector(1, hello.cookie),
		uints(2, 2, hello.cipherSuites),
		Buffer.from([1, 0]),
		vector(
			2,
			...extension(EXTENSION.renegotiationInfo, vector(1)),
			...extension(EXTENSION.extendedMasterSecret),
			...extension(EXTENSION.supportedGroups, uints(2, 2, hello.groups)),
			...extension(EXTENSION.pointFormats, uints(1, 1, [0])),
			...extension(EXTENSION.signatureSchemes, uints(2, 2, hello.signatureSchemes ?? [])),
			...extension(EXTENSION.useSrtp, srtpExtension(hello.srtpSuites)),
		),
	]);
}

/** Undefined: that is no ClientHello of DTLS 1.2 or above. */
export function readClientHello(body: Buffer): ClientHello | undefined {
	const reader = new Reader(body);
	// DTLS counts downwards; who speaks more than 1.2 says so in an extension (RFC 9147 §5.3)
	const version = reader.uint(2);
	const random = reader.bytes(32);
	const sessionId = reader.vector(1);
	const cookie = reader.vector(1);
	const cipherSuites = reader.uints(2, 2);
	const compressions = reader.vector(1);
	const extensions = readExtensions(reader);
	if (!reader.ok || version > VERSION || version < 0xfe00 || !compressions.includes(0)) return undefined;
	const [groups, schemes] = [extensions.get(EXTENSION.supportedGroups), extensions.get(EXTENSION.signatureSchemes)];
	return {
		...{ random, sessionId, cookie, cipherSuites },
		// RFC 8422 §4: without the extension the server may choose
		groups: groups === undefined ? [23] : new Reader(groups).uints(2, 2),
		signatureSchemes: schemes === undefined ? undefined : new Reader(schemes).uints(2, 2),
		srtpSuites: readSrtpExtension(extensions.get(EXTENSION.useSrtp)),
		extendedMasterSecret: extensions.has(EXTENSION.extendedMasterSecret),
		secureRenegotiation: extensions.has(EXTENSION.renegotiationInfo) || cipherSuites.includes(RENEGOTIATION_SCSV),
	};
}

export function writeServerHello(hello: ServerHello & { srtpSuite: DtlsSrtpSuite }): Buffer {
	return Buffer.concat([
		uint(VERSION, 2),
		hello.random,
		// no session to resume: each association has its own keys
		vector(1),
		uint(hello.cipherSuite, 2),
		uint(0, 1),
		vector(
			2,
			...(hello.secureRenegotiation ? extension(EXTENSION.renegotiationInfo, vector(1)) : []),
			...(hello.extendedMasterSecret ? extension(EXTENSION.extendedMasterSecret) : []),
			...extension(EXTENSION.pointFormats, uints(1, 1, [0])),
			...extension(EXTENSION.useSrtp, srtpExtension([hello.srtpSuite])),
		),
	]);
}

export function readServerHello(body: Buffer): ServerHello | undefined {
	const reader = new Reader(body);
	const version = reader.uint(2);
	const random = reader.bytes(32);
	reader.vector(1);
	const cipherSuite = reader.uint(2);
	const compression = reader.uint(1);
	const extensions = readExtensions(reader);
	if (!reader.ok || version !== VERSION || compression !== 0) return undefined;
	return {
		...{ random, cipherSuite },
		srtpSuite: agreedSrtp(extensions.get(EXTENSION.useSrtp)),
		extendedMasterSecret: extensions.has(EXTENSION.extendedMasterSecret),
		secureRenegotiation: extensions.has(EXTENSION.renegotiationInfo),
	};
}

/** RFC 6347 §4.2.1: under 1.0's number, which every client takes */
export function writeHelloVerifyRequest(cookie: Buffer): Buffer {
	return Buffer.concat([uint(0xfeff, 2), vector(1, cookie)]);
}

export function readHelloVerifyRequest(body: Buffer): Buffer | undefined {
	const reader = new Reader(body);
	reader.uint(2);
	const cookie = reader.vector(1);
	return reader.ok ? cookie : undefined;
}

export function writeCertificate(der: Buffer): Buffer {
	return vector(3, vector(3, der));
}

/** The first of the chain: the peer's own (RFC 5246 §7.4.2). Undefined: there is none. */
export function readCertificate(body: Buffer): Buffer | undefined {
	const list = new Reader(new Reader(body).vector(3));
	const own = list.vector(3);
	return list.ok && own.length > 0 ? own : undefined;
}

export function writeCertificateRequest(schemes: readonly number[]): Buffer {
	return Buffer.concat([uints(1, 1, CERTIFICATE_TYPES), uints(2, 2, schemes), uint(0, 2)]);
}

/** The schemes that the server takes. */
export function readCertificateRequest(body: Buffer): readonly number[] | undefined {
	const reader = new Reader(body);
	reader.vector(1);
	const schemes = reader.uints(2, 2);
	return reader.ok ? schemes : undefined;
}

/** ServerECDHParams (RFC 8422 §5.4): what is signed together with the randoms. */
export function writeKeyParameters(group: number, publicKey: Buffer): Buffer {
	return Buffer.concat([uint(NAMED_CURVE, 1), uint(group, 2), vector(1, publicKey)]);
}

/** DigitallySigned (RFC 5246 §4.7). */
export interface Signature {
	scheme: number;
	signature: Buffer;
}

export function writeSignature({ scheme, signature }: Signature): Buffer {
	return Buffer.concat([uint(scheme, 2), vector(2, signature)]);
}

export interface ServerKeyExchange extends Signature {
	group: number;
	publicKey: Buffer;
	/** as they came */
	parameters: Buffer;
}

export function readServerKeyExchange(body: Buffer): ServerKeyExchange | undefined {
	const reader = new Reader(body);
	const type = reader.uint(1);
	const group = reader.uint(2);
	const publicKey = reader.vector(1);
	const parameters = body.subarray(0, 4 + publicKey.length);
	const proof = readSignature(reader);
	return reader.ok && type === NAMED_CURVE ? { group, publicKey, parameters, ...proof } : undefined;
}

export function readCertificateVerify(body: Buffer): Signature | undefined {
	const reader = new Reader(body);
	const proof = readSignature(reader);
	return reader.ok ? proof : undefined;
}

export function writeClientKeyExchange(publicKey: Buffer): Buffer {
	return vector(1, publicKey);
}

export function readClientKeyExchange(body: Buffer): Buffer | undefined {
	const reader = new Reader(body);
	const publicKey = reader.vector(1);
	return reader.ok ? publicKey : undefined;
}

function readSignature(reader: Reader): Signature {
	const scheme = reader.uint(2);
	return { scheme, signature: reader.vector(2) };
}

function extension(type: number, data: Buffer = Buffer.alloc(0)): Buffer[] {
	return [uint(type, 2), vector(2, data)];
}

function readExtensions(reader: Reader): ReadonlyMap<number, Buffer> {
	const extensions = new Map<number, Buffer>();
	if (reader.left === 0) return extensions;
	const block = new Reader(reader.vector(2));
	while (block.left > 0) {
		const type = block.uint(2);
		const data = block.vector(2);
		// RFC 5246 §7.4.1.4: no type twice; the first counts
		if (!extensions.has(type)) extensions.set(type, data);
	}
	if (!block.ok) reader.ok = false;
	return extensions;
}

/** RFC 5764 §4.1.1: profiles, and no MKI */
function srtpExtension(suites: readonly DtlsSrtpSuite[]): Buffer {
	return Buffer.concat([
		uints(
			2,
			2,
			suites.map((suite) => profileOf(suite).number),
		),
		vector(1),
	]);
}

/** RFC 5764 §4.1.1, §4.1.3: one profile, and the MKI that we offered, which is none; anything else is no agreement. */
function agreedSrtp(data: Buffer | undefined): DtlsSrtpSuite | undefined {
	if (data === undefined) return undefined;
	const reader = new Reader(data);
	const [number, ...others] = reader.uints(2, 2);
	return reader.vector(1).length === 0 && reader.ok && others.length === 0 ? suiteOf(number) : undefined;
}

function readSrtpExtension(data: Buffer | undefined): readonly DtlsSrtpSuite[] {
	if (data === undefined) return [];
	return new Reader(data).uints(2, 2).flatMap((number) => suiteOf(number) ?? []);
}
