import { SipUsageError } from "../errors.ts";
import { utf8Encode } from "../grammar/text.ts";
import { breaksLine, isToken } from "../grammar/tokens.ts";
import type { SipMessage } from "./message.ts";

/**
 * Bytes of a message. Content-Length is always written from the body, last; one among the headers is left out.
 * Throws SipUsageError when a value would break the framing: our own values are checked before they get here.
 */
export function writeMessage(message: SipMessage): Uint8Array {
	let head = startLine(message);
	for (const { name, key, value } of message.headers) {
		if (key === "content-length") continue;
		if (!isToken(name)) throw new SipUsageError("header name is not a token");
		assertLine(value, name);
		head += `${name}: ${value}\r\n`;
	}
	const encoded = utf8Encode(`${head}Content-Length: ${message.body.length}\r\n\r\n`);
	if (message.body.length === 0) return encoded;
	const bytes = new Uint8Array(encoded.length + message.body.length);
	bytes.set(encoded);
	bytes.set(message.body, encoded.length);
	return bytes;
}

function startLine(message: SipMessage): string {
	if (message.kind === "request") {
		if (!isToken(message.method)) throw new SipUsageError("method is not a token");
		if (/\s/.test(message.uri) || message.uri === "") throw new SipUsageError("Request-URI is empty or has white space");
		assertLine(message.uri, "Request-URI");
		return `${message.method} ${message.uri} SIP/2.0\r\n`;
	}
	if (!Number.isInteger(message.status) || message.status < 100 || message.status > 699) throw new SipUsageError("status is not 100..699");
	assertLine(message.reason, "reason phrase");
	return `SIP/2.0 ${message.status} ${message.reason}\r\n`;
}

function assertLine(value: string, what: string): void {
	if (breaksLine(value)) throw new SipUsageError(`${what} has CR, LF or NUL`);
}
