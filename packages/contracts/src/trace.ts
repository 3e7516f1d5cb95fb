/** One SIP message as it went over the wire, secrets masked; masking keeps lengths, so Content-Length still holds. */
export interface TraceMessage {
	/** ms since the epoch, with a fraction */
	at: number;
	/** of us */
	direction: "received" | "sent";
	transport: "UDP" | "TCP" | "TLS";
	/** our address as others reach it; IPv6 without brackets */
	local: { host: string; port: number };
	remote: { host: string; port: number };
	/** one character for each byte (ISO 8859-1), so that nothing is lost whatever the peer sent */
	text: string;
	/** bytes on the wire; more than `text` has: the rest was not kept */
	bytes: number;
}

/** The SIP messages of one call, as the store of traces has them. */
export interface CallTrace {
	version: 1;
	callId: string;
	projectId: string;
	region: string;
	messages: TraceMessage[];
	/** messages that came after the call had all that it may keep */
	dropped: number;
	/** telephone numbers are masked too */
	numbersMasked: boolean;
	/** seconds since the epoch: not shown any more after it */
	expiresAtSeconds: number;
}
