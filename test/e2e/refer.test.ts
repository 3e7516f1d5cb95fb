import { type CallDetails, callDetailsSchema, callPageSchema, type TrunkSettings } from "@trunkline/contracts";
import type { IncomingCall, OutgoingCall } from "@trunkline/phone";
import { header, parseReplaces } from "@trunkline/sip";
import { AccessToken } from "livekit-server-sdk";
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
const IDENTITY = "sip_+15559999";

let next = 15_550_600;

async function api(path: string, init: RequestInit = {}): Promise<unknown> {
	const token = new AccessToken(bed.access.apiKey, bed.access.apiSecret, { ttl: 60 });
	token.addSIPGrant({ admin: true });
	const headers = { authorization: `Bearer ${await token.toJwt()}`, "content-type": "application/json" };
	const response = await fetch(`${bed.local.url}${path}`, { ...init, headers });
	const body: unknown = await response.json();
	if (!response.ok) throw new Error(`${path}: ${response.status} ${JSON.stringify(body)}`);
	return body;
}

async function records(query: string): Promise<CallDetails[]> {
	const { calls } = callPageSchema.parse(await api(`/v1/calls?${query}`));
	return Promise.all(calls.map(({ id }) => record(id)));
}
const record = async (id: string | undefined): Promise<CallDetails> => callDetailsSchema.parse(await api(`/v1/calls/${id}`));

interface Setting {
	room: string;
	agent: Participant;
	call: OutgoingCall;
	calls: IncomingCall[];
	/** what the telephone's NOTIFYs said */
	told: string[];
}

/** A caller talks with an agent; the trunk has REFER followed, over a trunk to a second telephone. */
async function talking(
	onTarget: (call: IncomingCall) => void,
	transfer: TrunkSettings["transfer"] = { incoming: "follow" },
): Promise<Setting> {
	const number = `+${++next}`;
	const room = `refer-${next}`;
	const target = await bed.phone({ username: "+15550142" });
	const calls: IncomingCall[] = [];
	target.onIncoming((call) => {
		call.tone(TARGET_HZ, -20);
		calls.push(call);
		onTarget(call);
	});
	const bridgeTrunkId = await bed.outbound(target);
	const { trunkId } = await bed.inbound(number, room);
	await bed.settings(trunkId, { transfer: { bridgeTrunkId, ...transfer } });
	const agent = await bed.participant(room, "agent");
	await agent.speak(ROOM_HZ);
	const caller = await bed.phone({ username: "+15559999" });
	const call = await caller.call(bed.uri(number), { timeoutMs: 10_000 });
	call.tone(CALLER_HZ, -20);
	await call.answered();
	await until(() => agent.attributeChanges.some(({ changed }) => changed["sip.callStatus"] === "active"), "the call to be active");
	const told: string[] = [];
	call.on("referral", ({ progress, terminated }) => told.push(`${progress?.status}${terminated ? " terminated" : ""}`));
	return { room, agent, call, calls, told };
}

const answer = (call: IncomingCall): void => {
	call.ring();
	void call.answer();
};

async function expectInRoom({ agent, calls }: Setting): Promise<IncomingCall> {
	const [other] = calls;
	if (other === undefined) throw new Error("the target got no call");
	await settle(300);
	other.received.clear();
	agent.take(IDENTITY);
	await settle(900);
	expectTones(other.received.pcm(), 8_000, [ROOM_HZ], [CALLER_HZ]);
	expectTones(agent.take(IDENTITY), 48_000, [TARGET_HZ], [CALLER_HZ]);
	return other;
}

describe("RFC 5589: a REFER of the caller's telephone is followed, and the target takes its place in the room", () => {
	it("202, NOTIFY 100, 180, 200; the participant stays; BYE to the referrer; two records that name each other", async () => {
		const s = await talking(answer);
		s.agent.take(IDENTITY);
		expect(await s.call.refer("<tel:+15550142>")).toMatchObject({ status: 202 });
		await until(
			() => s.told.includes("200 terminated"),
			() => `the final NOTIFY: ${s.told.join()}`,
		);
		expect(s.told).toEqual(["100", "180", "200 terminated"]);
		await settle(300);
		expect(longestSilence(s.agent.take(IDENTITY), 48_000), "ms that the room hears nothing of the participant").toBeLessThan(200);
		const other = await expectInRoom(s);
		expect(await s.call.ended()).toMatchObject({ by: "remote", answered: true });
		expect(s.agent.left).toEqual([]);
		const first = (await records(`room=${s.room}`)).find(({ direction }) => direction === "inbound");
		const second = await record(first?.bridgedWith);
		expect(second).toMatchObject({ state: "active", to: "+15550142", roomName: s.room, bridgedWith: first?.id });
		expect(second.participant).toEqual(first?.participant);
		await until(async () => (await record(first?.id)).state === "ended", "the referrer's record to end");
		expect((await record(first?.id)).end).toMatchObject({ by: "peer", reason: "transferred" });
		const attributes = Object.assign({}, ...s.agent.attributeChanges.map(({ changed }) => changed)) as Record<string, string>;
		expect(attributes).toMatchObject({ "sip.callID": second.id, "sip.phoneNumber": "+15550142", "sip.callStatus": "active" });

		// It is a participant like others: digits, moves to another room, another transfer, the end.
		other.sendDtmf("5");
		const elsewhere = `${s.room}-b`;
		const supervisor = await bed.participant(elsewhere, "supervisor");
		await supervisor.speak(850);
		await bed.rooms.moveParticipant(s.room, IDENTITY, elsewhere);
		await until(() => s.agent.left.includes(IDENTITY), "the participant to go to the other room");
		await settle(300);
		other.received.clear();
		await settle(700);
		expectTones(other.received.pcm(), 8_000, [850], [ROOM_HZ]);
		other.hangup();
		await until(() => supervisor.left.includes(IDENTITY), "the participant to leave");
		expect((await record(second.id)).roomName).toBe(elsewhere);
	});

	it("§6.1: the referrer hangs up at its 202; the participant waits, and becomes the target", async () => {
		const s = await talking((call) => {
			call.ring();
			setTimeout(() => void call.answer(), 600);
		});
		await s.call.refer("<tel:+15550142>");
		s.call.hangup();
		await expectAnswered(s);
		await expectInRoom(s);
		expect(s.agent.left).toEqual([]);
	});

	it("busy: NOTIFY 486, and the caller is still with the agent", async () => {
		const s = await talking((call) => call.reject(486, "Busy Here"));
		await s.call.refer("<tel:+15550142>");
		await until(() => s.told.at(-1)?.endsWith("terminated") === true, "the final NOTIFY");
		expect(s.told).toEqual(["100", "486 terminated"]);
		await settle();
		s.call.received.clear();
		await settle(900);
		expectTones(s.call.received.pcm(), 8_000, [ROOM_HZ], []);
	});

	it("busy when the referrer has gone: the participant leaves", async () => {
		const s = await talking((call) => setTimeout(() => call.reject(486, "Busy Here"), 300));
		await s.call.refer("<tel:+15550142>");
		s.call.hangup();
		await until(() => s.agent.left.includes(IDENTITY), "the participant to leave");
		expect(s.calls).toHaveLength(1);
		await until(async () => (await records(`room=${s.room}`))[0]?.state === "ended", "the record to end");
		expect((await records(`room=${s.room}`))[0]?.end).toMatchObject({
			by: "peer",
			reason: "hangup",
			message: expect.stringContaining("the target was not reached"),
		});
	});

	it("§7: Replaces in the Refer-To is on the INVITE to the target: an attended transfer, we the transferee", async () => {
		const s = await talking(answer);
		const target = "<sip:+15550142@pbx.example?Replaces=12345%40pbx%3Bto-tag%3Done%3Bfrom-tag%3Dtwo>";
		await s.call.refer(target, [["Referred-By", "<sip:alice@pbx.example>"]]);
		await expectAnswered(s);
		const replaces = header(s.calls[0]?.request ?? missing(), "replaces") ?? "";
		expect(parseReplaces(replaces)).toEqual({ callId: "12345@pbx", localTag: "one", remoteTag: "two", earlyOnly: false });
		expect(s.calls[0]?.request.uri).toBe("sip:+15550142@pbx.example");
		expect(header(s.calls[0]?.request ?? missing(), "referred-by")).toBe("<sip:alice@pbx.example>");
		await expectInRoom(s);
	});

	it("to a number that the project may not call: NOTIFY 403, nothing is dialled", async () => {
		const s = await talking(answer);
		await s.call.refer("<tel:+18762345678>");
		await until(() => s.told.at(-1)?.endsWith("terminated") === true, "the final NOTIFY");
		expect(s.told).toEqual(["100", "403 terminated"]);
		expect(s.calls).toEqual([]);
	});

	it("who was on hold with music is so still when another telephone has the place", async () => {
		const s = await talking(answer);
		const [first] = await records(`room=${s.room}`);
		expect(first?.end, "the call to go on").toBeUndefined();
		await api(`/v1/calls/${first?.id}/hold`, { method: "POST", body: JSON.stringify({ on: true, music: "silence" }) });
		await s.call.refer("<tel:+15550142>");
		await expectAnswered(s);
		// The telephone has answered; that the node has heard of it, and given it the place, is a moment later, or more where others use the machine.
		await until(async () => (await record(first?.id)).bridgedWith !== undefined, "the target to have the place");
		const [other] = s.calls;
		await settle(300);
		other?.received.clear();
		await settle(700);
		expect(other?.received.pcm().some((sample) => Math.abs(sample) > 200)).toBe(false);
		const { bridgedWith } = await record(first?.id);
		await api(`/v1/calls/${bridgedWith}/hold`, { method: "POST", body: JSON.stringify({ on: false }) });
		await expectInRoom(s);
	});
});

const expectAnswered = ({ calls }: Setting): Promise<void> => until(() => calls[0]?.state === "answered", "the target to be answered");

function missing(): never {
	throw new Error("the target got no call");
}

/** ms */
function longestSilence(pcm: Int16Array, rate: number): number {
	let longest = 0;
	let run = 0;
	for (const sample of pcm) {
		run = Math.abs(sample) < 200 ? run + 1 : 0;
		longest = Math.max(longest, run);
	}
	return (longest * 1_000) / rate;
}
