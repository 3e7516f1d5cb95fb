import { type NameAddr, parseNameAddr } from "../grammar/name-addr.ts";
import { param } from "../grammar/params.ts";
import { isToken, splitOutside } from "../grammar/tokens.ts";
import { parseVia, type Via } from "../grammar/via.ts";
import type { HeaderField, SipMessage } from "./message.ts";

/** What transactions and dialogs need of a message, read once: the header fields that RFC 3261 §8.1.1 makes mandatory. */
export interface Envelope {
	/** topmost */
	readonly via: Via;
	readonly viaCount: number;
	readonly from: NameAddr;
	readonly to: NameAddr;
	/** "" = none (RFC 2543) */
	readonly fromTag: string;
	/** "" = none */
	readonly toTag: string;
	readonly callId: string;
	readonly cseq: number;
	readonly cseqMethod: string;
}

export type EnvelopeResult = { readonly ok: true; readonly envelope: Envelope } | { readonly ok: false; readonly detail: string };

// RFC 3261 §7.3.1: fields whose grammar is no list must not be there twice; which of the two counts would be anybody's guess.
const SINGLE = new Set(["from", "to", "call-id", "cseq", "max-forwards", "content-length", "content-type", "expires"]);

/** Reads and checks the mandatory header fields; `detail` names the first one that is missing or malformed. Never throws. */
export function readEnvelope(message: SipMessage): EnvelopeResult {
	const found = new Map<string, string>();
	let viaCount = 0;
	for (const { key, value } of message.headers) {
		if (key === "via") viaCount += value.includes(",") ? (splitOutside(value, ",")?.length ?? 1) : 1;
		if (!found.has(key)) found.set(key, value);
		else if (SINGLE.has(key)) return fail(`${key} twice`);
	}
	const via = parseVia(topVia(found.get("via") ?? ""));
	if (via === undefined) return fail("Via");
	const from = parseNameAddr(found.get("from") ?? "");
	if (from === undefined) return fail("From");
	const to = parseNameAddr(found.get("to") ?? "");
	if (to === undefined) return fail("To");
	const callId = found.get("call-id") ?? "";
	if (callId === "" || /\s/.test(callId)) return fail("Call-ID");
	const cseq = /^(\d{1,10})\s+(\S+)$/.exec(found.get("cseq") ?? "");
	const number = Number(cseq?.[1]);
	const cseqMethod = cseq?.[2] ?? "";
	// RFC 3261 §8.1.1.5: "The sequence number value MUST be expressible as a 32-bit unsigned integer and MUST be less than 2**31."
	if (!(number < 2 ** 31) || !isToken(cseqMethod)) return fail("CSeq");
	if (message.kind === "request" && cseqMethod !== message.method) return fail("CSeq method differs from the request");
	const tags = { fromTag: param(from.params, "tag") ?? "", toTag: param(to.params, "tag") ?? "" };
	if (tags.fromTag !== "" && !isToken(tags.fromTag)) return fail("From tag");
	if (tags.toTag !== "" && !isToken(tags.toTag)) return fail("To tag");
	const maxForwards = found.get("max-forwards");
	if (maxForwards !== undefined && !(/^\d{1,3}$/.test(maxForwards) && Number(maxForwards) <= 255)) return fail("Max-Forwards");
	return { ok: true, envelope: { via, viaCount, from, to, ...tags, callId, cseq: number, cseqMethod } };
}

/** The first element of the first Via line. */
export function topVia(value: string): string {
	return value.includes(",") ? (splitOutside(value, ",")?.[0] ?? "") : value;
}

/** The same headers with the topmost Via element replaced, everything below it untouched. */
export function replaceTopVia(headers: readonly HeaderField[], written: string): HeaderField[] {
	const index = headers.findIndex((field) => field.key === "via");
	const old = headers[index];
	if (old === undefined) return [...headers];
	const below = old.value.slice(topVia(old.value).length);
	const changed = [...headers];
	changed[index] = { ...old, value: written + below.trimStart() };
	return changed;
}

function fail(detail: string): EnvelopeResult {
	return { ok: false, detail };
}
