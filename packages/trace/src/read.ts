/*
 * What a trace needs to know of a message. The SIP parser would refuse some of what a trace is to show, so lines are looked at, no more.
 */

/** Call-ID is near the beginning; further than this only a message that is made to hide it has it. */
const SEARCHED = 8192;

/** The Call-ID of a message, as `decodeBytes` gives its text, compact form included (RFC 3261 §7.3.3); undefined when there is none to be found. */
export function callIdOf(text: string): string | undefined {
	const found = /\r?\n(?:call-id|i)[ \t]*:[ \t]*([^\r\n]{1,256}?)[ \t]*\r?\n/i.exec(text.slice(0, SEARCHED));
	return found?.[1];
}

/** A request that may begin a call? */
export function isInvite(text: string): boolean {
	return text.startsWith("INVITE ");
}

export interface ReadMessage {
	/** of the request, or of a response's CSeq; "" when it cannot be read */
	method: string;
	status?: number;
	/** reason phrase of a response */
	reason: string;
	hasSdp: boolean;
	/** text of the header's first line, "" when there is none */
	header(name: string): string;
}

export function readMessage(text: string): ReadMessage {
	const end = /\r?\n\r?\n/.exec(text)?.index ?? text.length;
	const [first = "", ...lines] = text.slice(0, end).split(/\r?\n/);
	const header = (name: string): string => {
		const found = lines.find((line) => line.slice(0, line.indexOf(":")).trim().toLowerCase() === name);
		return found === undefined ? "" : found.slice(found.indexOf(":") + 1).trim();
	};
	const hasSdp = /^application\/sdp\b/i.test(header("content-type") || header("c"));
	const [, status, reason = ""] = /^SIP\/2\.0 (\d{3}) ?(.*)$/.exec(first) ?? [];
	if (status !== undefined) {
		const method = /^\d+\s+(\S+)/.exec(header("cseq"))?.[1] ?? "";
		return { method, status: Number(status), reason, hasSdp, header };
	}
	const method = /^([A-Za-z]{1,32}) \S+ SIP\/2\.0$/.exec(first)?.[1] ?? "";
	return { method, reason: "", hasSdp, header };
}
