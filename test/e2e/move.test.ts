import { callDetailsSchema, callPageSchema } from "@trunkline/contracts";
import type { OutgoingCall, Phone } from "@trunkline/phone";
import { writeReplaces } from "@trunkline/sip";
import { AccessToken } from "livekit-server-sdk";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Participant } from "./participant.ts";
import { Testbed, until } from "./testbed.ts";
import { expectTones, meanLevel, settle } from "./tones.ts";

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
const OTHER_ROOM_HZ = 620;
const CALLER_HZ = 440;
const SECOND_CALLER_HZ = 300;
const IDENTITY = "sip_+15559999";

let next = 15_550_400;

async function api(path: string, init: RequestInit = {}): Promise<unknown> {
	const token = new AccessToken(bed.access.apiKey, bed.access.apiSecret, { ttl: 60 });
	token.addSIPGrant({ admin: true });
	const headers = { authorization: `Bearer ${await token.toJwt()}`, "content-type": "application/json" };
	const response = await fetch(`${bed.local.url}${path}`, { ...init, headers });
	const body: unknown = await response.json();
	if (!response.ok) throw new Error(`${path}: ${response.status} ${JSON.stringify(body)}`);
	return body;
}

async function callIn(room: string) {
	const { calls } = callPageSchema.parse(await api(`/v1/calls?room=${room}&state=live`));
	return callDetailsSchema.parse(await api(`/v1/calls/${calls[0]?.id}`));
}

async function talking(): Promise<{ room: string; number: string; trunkId: string; agent: Participant; phone: Phone; call: OutgoingCall }> {
	const number = `+${++next}`;
	const room = `move-${next}`;
	const { trunkId } = await bed.inbound(number, room);
	const agent = await bed.participant(room, "agent");
	await agent.speak(ROOM_HZ);
	const phone = await bed.phone({ username: "+15559999" });
	const call = await phone.call(bed.uri(number), { timeoutMs: 10_000 });
	call.tone(CALLER_HZ, -20);
	await call.answered();
	await until(() => agent.attributeChanges.some(({ changed }) => changed["sip.callStatus"] === "active"), "the call to be active");
	return { room, number, trunkId, agent, phone, call };
}

async function expectHeard(call: OutgoingCall, wanted: number[], unwanted: number[]): Promise<void> {
	call.received.clear();
	await settle(900);
	expectTones(call.received.pcm(), 8_000, wanted, unwanted);
}

describe("RoomService.MoveParticipant of a telephone", () => {
	it("goes from room to room while the telephone call stays up, with its attributes", async () => {
		const s = await talking();
		const other = `${s.room}-b`;
		const supervisor = await bed.participant(other, "supervisor");
		await supervisor.speak(OTHER_ROOM_HZ);
		await settle();
		await expectHeard(s.call, [ROOM_HZ], [OTHER_ROOM_HZ]);
		s.call.received.clear();
		await bed.rooms.moveParticipant(s.room, IDENTITY, other);
		await until(() => s.agent.left.includes(IDENTITY), "the participant to leave the first room");
		await settle(600);
		const { packets } = s.call.received;
		const sequences = packets.map(({ sequence }) => sequence);
		expect(((sequences.at(-1) ?? 0) - (sequences[0] ?? 0) + 1 - sequences.length) & 0xffff, "packets that never came").toBeLessThan(10);
		const gaps = packets.map(({ timestamp }, i) => (i === 0 ? 0 : (timestamp - (packets[i - 1]?.timestamp ?? 0)) / 8));
		expect(Math.max(...gaps), "longest gap on the time line, ms").toBeLessThan(200);
		await expectHeard(s.call, [OTHER_ROOM_HZ], [ROOM_HZ]);
		expectTones(supervisor.take(IDENTITY), 48_000, [CALLER_HZ], [ROOM_HZ]);
		const moved = [...supervisor.room.remoteParticipants.values()].find(({ identity }) => identity === IDENTITY);
		expect(moved?.attributes).toMatchObject({ "sip.callStatus": "active", "sip.phoneNumber": "+15559999" });
		const record = await callIn(other);
		expect(record).toMatchObject({ state: "active", roomName: other, participant: { identity: IDENTITY } });
		expect(record.timeline.at(-1)).toMatchObject({ event: "moved", detail: other });
		expect(callPageSchema.parse(await api(`/v1/calls?room=${s.room}`)).calls).toEqual([]);

		await bed.rooms.moveParticipant(other, IDENTITY, s.room);
		await settle();
		await expectHeard(s.call, [ROOM_HZ], [OTHER_ROOM_HZ]);
		s.call.sendDtmf("5");
		await until(() => s.agent.digits.length > 0, "the digit in the first room");
		expect(s.call.state).toBe("answered");
	});

	it("needs the grants for both rooms; who is no telephone is moved by the room server", async () => {
		const s = await talking();
		const token = new AccessToken(bed.access.apiKey, bed.access.apiSecret, { ttl: 60 });
		token.addGrant({ roomAdmin: true, room: s.room, destinationRoom: "elsewhere" });
		const response = await fetch(`${bed.local.url}/twirp/livekit.RoomService/MoveParticipant`, {
			method: "POST",
			headers: { authorization: `Bearer ${await token.toJwt()}`, "content-type": "application/json" },
			body: JSON.stringify({ room: s.room, identity: IDENTITY, destination_room: `${s.room}-b` }),
		});
		expect([response.status, await response.json()]).toMatchObject([401, { code: "unauthenticated" }]);
		await expect(bed.rooms.moveParticipant(s.room, IDENTITY, s.room)).rejects.toMatchObject({ code: "invalid_argument" });
		expect(s.agent.left).toEqual([]);
		// who is no telephone is the room server's: the embedded one moves everybody, LiveKit's own nobody, with an error without a code
		const moved = bed.rooms.moveParticipant(s.room, "agent", `${s.room}-b`);
		if (bed.access.url !== bed.local.url) {
			await expect(moved).rejects.toMatchObject({ code: "unknown" });
			return;
		}
		await moved;
		expect((await bed.rooms.listParticipants(`${s.room}-b`)).map(({ identity }) => identity)).toEqual(["agent"]);
		expect((await bed.rooms.listParticipants(s.room)).map(({ identity }) => identity)).toEqual([IDENTITY]);
	});
});

describe("POST /v1/calls/{id}/hold", () => {
	it("the caller hears music and not the room, nobody in the room hears him, and back", async () => {
		const s = await talking();
		const { id } = await callIn(s.room);
		const hold = (body: unknown): Promise<unknown> => api(`/v1/calls/${id}/hold`, { method: "POST", body: JSON.stringify(body) });
		expect(await hold({ on: true })).toEqual({ on: true });
		await settle();
		s.agent.take(IDENTITY);
		s.call.received.clear();
		await settle(1_300);
		const music = s.call.received.pcm();
		const heard = Math.max(...TUNE_HZ.map((hz) => level(music, hz)));
		expect(heard, "a note of the tune").toBeGreaterThan(-40);
		expect(level(music, ROOM_HZ)).toBeLessThan(-50);
		expect(loudest(s.agent.take(IDENTITY)), "of the caller in the room").toBeLessThan(600);
		expect(s.agent.attributeChanges.at(-1)).toMatchObject({ changed: { "sip.holdMusic": "tune" } });
		await hold({ on: false });
		await settle();
		s.agent.take(IDENTITY);
		await expectHeard(s.call, [ROOM_HZ], []);
		expectTones(s.agent.take(IDENTITY), 48_000, [CALLER_HZ], [ROOM_HZ]);
		const events = (await callIn(s.room)).timeline.map(({ event }) => event);
		expect(events.slice(-2)).toEqual(["held", "resumed"]);
	});
});

describe("INVITE with Replaces (RFC 3891)", () => {
	const settings = (trunkId: string): Promise<unknown> =>
		api(`/v1/trunks/${trunkId}/settings`, { method: "PUT", body: JSON.stringify({ transfer: { replaces: true } }) });
	const replaces = (call: OutgoingCall, over: { localTag?: string; earlyOnly?: boolean } = {}): string => {
		if (call.dialog === undefined) throw new Error("no dialog");
		const { callId, localTag, remoteTag } = call.dialog;
		// As its receiver sees it: to-tag is our tag there.
		return writeReplaces({ callId, localTag: over.localTag ?? remoteTag, remoteTag: localTag, earlyOnly: over.earlyOnly ?? false });
	};

	it("takes the place of the telephone; the participant stays, and the first telephone gets BYE", async () => {
		const s = await talking();
		await settings(s.trunkId);
		const { id } = await callIn(s.room);
		// Settings count for calls that begin after them.
		s.call.hangup();
		await until(() => s.agent.left.length === 1, "the first call to be over");
		const first = await s.phone.call(bed.uri(s.number), { timeoutMs: 10_000 });
		first.tone(CALLER_HZ, -20);
		await first.answered();
		await until(async () => (await callIn(s.room)).state === "active", "the second call to be active");
		const second = await bed.phone({ username: "+15557777" });
		const taken = await second.call(bed.uri(s.number), { headers: [["Replaces", replaces(first)]] });
		taken.tone(SECOND_CALLER_HZ, -20);
		await taken.answered();
		expect(await first.ended()).toMatchObject({ by: "remote", answered: true });
		await settle();
		s.agent.take(IDENTITY);
		await expectHeard(taken, [ROOM_HZ], []);
		expectTones(s.agent.take(IDENTITY), 48_000, [SECOND_CALLER_HZ], [CALLER_HZ]);
		expect(s.agent.left, "the participant stays").toHaveLength(1);
		const record = await callIn(s.room);
		expect(record.id).not.toBe(id);
		expect(record).toMatchObject({ state: "active", sipCallId: taken.dialog?.callId });
		expect(record.timeline.at(-1)).toMatchObject({ event: "replaced" });
		taken.hangup();
		await until(() => s.agent.left.length === 2, "the participant to leave");
	});

	it("481 for no such dialog, 486 for early-only, 603 where the trunk does not allow it, 400 for two", async () => {
		const s = await talking();
		const other = await bed.phone({ username: "+15557777" });
		const status = async (...values: string[]): Promise<number | undefined> => {
			const call = await other.call(bed.uri(s.number), { headers: values.map((value) => ["Replaces", value] as const) });
			return (await call.ended()).status;
		};
		expect(await status(replaces(s.call))).toBe(603);
		await settings(s.trunkId);
		expect(await status(replaces(s.call))).toBe(603);
		s.call.hangup();
		await until(() => s.agent.left.length === 1, "the first call to be over");
		const call = await s.phone.call(bed.uri(s.number), { timeoutMs: 10_000 });
		await call.answered();
		await until(async () => (await callIn(s.room)).state === "active", "the call to be active");
		expect(await status(replaces(call, { localTag: "another" }))).toBe(481);
		expect(await status(replaces(call, { earlyOnly: true }))).toBe(486);
		expect(await status(replaces(call), replaces(call))).toBe(400);
		expect(call.state).toBe("answered");
	});
});

const TUNE_HZ = [523.25, 659.26, 783.99, 440, 349.23, 392, 493.88, 587.33];

function level(pcm: Int16Array, hz: number): number {
	return meanLevel(pcm, 8_000, hz);
}
const loudest = (pcm: Int16Array): number => pcm.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
