import { afterAll, beforeAll, expect, it } from "vitest";
import { loudness, noisyCall, told } from "./noisy.ts";
import { Testbed } from "./testbed.ts";

let bed: Testbed;

beforeAll(async () => {
	bed = await Testbed.start({ NOISE_SUPPRESSOR_MODULE: "examples/noise-gate.mjs", MEDIA_WORKERS: "1" });
});
afterAll(() => bed.close());

it("NOISE_SUPPRESSOR_MODULE: somebody else's suppressor has the call, and nothing else changes", async () => {
	const { room, agent } = await noisyCall(bed, true);
	expect(await loudness(agent)).toBeLessThan(-32);
	expect(await told(bed, room)).toEqual([["noise-suppression", "uplink"]]);
});
