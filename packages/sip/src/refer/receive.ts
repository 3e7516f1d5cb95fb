import { parseNameAddr } from "../grammar/name-addr.ts";
import { param } from "../grammar/params.ts";
import { isHeaderValue } from "../grammar/tokens.ts";
import { parseUri } from "../grammar/uri.ts";
import { header, headerList, headers } from "../message/headers.ts";
import type { HeaderInput, SipRequest } from "../message/message.ts";

/** A REFER as its receiver reads it. */
export interface IncomingRefer {
	/** URI of Refer-To, with its parameters and headers */
	target: string;
	/** CSeq number: what NOTIFYs name it by (RFC 3515 §2.4.6) */
	id: number;
	/** false: the sender wants no NOTIFYs (RFC 4488) */
	subscribes: boolean;
	/** value of Referred-By, as sent: who the INVITE to the target says that it is made for (RFC 3892) */
	referredBy?: string;
}

export type ReadRefer = { ok: true; refer: IncomingRefer } | { ok: false; status: number; reason: string };

const MAX_TARGET = 1024;

/** Reads a REFER; `ok: false` is the answer to one that nobody can follow. */
export function readRefer(request: SipRequest): ReadRefer {
	const values = headers(request, "refer-to");
	const [value] = values;
	// RFC 3515 §2.4.2: "An agent responding to a REFER method MUST return a 400 (Bad Request) if the request contained zero or more than one Refer-To header
	// field values."
	if (value === undefined || values.length !== 1) return refused(400, "Bad Request (one Refer-To)");
	const target = value.length > MAX_TARGET ? undefined : parseNameAddr(value)?.uri;
	if (target === undefined || parseUri(target) === undefined) return refused(400, "Bad Request (Refer-To)");
	const method = methodOf(target);
	// RFC 3515 §2.1: a Refer-To may name another method; we make calls only.
	if (method !== undefined && method !== "INVITE") return refused(501, "Not Implemented (Refer-To method)");
	const id = Number.parseInt(header(request, "cseq") ?? "", 10);
	return { ok: true, refer: { target, id, subscribes: !isUnsubscribed(request), ...referredBy(request) } };
}

/** RFC 3892 §2.2: "A UA … accepting a REFER request … SHOULD" copy it; §3: one at most, and one that cannot be read is none. */
function referredBy(request: SipRequest): Pick<IncomingRefer, "referredBy"> {
	const values = headers(request, "referred-by");
	const [value = ""] = values;
	const uri = values.length === 1 && value.length <= MAX_TARGET && isHeaderValue(value) ? parseNameAddr(value)?.uri : undefined;
	return uri !== undefined && parseUri(uri) !== undefined ? { referredBy: value } : {};
}

/** Headers of the 202 to a REFER. RFC 4488 §4: the receiver says that it will not notify by `Refer-Sub: false`. */
export function referAcceptedHeaders({ subscribes }: Pick<IncomingRefer, "subscribes">): HeaderInput[] {
	return subscribes ? [] : [["Refer-Sub", "false"]];
}

/** Headers of a NOTIFY of how a REFER goes; its body is `sipfragBody`. `last`: nothing more will come (RFC 3515 §2.4.7). */
export function referNotifyHeaders({ id }: Pick<IncomingRefer, "id">, last: boolean): HeaderInput[] {
	return [
		["Event", `refer;id=${id}`],
		// RFC 6665 §4.1.3: every NOTIFY has one.
		["Subscription-State", last ? "terminated;reason=noresource" : `active;expires=${SUBSCRIBED_SECONDS}`],
	];
}

/** RFC 3515 §2.4.4: the receiver chooses. Longer than anybody lets a telephone ring. */
const SUBSCRIBED_SECONDS = 600;

const refused = (status: number, reason: string): ReadRefer => ({ ok: false, status, reason });

function methodOf(target: string): string | undefined {
	const parsed = parseUri(target);
	return parsed === undefined || parsed.scheme === "tel" ? undefined : param(parsed.params, "method")?.toUpperCase();
}

/** RFC 4488 §4: `Refer-Sub: false`, or §6: the option tag in Require, which asks for the same. */
function isUnsubscribed(request: SipRequest): boolean {
	const value = header(request, "refer-sub");
	if (value !== undefined) return /^\s*false\s*(;|$)/i.test(value);
	return headerList(request, "require").some((tag) => tag.toLowerCase() === "norefersub");
}
