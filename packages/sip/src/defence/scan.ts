/** What a datagram is at first sight, without parsing it. "scanner": a known attack tool says its name. */
export type FirstSight = "keep-alive" | "request" | "response" | "scanner" | "junk";

/**
 * Names that attack tools give themselves in User-Agent (sipvicious and its descendants, which most scans come from). In lower case. Whoever writes
 * a better name is met by the rate limits and bans.
 */
export const SCANNERS: readonly string[] = [
	"friendly-scanner",
	"friendly-request",
	"sipvicious",
	"sundayddr",
	"sip-scan",
	"sipscan",
	"siparmyknife",
	"vaxsipuseragent",
	"vaxipuseragent",
	"pplsip",
	"sip-cli",
	"sipcli",
	"iwar",
	"sivus",
	"sippts",
];

const LF = 0x0a;
const CR = 0x0d;
const SP = 0x20;
const COLON = 0x3a;
/** no start line of ours or of an honest peer is longer */
const MOST_START_LINE = 2200;
/** User-Agent stands among the first header fields, or it is not looked for */
const MOST_HEAD = 4096;
const USER_AGENT = "user-agent";
const MOST_AGENT = 128;

/** Looks at the start line and at User-Agent only; a few microseconds whatever the bytes are. Never throws. */
export function firstSight(bytes: Uint8Array): FirstSight {
	let start = 0;
	while (start < bytes.length && (bytes[start] === CR || bytes[start] === LF || bytes[start] === 0)) start++;
	// RFC 5626 §3.5.1, and the zero bytes that some phones send through their NAT.
	if (start === bytes.length) return "keep-alive";
	const end = bytes.indexOf(LF, start);
	if (end < 0 || end - start > MOST_START_LINE) return "junk";
	if (startsWith(bytes, start, "sip/")) return "response";
	if (!isRequestLine(bytes, start, end)) return "junk";
	const agent = userAgent(bytes, end);
	return agent !== undefined && SCANNERS.some((name) => agent.includes(name)) ? "scanner" : "request";
}

/** Method of token characters, a space, something, a space, SIP/ (RFC 3261 §7.1). What is almost that, the parser answers with 400. */
function isRequestLine(bytes: Uint8Array, start: number, end: number): boolean {
	let at = start;
	while (at < end && at - start <= 64 && isMethodChar(bytes[at] ?? 0)) at++;
	if (at === start || bytes[at] !== SP) return false;
	for (let space = bytes.lastIndexOf(SP, end); space > at; space = bytes.lastIndexOf(SP, space - 1))
		if (startsWith(bytes, space + 1, "sip/")) return true;
	return false;
}

// RFC 3261 §25.1: token
function isMethodChar(code: number): boolean {
	if ((code >= 0x30 && code <= 0x39) || (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a)) return true;
	return "-.!%*_+`'~".includes(String.fromCharCode(code));
}

function startsWith(bytes: Uint8Array, at: number, lower: string): boolean {
	for (let i = 0; i < lower.length; i++) if (lowered(bytes[at + i] ?? 0) !== lower.charCodeAt(i)) return false;
	return true;
}

const lowered = (code: number): number => (code >= 0x41 && code <= 0x5a ? code + 0x20 : code);

/** The beginning of its value in lower case. */
function userAgent(bytes: Uint8Array, from: number): string | undefined {
	const field = userAgentAt(bytes, from);
	if (field < 0) return undefined;
	let text = "";
	for (let at = field; at < bytes.length && at - field < MOST_AGENT && bytes[at] !== LF; at++)
		text += String.fromCharCode(lowered(bytes[at] ?? 0));
	return text;
}

/** Where the value of User-Agent begins, -1 when there is none in the head. */
function userAgentAt(bytes: Uint8Array, from: number): number {
	const most = Math.min(bytes.length, from + MOST_HEAD);
	for (let line = from; line >= 0 && line < most; line = bytes.indexOf(LF, line + 1)) {
		const next = bytes[line + 1];
		if (next === CR || next === LF) return -1;
		if (!startsWith(bytes, line + 1, USER_AGENT)) continue;
		let at = line + 1 + USER_AGENT.length;
		while (bytes[at] === SP || bytes[at] === 0x09) at++;
		if (bytes[at] === COLON) return at + 1;
	}
	return -1;
}
