/*
 * What no trace may show. Each secret is written over with as many "x": Content-Length and the places of everything else stay as they were, and who
 * reads the trace sees that something was there.
 */

/** `text` as `decodeBytes` gives it. Credentials, keys and digits always; telephone numbers on request. */
export function maskMessage(text: string, { numbers }: { numbers: boolean }): string {
	const blank = /\r?\n\r?\n/.exec(text);
	const end = blank === null ? text.length : blank.index + blank[0].length;
	const head = text.slice(0, end);
	const body = text.slice(end);
	const fields = head.split(/(?<=\n)(?![ \t])/);
	const masked = fields.map((field, at) => maskField(field, at === 0, numbers)).join("");
	return masked + maskBody(body, head, numbers);
}

const crossed = (text: string): string => text.replace(/[^\r\n]/g, "x");

/** A header field with its continuation lines, or the first line. */
function maskField(field: string, isFirst: boolean, numbers: boolean): string {
	const name = isFirst
		? ""
		: field
				.slice(0, Math.max(0, field.indexOf(":")))
				.trim()
				.toLowerCase();
	// RFC 3261 §19.1.1: a password in a URI is there for everybody to read, but not to be kept.
	let masked = field.replace(
		/(sips?:[^:@\s<>;?]{0,255}:)([^@\s<>]{1,255})(?=@)/gi,
		(_, before: string, secret: string) => before + crossed(secret),
	);
	if (CREDENTIALS.has(name)) masked = maskCredentials(masked);
	// A token that speaks for the caller (RFC 8224), with his number in it.
	if (numbers && (name === "identity" || name === "y")) masked = maskValue(masked);
	return numbers && !UNNUMBERED.has(name) ? maskNumbers(masked, isFirst) : masked;
}

const CREDENTIALS: ReadonlySet<string> = new Set(["authorization", "proxy-authorization", "authentication-info"]);

/** Digest: what proves the password, and could be tried offline. Of every other scheme the whole value is a secret. */
function maskCredentials(field: string): string {
	if (!/:\s*digest\b/i.test(field))
		return field.replace(/(:\s*[\w-]+\s+|:\s*)([^]*)$/, (_, before: string, secret: string) => before + crossed(secret));
	return field.replace(/\b((?:response|rspauth)\s*=\s*"?)([^",\s]+)/gi, (_, before: string, secret: string) => before + crossed(secret));
}

function maskValue(field: string): string {
	const colon = field.indexOf(":") + 1;
	return field.slice(0, colon) + field.slice(colon).replace(/\S+/g, crossed);
}

function maskBody(body: string, head: string, numbers: boolean): string {
	if (body === "") return body;
	const type = /^(?:content-type|c)[ \t]*:[ \t]*([^\r\n;]*)/im.exec(head)?.[1]?.trim().toLowerCase() ?? "";
	if (type.includes("dtmf")) return maskDigits(body, type);
	// SDP may be a part of something larger (RFC 5621): its lines look the same there.
	const masked = body
		.replace(/^(a=crypto:\d+ +\S+ +inline:)([^\s|;]+)/gim, (_, before: string, key: string) => before + crossed(key))
		.replace(/(;inline:)([^\s|;]+)/gi, (_, before: string, key: string) => before + crossed(key))
		.replace(/^((?:a=ice-pwd|a=key-mgmt|k=[a-z]+|a=zrtp-hash):)([^\r\n]+)/gim, (_, before: string, key: string) => before + crossed(key));
	return numbers
		? maskNumbers(
				masked.replace(/^p=[^\r\n]*/gim, (line) => `p=${crossed(line.slice(2))}`),
				false,
			)
		: masked;
}

/** Digits are PINs and card numbers (RFC 6086; application/dtmf-relay has lines, application/dtmf the digit alone). */
function maskDigits(body: string, type: string): string {
	return type === "application/dtmf-relay" && /signal\s*=/i.test(body)
		? body.replace(/(signal\s*=[ \t]*)([^\r\n]*)/gi, (_, before: string, digits: string) => before + crossed(digits))
		: crossed(body);
}

/** Fields whose digits are no telephone numbers; masking them would break what belongs together. */
const UNNUMBERED: ReadonlySet<string> = new Set(
	(
		"call-id i via v cseq content-length l content-type c max-forwards expires session-expires x min-se user-agent server date timestamp allow " +
		"supported k require accept rseq rack retry-after proxy-authenticate www-authenticate mime-version event o subscription-state"
	).split(" "),
);

function maskNumbers(text: string, isFirst: boolean): string {
	return text
		.replace(/((?:sips?|tel):)([^@>;,\s"?]+)/gi, (whole, scheme: string, user: string) => {
			// An address of a host alone is none: sip:192.0.2.1, sip:192.0.2.1:5060
			return NUMBER.test(user) && !/^\d+(?:\.\d+){3}(?::\d+)?$/.test(user) ? scheme + hidden(user) : whole;
		})
		.replace(/(;phone-context=)(\+?[\d.-]+)/gi, (_, before: string, number: string) => before + hidden(number))
		.replace(/"([^"\r\n]*)"/g, (whole, quoted: string) => (NUMBER.test(quoted) ? `"${hidden(quoted)}"` : whole))
		.replace(/(:[ \t]*)([+\d][\d ().-]{4,}\d)(?=[ \t]*[<\r\n;])/g, (whole, before: string, number: string) =>
			isFirst || /^\d+(?:\.\d+){3}$/.test(number) ? whole : before + hidden(number),
		);
}

/** Some digits with what people and programs write between them. */
const NUMBER = /^(?:\+|%2b)?[\d().\- ]{3,}$/i;
const SHOWN_DIGITS = 2;

/** All digits but the last two. */
function hidden(number: string): string {
	const digits = number.replace(/%2b/i, "+").replace(/\D/g, "").length;
	let seen = 0;
	return number.replace(/%2b|\d/gi, (found) => {
		if (found.length > 1) return found;
		seen += 1;
		return seen <= digits - SHOWN_DIGITS ? "x" : found;
	});
}

/** A telephone number on its own, as records have it; what is no number stays. */
export function maskNumber(number: string): string {
	return NUMBER.test(number) ? hidden(number) : number;
}
