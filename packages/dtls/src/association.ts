import { DtlsClient, DtlsServer } from "werift";
import type { DtlsCertificate } from "./certificate.ts";
import type { Fingerprint } from "./fingerprint.ts";
import { guardHandshake } from "./guard.ts";
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

const NOWHERE: readonly [string, number] = ["", 0];
/** beyond every flight: the library's retransmissions look at it and stop */
const NO_MORE_FLIGHTS = 99;

/** One DTLS 1.2 handshake for SRTP keys (RFC 5764), and its application data. The owner gives it packets and sends its packets. */
export class DtlsAssociation {
	readonly #options: DtlsAssociationOptions;
	readonly #dtls: DtlsClient | DtlsServer;
	readonly #socket: WeriftSocket;
	#state: "new" | "connected" | "over" = "new";

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
		guardHandshake(this.#dtls, { fingerprints: () => options.fingerprints });
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
		try {
			this.#socket.onData(bytes, NOWHERE);
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

function reasonOf(error: unknown): string {
	const message = error instanceof Error ? error.message : String(error);
	return `the DTLS handshake has failed${message === "" ? "" : `: ${message}`}`;
}
