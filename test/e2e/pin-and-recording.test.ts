import { readFileSync } from "node:fs";
import { join } from "node:path";
import { dtmfFrequencies, parseWav, rmsDbov, tone } from "@trunkline/audio";
import { AccessToken } from "livekit-server-sdk";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { Testbed, until } from "./testbed.ts";
import { meanLevel, settle } from "./tones.ts";

const SECOND = 1_000;
let bed: Testbed;

beforeAll(async () => {
	bed = await Testbed.start();
});
afterEach(async () => {
	await bed.clear();
	await bed.idle();
});
afterAll(() => bed.close());

let next = 15_550_700;
const place = () => ({ number: `+${++next}`, room: `room-${next}` });

interface CallView {
	id: string;
	state: string;
	ruleId: string;
	roomName: string;
	recording?: { key: string; durationMs?: number; problem?: string };
	timeline: { event: string; detail?: string }[];
	end?: { reason: string };
}

async function api<T>(method: string, path: string, body?: unknown): Promise<T> {
	const token = new AccessToken(bed.access.apiKey, bed.access.apiSecret);
	token.addSIPGrant({ admin: true, call: true });
	const response = await fetch(`${bed.local.url}${path}`, {
		method,
		headers: { authorization: `Bearer ${await token.toJwt()}`, "content-type": "application/json" },
		...(body === undefined ? {} : { body: JSON.stringify(body) }),
	});
	if (!response.ok) throw new Error(`${path} answered ${response.status}: ${await response.text()}`);
	return (await response.json()) as T;
}

/** the latest call to or from the number */
async function callTo(number: string): Promise<CallView> {
	const { calls } = await api<{ calls: { id: string; to: string }[] }>("GET", "/v1/calls?limit=50");
	const id = calls.find(({ to }) => to === number)?.id ?? "";
	return api<CallView>("GET", `/v1/calls/${id}`);
}

/** A trunk with two rules whose PINs differ. */
async function guarded(pins: readonly [string, string]) {
	const { number, room } = place();
	const trunk = await bed.sip.createSipInboundTrunk(`trunk ${number}`, [number]);
	for (const [index, pin] of pins.entries())
		await bed.sip.createSipDispatchRule(
			{ type: "direct", roomName: `${room}-${index}`, pin },
			{ name: `rule ${index}`, trunkIds: [trunk.sipTrunkId] },
		);
	return { number, rooms: [`${room}-0`, `${room}-1`] as const, trunkId: trunk.sipTrunkId };
}

/** Until somebody speaks: as loud as speech is, over a fifth of a second. */
const speaks = (call: { received: { pcm(): Int16Array } }): boolean => {
	const pcm = call.received.pcm();
	for (let at = 0; at + 1_600 <= pcm.length; at += 800) if (rmsDbov(pcm.subarray(at, at + 1_600)) > -35) return true;
	return false;
};

describe("a rule with a PIN", () => {
	it("asks; the second PIN leads to the second room, and no digit of it is anywhere", async () => {
		const { number, rooms } = await guarded(["1234", "9876"]);
		const agent = await bed.participant(rooms[1], "agent");
		await agent.speak(1_000);
		const phone = await bed.phone();
		const call = await phone.call(bed.uri(number), { from: "+15551111" });
		await call.answered();
		call.tone(440, -20);
		await until(() => speaks(call), "the prompt");
		expect((await bed.rooms.listParticipants(rooms[1])).map(({ identity }) => identity)).toEqual(["agent"]);
		call.sendDtmf("9876");
		await until(async () => (await callTo(number)).state === "active", "the call to be active");
		await settle();
		call.received.clear();
		await settle(SECOND);
		expect(meanLevel(call.received.pcm(), 8_000, 1_000)).toBeGreaterThan(-23);
		expect(agent.digits).toEqual([]);
		const view = await callTo(number);
		expect(view).toMatchObject({ state: "active", roomName: rooms[1] });
		expect(view.timeline.map(({ event }) => event)).toEqual(["received", "pin-requested", "pin-accepted", "answered"]);
		expect(JSON.stringify(view)).not.toMatch(/9876|1234/);
		call.hangup();
		await call.ended();
	});

	it("three wrong ones: goodbye and BYE, and nobody was in a room", async () => {
		const { number, rooms } = await guarded(["1234", "9876"]);
		const agent = await bed.participant(rooms[0], "agent");
		const phone = await bed.phone();
		const call = await phone.call(bed.uri(number), { from: "+15552222" });
		await call.answered();
		await until(() => speaks(call), "the prompt");
		for (const [index, pin] of ["1111", "2222", "3333"].entries()) {
			call.sendDtmf(pin, 60);
			await until(
				async () => (await callTo(number)).timeline.filter(({ event }) => event === "pin-wrong").length === index + 1,
				`refusal ${index + 1}`,
			);
		}
		expect(await call.ended()).toMatchObject({ by: "remote" });
		expect((await callTo(number)).end).toMatchObject({ reason: "wrong-pin" });
		expect(agent.heardFrom()).toEqual([]);
	});

	it("who pauses is done; PINs may be of several lengths", async () => {
		const { number, rooms } = await guarded(["12", "987654"]);
		const agent = await bed.participant(rooms[0], "agent");
		const phone = await bed.phone();
		const call = await phone.call(bed.uri(number), { from: "+15553333" });
		await call.answered();
		call.sendDtmf("12", 60);
		await until(() => agent.heardFrom().includes("sip_+15553333"), "the telephone in the room", 15_000);
		expect((await callTo(number)).roomName).toBe(rooms[0]);
		call.hangup();
	}, 30_000);
});

describe("recording", () => {
	it("by the trunk: the telephone's 440 Hz on the left, the room's 1,000 Hz on the right, in step, and hold does not end it", async () => {
		const { number, room } = place();
		const { trunkId } = await bed.inbound(number, room);
		await bed.settings(trunkId, { recording: { enabled: true, directory: "support" } });
		const agent = await bed.participant(room, "agent");
		await agent.speak(1_000);
		const phone = await bed.phone();
		const call = await phone.call(bed.uri(number), { from: "+15551111" });
		call.tone(440, -20);
		await call.answered();
		await until(async () => (await callTo(number)).recording !== undefined, "the recording to begin");
		await settle(1_500);
		const { id } = await callTo(number);
		call.received.clear();
		await api("POST", `/v1/calls/${id}/hold`, { on: true });
		await settle(1_500);
		// C, the first note of the tune, is heard, and the room is not
		expect(meanLevel(call.received.pcm().subarray(8_000), 8_000, 1_000)).toBeLessThan(-45);
		expect(speaks(call)).toBe(true);
		await api("POST", `/v1/calls/${id}/hold`, { on: false });
		await settle(1_000);
		call.hangup();
		await until(async () => (await callTo(number)).timeline.some(({ event }) => event === "recorded"), "the recording to be kept");
		const { recording, timeline } = await callTo(number);
		expect(timeline.map(({ event }) => event)).toEqual([
			"received",
			"joined-room",
			"answered",
			"recording",
			"held",
			"resumed",
			"ended",
			"recorded",
		]);
		expect(recording?.key).toMatch(/^[\w-]+\/support\/SCL_\w+\.wav$/);
		const { left, right, seconds } = stereoOf(recording?.key ?? "");
		expect(Math.abs(seconds * SECOND - (recording?.durationMs ?? 0))).toBeLessThan(2);
		expect(seconds).toBeGreaterThan(3.5);
		const early = (pcm: Int16Array) => pcm.subarray(4_000, 12_000);
		expect(meanLevel(early(left), 8_000, 440)).toBeGreaterThan(-23);
		expect(meanLevel(early(left), 8_000, 1_000)).toBeLessThan(-45);
		expect(meanLevel(early(right), 8_000, 1_000)).toBeGreaterThan(-23);
		expect(meanLevel(early(right), 8_000, 440)).toBeLessThan(-45);
		// what the room did not hear during the hold is not there either
		const held = silences(left);
		expect(held).toBeGreaterThan(1);
		expect(held).toBeLessThan(2.5);
	}, 30_000);

	it("by the API, with a beep that both hear; stopped, it goes on no more", async () => {
		const { number, room } = place();
		await bed.inbound(number, room);
		const agent = await bed.participant(room, "agent");
		await agent.speak(1_000);
		const phone = await bed.phone();
		const call = await phone.call(bed.uri(number), { from: "+15551111" });
		call.tone(440, -20);
		await call.answered();
		await until(async () => (await callTo(number)).state === "active", "the call to be active");
		await until(() => agent.heardFrom().includes("sip_+15551111"), "the participant to hear the telephone");
		const { id } = await callTo(number);
		call.received.clear();
		agent.take("sip_+15551111");
		await api("POST", `/v1/calls/${id}/recording`, { action: "start", notice: true });
		await settle(SECOND);
		const loudest = (pcm: Int16Array, rate: number) =>
			Math.max(
				...Array.from({ length: Math.floor(pcm.length / (rate / 5)) }, (_, i) =>
					meanLevel(pcm.subarray((i * rate) / 5, ((i + 1) * rate) / 5), rate, 1_400),
				),
			);
		expect(loudest(call.received.pcm(), 8_000)).toBeGreaterThan(-31);
		expect(loudest(agent.take("sip_+15551111"), 48_000)).toBeGreaterThan(-31);
		await api("POST", `/v1/calls/${id}/recording`, { action: "stop" });
		await until(async () => (await callTo(number)).timeline.some(({ event }) => event === "recorded"), "the recording to be kept");
		const { recording, state } = await callTo(number);
		expect(state).toBe("active");
		expect(stereoOf(recording?.key ?? "").seconds).toBeLessThan(3);
		call.hangup();
	}, 30_000);
});

describe("a telephone without telephone-event", () => {
	it("digits in its audio are digits in the room, once each", async () => {
		const { number, room } = place();
		await bed.inbound(number, room);
		const agent = await bed.participant(room, "agent");
		await agent.speak(1_000);
		const phone = await bed.phone();
		const call = await phone.call(bed.uri(number), { from: "+15551111", telephoneEvent: false });
		await call.answered();
		await until(() => agent.heardFrom().includes("sip_+15551111"), "the participant to hear the telephone");
		const pieces: number[] = [];
		for (const digit of "159#") pieces.push(...tone(8_000, dtmfFrequencies(digit) ?? [], 100, -16), ...new Int16Array(800));
		call.play(Int16Array.from(pieces));
		await until(
			() => agent.digits.length >= 4,
			() => `four digits, not ${JSON.stringify(agent.digits)}`,
		);
		await settle(300);
		expect(agent.digits.map(({ digit }) => digit).join("")).toBe("159#");
		call.hangup();
	});
});

function stereoOf(key: string): { left: Int16Array; right: Int16Array; seconds: number } {
	const read = parseWav(readFileSync(join(bed.dataDir, "recordings", key)));
	if (!read.ok) throw new Error(read.reason);
	const { samples, sampleRate, channels } = read.wav;
	expect({ sampleRate, channels }).toEqual({ sampleRate: 8_000, channels: 2 });
	const side = (first: 0 | 1) => Int16Array.from({ length: samples.length / 2 }, (_, i) => samples[2 * i + first] ?? 0);
	return { left: side(0), right: side(1), seconds: samples.length / 2 / sampleRate };
}

/** Seconds of silence in the middle of it. */
function silences(pcm: Int16Array): number {
	let frames = 0;
	for (let at = 4_000; at + 160 <= pcm.length - 4_000; at += 160) if (rmsDbov(pcm.subarray(at, at + 160)) < -60) frames += 1;
	return frames / 50;
}
