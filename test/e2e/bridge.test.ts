import { measureTone } from "@trunkline/audio";
import { type CallDetails, callDetailsSchema, callPageSchema } from "@trunkline/contracts";
import type { IncomingCall, OutgoingCall, PhoneOptions } from "@trunkline/phone";
import { header } from "@trunkline/sip";
import { AccessToken, SipCallError } from "livekit-server-sdk";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Participant } from "./participant.ts";
import { Testbed, until } from "./testbed.ts";
import { expectTones, settle } from "./tones.ts";

let bed: Testbed;

beforeAll(async () => {
	bed = await Testbed.start();
});
afterEach(async () => {
	await bed.clear();
	await bed.idle();
});
afterAll(() => bed.close());

const ROOM_HZ = 1_000;
const CALLER_HZ = 440;
const TARGET_HZ = 620;
/** with 440 Hz it is the ringback of +1 (ITU-T E.180) */
const RINGBACK_HZ = 480;

let next = 15_550_300;

interface Setting {
	room: string;
	agent: Participant;
	call: OutgoingCall;
	/** calls that came to the trunk's other end */
	calls: IncomingCall[];
	trunkId: string;
}

async function api(path: string, init: RequestInit = {}): Promise<unknown> {
	const token = new AccessToken(bed.access.apiKey, bed.access.apiSecret, { ttl: 60 });
	token.addSIPGrant({ admin: true });
	const headers = { authorization: `Bearer ${await token.toJwt()}`, "content-type": "application/json" };
	const response = await fetch(`${bed.local.url}${path}`, { ...init, headers });
	const body: unknown = await response.json();
	if (!response.ok) throw new Error(`${path}: ${response.status} ${JSON.stringify(body)}`);
	return body;
}

const transferSettings = (trunkId: string, transfer: Record<string, unknown>): Promise<unknown> =>
	api(`/v1/trunks/${trunkId}/settings`, { method: "PUT", body: JSON.stringify({ transfer }) });

async function records(query: string): Promise<CallDetails[]> {
	const { calls } = callPageSchema.parse(await api(`/v1/calls?${query}`));
	return Promise.all(calls.map(async ({ id }) => callDetailsSchema.parse(await api(`/v1/calls/${id}`))));
}

/** A caller (whose telephone refuses every REFER) talking with an agent, and a trunk to a second telephone. */
async function talking(
	onTarget: (call: IncomingCall) => void,
	{ transfer = {}, ...phone }: PhoneOptions & { transfer?: Record<string, unknown> } = {},
): Promise<Setting> {
	const number = `+${++next}`;
	const room = `bridge-${next}`;
	const target = await bed.phone({ username: "+15550142", ...(phone.codecs && { codecs: phone.codecs }) });
	const calls: IncomingCall[] = [];
	target.onIncoming((call) => {
		call.tone(TARGET_HZ, -20);
		calls.push(call);
		onTarget(call);
	});
	const bridgeTrunkId = await bed.outbound(target);
	const { trunkId } = await bed.inbound(number, room);
	if (transfer["bridgeTrunkId"] !== null) await transferSettings(trunkId, { bridgeTrunkId, ...transfer });
	const agent = await bed.participant(room, "agent");
	await agent.speak(ROOM_HZ);
	const caller = await bed.phone({ username: "+15559999" });
	const call = await caller.call(bed.uri(number), { timeoutMs: 10_000 });
	call.tone(CALLER_HZ, -20);
	await call.answered();
	await until(() => agent.attributeChanges.some(({ changed }) => changed["sip.callStatus"] === "active"), "the call to be active");
	return { room, agent, call, calls, trunkId };
}

const answer = (call: IncomingCall): void => {
	call.ring();
	void call.answer();
};
const IDENTITY = "sip_+15559999";

async function expectJoined(call: OutgoingCall, other: IncomingCall): Promise<void> {
	await settle(300);
	call.received.clear();
	other.received.clear();
	await settle(900);
	expectTones(call.received.pcm(), 8_000, [TARGET_HZ], [ROOM_HZ, RINGBACK_HZ]);
	expectTones(other.received.pcm(), 8_000, [CALLER_HZ], [ROOM_HZ, RINGBACK_HZ]);
}

/** The longest silence in what was heard, ms, by the time line of the packets. */
function longestSilence(pcm: Int16Array): number {
	let longest = 0;
	let run = 0;
	for (const sample of pcm) {
		run = Math.abs(sample) < 200 ? run + 1 : 0;
		longest = Math.max(longest, run);
	}
	return longest / 8;
}

describe("the telephone refuses REFER, and the trunk says where the target can be dialled", () => {
	it("the node calls the target and joins the two; the participant leaves; either hangs up both", async () => {
		const s = await talking(answer);
		await settle(300);
		s.call.received.clear();
		const response = bed.sip.transferSipParticipant(s.room, IDENTITY, "tel:+15550142", { headers: { "X-Order": "4711" } });
		await response;
		await until(() => s.agent.left.includes(IDENTITY), "the participant to leave");
		await settle(600);
		const heard = s.call.received;
		expect(longestSilence(heard.pcm()), "ms without a sound at the change").toBeLessThan(200);
		const sequences = heard.packets.map(({ sequence }) => sequence);
		const missing = ((sequences.at(-1) ?? 0) - (sequences[0] ?? 0) + 1 - sequences.length) & 0xffff;
		expect(missing, "packets that never came").toBeLessThan(10);
		const [other] = s.calls;
		if (other === undefined) throw new Error("the target got no call");
		expect(header(other.request, "x-order")).toBe("4711");
		await expectJoined(s.call, other);
		s.call.sendDtmf("42#");
		expect(await other.waitForDigits(3)).toBe("42#");
		other.sendDtmf("7");
		expect(await s.call.waitForDigits(1)).toBe("7");
		expect(s.agent.attributeChanges.at(-1)).toMatchObject({ identity: IDENTITY, changed: { "sip.callStatus": "hangup" } });

		const [first] = await records(`room=${s.room}`);
		expect(first).toMatchObject({ state: "active" });
		expect(first?.timeline.map(({ event }) => event).slice(-3)).toEqual(["transfer-requested", "refer-refused", "transferred"]);
		const second = callDetailsSchema.parse(await api(`/v1/calls/${first?.bridgedWith}`));
		expect(second).toMatchObject({ state: "active", direction: "outbound", to: "+15550142", roomName: "", bridgedWith: first?.id });

		other.hangup();
		expect(await s.call.ended()).toMatchObject({ by: "remote", answered: true });
		await bed.idle();
		expect((await records(`room=${s.room}`))[0]?.end).toMatchObject({ by: "api", reason: "transferred" });
		expect(callDetailsSchema.parse(await api(`/v1/calls/${second.id}`)).end).toMatchObject({ by: "peer", reason: "hangup" });
	});

	it.each(["first", "second"])(
		"hung up through the API by the %s call's id: both telephones get BYE; the call is not of the room any more",
		async (which) => {
			const s = await talking(answer);
			await bed.sip.transferSipParticipant(s.room, IDENTITY, "tel:+15550142");
			await until(() => s.calls[0]?.state === "answered", "the target to be connected");
			const [first] = await records(`room=${s.room}`);
			if (first?.bridgedWith === undefined) throw new Error("the first call names no second one");
			const again = await bed.sip.transferSipParticipant(s.room, IDENTITY, "tel:+15550143").catch((error: unknown) => error);
			expect(again, "nobody to transfer is there any more").toMatchObject({ code: "not_found" });
			const hold = await api(`/v1/calls/${first.id}/hold`, { method: "POST", body: JSON.stringify({ on: true }) }).catch(String);
			expect(hold).toContain("joined to another telephone");
			const id = which === "first" ? first.id : first.bridgedWith;
			expect(await api(`/v1/calls/${id}/hangup`, { method: "POST" })).toMatchObject({ outcome: expect.any(String) });
			expect(await s.call.ended()).toMatchObject({ by: "remote", answered: true });
			expect(await s.calls[0]?.ended()).toMatchObject({ by: "remote", answered: true });
		},
	);

	it("the caller hangs up: the target gets BYE", async () => {
		const s = await talking(answer, { codecs: ["PCMA"] });
		await bed.sip.transferSipParticipant(s.room, IDENTITY, "sip:+15550142@elsewhere.example");
		const [other] = s.calls;
		if (other === undefined) throw new Error("the target got no call");
		expect(other.request.uri).toBe("sip:+15550142@elsewhere.example");
		expect([s.call.negotiated?.codec.name, other.negotiated?.codec.name]).toEqual(["PCMU", "PCMA"]);
		await expectJoined(s.call, other);
		s.call.hangup();
		expect(await other.ended()).toMatchObject({ by: "remote", answered: true });
	});

	it("play_dialtone: the caller hears ringback until the target answers, then the target", async () => {
		const s = await talking((call) => call.ring());
		const transfer = bed.sip.transferSipParticipant(s.room, IDENTITY, "tel:+15550142", { playDialtone: true });
		await until(() => s.calls.length > 0, "the target to ring");
		await settle(200);
		s.call.received.clear();
		await settle(600);
		const ringing = s.call.received.pcm();
		expect(measureTone(ringing, 8_000, RINGBACK_HZ).levelDb).toBeGreaterThan(-30);
		expect(measureTone(ringing, 8_000, ROOM_HZ).levelDb).toBeLessThan(-45);
		const [other] = s.calls;
		void other?.answer();
		await transfer;
		if (other !== undefined) await expectJoined(s.call, other);
	});

	it("the target is busy: told, and the caller is still with the agent", async () => {
		const s = await talking((call) => call.reject(486, "Busy Here"));
		await expect(bed.sip.transferSipParticipant(s.room, IDENTITY, "tel:+15550142")).rejects.toMatchObject({
			sipStatusCode: 486,
			sipStatus: "Busy Here",
		});
		await settle();
		s.call.received.clear();
		await settle(1_000);
		expectTones(s.call.received.pcm(), 8_000, [ROOM_HZ], [RINGBACK_HZ]);
	});

	it("nobody answers in time: the target rings no longer", async () => {
		const s = await talking((call) => call.ring());
		await expect(bed.sip.transferSipParticipant(s.room, IDENTITY, "tel:+15550142", { ringingTimeout: 1 })).rejects.toMatchObject({
			code: "deadline_exceeded",
		});
		await until(() => s.calls[0]?.state === "ended", "the target to be cancelled");
		expect(s.call.state).toBe("answered");
	});

	it("the caller hangs up while the target rings: the target is cancelled", async () => {
		const s = await talking((call) => call.ring());
		const transfer = bed.sip.transferSipParticipant(s.room, IDENTITY, "tel:+15550142").catch((error: unknown) => error);
		await until(() => s.calls[0]?.state === "ringing", "the target to ring");
		s.call.hangup();
		expect(await transfer).toMatchObject({ code: "failed_precondition" });
		await until(() => s.calls[0]?.state === "ended", "the target to be cancelled");
	});
});

describe("without a trunk to dial the target over", () => {
	it("the refusal says which setting would help", async () => {
		const s = await talking(answer, { transfer: { bridgeTrunkId: null } });
		const error = await bed.sip.transferSipParticipant(s.room, IDENTITY, "tel:+15550142").catch((reason: unknown) => reason);
		expect(error).toBeInstanceOf(SipCallError);
		expect(error).toMatchObject({
			sipStatusCode: 603,
			metadata: { transfer_detail: expect.stringContaining("settings.transfer.bridgeTrunkId") },
		});
		expect(s.calls).toEqual([]);
	});
});

describe("REFER of the caller's telephone (RFC 3515)", () => {
	it("is declined where the trunk does not have it followed, and is not in our Allow", async () => {
		const s = await talking(answer);
		expect(await s.call.refer("<sip:+15550142@elsewhere.example>")).toMatchObject({ status: 603 });
		expect(s.calls).toEqual([]);
	});

	it("is followed where it has: 202, NOTIFY 100, 180, 200, and the two are joined", async () => {
		const s = await talking(answer, { transfer: { incoming: "bridge" } });
		const told: string[] = [];
		s.call.on("referral", ({ progress, terminated }) => told.push(`${progress?.status}${terminated ? " terminated" : ""}`));
		expect(await s.call.refer("<tel:+15550142>")).toMatchObject({ status: 202 });
		await until(
			() => told.includes("200 terminated"),
			() => `the final NOTIFY: ${told.join()}`,
		);
		expect(told).toEqual(["100", "180", "200 terminated"]);
		await until(() => s.agent.left.includes(IDENTITY), "the participant to leave");
		const [other] = s.calls;
		if (other !== undefined) await expectJoined(s.call, other);
		s.call.hangup();
		await other?.ended();
	});

	it("to a number that the project may not call: 202, then NOTIFY 403, nothing is dialled, and the call goes on", async () => {
		const s = await talking(answer, { transfer: { incoming: "bridge" } });
		const told: string[] = [];
		s.call.on("referral", ({ progress, terminated }) => told.push(`${progress?.status}${terminated ? " terminated" : ""}`));
		await s.call.refer("<tel:+18762345678>");
		await until(() => told.at(-1)?.endsWith("terminated") === true, "the final NOTIFY");
		expect(told).toEqual(["100", "403 terminated"]);
		expect(s.calls).toEqual([]);
		expect(s.call.state).toBe("answered");
	});

	it("norefersub (RFC 4488): no NOTIFY comes", async () => {
		const s = await talking(answer, { transfer: { incoming: "bridge" } });
		let notified = 0;
		s.call.on("referral", () => (notified += 1));
		expect(await s.call.refer("<tel:+15550142>", [["Refer-Sub", "false"]])).toMatchObject({ status: 202 });
		await until(() => s.agent.left.includes(IDENTITY), "the participant to leave");
		expect(notified).toBe(0);
	});
});
