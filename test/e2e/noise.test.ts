import { callDetailsSchema, callPageSchema, type NoiseSuppression } from "@trunkline/contracts";
import type { OutgoingCall } from "@trunkline/phone";
import { AccessToken } from "livekit-server-sdk";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
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

const IDENTITY = "sip_+15559999";
let next = 15_550_700;

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

/** What the record says of noise suppression. */
const told = async (room: string): Promise<unknown[]> =>
	(await callIn(room)).timeline.filter(({ event }) => event.startsWith("noise")).map(({ event, detail }) => [event, detail]);

const suppress = async (room: string, wanted: Partial<NoiseSuppression>): Promise<unknown> =>
	api(`/v1/calls/${(await callIn(room)).id}/noise-suppression`, { method: "PUT", body: JSON.stringify(wanted) });

/** A street: steady noise of all frequencies, about -20 dBov. */
function noise(ms: number): Int16Array {
	let state = 5;
	return Int16Array.from({ length: 8 * ms }, () => {
		state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
		return (state / 2 ** 32 - 0.5) * 11_000;
	});
}

const levelDb = (pcm: Int16Array): number => 10 * Math.log10(pcm.reduce((sum, sample) => sum + (sample / 32_768) ** 2, 1e-12) / pcm.length);

async function loudness(agent: Participant): Promise<number> {
	await settle(900);
	agent.take(IDENTITY);
	await settle(900);
	const heard = agent.take(IDENTITY);
	expect(heard.length, "something was heard").toBeGreaterThan(20_000);
	return levelDb(heard);
}

async function noisyCall(krispEnabled: boolean): Promise<{ room: string; agent: Participant; call: OutgoingCall }> {
	const number = `+${++next}`;
	const room = `noise-${next}`;
	const trunk = await bed.sip.createSipInboundTrunk(`trunk ${number}`, [number], { krispEnabled });
	await bed.sip.createSipDispatchRule({ type: "direct", roomName: room, pin: "" }, { trunkIds: [trunk.sipTrunkId] });
	const agent = await bed.participant(room, "agent");
	await agent.speak(1_000);
	const phone = await bed.phone({ username: "+15559999" });
	const call = await phone.call(bed.uri(number), { timeoutMs: 10_000 });
	call.play(noise(2_000), { loop: true });
	await call.answered();
	await until(async () => (await callIn(room)).state === "active", "the call to be active");
	return { room, agent, call };
}

it("krisp_enabled of a trunk: a telephone in a noisy street is 15 dB quieter in the room, and the record says why", async () => {
	const loud = await noisyCall(false);
	const without = await loudness(loud.agent);
	expect(await told(loud.room)).toEqual([]);
	const quiet = await noisyCall(true);
	expect(await loudness(quiet.agent)).toBeLessThan(without - 15);
	expect(await told(quiet.room)).toEqual([["noise-suppression", "uplink"]]);
	// What the telephone hears is not touched.
	expectTones(quiet.call.received.pcm().subarray(-8_000), 8_000, [1_000], []);
});

it("PUT /v1/calls/{id}/noise-suppression: on and off again in the middle of a call, in either direction, without a gap", async () => {
	const { room, agent, call } = await noisyCall(false);
	const before = await loudness(agent);
	expect(await suppress(room, { uplink: true, downlink: true })).toEqual({ uplink: true, downlink: true, mix: 1 });
	expect(await loudness(agent)).toBeLessThan(before - 15);
	expect(await suppress(room, { uplink: false })).toEqual({ uplink: false, downlink: false, mix: 1 });
	expect(Math.abs((await loudness(agent)) - before)).toBeLessThan(2);
	expect(await told(room)).toEqual([
		["noise-suppression", "uplink and downlink"],
		["noise-suppression", "off"],
	]);
	const { packets } = call.received;
	const steps = packets.slice(1).map(({ sequence }, index) => (sequence - (packets[index]?.sequence ?? 0)) & 0xffff);
	expect(new Set(steps), "steps of the sequence").toEqual(new Set([1]));
	await expect(suppress(room, { uplink: true, mix: 2 })).rejects.toThrow("400");
});
