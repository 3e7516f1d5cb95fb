import { type Group, type KeyExchange, SECP256R1, SIGNATURE_SCHEMES, X25519 } from "../crypto.ts";
import { masterSecret, type Randoms, recordKeys, srtpKeys, verifyData } from "../key-schedule.ts";
import type { DtlsSrtpSuite } from "../suites.ts";
import type { HandshakeMessage } from "../wire/fragments.ts";
import {
	type ClientHello,
	ECDSA_SUITE,
	MESSAGE,
	readCertificate,
	readCertificateVerify,
	readClientHello,
	readClientKeyExchange,
	RSA_SUITE,
	writeCertificate,
	writeCertificateRequest,
	writeHelloVerifyRequest,
	writeKeyParameters,
	writeServerHello,
	writeSignature,
} from "../wire/messages.ts";
import {
	broken,
	Conversation,
	failed,
	type Handshake,
	type HandshakeOptions,
	notAuthentic,
	sameBytes,
	type Step,
	unexpected,
	whyNotAnnounced,
} from "./conversation.ts";

/** Equally good; this order is the cheaper one in node:crypto, whose X25519 makes several objects for each key. */
const GROUPS: readonly Group[] = [SECP256R1, X25519];
const COOKIE_BYTES = 20;

/** What both have said in the first two flights, and what the client says after them. */
interface Agreed {
	randoms: Randoms;
	suite: DtlsSrtpSuite;
	exchange: KeyExchange;
	extendedMasterSecret: boolean;
	certificate?: Buffer;
	master?: Buffer;
	isProven?: true;
}

/** RFC 5246 §7.3 with RFC 6347, the side that is asked. */
export class ServerHandshake implements Handshake {
	readonly #options: HandshakeOptions & { cookieExchange: boolean };
	readonly #conversation = new Conversation();
	/** Of this association, each of which has its own server. It is not bound to a ClientHello: one that somebody forges first must not make that of the peer wrong. */
	readonly #cookie: Buffer;
	#agreed: Agreed | undefined;

	/** `cookieExchange`: the client has to show that it is where its packets say (RFC 6347 §4.2.1). Not needed where ICE has shown it. */
	constructor(options: HandshakeOptions & { cookieExchange: boolean }) {
		this.#options = options;
		this.#cookie = options.crypto.random(COOKIE_BYTES);
	}

	begin(): undefined {
		return undefined;
	}

	onMessage(message: HandshakeMessage): Step {
		const agreed = this.#agreed;
		if (agreed === undefined) {
			if (message.type === MESSAGE.clientHello) return this.#onHello(message);
			// RFC 6347 §4.2.1: until the client has shown where it is, anybody may have said it
			return this.#options.cookieExchange ? { isForgotten: true } : unexpected(message);
		}
		if (message.type === MESSAGE.finished) return this.#onFinished(agreed, message);
		if (agreed.certificate === undefined)
			return message.type === MESSAGE.certificate ? this.#onCertificate(agreed, message) : unexpected(message);
		if (agreed.master === undefined)
			return message.type === MESSAGE.clientKeyExchange ? this.#onKeyExchange(agreed, message) : unexpected(message);
		return message.type === MESSAGE.certificateVerify ? this.#onProof(agreed, agreed.certificate, message) : unexpected(message);
	}

	#onHello(message: HandshakeMessage): Step {
		const hello = readClientHello(message.body);
		if (this.#options.cookieExchange) {
			if (hello?.cookie.length === 0) {
				const request = this.#conversation.say(MESSAGE.helloVerifyRequest, writeHelloVerifyRequest(this.#cookie));
				this.#conversation.beginAnew();
				return { flight: { items: [request], isAnswered: false } };
			}
			if (hello === undefined || !sameBytes(hello.cookie, this.#cookie)) return { isForgotten: true };
		}
		if (hello === undefined) return broken(message);
		this.#conversation.heard(message);
		return this.#answer(hello);
	}

	/** ServerHello, Certificate, ServerKeyExchange, CertificateRequest, ServerHelloDone. */
	#answer(hello: ClientHello): Step {
		const { crypto, certificate, suites } = this.#options;
		const own = crypto.schemesOf(certificate);
		const scheme = own.find((each) => hello.signatureSchemes?.includes(each));
		const cipherSuite = own[0] !== undefined && (own[0] & 0xff) === 1 ? RSA_SUITE : ECDSA_SUITE;
		const group = GROUPS.find((each) => hello.groups.includes(each));
		if (scheme === undefined || group === undefined || !hello.cipherSuites.includes(cipherSuite))
			return failed("the client offers no cipher suite, group or signature that we have", "handshakeFailure");
		const suite = suites.find((each) => hello.srtpSuites.includes(each));
		if (suite === undefined) return failed("DTLS agreed upon no SRTP profile", "handshakeFailure");
		const random = crypto.random(32);
		const randoms = { client: hello.random, server: random };
		const exchange = crypto.keyExchange(group);
		const { extendedMasterSecret, secureRenegotiation } = hello;
		const parameters = writeKeyParameters(group, exchange.publicKey);
		// RFC 8422 §5.4
		const signature = crypto.sign(certificate, scheme, Buffer.concat([randoms.client, randoms.server, parameters]));
		const conversation = this.#conversation;
		const items = [
			conversation.say(
				MESSAGE.serverHello,
				writeServerHello({ random, cipherSuite, srtpSuite: suite, extendedMasterSecret, secureRenegotiation }),
			),
			conversation.say(MESSAGE.certificate, writeCertificate(certificate.der)),
			conversation.say(MESSAGE.serverKeyExchange, Buffer.concat([parameters, writeSignature({ scheme, signature })])),
			conversation.say(MESSAGE.certificateRequest, writeCertificateRequest(SIGNATURE_SCHEMES)),
			conversation.say(MESSAGE.serverHelloDone, Buffer.alloc(0)),
		];
		this.#agreed = { randoms, suite, exchange, extendedMasterSecret };
		return { flight: { items, isAnswered: true } };
	}

	#onCertificate(agreed: Agreed, message: HandshakeMessage): Step {
		this.#conversation.heard(message);
		const certificate = readCertificate(message.body);
		if (certificate !== undefined) agreed.certificate = certificate;
		return whyNotAnnounced(certificate, this.#options.fingerprints) ?? {};
	}

	#onKeyExchange(agreed: Agreed, message: HandshakeMessage): Step {
		this.#conversation.heard(message);
		const { crypto } = this.#options;
		const publicKey = readClientKeyExchange(message.body);
		const shared = publicKey === undefined ? undefined : agreed.exchange.agree(publicKey);
		if (shared === undefined) return failed("the client's key is none", "illegalParameter");
		const transcript = agreed.extendedMasterSecret ? crypto.hash(this.#conversation.transcript) : undefined;
		agreed.master = masterSecret(crypto, shared, transcript, agreed.randoms);
		return { keys: recordKeys(crypto, agreed.master, agreed.randoms) };
	}

	/** RFC 5246 §7.4.8: the client signs all messages so far; whoever cannot is not the one whose certificate it shows. */
	#onProof(agreed: Agreed, certificate: Buffer, message: HandshakeMessage): Step {
		const proof = readCertificateVerify(message.body);
		if (proof === undefined) return broken(message);
		const signed = this.#conversation.transcript;
		if (!this.#options.crypto.verify(certificate, proof.scheme, signed, proof.signature))
			return notAuthentic("its signature of the handshake is wrong", "decryptError");
		this.#conversation.heard(message);
		agreed.isProven = true;
		return {};
	}

	#onFinished({ isProven, master, randoms, suite }: Agreed, message: HandshakeMessage): Step {
		if (isProven === undefined || master === undefined)
			return notAuthentic("it has not proven that the certificate is its own", "handshakeFailure");
		const { crypto } = this.#options;
		const conversation = this.#conversation;
		const expected = verifyData(crypto, master, "client", crypto.hash(conversation.transcript));
		if (!sameBytes(message.body, expected)) return notAuthentic("its Finished does not fit the handshake", "decryptError");
		conversation.heard(message);
		const finished = verifyData(crypto, master, "server", crypto.hash(conversation.transcript));
		return {
			flight: { items: ["change-cipher-spec", conversation.say(MESSAGE.finished, finished)], isAnswered: false },
			connected: srtpKeys(crypto, master, randoms, suite, "server"),
		};
	}
}
