import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { utf8Encode } from "../grammar/text.ts";
import { field } from "../message/headers.ts";
import { isHeaderValue } from "../grammar/tokens.ts";
import { readReferNotify } from "./notify.ts";
import { parseSipfrag, sipfragBody } from "./sipfrag.ts";

const RUNS = 20_000;
/** Bytes of any kind, and those that nearly are a status line. */
const body = fc.oneof(
	fc.uint8Array({ maxLength: 600 }),
	fc
		.tuple(fc.constantFrom("SIP/2.0 ", "SIP/2.0", "sip/2.0\t"), fc.string({ unit: "binary", maxLength: 40 }))
		.map(([start, rest]) => utf8Encode(start + rest)),
	fc
		.tuple(fc.integer({ min: 0, max: 1200 }), fc.string({ unit: "binary", maxLength: 600 }))
		.map(([status, rest]) => utf8Encode(`SIP/2.0 ${status} ${rest}`)),
);

describe("what strangers send as sipfrag", () => {
	it("is a status with a reason that fits into a header, or nothing", () => {
		fc.assert(
			fc.property(body, (bytes) => {
				const parsed = parseSipfrag(bytes);
				if (parsed === undefined) return;
				expect(parsed.status).toBeGreaterThanOrEqual(100);
				expect(parsed.status).toBeLessThan(700);
				expect(parsed.reason.length).toBeLessThanOrEqual(128);
				expect(isHeaderValue(parsed.reason)).toBe(true);
			}),
			{ numRuns: RUNS },
		);
	});

	it("comes back as it was written", () => {
		fc.assert(
			fc.property(fc.integer({ min: 100, max: 699 }), fc.string({ unit: "binary", maxLength: 200 }), (status, reason) => {
				const { bytes } = sipfragBody({ status, reason });
				const parsed = parseSipfrag(bytes);
				expect(parsed?.status).toBe(status);
				expect(sipfragBody(parsed ?? { status: 0, reason: "" }).bytes).toEqual(bytes);
			}),
			{ numRuns: RUNS },
		);
	});

	it("headers of any kind do no harm", () => {
		const text = fc.oneof(
			fc.string({ maxLength: 60 }),
			fc.constantFrom("refer", "refer;id=1", "refer;id=99999999999", "terminated;reason=x", "message/sipfrag"),
		);
		fc.assert(
			fc.property(text, text, text, body, (event, state, type, bytes) => {
				const headers = [field("Event", event), field("Subscription-State", state), field("Content-Type", type)];
				const read = readReferNotify({ kind: "request", method: "NOTIFY", uri: "sip:a@b", headers, body: bytes });
				if (read?.id !== undefined) expect(Number.isSafeInteger(read.id)).toBe(true);
			}),
			{ numRuns: RUNS },
		);
	});
});
