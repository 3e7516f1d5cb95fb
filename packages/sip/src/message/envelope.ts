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
	const [from, to] = [readParty(found.get("from")), readParty(found.get("to"))];
	if (from === undefined) return fail("From");
	if (to === undefined) return fail("To");
	const callId = found.get("call-id") ?? "";
	if (callId === "" || /\s/.test(callId)) return fail("Call-ID");
	const cseq = readCseq(found.get("cseq") ?? "");
	if (cseq === undefined) return fail("CSeq");
	if (message.kind === "request" && cseq.cseqMethod !== message.method) return fail("CSeq method differs from the request");
	if (!isHopCount(found.get("max-forwards"))) return fail("Max-Forwards");
	return { ok: true, envelope: { via, viaCount, from: from.address, to: to.address, fromTag: from.tag, toTag: to.tag, callId, ...cseq } };
}

function readParty(value: string | undefined): { address: NameAddr; tag: string } | undefined {
	const address = value === undefined ? undefined : parseNameAddr(value);
	if (address === undefined) return undefined;
	const tag = param(address.params, "tag") ?? "";
	return tag === "" || isToken(tag) ? { address, tag } : undefined;
}

function readCseq(value: string): { cseq: number; cseqMethod: string } | undefined {
	const [, digits = "", cseqMethod = ""] = /^(\d{1,10})\s+(\S+)$/.exec(value) ?? [];
	const cseq = Number(digits);
	// RFC 3261 §8.1.1.5: "The sequence number value MUST be expressible as a 32-bit unsigned integer and MUST be less than 2**31."
	return digits !== "" && cseq < 2 ** 31 && isToken(cseqMethod) ? { cseq, cseqMethod } : undefined;
}

/** RFC 3261 §20.22: 0..255; a missing one is how RFC 2543 peers write. */
function isHopCount(value: string | undefined): boolean {
	return value === undefined || (/^\d{1,10}$/.test(value) && Number(value) <= 255);
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
