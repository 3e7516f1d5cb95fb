import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { direct, dispatchRule, inboundTrunk } from "../samples.ts";
import { explainInbound, type ExplainSources, type WouldBeCall } from "./explain.ts";
import { decideRule, decideTrunk } from "./inbound.ts";
import { summarizeDecision } from "./summary.ts";

const call: WouldBeCall = { from: "+15551111", to: "+15550100", source: "203.0.113.7", headers: [] };
const stored = (
	trunks: Parameters<typeof inboundTrunk>[0][],
	rules: Parameters<typeof dispatchRule>[0][],
	over: Partial<ExplainSources> = {},
): ExplainSources => ({
	trunksFor: async () => trunks.map(inboundTrunk),
	rulesFor: async () => rules.map(dispatchRule),
	strict: true,
	random: (length) => new Uint8Array(length),
	...over,
});

describe("explainInbound", () => {
	it("tells trunk, rule, room and participant of a call that would be taken", async () => {
		const sources = stored(
			[{ trunkId: "ST_a", name: "carrier", numbers: ["15550100"], headersToAttributes: { "X-Order": "order" } }],
			[{ ruleId: "SDR_a", name: "lobby", trunkIds: ["ST_a"], metadata: "m", attributes: { team: "sales" } }],
		);
		const explained = await explainInbound({ ...call, headers: [{ name: "x-order", value: "4711" }] }, sources);
		expect(explained).toEqual({
			outcome: "accepted",
			sip: { status: 200, reason: "OK" },
			summary:
				'The call from "+15551111" to "+15550100" came through trunk ST_a, is taken by dispatch rule SDR_a and joins room "lobby" as "sip_+15551111".',
			asksForCredentials: false,
			asksForPin: false,
			trunk: { id: "ST_a", name: "carrier" },
			rule: { id: "SDR_a", name: "lobby" },
			room: { name: "lobby", isRandom: false },
			participant: {
				identity: "sip_+15551111",
				name: "Phone +15551111",
				metadata: "m",
				attributes: {
					team: "sales",
					"sip.trunkID": "ST_a",
					"sip.ruleID": "SDR_a",
					"sip.phoneNumber": "+15551111",
					"sip.trunkPhoneNumber": "+15550100",
					"sip.callStatus": "ringing",
					order: "4711",
				},
			},
			steps: [
				{ kind: "trunk", id: "ST_a", outcome: "selected" },
				{ kind: "rule", id: "SDR_a", outcome: "selected" },
			],
		});
	});

	it("tells each trunk's first failed test with the strings compared", async () => {
		const sources = stored(
			[
				{ trunkId: "ST_a", allowedNumbers: ["1555 9999"] },
				{ trunkId: "ST_b", allowedAddresses: ["198.51.100.0/24", "2001:db8::1"] },
			],
			[],
		);
		const explained = await explainInbound(call, sources);
		expect(explained).toMatchObject({
			outcome: "refused",
			endReason: "no-trunk",
			sip: { status: 404, reason: "Does Not Match Any Trunk" },
		});
		expect(explained.steps).toEqual([
			{ kind: "trunk", id: "ST_a", outcome: "rejected", test: "allowed_numbers", detail: 'caller "+15551111" is not in ["+15559999"]' },
			{
				kind: "trunk",
				id: "ST_b",
				outcome: "rejected",
				test: "allowed_addresses",
				detail: 'source "203.0.113.7" is not in [198.51.100.0/24, 2001:db8::1/128]',
			},
		]);
		expect(explained.summary).toBe(
			'The call from "+15551111" to "+15550100" was not taken: no inbound trunk matched the call (SIP 404 Does Not Match Any Trunk; ended by the media node). ' +
				'Trunk ST_a: allowed_numbers: caller "+15551111" is not in ["+15559999"]. ' +
				'Trunk ST_b: allowed_addresses: source "203.0.113.7" is not in [198.51.100.0/24, 2001:db8::1/128].',
		);
	});

	it("tells that no trunk names the number", async () => {
		const { summary, steps } = await explainInbound(call, stored([], []));
		expect(steps).toEqual([]);
		expect(summary).toContain('No inbound trunk names the called number "+15550100", and none takes every number.');
	});

	it("tells that no rule is for the trunk", async () => {
		const { summary, sip, trunk } = await explainInbound(call, stored([{ trunkId: "ST_a" }], []));
		expect(sip).toEqual({ status: 404, reason: "Does Not Match Any Dispatch Rule" });
		expect(trunk).toEqual({ id: "ST_a", name: "" });
		expect(summary).toMatch(
			/Trunk ST_a matched\. No dispatch rule is for this trunk, or for every trunk, and for the called number "\+15550100" or every number\.$/,
		);
	});

	it("a tie of trunks is a 500 that names both", async () => {
		const { summary, sip } = await explainInbound(call, stored([{ trunkId: "ST_a" }, { trunkId: "ST_b" }], []));
		expect(sip).toEqual({ status: 500, reason: "Ambiguous Trunk" });
		expect(summary).toContain("Trunk ST_a: matches as well as another one. Trunk ST_b: matches as well as another one.");
	});

	it("asks for a PIN, takes the right one, refuses a wrong one, and shows none", async () => {
		const sources = stored([{ trunkId: "ST_a" }], [{ rule: direct("vault", "87654321") }]);
		const asked = await explainInbound(call, sources);
		expect(asked).toMatchObject({ outcome: "refused", asksForPin: true, sip: { status: 403 }, rule: { id: "SDR_a" } });
		const right = await explainInbound({ ...call, pin: "87654321" }, sources);
		expect(right).toMatchObject({ outcome: "accepted", asksForPin: true, room: { name: "vault" } });
		const wrong = await explainInbound({ ...call, pin: "11112222" }, sources);
		expect(wrong).toMatchObject({ outcome: "refused", endReason: "wrong-pin" });
		for (const explained of [asked, right, wrong]) expect(JSON.stringify(explained)).not.toMatch(/87654321|11112222/);
	});

	it("tells that credentials are asked for, and shows none", async () => {
		const sources = stored([{ trunkId: "ST_a", authUsername: "carrier-user", authPassword: "s3cret" }], [{}]);
		const explained = await explainInbound(call, sources);
		expect(explained.asksForCredentials).toBe(true);
		expect(JSON.stringify(explained)).not.toMatch(/s3cret|carrier-user/);
	});

	it("a trunk or rule that requires encryption takes the call: whether it has keys is seen in its SDP", async () => {
		for (const sources of [stored([{ mediaEncryption: "REQUIRE" }], [{}]), stored([{}], [{ mediaEncryption: "REQUIRE" }])]) {
			expect(await explainInbound(call, sources)).toMatchObject({ outcome: "accepted" });
		}
	});

	it("a rule without trunks takes a call without trunk only when not strict", async () => {
		expect(await explainInbound(call, stored([], [{}]))).toMatchObject({ outcome: "refused", endReason: "no-trunk" });
		const lax = await explainInbound(call, stored([], [{}], { strict: false }));
		expect(lax.summary).toContain("came without a trunk, is taken by dispatch rule SDR_a");
	});

	it("says which room names are made anew for each call", async () => {
		const room = async (rule: Parameters<typeof dispatchRule>[0]) => (await explainInbound(call, stored([{}], [rule]))).room;
		expect(await room({ rule: { type: "individual", roomPrefix: "call", pin: "", noRandomness: true } })).toEqual({
			name: "call_+15551111",
			isRandom: false,
		});
		expect((await room({ rule: { type: "individual", roomPrefix: "call", pin: "", noRandomness: false } }))?.isRandom).toBe(true);
		expect(await room({ rule: { type: "callee", roomPrefix: "", pin: "", randomize: false } })).toEqual({
			name: "+15550100",
			isRandom: false,
		});
	});

	it("an empty caller is anonymous", async () => {
		expect((await explainInbound({ ...call, from: "" }, stored([{}], [{}]))).participant?.identity).toBe("sip_anonymous");
	});

	it("always comes to an end: accepted with a rule, or refused with a final status and a text that says so", async () => {
		const number = fc.constantFrom("", "+15551111", "15550100", "alice");
		const numbers = fc.array(number, { maxLength: 2 });
		const trunks = fc.array(
			fc.record({ numbers, allowedNumbers: numbers, allowedAddresses: fc.subarray(["203.0.113.0/24", "10.0.0.1", "?"]) }),
			{
				maxLength: 3,
			},
		);
		const rules = fc.array(
			fc.record({
				numbers,
				inboundNumbers: numbers,
				rule: fc.constantFrom(direct("a"), direct("b", "12")),
				trunkIds: fc.subarray(["ST_0"]),
			}),
			{ maxLength: 3 },
		);
		await fc.assert(
			fc.asyncProperty(trunks, rules, number, number, fc.boolean(), async (someTrunks, someRules, from, to, strict) => {
				const sources = stored(
					someTrunks.map((trunk, i) => ({ ...trunk, trunkId: `ST_${i}` })),
					someRules.map((rule, i) => ({ ...rule, ruleId: `SDR_${i}` })),
					{ strict },
				);
				const explained = await explainInbound({ ...call, from, to, pin: "12" }, sources);
				expect(await explainInbound({ ...call, from, to, pin: "12" }, sources)).toEqual(explained);
				if (explained.outcome === "accepted") expect(explained.rule?.id).toMatch(/^SDR_/);
				else {
					expect(explained.sip.status).toBeGreaterThanOrEqual(400);
					expect(explained.summary).toContain(`SIP ${explained.sip.status}`);
				}
			}),
		);
	});
});

describe("summarizeDecision", () => {
	it("wrong credentials: the trunk matched, and nothing is said of rules that nobody looked at", () => {
		const { steps } = decideTrunk([inboundTrunk({ trunkId: "ST_a" })], { from: "+1", to: "+2", sourceAddress: "203.0.113.7" });
		const end = { by: "node", reason: "unauthorized", sipStatus: 403, sipReason: "Forbidden" } as const;
		const summary = summarizeDecision({ from: "+1", to: "+2", steps, ruleId: "", roomName: "", participantIdentity: "", end });
		expect(summary).toBe(
			'The call from "+1" to "+2" was not taken: the credentials were missing or wrong (SIP 403 Forbidden; ended by the media node). Trunk ST_a matched.',
		);
	});

	it("a call that ended before it was looked up: nothing is said of trunks", () => {
		const end = { by: "peer", reason: "cancelled" } as const;
		const summary = summarizeDecision({ from: "", to: "+2", steps: [], ruleId: "", roomName: "", participantIdentity: "", end });
		expect(summary).toBe(
			'The call from "anonymous" to "+2" was not taken: the call was cancelled before an answer (ended by the telephone side).',
		);
	});

	it("counts what is too long to tell", () => {
		const rules = Array.from({ length: 8 }, (_, i) => dispatchRule({ ruleId: `SDR_${i}`, numbers: ["+9"] }));
		const trunk = inboundTrunk();
		const { steps, refusal } = decideRule(rules, { from: "+1", to: "+2", trunk, strict: true });
		expect(steps).toHaveLength(8);
		const end = refusal?.end ?? { by: "node", reason: "no-rule" };
		const summary = summarizeDecision({ from: "+1", to: "+2", steps, ruleId: "", roomName: "", participantIdentity: "", end });
		expect(summary).toMatch(/Dispatch rule SDR_4: numbers: called "\+2" is not in \["\+9"\]\. 3 more failed too\.$/);
	});
});
