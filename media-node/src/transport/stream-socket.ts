import type { Address } from "@trunkline/sip";

/** A TCP or TLS connection as the connection table sees it. */
export interface StreamSocket {
	/** never throws */
	write(bytes: Uint8Array): void;
	/** bytes that wait to be taken by the system */
	readonly queuedBytes: number;
	/** ends it at once; nothing is reported any more */
	destroy(): void;
}

export interface StreamSocketEvents {
	/** it can be written to; over TLS: both certificates are verified */
	onOpen(): void;
	onBytes(bytes: Uint8Array): void;
	/** once, and the last */
	onClose(reason: string): void;
}

/** Connects to an address; what goes wrong is told to `events.onClose`, never thrown. */
export type Dial = (to: Address, events: StreamSocketEvents) => StreamSocket;

/** A connection that came in. undefined: refused, the caller closes it. TLS calls it before the handshake and gives `onOpen` after it. */
export type Accept = (remote: Address, socket: StreamSocket) => StreamSocketEvents | undefined;

export interface StreamListener {
	readonly local: { host: string; port: number };
	/** Takes no more connections, and ends when the port is free; those that are there belong to the table. Idempotent. */
	close(): Promise<void>;
}
