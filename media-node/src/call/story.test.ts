import { expect, it } from "vitest";
import type { CallRecord } from "@trunkline/contracts";
import type { Metrics } from "@trunkline/observability";
import { CallStory } from "./story.ts";

const RECORD: CallRecord = {
	callId: "SCL_1",
	projectId: "p",
	region: "eu-west-1",
	direction: "outbound",
	requestId: "R1",
	state: "claimed",
	version: 1,
	trunkId: "ST_1",
	ruleId: "",
	roomName: "secret room",
	participantIdentity: "sip_+15550100",
	participantId: "",
	from: "+15550100",
	to: "+15550111",
	sipCallId: "",
	timeline: [],
	createdAt: 10_000,
	expiresAtSeconds: 0,
};

function story() {
	const lines: Record<string, unknown>[] = [];
	const recorded: [string, number, unknown][] = [];
	const metrics: Metrics = { record: (name, value, ...[dimensions]) => void recorded.push([name, value, dimensions]) };
	const take = (fields: Record<string, unknown>, msg: string): void => void lines.push({ ...fields, msg });
	const clock = { now: 10_000 };
	const told = new CallStory({ callId: "SCL_1", now: () => clock.now, metrics, log: { info: take, warn: take, error: take } });
	return { story: told, clock, lines, recorded };
}

it("an outbound call that is answered: claimed, dialled, rung, answered, over", () => {
	const { story: told, clock, lines, recorded } = story();
	clock.now = 10_050;
	told.claimed(RECORD);
	clock.now = 10_200;
	told.dialling("SIP1");
	clock.now = 11_000;
	told.step("ringing", "ringing", "180", undefined);
	told.step("ringing", "ringing", "183", undefined);
	told.agreed({ srtp: "AES_CM_128_HMAC_SHA1_80" });
	clock.now = 15_000;
	told.step("ringing", "answered", undefined, 14_200);
	told.step("active", "active", undefined, undefined);
	told.step("active", "dtmf", "5", undefined);
	clock.now = 20_000;
	told.ended({ by: "peer", reason: "hangup" });
	const ids = { callId: "SCL_1", direction: "outbound", projectId: "p", trunkId: "ST_1", requestId: "R1" };
	expect(lines).toEqual([
		{ ...ids, msg: "call claimed", queuedMs: 50 },
		{ ...ids, msg: "call step", state: "dialing", event: "dialing", sipCallId: "SIP1", requestToInviteMs: 200 },
		{ ...ids, msg: "call step", state: "ringing", event: "ringing", sipStatus: 180 },
		{ ...ids, msg: "call step", state: "ringing", event: "ringing", sipStatus: 183 },
		{ ...ids, msg: "call step", state: "ringing", event: "answered", sipStatus: undefined },
		{ ...ids, msg: "call step", state: "active", event: "active", sipStatus: undefined },
		{
			...{ ...ids, msg: "call ended", by: "peer", reason: "hangup", sipStatus: undefined, answered: true, failed: false, encrypted: true },
			...{ requestToInviteMs: 200, inviteToRingingMs: 800, inviteToAnswerMs: 4_000, durationMs: 5_800 },
		},
	]);
	expect(recorded).toEqual([
		["CallAttempts", 1, { direction: "outbound" }],
		["RequestToInvite", 200, undefined],
		["InviteToRinging", 800, undefined],
		["CallAnswers", 1, { direction: "outbound" }],
		["InviteToAnswer", 4_000, { direction: "outbound" }],
		["EncryptedCalls", 100, undefined],
	]);
	expect(JSON.stringify(lines)).not.toMatch(/5550|secret/);
});

it.each([
	["busy", "busy"],
	// The caller went away while it rang.
	["hangup", "other"],
] as const)("a call that is not answered has failed: %s is counted as %s", (reason, counted) => {
	const { story: told, recorded, lines } = story();
	told.claimed(RECORD);
	told.dialling("SIP1");
	told.ended({ by: "peer", reason, sipStatus: 486 });
	expect(recorded.slice(2)).toEqual([["CallFailures", 1, { reason: counted }]]);
	expect(lines.at(-1)).toMatchObject({ answered: false, failed: true, sipStatus: 486 });
});

it("an answered call fails by a fault, and by nobody's wish", () => {
	for (const [reason, failed] of [
		["media-timeout", true],
		["room-closed", false],
		["transferred", false],
	] as const) {
		const { story: told, recorded } = story();
		told.claimed(RECORD);
		told.dialling("SIP1");
		told.step("ringing", "answered", undefined, 10_500);
		told.ended({ by: "node", reason });
		expect(recorded.filter(([name]) => name === "CallFailures")).toEqual(failed ? [["CallFailures", 1, { reason }]] : []);
	}
});

it("an INVITE that no trunk takes is a failure and no attempt: strangers do not spoil the answer-seizure ratio", () => {
	const { story: told, recorded, lines } = story();
	const end = { by: "node", reason: "no-trunk", sipStatus: 404 } as const;
	told.received({ ...RECORD, direction: "inbound", trunkId: "", state: "ended", end }, 9_000, "192.0.2.1");
	expect(recorded).toEqual([["CallFailures", 1, { reason: "no-trunk" }]]);
	expect(lines).toMatchObject([{ msg: "call refused", callId: "SCL_1", reason: "no-trunk", sipStatus: 404, source: "192.0.2.1" }]);
});
