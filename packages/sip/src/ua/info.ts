import { utf8DecodeLossy } from "../grammar/text.ts";
import { header } from "../message/headers.ts";
import type { HeaderInput, SipRequest } from "../message/message.ts";

/** What an INFO asks for, and how it is answered. */
export type InfoRead =
	/** digits that were pressed, as RFC 4733 names them; `durationMs` where the peer says it */
	| { kind: "digits"; digits: string; durationMs?: number }
	| { kind: "nothing" }
	| { kind: "refused"; status: 415 | 469 | 400; headers: readonly HeaderInput[] };

/** Content types that we read (RFC 3261 §21.4.13). */
const ACCEPTED = "application/dtmf-relay, application/dtmf";
/** One key press is one INFO; more is no telephone. */
const MAX_DIGITS = 32;

/** INFO in a call: digits the way that carriers send them (application/dtmf-relay, application/dtmf), RFC 6086 for the rest. */
export function readInfo(request: SipRequest): InfoRead {
	// RFC 6086 §4.2.2: an Info Package that we have not said to take → 469 with a Recv-Info, which of ours is empty.
	if (header(request, "info-package") !== undefined) return { kind: "refused", status: 469, headers: [["Recv-Info", ""]] };
	// Without a body it asks whether we are there.
	if (request.body.length === 0) return { kind: "nothing" };
	const type = (header(request, "content-type") ?? "").split(";")[0]?.trim().toLowerCase();
	if (type !== "application/dtmf-relay" && type !== "application/dtmf") {
		return { kind: "refused", status: 415, headers: [["Accept", ACCEPTED]] };
	}
	const text = utf8DecodeLossy(request.body.subarray(0, 512)).trim();
	const digits = type === "application/dtmf" ? digitsOf(text) : digitsOf(/^\s*Signal\s*=\s*([^\r\n]*)/im.exec(text)?.[1] ?? "");
	if (digits === undefined) return { kind: "refused", status: 400, headers: [] };
	const duration = /^\s*Duration\s*=\s*(\d{1,5})\s*$/im.exec(text)?.[1];
	return { kind: "digits", digits, ...(type === "application/dtmf" || duration === undefined ? {} : { durationMs: Number(duration) }) };
}

/** An INFO body for one digit. */
export function dtmfRelay(digit: string, durationMs: number): string {
	return `Signal=${digit}\r\nDuration=${durationMs}\r\n`;
}

/** Digits as RFC 4733 names them; some write "10" and "11" for star and pound. */
function digitsOf(text: string): string | undefined {
	const written = text.trim().toUpperCase();
	if (written === "10") return "*";
	if (written === "11") return "#";
	return /^[0-9*#A-D]+$/.test(written) && written.length <= MAX_DIGITS ? written : undefined;
}
