import { isHeaderValue, isReservedHeader, parseMessage, writeMessage } from "@trunkline/sip";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { farewellHeaders, peerReason } from "./farewell.ts";
import { sendableHeaders, withIdentity } from "./sendable-headers.ts";

const nothing = { attributes: {}, attributesToHeaders: {}, given: [] };

describe("our BYE and CANCEL", () => {
	it.each([
		["hangup", 'Q.850 ;cause=16 ;text="Normal call clearing"'],
		["no-answer", 'Q.850 ;cause=19 ;text="No answer from user"'],
		["media-timeout", 'Q.850 ;cause=102 ;text="Recovery on timer expiry"'],
		["shutdown", 'Q.850 ;cause=41 ;text="Temporary failure"'],
		["not-claimed", 'Q.850 ;cause=31 ;text="Normal, unspecified"'],
	] as const)("RFC 3326: %s → %s", (reason, value) => {
		expect(farewellHeaders({ by: "node", reason }, nothing).headers).toEqual([["Reason", value]]);
	});

	it("have what the trunk maps, and a Reason of its own in the place of ours", () => {
		const attributes = { "case.id": "42", why: "SIP;cause=200" };
		expect(
			farewellHeaders(undefined, { attributes, attributesToHeaders: { "case.id": "X-Case", why: "reason" }, given: [] }).headers,
		).toEqual([
			["X-Case", "42"],
			["reason", "SIP;cause=200"],
		]);
	});

	it("what was given with the request to hang up stands for what is mapped", () => {
		const asked = { attributes: { a: "mapped" }, attributesToHeaders: { a: "X-A" }, given: [["x-a", "given"]] as const };
		expect(farewellHeaders({ by: "api", reason: "hangup" }, asked).headers.slice(1)).toEqual([["x-a", "given"]]);
	});
});

describe("the peer's Reason", () => {
	it.each([
		[['Q.850;cause=17;text="User busy"'], "Q.850 17 User busy"],
		[["SIP;cause=486"], "SIP 486 Busy Here"],
		[['SIP ;cause=200 ;text="Call completed elsewhere"', "Q.850;cause=16"], "SIP 200 Call completed elsewhere; Q.850 16"],
		[["garbage \u0001"], undefined],
		[[], undefined],
	])("%j", (values, words) => expect(peerReason(values.map((value) => ["Reason", value] as const))).toBe(words));
});

describe("headers that come from configuration and attributes", () => {
	const text = fc.oneof(
		fc.string({ unit: "binary", maxLength: 60 }),
		fc.constantFrom("X-A", "Via", "v", "Reason", "a\r\nVia: x", "To", "t", "l", "x\n"),
	);

	it("leave as they are, each as one line, or not at all", () => {
		fc.assert(
			fc.property(
				fc.array(fc.tuple(text, text), { maxLength: 8 }),
				fc.dictionary(text, text),
				fc.dictionary(text, text),
				(given, attributes, map) => {
					const { headers } = farewellHeaders({ by: "room", reason: "hangup" }, { attributes, attributesToHeaders: map, given });
					const all = withIdentity(sendableHeaders(headers).headers, [{ name: "P-Asserted-Identity", value: "<sip:a@b>" }]);
					for (const [name, value] of all) expect([isReservedHeader(name), isHeaderValue(value)]).toEqual([false, true]);
					const fixed = [
						["Via", "SIP/2.0/UDP a.test;branch=z9hG4bK1"],
						["Call-ID", "1"],
					] as const;
					const message = {
						kind: "request",
						method: "BYE",
						uri: "sip:a@b.test",
						headers: [...fixed, ...all].map(([name, value]) => ({ name, key: name.toLowerCase(), value })),
						body: new Uint8Array(0),
					} as const;
					const parsed = parseMessage(writeMessage(message));
					if (!parsed.ok) throw new Error(parsed.detail);
					const names = parsed.message.headers.map(({ name }) => name);
					expect(names).toEqual([...fixed, ...all].map(([name]) => name).concat("Content-Length"));
				},
			),
		);
	});
});
