/** What a stranger may send at most; beyond it a message is dropped or answered 400 / 513. */
export const LIMITS = {
	/** bytes; nothing longer fits in a UDP datagram anyway */
	message: 65_536,
	/** header field lines, folded ones counted once */
	headers: 200,
	/** characters of a header field name */
	headerName: 128,
	/** characters of an unfolded header field value */
	headerValue: 8192,
	/** characters of the Request-URI and of the method */
	uri: 2048,
	method: 64,
} as const;
