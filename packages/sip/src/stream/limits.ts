import { LIMITS } from "../message/limits.ts";

/** What a peer may send over one connection; beyond it the connection is closed, because nothing tells where the next message begins. */
export const STREAM_LIMITS = {
	/** bytes of the start line: the longest Request-URI and method, and the rest */
	firstLine: LIMITS.uri + LIMITS.method + 32,
	/** bytes of start line and header fields */
	head: 32_768,
	/** bytes; with the head no more than a datagram may have */
	body: LIMITS.message - 32_768,
} as const;
