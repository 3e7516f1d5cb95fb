/** One header field line. `key` is the long name in lower case ("via" for `Via` and `v`); `name` is as it was or will be on the wire. */
export interface HeaderField {
	readonly name: string;
	readonly key: string;
	/** unfolded and trimmed; a comma-separated list is still one value (`headerList` splits it) */
	readonly value: string;
}

export interface SipRequest {
	readonly kind: "request";
	/** case-sensitive (RFC 3261 §7.1) */
	readonly method: string;
	/** Request-URI byte for byte */
	readonly uri: string;
	readonly headers: readonly HeaderField[];
	readonly body: Uint8Array;
}

export interface SipResponse {
	readonly kind: "response";
	readonly status: number;
	readonly reason: string;
	readonly headers: readonly HeaderField[];
	readonly body: Uint8Array;
}

export type SipMessage = SipRequest | SipResponse;

/** Header fields as callers give them; validate what users supply with `isHeaderName`, `isHeaderValue` and `isReservedHeader` first. */
export type HeaderInput = readonly [name: string, value: string];

export interface Body {
	contentType: string;
	bytes: Uint8Array;
}
