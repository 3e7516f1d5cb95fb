import { type Group, type KeyExchange, SECP256R1, SIGNATURE_SCHEMES, X25519 } from "../crypto.ts";
import { masterSecret, type Randoms, recordKeys, srtpKeys, verifyData } from "../key-schedule.ts";
import type { DtlsSrtpSuite } from "../suites.ts";
import type { HandshakeMessage } from "../wire/fragments.ts";
import {
	type ClientHello,
	ECDSA_SUITE,
	MESSAGE,
	readCertificate,
	readCertificateRequest,
	readHelloVerifyRequest,
	readServerHello,
	readServerKeyExchange,
	RSA_SUITE,
	type ServerHello,
	writeCertificate,
	writeClientHello,
	writeClientKeyExchange,
	writeSignature,
} from "../wire/messages.ts";
import {
	broken,
	Conversation,
	failed,
	type Flight,
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
/** SignatureAlgorithm that goes with a cipher suite */
const SIGNS_WITH: ReadonlyMap<number, number> = new Map([
	[ECDSA_SUITE, 3],
	[RSA_SUITE, 1],
]);

/** What the server has said so far. */
interface ServerSide {
	hello: ServerHello & { srtpSuite: DtlsSrtpSuite };
	certificate?: Buffer;
	exchange?: { group: Group; publicKey: Buffer };
	/** schemes, when it asks for a certificate of ours */
	asks?: readonly number[];
}

/** RFC 5246 §7.3 with RFC 6347, the side that begins. */
export class ClientHandshake implements Handshake {
	readonly #options: HandshakeOptions;
	readonly #conversation = new Conversation();
	readonly #hello: ClientHello;
	#hasCookie = false;
	#server: ServerSide | undefined;
	/** set when our last flight is out */
	#agreed: { master: Buffer; randoms: Randoms; suite: DtlsSrtpSuite } | undefined;

	constructor(options: HandshakeOptions) {
		this.#options = options;
		this.#hello = {
			random: options.crypto.random(32),
			sessionId: Buffer.alloc(0),
			cookie: Buffer.alloc(0),
			cipherSuites: [ECDSA_SUITE, RSA_SUITE],
			groups: GROUPS,
			signatureSchemes: SIGNATURE_SCHEMES,
			srtpSuites: options.suites,
			extendedMasterSecret: true,
			secureRenegotiation: true,
		};
	}

	begin(): Flight {
		return { items: [this.#conversation.say(MESSAGE.clientHello, writeClientHello(this.#hello))], isAnswered: true };
	}

	onMessage(message: HandshakeMessage): Step {
		if (message.type === MESSAGE.helloVerifyRequest) return this.#onCookie(message);
		if (message.type === MESSAGE.finished) return this.#onFinished(message);
		if (this.#agreed !== undefined) return unexpected(message);
		this.#conversation.heard(message);
		if (message.type === MESSAGE.serverHello) return this.#onHello(message);
		const server = this.#server;
		if (server === undefined) return unexpected(message);
		switch (message.type) {
			case MESSAGE.certificate:
				return server.certificate === undefined ? this.#onCertificate(server, message) : unexpected(message);
			case MESSAGE.serverKeyExchange:
				return server.exchange === undefined ? this.#onKeyExchange(server, message) : unexpected(message);
			case MESSAGE.certificateRequest:
				if (server.asks !== undefined) return unexpected(message);
				server.asks = readCertificateRequest(message.body) ?? [];
				return {};
			case MESSAGE.serverHelloDone:
				return this.#answer(server, message);
			default:
				return unexpected(message);
		}
	}

	#onCookie(message: HandshakeMessage): Step {
		const cookie = readHelloVerifyRequest(message.body);
		if (cookie === undefined) return broken(message);
		if (this.#hasCookie || this.#server !== undefined) return unexpected(message);
		this.#hasCookie = true;
		this.#conversation.beginAnew();
		const hello = this.#conversation.say(MESSAGE.clientHello, writeClientHello({ ...this.#hello, cookie }));
		return { flight: { items: [hello], isAnswered: true } };
	}

	#onHello(message: HandshakeMessage): Step {
		if (this.#server !== undefined) return unexpected(message);
		const hello = readServerHello(message.body);
		if (hello === undefined) return broken(message);
		const { srtpSuite } = hello;
		if (!SIGNS_WITH.has(hello.cipherSuite)) return failed("the server has chosen a cipher suite that we did not offer", "illegalParameter");
		if (srtpSuite === undefined || !this.#options.suites.includes(srtpSuite))
			return failed("DTLS agreed upon no SRTP profile", "handshakeFailure");
		this.#server = { hello: { ...hello, srtpSuite } };
		return {};
	}

	#onCertificate(server: ServerSide, message: HandshakeMessage): Step {
		const certificate = readCertificate(message.body);
		if (certificate !== undefined) server.certificate = certificate;
		return whyNotAnnounced(certificate, this.#options.fingerprints) ?? {};
	}

	/** RFC 8422 §5.4: the server signs both random values and its key; whoever cannot is not the one whose certificate it shows. */
	#onKeyExchange(server: ServerSide, message: HandshakeMessage): Step {
		const exchange = readServerKeyExchange(message.body);
		if (server.certificate === undefined) return unexpected(message);
		if (exchange === undefined) return broken(message);
		const group = GROUPS.find((each) => each === exchange.group);
		if (group === undefined) return failed("the server has chosen a group that we did not offer", "illegalParameter");
		const signed = Buffer.concat([this.#hello.random, server.hello.random, exchange.parameters]);
		const isProven =
			(exchange.scheme & 0xff) === SIGNS_WITH.get(server.hello.cipherSuite) &&
			this.#options.crypto.verify(server.certificate, exchange.scheme, signed, exchange.signature);
		if (!isProven) return notAuthentic("its signature of the key exchange is wrong", "decryptError");
		server.exchange = { group, publicKey: exchange.publicKey };
		return {};
	}

	/** Certificate, ClientKeyExchange, CertificateVerify, Finished. */
	#answer({ hello, exchange, asks }: ServerSide, message: HandshakeMessage): Step {
		if (exchange === undefined) return unexpected(message);
		const { crypto, certificate } = this.#options;
		const own: KeyExchange = crypto.keyExchange(exchange.group);
		const shared = own.agree(exchange.publicKey);
		if (shared === undefined) return failed("the server's key is none", "illegalParameter");
		// RFC 5763 §5: each side proves its fingerprint, so a server that asks for none is no DTLS-SRTP server
		if (asks === undefined) return failed("the server asks for no certificate", "handshakeFailure");
		const scheme = crypto.schemesOf(certificate).find((each) => asks.includes(each));
		if (scheme === undefined) return failed("the server takes no signature that our certificate can make", "handshakeFailure");
		const conversation = this.#conversation;
		const items: Flight["items"][number][] = [
			conversation.say(MESSAGE.certificate, writeCertificate(certificate.der)),
			conversation.say(MESSAGE.clientKeyExchange, writeClientKeyExchange(own.publicKey)),
		];
		const randoms = { client: this.#hello.random, server: hello.random };
		const transcript = conversation.transcript;
		const master = masterSecret(crypto, shared, hello.extendedMasterSecret ? crypto.hash(transcript) : undefined, randoms);
		const signature = crypto.sign(certificate, scheme, transcript);
		items.push(conversation.say(MESSAGE.certificateVerify, writeSignature({ scheme, signature })), "change-cipher-spec");
		const finished = verifyData(crypto, master, "client", crypto.hash(conversation.transcript));
		items.push(conversation.say(MESSAGE.finished, finished));
		this.#agreed = { master, randoms, suite: hello.srtpSuite };
		return { flight: { items, isAnswered: true }, keys: recordKeys(crypto, master, randoms) };
	}

	#onFinished(message: HandshakeMessage): Step {
		if (this.#agreed === undefined) return unexpected(message);
		const { crypto } = this.#options;
		const { master, randoms, suite } = this.#agreed;
		const expected = verifyData(crypto, master, "server", crypto.hash(this.#conversation.transcript));
		if (!sameBytes(message.body, expected)) return notAuthentic("its Finished does not fit the handshake", "decryptError");
		return { connected: srtpKeys(crypto, master, randoms, suite, "client") };
	}
}
