import type { NoiseSuppression } from "@trunkline/contracts";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { api, callIn, loudness, noisyCall, told } from "./noisy.ts";
import { Testbed } from "./testbed.ts";
import { expectTones } from "./tones.ts";

let bed: Testbed;

beforeAll(async () => {
	bed = await Testbed.start();
});
afterEach(async () => {
	await bed.clear();
	await bed.idle();
});
afterAll(() => bed.close());

const suppress = async (room: string, wanted: Partial<NoiseSuppression>): Promise<unknown> =>
	api(bed, `/v1/calls/${(await callIn(bed, room)).id}/noise-suppression`, { method: "PUT", body: JSON.stringify(wanted) });

it("krisp_enabled of a trunk: a telephone in a noisy street is 15 dB quieter in the room, and the record says why", async () => {
	const loud = await noisyCall(bed, false);
	const without = await loudness(loud.agent);
	expect(await told(bed, loud.room)).toEqual([]);
	const quiet = await noisyCall(bed, true);
	expect(await loudness(quiet.agent)).toBeLessThan(without - 15);
	expect(await told(bed, quiet.room)).toEqual([["noise-suppression", "uplink"]]);
	// What the telephone hears is not touched.
	expectTones(quiet.call.received.pcm().subarray(-8_000), 8_000, [1_000], []);
});

it("PUT /v1/calls/{id}/noise-suppression: on and off again in the middle of a call, in either direction, without a gap", async () => {
	const { room, agent, call } = await noisyCall(bed, false);
	const before = await loudness(agent);
	expect(await suppress(room, { uplink: true, downlink: true })).toEqual({ uplink: true, downlink: true, mix: 1 });
	expect(await loudness(agent)).toBeLessThan(before - 15);
	expect(await suppress(room, { uplink: false })).toEqual({ uplink: false, downlink: false, mix: 1 });
	expect(Math.abs((await loudness(agent)) - before)).toBeLessThan(2);
	expect(await told(bed, room)).toEqual([
		["noise-suppression", "uplink and downlink"],
		["noise-suppression", "off"],
	]);
	const { packets } = call.received;
	const steps = packets.slice(1).map(({ sequence }, index) => (sequence - (packets[index]?.sequence ?? 0)) & 0xffff);
	expect(new Set(steps), "steps of the sequence").toEqual(new Set([1]));
	await expect(suppress(room, { uplink: true, mix: 2 })).rejects.toThrow("400");
});
