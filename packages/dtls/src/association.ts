import { DtlsClient, DtlsServer } from "werift";
import { FINISHED, whyNotAuthentic } from "./authentication.ts";
import type { DtlsCertificate } from "./certificate.ts";
import type { Fingerprint } from "./fingerprint.ts";
import { DTLS_SRTP_SUITES, type DtlsSrtpKeys, type DtlsSrtpSuite, profileOf, suiteOf } from "./suites.ts";

export interface DtlsAssociationOptions {
	/** the client begins (`a=setup:active`) */
	role: "client" | "server";
	certificate: DtlsCertificate;
	/** of the peer's certificate, as its SDP has them; one has to fit */
	fingerprints: readonly Fingerprint[];
	/** in order of preference; default all */
	suites?: readonly DtlsSrtpSuite[];
	send(packet: Buffer): void;
	/** The handshake is over and the peer is who its SDP says. Comes once. */
	onConnected(keys: DtlsSrtpKeys): void;
	/** It will not come to that, or the peer has ended the association. Comes once at most, and not after `close`. */
	onFailed(reason: string): void;
	/** application data; never before `onConnected` */
	onData?(data: Buffer): void;
}

/** What werift wants to know about a socket. */
interface WeriftSocket {
	onData: (data: Buffer, from: readonly [string, number]) => void;
}

/** content types of records (RFC 5246 §6.2.1), and the message that begins a handshake */
const ALERT = 21;
const HANDSHAKE = 22;
const CLIENT_HELLO = 1;
const RECORD_HEADER_BYTES = 13;
const NOWHERE: readonly [string, number] = ["", 0];
/** beyond every flight: the library's retransmissions look at it and stop */
const NO_MORE_FLIGHTS = 99;

/** One DTLS 1.2 handshake for SRTP keys (RFC 5764), and its application data. The owner gives it packets and sends its packets. */
export class DtlsAssociation {
	readonly #options: DtlsAssociationOptions;
	readonly #dtls: DtlsClient | DtlsServer;
	readonly #socket: WeriftSocket;
	#state: "new" | "connected" | "over" = "new";
	#finished: Buffer | undefined;

	constructor(options: DtlsAssociationOptions) {
		this.#options = options;
		const socket = {
			type: "udp",
			address: { address: "0.0.0.0", family: "IPv4", port: 0 },
			closed: false,
			onData: (): void => undefined,
			send: (packet: Buffer): Promise<void> => {
				if (this.#state !== "over") options.send(packet);
				return Promise.resolve();
			},
			close: (): Promise<void> => Promise.resolve(),
		};
		this.#socket = socket;
		const { certificate } = options.certificate;
		const werift = {
			cert: certificate.certPem,
			key: certificate.privateKey,
			signatureHash: certificate.signatureHash,
			transport: socket,
			// the library's type has only two of them; it takes the numbers as they are
			srtpProfiles: (options.suites ?? DTLS_SRTP_SUITES).map((suite) => profileOf(suite).number as 1),
			extendedMasterSecret: true,
			// RFC 5763 §5: each side proves its fingerprint
			certificateRequest: true,
		};
		this.#dtls = options.role === "server" ? new DtlsServer(werift) : new DtlsClient(werift);
		this.#listen();
	}

	/** The client's first flight; a server waits for it. */
	start(): void {
		if (!(this.#dtls instanceof DtlsClient)) return;
		this.#dtls.connect().catch((error: unknown) => this.#fail(reasonOf(error)));
	}

	receive(packet: Uint8Array): void {
		if (this.#state === "over") return;
		const bytes = Buffer.from(packet.buffer, packet.byteOffset, packet.byteLength);
		const records = this.#state === "connected" ? established(bytes) : bytes;
		if (records.length === 0) return;
		try {
			this.#socket.onData(records, NOWHERE);
		} catch {
			// bytes that are no DTLS record: dropped (RFC 6347 §4.1.2.7)
		}
	}

	/** Application data; rejects before the handshake is over. */
	async send(data: Buffer): Promise<void> {
		if (this.#state !== "connected") throw new Error("DTLS is not connected");
		await this.#dtls.send(data);
	}

	close(): void {
		if (this.#state === "over") return;
		this.#state = "over";
		this.#dtls.dtls.flight = NO_MORE_FLIGHTS;
		for (const event of [this.#dtls.onConnect, this.#dtls.onData, this.#dtls.onClose]) event.allUnsubscribe();
	}

	#listen(): void {
		const dtls = this.#dtls;
		const handle = dtls.onHandleHandshakes;
		dtls.onHandleHandshakes = async (messages): Promise<void> => {
			for (const { msg_type, fragment } of messages) if (msg_type === FINISHED) this.#finished ??= fragment;
			await handle(messages);
		};
		dtls.onConnect.once(() => this.#onHandshake());
		dtls.onData.subscribe((data) => {
			if (this.#state === "connected") this.#options.onData?.(data);
		});
		// The library goes on telling of errors after an end, and an event of that kind without a listener would be thrown.
		dtls.onError.subscribe((error) => this.#fail(reasonOf(error)));
		dtls.onClose.subscribe(() => this.#fail("the peer has ended the DTLS association"));
	}

	#onHandshake(): void {
		if (this.#state !== "new") return;
		const dtls = this.#dtls;
		const problem = whyNotAuthentic(dtls, this.#options.role, this.#finished, this.#options.fingerprints);
		if (problem !== undefined) return this.#fail(`the peer of the DTLS handshake is not who its SDP says: ${problem}`);
		const suite = suiteOf(dtls.srtp.srtpProfile);
		if (suite === undefined || this.#options.suites?.includes(suite) === false) return this.#fail("DTLS agreed upon no SRTP profile");
		const { keyBytes, saltBytes } = profileOf(suite);
		const { localKey, localSalt, remoteKey, remoteSalt } = dtls.extractSessionKeys(keyBytes, saltBytes);
		this.#state = "connected";
		this.#options.onConnected({ suite, local: { key: localKey, salt: localSalt }, remote: { key: remoteKey, salt: remoteSalt } });
	}

	#fail(reason: string): void {
		if (this.#state === "over") return;
		this.close();
		this.#options.onFailed(reason);
	}
}

/**
 * What may still come once the handshake is over. The library would begin a new handshake for each ClientHello, and take an alert in the clear for the end:
 * both can be written by anybody who knows the peer's address. A new handshake is for signalling to ask for (RFC 8842 §5).
 */
function established(packet: Buffer): Buffer {
	const records: Buffer[] = [];
	for (let at = 0; at + RECORD_HEADER_BYTES <= packet.length; ) {
		const end = at + RECORD_HEADER_BYTES + packet.readUInt16BE(at + 11);
		const record = packet.subarray(at, end);
		const inTheClear = record.readUInt16BE(3) === 0;
		const unwanted = record[0] === ALERT || (record[0] === HANDSHAKE && record[RECORD_HEADER_BYTES] === CLIENT_HELLO);
		if (end <= packet.length && !(inTheClear && unwanted)) records.push(record);
		at = end;
	}
	return Buffer.concat(records);
}

function reasonOf(error: unknown): string {
	const message = error instanceof Error ? error.message : String(error);
	return `the DTLS handshake has failed${message === "" ? "" : `: ${message}`}`;
}
