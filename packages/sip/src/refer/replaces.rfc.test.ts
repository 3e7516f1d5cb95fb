import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { field } from "../message/headers.ts";
import type { SipRequest } from "../message/message.ts";
import { parseReplaces, readReplaces, writeReplaces } from "./replaces.ts";

const invite = (...headers: (readonly [string, string])[]): SipRequest => ({
	kind: "request",
	method: "INVITE",
	uri: "sip:a@b",
	headers: headers.map(([name, value]) => field(name, value)),
	body: new Uint8Array(0),
});

describe("RFC 3891: Replaces", () => {
	it.each([
		["98732@sip.example.com;from-tag=r33th4x0r;to-tag=ff87ff", false],
		["12adf2f34456gs5;to-tag=12345;from-tag=54321;early-only", true],
		[" 87134@171.161.34.23 ; to-tag=24796 ; from-tag=0 ", false],
		['12345;To-Tag="7";from-tag=5FFE;unknown=x', false],
	])("§6.1: %s", (value, earlyOnly) => {
		const parsed = parseReplaces(value);
		expect(parsed?.earlyOnly).toBe(earlyOnly);
		expect(parsed?.callId).toBe(value.split(";")[0]?.trim());
		expect([parsed?.localTag, parsed?.remoteTag]).not.toContain("");
	});

	it("§6.1: the to-tag is the receiver's, the from-tag the other side's", () => {
		expect(parseReplaces("c;to-tag=mine;from-tag=theirs")).toEqual({
			callId: "c",
			localTag: "mine",
			remoteTag: "theirs",
			earlyOnly: false,
		});
	});

	it.each([
		"",
		"c",
		"c;to-tag=1",
		"c;from-tag=1",
		"c;to-tag=1;from-tag=",
		"c;to-tag=1;to-tag=2;from-tag=3",
		";to-tag=1;from-tag=2",
		"a,b;to-tag=1;from-tag=2",
		"a b;to-tag=1;from-tag=2",
	])("§6.1: %j is none", (value) => {
		expect(parseReplaces(value)).toBeUndefined();
		expect(readReplaces(invite(["Replaces", value]))).toMatchObject({ ok: false, status: 400 });
	});

	it("§3: MUST reject more than one Replaces, and one beside Join, with 400", () => {
		const one = ["Replaces", "c;to-tag=1;from-tag=2"] as const;
		expect(readReplaces(invite(one, one))).toMatchObject({ ok: false, status: 400 });
		expect(readReplaces(invite(one, ["Join", "c;to-tag=1;from-tag=2"]))).toMatchObject({ ok: false, status: 400 });
		expect(readReplaces(invite(one))).toMatchObject({ ok: true, replaces: { callId: "c" } });
		expect(readReplaces(invite())).toEqual({ ok: true, replaces: undefined });
	});

	it("written, then read", () => {
		const token = fc.stringMatching(/^[A-Za-z0-9\-.!%*_+`'~]{1,20}$/);
		fc.assert(
			fc.property(token, token, token, fc.boolean(), (callId, localTag, remoteTag, earlyOnly) => {
				const replaces = { callId, localTag, remoteTag, earlyOnly };
				expect(parseReplaces(writeReplaces(replaces))).toEqual(replaces);
			}),
		);
	});

	it("whatever strangers write has an answer", () => {
		fc.assert(
			fc.property(fc.string({ unit: "binary", maxLength: 200 }), (value) => {
				const read = readReplaces(invite(["Replaces", value]));
				if (read.ok) expect(read.replaces?.localTag).not.toBe("");
				else expect(read.status).toBe(400);
			}),
			{ numRuns: 5_000 },
		);
	});
});
