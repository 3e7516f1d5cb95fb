/** What peers may take of a node by connecting to it. Times in ms. */
export interface ConnectionLimits {
	/** connections that came in, at a time */
	inbound: number;
	/** of these, from one IP address */
	perSource: number;
	/** connections that we opened, at a time: the responses of strangers make us open some, too */
	outbound: number;
	/** from the first packet to the end of the first message, TLS handshake included */
	firstMessageMs: number;
	/** from the first byte of a later message to its last */
	messageMs: number;
	/** nothing came and nothing went; not for connections that somebody holds */
	idleMs: number;
	/** until a connection of ours is open, TLS handshake included */
	connectMs: number;
	/** what waits to be sent over one connection, bytes; a peer that reads more slowly is cut off */
	queuedBytes: number;
	/** between two pings on a connection of ours that somebody holds (RFC 5626 §4.4.1: 95 to 120 s, for connections) */
	pingMs: number;
	/** RFC 5626 §4.4.1: "If a pong is not received within 10 seconds after sending a ping …, then the client MUST treat the flow as failed" */
	pongMs: number;
}

export const DEFAULT_CONNECTION_LIMITS: ConnectionLimits = {
	inbound: 5_000,
	perSource: 256,
	outbound: 2_000,
	firstMessageMs: 10_000,
	messageMs: 10_000,
	idleMs: 300_000,
	connectMs: 5_000,
	queuedBytes: 1_048_576,
	pingMs: 100_000,
	pongMs: 10_000,
};
