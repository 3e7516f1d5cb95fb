/*
 * What no trace may show. Each secret is written over with as many "x": Content-Length and the places of everything else stay as they were, and who
 * reads the trace sees that something was there.
 */

/** `text` as `decodeBytes` gives it. Credentials, keys and digits always; telephone numbers on request. */
export function maskMessage(text: string, { numbers }: { numbers: boolean }): string {
	// RFC 3261 §7.5: line breaks before a message are none of it
	const start = /^[\r\n]*/.exec(text)?.[0].length ?? 0;
	const { head, body } = divided(text.slice(start));
	return text.slice(0, start) + maskFields(head, true, numbers) + maskBody(body, head, numbers, 0);
}

function divided(text: string): { head: string; body: string } {
	const blank = /\r?\n\r?\n/.exec(text);
	const end = blank === null ? text.length : blank.index + blank[0].length;
	return { head: text.slice(0, end), body: text.slice(end) };
}

const crossed = (text: string): string => text.replace(/[^\r\n]/g, "x");

function maskFields(head: string, hasFirstLine: boolean, numbers: boolean): string {
	return head
		.split(/(?<=\n)(?![ \t])/)
		.map((field, at) => maskField(field, hasFirstLine && at === 0, numbers))
		.join("");
}

/** A header field with its continuation lines, or the first line. */
function maskField(field: string, isFirst: boolean, numbers: boolean): string {
	// Also of a first line: one that is a field is no message, but kept all the same.
	const name = field
		.slice(0, Math.max(0, field.indexOf(":")))
		.trim()
		.toLowerCase();
	// RFC 3261 §19.1.1: a password in a URI is there for everybody to read, but not to be kept.
	let masked = field
		.replace(/[^\s<>]+/g, maskPasswords)
		// RFC 3261 §19.1.1: header fields of the request that is to be made of it
		.replace(/([?&](?:proxy-)?authorization=)([^&>\s]+)/gi, (_, before: string, secret: string) => before + crossed(secret));
	if (CREDENTIALS.has(name)) masked = maskCredentials(masked);
	else if (SECRET_NAME.test(name) && !CHALLENGES.has(name)) masked = maskValue(masked);
	// A token that speaks for the caller (RFC 8224), with his number in it.
	if (numbers && (name === "identity" || name === "y")) masked = maskValue(masked);
	return numbers && !UNNUMBERED.has(name) ? maskNumbers(masked, isFirst) : masked;
}

/** Of each URI in what has no blank in it. Looks at every character once, whatever a stranger wrote. */
function maskPasswords(text: string): string {
	const scheme = /sips?:/gi;
	let masked = "";
	let done = 0;
	for (let found = scheme.exec(text); found !== null; found = scheme.exec(text)) {
		const at = text.indexOf("@", scheme.lastIndex);
		if (at < 0) break;
		const colon = text.indexOf(":", scheme.lastIndex);
		if (colon >= 0 && colon < at) {
			masked += text.slice(done, colon + 1) + crossed(text.slice(colon + 1, at));
			done = at;
		}
		scheme.lastIndex = at;
	}
	return masked + text.slice(done);
}

const CREDENTIALS: ReadonlySet<string> = new Set([
	"authorization",
	"proxy-authorization",
	"authentication-info",
	"proxy-authentication-info",
]);
/** What customers call fields that carry secrets: X-Auth-Token, X-Api-Key, X-Customer-Password. */
const SECRET_NAME =
	/(?:^|[-_.])(?:auth(?:n|entication|orization)?|token|jwt|bearer|secret|passw(?:or)?d|passphrase|pin|cookie|credentials?)(?=$|[-_.])|api[-_.]?key|access[-_.]?key/i;
/** What they say is for everybody. */
const CHALLENGES: ReadonlySet<string> = new Set(["www-authenticate", "proxy-authenticate"]);

/** Digest: what proves the password, and could be tried offline. Of every other scheme the whole value is a secret. */
function maskCredentials(field: string): string {
	if (!/:\s*digest\b/i.test(field))
		return field.replace(/(:\s*[\w-]+\s+|:\s*)([^]*)$/, (_, before: string, secret: string) => before + crossed(secret));
	return field.replace(
		/\b((?:response|rspauth)\s*=\s*)("[^"]*"?|[^",\s]+)/gi,
		(_, before: string, secret: string) =>
			before +
			(secret.startsWith('"') ? `"${crossed(secret.slice(1).replace(/"$/, ""))}${/^"[^"]*"$/.test(secret) ? '"' : ""}` : crossed(secret)),
	);
}

function maskValue(field: string): string {
	const colon = field.indexOf(":") + 1;
	return field.slice(0, colon) + field.slice(colon).replace(/\S+/g, crossed);
}

/** Parts within parts: nobody needs more. */
const MAX_DEPTH = 3;
/** Bodies that are shown, with what they have of secrets masked. Of all others nobody knows where theirs are: texts for people, digits of some vendor, what is compressed. */
const SHOWN = /^(?:application\/(?:sdp|trickle-ice-sdpfrag|media_control\+xml|simple-message-summary)|message\/(?:sipfrag|sip))$/;

function maskBody(body: string, head: string, numbers: boolean, depth: number): string {
	if (body === "") return body;
	const value = /^(?:content-type|c)[ \t]*:[ \t]*([^\r\n]*)/im.exec(head)?.[1] ?? "";
	const type = value.split(";", 1)[0]?.trim().toLowerCase() ?? "";
	if (/^(?:content-encoding|e)[ \t]*:(?![ \t]*identity\b)/im.test(head)) return crossed(body);
	if (type === "application/dtmf-relay") return maskDigits(body);
	if (type.startsWith("multipart/") && depth < MAX_DEPTH) return maskParts(body, value, numbers, depth);
	if (!SHOWN.test(type)) return crossed(body);
	const masked = maskFields(body, false, false)
		.replace(/(inline:\s*)([^\s|;]+)/gi, (_, before: string, key: string) => before + crossed(key))
		.replace(
			/^([ \t]*(?:a=ice-pwd|a=key-mgmt|k=[a-z]+|a=zrtp-hash)[ \t]*:)([^\r\n]+)/gim,
			(_, before: string, key: string) => before + crossed(key),
		);
	return numbers
		? maskNumbers(
				masked.replace(/^p=[^\r\n]*/gim, (line) => `p=${crossed(line.slice(2))}`),
				false,
			)
		: masked;
}

/** RFC 5621: each part is masked as its own type has it; a body that is not made of parts is not shown. */
function maskParts(body: string, type: string, numbers: boolean, depth: number): string {
	const boundary = /;\s*boundary\s*=\s*(?:"([^"\r\n]{1,70})"|([^\s;,"]{1,70}))/i.exec(type);
	const name = boundary?.[1] ?? boundary?.[2];
	if (name === undefined) return crossed(body);
	const delimiter = `--${name}`;
	const [before = "", ...parts] = body.split(delimiter);
	if (parts.length === 0) return crossed(body);
	const shown = parts.map((part) => {
		const { head, body: content } = divided(part);
		return part.startsWith("--")
			? `--${crossed(part.slice(2))}`
			: maskFields(head, false, numbers) + maskBody(content, head, numbers, depth + 1);
	});
	return [crossed(before), ...shown].join(delimiter);
}

/** Digits are PINs and card numbers (RFC 6086; application/dtmf-relay has lines, application/dtmf the digit alone). */
function maskDigits(body: string): string {
	return /signal\s*=/i.test(body)
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
