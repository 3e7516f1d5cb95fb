import { utf8Decode, utf8DecodeLossy } from "../grammar/text.ts";
import { breaksLine, isToken } from "../grammar/tokens.ts";
import { headerKey } from "./header-names.ts";
import { LIMITS } from "./limits.ts";
import type { HeaderField, SipMessage, SipRequest } from "./message.ts";

/** "keep-alive": only line ends or zero bytes (RFC 5626 §3.5.1), nothing to answer. "truncated": the body is shorter than Content-Length. */
export type ParseErrorCode =
	| "keep-alive"
	| "too-large"
	| "start-line"
	| "uri-length"
	| "version"
	| "header"
	| "content-length"
	| "truncated"
	| "utf8";

export type ParseResult =
	| { readonly ok: true; readonly message: SipMessage }
	/** `request` holds the header fields that could be read, so that the request can be answered 400. */
	| { readonly ok: false; readonly code: ParseErrorCode; readonly detail: string; readonly request?: SipRequest };

/** Parses one datagram. Never throws. The body is a view into `bytes`. */
export function parseMessage(bytes: Uint8Array): ParseResult {
	const start = skipKeepAlive(bytes);
	if (start === bytes.length) return { ok: false, code: "keep-alive", detail: "no message" };
	if (bytes.length - start > LIMITS.message) return { ok: false, code: "too-large", detail: `longer than ${LIMITS.message} bytes` };
	const headEnd = findHeadEnd(bytes, start);
	// A datagram may end with its last header line when nothing follows; without the empty line the message is not whole.
	const headBytes = bytes.subarray(start, headEnd < 0 ? bytes.length : headEnd);
	const strict = utf8Decode(headBytes);
	const head = strict ?? utf8DecodeLossy(headBytes);
	const lineEnd = head.indexOf("\r\n");
	// RFC 4475 §3.1.2.10: white space after the version may be ignored.
	const begun = parseStartLine((lineEnd < 0 ? head : head.slice(0, lineEnd)).trimEnd());
	if (begun.kind === "error") return { ok: false, code: begun.code, detail: begun.detail };

	const fields: HeaderField[] = [];
	const wrong = parseHeaders(head, lineEnd < 0 ? head.length : lineEnd + 2, fields);
	const rest = bytes.subarray(headEnd < 0 ? bytes.length : headEnd + 4);
	const fail = (code: ParseErrorCode, detail: string): ParseResult => {
		if (begun.kind === "response") return { ok: false, code, detail };
		return {
			ok: false,
			code,
			detail,
			request: { kind: "request", method: begun.method, uri: begun.uri, headers: fields, body: rest.subarray(0, 0) },
		};
	};
	const fault = startLineFault(begun);
	if (fault !== undefined) return fail(fault.code, fault.detail);
	if (wrong !== undefined) return fail("header", wrong);
	if (strict === undefined) return fail("utf8", "head is not UTF-8");
	if (headEnd < 0) return fail("truncated", "no empty line after the header fields");
	const length = contentLength(fields, rest.length);
	if (length === undefined) return fail("content-length", "Content-Length is not one number");
	// RFC 3261 §18.3: a datagram that ends before its body is an error (400); bytes after the body are discarded.
	if (length > rest.length) return fail("truncated", "body is shorter than Content-Length");
	const body = rest.subarray(0, length);
	if (begun.kind === "request") {
		return { ok: true, message: { kind: "request", method: begun.method, uri: begun.uri, headers: fields, body } };
	}
	return { ok: true, message: { kind: "response", status: begun.status, reason: begun.reason, headers: fields, body } };
}

// RFC 3261 §7.5: CRLF before the start line is ignored.
function skipKeepAlive(bytes: Uint8Array): number {
	let i = 0;
	while (i < bytes.length && (bytes[i] === 0x0d || bytes[i] === 0x0a || bytes[i] === 0)) i++;
	return i;
}

function findHeadEnd(bytes: Uint8Array, from: number): number {
	for (let i = bytes.indexOf(0x0d, from); i >= 0 && i + 3 < bytes.length; i = bytes.indexOf(0x0d, i + 1)) {
		if (bytes[i + 1] === 0x0a && bytes[i + 2] === 0x0d && bytes[i + 3] === 0x0a) return i;
	}
	return -1;
}

type StartLine =
	| { kind: "request"; method: string; uri: string; version: string }
	| { kind: "response"; status: number; reason: string; version: string }
	| { kind: "error"; code: ParseErrorCode; detail: string };

function parseStartLine(line: string): StartLine {
	const first = line.indexOf(" ");
	if (first < 0) return { kind: "error", code: "start-line", detail: "no space in the start line" };
	const word = line.slice(0, first);
	if (word.slice(0, 4).toUpperCase() === "SIP/") return parseStatusLine(word.toUpperCase(), line.slice(first + 1));
	const last = line.lastIndexOf(" ");
	const uri = line.slice(first + 1, last);
	const version = line.slice(last + 1).toUpperCase();
	// RFC 3261 §7.1: single spaces, none in the URI. The version decides whether this is SIP at all.
	if (last === first || !version.startsWith("SIP/")) return { kind: "error", code: "start-line", detail: "not a SIP request line" };
	if (word.length > LIMITS.method || !isToken(word)) return { kind: "error", code: "start-line", detail: "method is not a token" };
	if (uri === "") return { kind: "error", code: "start-line", detail: "Request-URI is empty" };
	return { kind: "request", method: word, uri, version };
}

function parseStatusLine(version: string, rest: string): StartLine {
	// "SIP/2.0 200" without the space before an empty reason is seen in the field.
	if (!/^[1-6]\d\d(?: |$)/.test(rest)) return { kind: "error", code: "start-line", detail: "status is not 100..699" };
	return { kind: "response", status: Number(rest.slice(0, 3)), reason: rest.slice(4), version };
}

/** What is wrong with a start line that was understood well enough to answer. */
function startLineFault(line: Exclude<StartLine, { kind: "error" }>): { code: ParseErrorCode; detail: string } | undefined {
	if (line.version !== "SIP/2.0") return { code: "version", detail: "version is not SIP/2.0" };
	if (line.kind === "response") {
		return /[\0\r\n]/.test(line.reason) ? { code: "start-line", detail: "control character in the reason phrase" } : undefined;
	}
	if (line.uri.length > LIMITS.uri) return { code: "uri-length", detail: `Request-URI is longer than ${LIMITS.uri}` };
	// RFC 3261 §7.1: no white space in the Request-URI.
	return /[\s\0]/.test(line.uri) ? { code: "start-line", detail: "white space in the Request-URI" } : undefined;
}

/** Appends to `fields`; gives the first fault in words. Faulty lines are left out, so that what remains is safe to echo. */
function parseHeaders(head: string, from: number, fields: HeaderField[]): string | undefined {
	let wrong: string | undefined;
	let position = from;
	while (position < head.length) {
		if (fields.length >= LIMITS.headers) return `more than ${LIMITS.headers} header fields`;
		const unfolded = unfold(head, position);
		position = unfolded.next;
		const field = parseHeader(unfolded.line);
		if (typeof field === "string") wrong ??= field;
		else fields.push(field);
	}
	return wrong;
}

/** RFC 3261 §7.3.1: a line that begins with white space continues the one before; the fold reads as one space. */
function unfold(head: string, from: number): { line: string; next: number } {
	let end = lineEndAt(head, from);
	if (!isFold(head.charCodeAt(end + 2))) return { line: head.slice(from, end), next: end + 2 };
	const pieces = [head.slice(from, end).trimEnd()];
	while (isFold(head.charCodeAt(end + 2))) {
		const begin = end + 2;
		end = lineEndAt(head, begin);
		pieces.push(head.slice(begin, end).trim());
	}
	return { line: pieces.join(" "), next: end + 2 };
}

function lineEndAt(head: string, from: number): number {
	const end = head.indexOf("\r\n", from);
	return end < 0 ? head.length : end;
}

function isFold(code: number): boolean {
	return code === 0x20 || code === 0x09;
}

function parseHeader(line: string): HeaderField | string {
	const colon = line.indexOf(":");
	if (colon <= 0) return "header line without a name";
	const name = line.slice(0, colon).trimEnd();
	if (name.length > LIMITS.headerName || !isToken(name)) return "header name is not a token";
	const value = line.slice(colon + 1).trim();
	if (value.length > LIMITS.headerValue) return `${headerKey(name)} is too long`;
	// A lone CR or LF is no line end in SIP, but the next element might think so: RFC 3261 §25.1 allows neither in a value.
	if (breaksLine(value)) return `${headerKey(name)} has a control character`;
	return { name, key: headerKey(name), value };
}

// RFC 3261 §20.14; over UDP the body may also run to the end of the datagram without it.
function contentLength(fields: readonly HeaderField[], available: number): number | undefined {
	let length: number | undefined;
	for (const field of fields) {
		if (field.key !== "content-length") continue;
		if (!/^\d{1,9}$/.test(field.value)) return undefined;
		const value = Number(field.value);
		if (length !== undefined && length !== value) return undefined;
		length = value;
	}
	return length ?? available;
}
