import type { DtlsCertificate } from "./certificate.ts";
import { DtlsEndpoint } from "./endpoint.ts";
import type { Fingerprint } from "./fingerprint.ts";
import { nodeCrypto } from "./node-crypto.ts";
import { DTLS_SRTP_SUITES, type DtlsSrtpKeys, type DtlsSrtpSuite } from "./suites.ts";

export interface DtlsAssociationOptions {
	/** the client begins (`a=setup:active`) */
	role: "client" | "server";
	certificate: DtlsCertificate;
	/** of the peer's certificate, as its SDP has them; one has to fit */
	fingerprints: readonly Fingerprint[];
	/** in order of preference; default all */
	suites?: readonly DtlsSrtpSuite[];
	/** of a server: the client has to show first that it is where its packets say (RFC 6347 §4.2.1). Default true; false where ICE has shown it. */
	cookieExchange?: boolean;
	send(packet: Buffer): void;
	/** The handshake is over and the peer is who its SDP says. Comes once. */
	onConnected(keys: DtlsSrtpKeys): void;
	/** It will not come to that, or the peer has ended the association. Comes once at most, and not after `close`. */
	onFailed(reason: string): void;
	/** application data; never before `onConnected` */
	onData?(data: Buffer): void;
}

/** One DTLS 1.2 handshake for SRTP keys (RFC 5764), and its application data, on the process' clock. The owner gives it packets and sends its packets. */
export class DtlsAssociation {
	readonly #options: DtlsAssociationOptions;
	readonly #endpoint: DtlsEndpoint;
	#timer: NodeJS.Timeout | undefined;
	#timerAt: number | undefined;
	#isConnected = false;

	constructor(options: DtlsAssociationOptions) {
		this.#options = options;
		const { role, certificate, fingerprints, cookieExchange, suites = DTLS_SRTP_SUITES } = options;
		this.#endpoint = new DtlsEndpoint({
			...{ role, certificate, fingerprints, suites, crypto: nodeCrypto },
			...(cookieExchange === undefined ? {} : { cookieExchange }),
		});
	}

	/** The client's first flight; a server waits for it. */
	start(): void {
		this.#endpoint.start(performance.now());
		this.#drain();
	}

	receive(packet: Uint8Array): void {
		this.#endpoint.receive(Buffer.from(packet.buffer, packet.byteOffset, packet.byteLength), performance.now());
		this.#drain();
	}

	/** Application data; rejects before the handshake is over. */
	send(data: Buffer): Promise<void> {
		if (!this.#endpoint.send(data)) return Promise.reject(new Error("DTLS is not connected"));
		this.#drain();
		return Promise.resolve();
	}

	close(): void {
		clearTimeout(this.#timer);
		this.#isConnected = false;
		this.#endpoint.close();
	}

	get isConnected(): boolean {
		return this.#isConnected;
	}

	#drain(): void {
		for (let output = this.#endpoint.poll(); output !== undefined; output = this.#endpoint.poll()) {
			if (output.kind === "send") this.#options.send(output.packet);
			else if (output.kind === "data") this.#options.onData?.(output.data);
			else if (output.kind === "connected") {
				this.#isConnected = true;
				this.#options.onConnected(output.keys);
			} else {
				this.#isConnected = false;
				this.#options.onFailed(output.reason);
			}
		}
		this.#schedule();
	}

	#schedule(): void {
		const at = this.#endpoint.timeoutAt;
		if (at === this.#timerAt) return;
		clearTimeout(this.#timer);
		this.#timerAt = at;
		if (at === undefined) return;
		this.#timer = setTimeout(
			() => {
				this.#timerAt = undefined;
				this.#endpoint.timeout(performance.now());
				this.#drain();
			},
			Math.max(1, at - performance.now()),
		);
	}
}
