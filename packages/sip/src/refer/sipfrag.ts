import { utf8DecodeLossy, utf8Encode } from "../grammar/text.ts";
import type { Body } from "../message/message.ts";

export interface SipfragStatus {
	/** 100..699 */
	status: number;
	/** one line without control characters; "" when there is none */
	reason: string;
}

/** A status line is short; a longer first line is none of ours. */
const MAX_LINE = 512;
const MAX_REASON = 128;

/**
 * The status line that the body of a NOTIFY for a REFER begins with (RFC 3515 §2.4.5, RFC 3420). What follows it is not looked at. undefined when it
 * begins with anything else.
 */
export function parseSipfrag(body: Uint8Array): SipfragStatus | undefined {
	const text = utf8DecodeLossy(body.subarray(0, MAX_LINE + 2));
	const end = text.search(/[\r\n]/);
	// RFC 3420 §2: the line may be the whole fragment; some leave its CRLF out.
	if (end < 0 && body.length > MAX_LINE) return undefined;
	const line = end < 0 ? text : text.slice(0, end);
	// `[^]`, not `.`, which stops at U+2028: that is no line end in SIP.
	const match = /^SIP\/2\.0[ \t]+([1-6]\d\d)(?:[ \t]+([^]*))?$/i.exec(line);
	if (match === null) return undefined;
	return { status: Number(match[1]), reason: printable(match[2] ?? "") };
}

/** The body of a NOTIFY for a REFER. Throws nothing: control characters of the reason phrase are left out. */
export function sipfragBody({ status, reason }: SipfragStatus): Body {
	return { contentType: "message/sipfrag;version=2.0", bytes: utf8Encode(`SIP/2.0 ${status} ${printable(reason)}\r\n`) };
}

function printable(text: string): string {
	// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is removed
	return text
		.slice(0, MAX_REASON)
		.replace(/[\u0000-\u001f\u007f\ud800-\udfff]/gu, "")
		.trim();
}
