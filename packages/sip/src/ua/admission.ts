import type { Envelope } from "../message/envelope.ts";
import { parseUri, uriScheme } from "../grammar/uri.ts";
import { contactUri } from "../dialog/dialog.ts";
import { header, headerList } from "../message/headers.ts";
import type { HeaderInput, SipRequest } from "../message/message.ts";

export interface Refusal {
	readonly status: number;
	readonly reason?: string;
	readonly headers?: readonly HeaderInput[];
}

// Whoever requires hundreds of things learns enough from the first ones.
const MOST_NAMED = 16;

/** Option tags in Require that we do not have (RFC 3261 §8.2.2.3). */
export function unsupportedExtensions(request: SipRequest, supported: readonly string[]): string[] {
	return headerList(request, "require")
		.filter((tag) => !supported.includes(tag.toLowerCase()))
		.slice(0, MOST_NAMED);
}

/**
 * Whether a request outside any dialog may come in: RFC 3261 §8.2.1 to §8.2.3 in that order. Max-Forwards is not looked at: a user agent that
 * is the target processes the request even at 0 (RFC 4475 §3.3.11).
 */
export function refuse(
	request: SipRequest,
	envelope: Envelope,
	rules: { allowed: readonly string[]; supported: readonly string[] },
): Refusal | undefined {
	const allow: readonly HeaderInput[] = [["Allow", rules.allowed.join(", ")]];
	if (request.method !== "INVITE" && request.method !== "OPTIONS") {
		// BYE, and what we take inside a dialog only, has no dialog here: RFC 3261 §15.1.2.
		return rules.allowed.includes(request.method) ? { status: 481 } : { status: 405, headers: allow };
	}
	const scheme = uriScheme(request.uri);
	if (scheme === undefined) return { status: 400, reason: "Bad Request (Request-URI)" };
	if (scheme !== "sip" && scheme !== "sips" && scheme !== "tel") return { status: 416 };
	// RFC 5118 §4.2
	if (scheme !== "tel" && parseUri(request.uri) === undefined) return { status: 400, reason: "Bad Request (Request-URI)" };
	const unsupported = unsupportedExtensions(request, rules.supported);
	if (unsupported.length > 0) return { status: 420, headers: [["Unsupported", unsupported.join(", ")]] };
	const encoding = header(request, "content-encoding");
	if (encoding !== undefined && encoding.toLowerCase() !== "identity") return { status: 415, headers: [["Accept-Encoding", "identity"]] };
	if (request.method !== "INVITE") return undefined;
	const media = refuseMediaTypes(request);
	if (media !== undefined) return media;
	if (envelope.fromTag === "") return { status: 400, reason: "Bad Request (From tag)" };
	// RFC 3261 §8.1.1.8: Contact is mandatory in a request that can make a dialog; without it there is nowhere to send BYE.
	if (contactUri(request) === undefined) return { status: 400, reason: "Bad Request (Contact)" };
	return undefined;
}

/** An INVITE whose body we cannot read, or whose caller cannot read ours. */
function refuseMediaTypes(request: SipRequest): Refusal | undefined {
	const type = mediaType(header(request, "content-type") ?? "");
	const optional = /;\s*handling\s*=\s*optional\b/i.test(header(request, "content-disposition") ?? "");
	// RFC 3261 §8.2.3; §20.11: a body whose handling is optional may be ignored.
	if (request.body.length > 0 && type !== "" && type !== "application/sdp" && !optional)
		return { status: 415, headers: [["Accept", "application/sdp"]] };
	const accepted = headerList(request, "accept").map(mediaType);
	// RFC 3261 §21.4.7 with §20.1: our answer is SDP. An empty Accept is taken for none.
	const takesSdp = accepted.length === 0 || accepted.some((range) => ["application/sdp", "application/*", "*/*"].includes(range));
	return takesSdp ? undefined : { status: 406 };
}

const mediaType = (value: string): string => (value.split(";")[0] ?? "").trim().toLowerCase();
