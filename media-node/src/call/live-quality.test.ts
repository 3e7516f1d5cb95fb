import type { CallMedia } from "@trunkline/contracts";
import { expect, it } from "vitest";
import { LiveQuality } from "./live-quality.ts";
import type { MediaStats } from "./ports.ts";

const MEDIA = { codec: "PCMU", quality: {} } as CallMedia;

function setUp(qualityEveryMs: number | undefined, note: () => Promise<boolean> = async () => true) {
	const seen = {
		now: 0,
		notes: [] as unknown[],
		warnings: [] as string[],
		media: MEDIA as CallMedia | undefined,
		stats: {} as MediaStats | undefined,
	};
	const quality = new LiveQuality({
		callId: "SCL_1",
		deps: {
			...{ nodeId: "ND_1", qualityEveryMs },
			clock: { now: () => seen.now } as never,
			log: { warn: (_fields: unknown, message: string) => seen.warnings.push(message) } as never,
			calls: {
				noteQuality: async (...given: unknown[]) => {
					seen.notes.push([seen.now, ...given]);
					return note();
				},
			} as never,
		},
		stats: () => seen.stats,
		summary: () => seen.media,
	});
	/** Samples each 5 s, a little early every other time. */
	const samples = async (count: number): Promise<void> => {
		for (let i = 0; i < count; i++) {
			seen.now += i % 2 === 0 ? 4_990 : 5_010;
			quality.onSample();
			await new Promise((resolve) => setImmediate(resolve));
		}
	};
	return { seen, quality, samples };
}

it.each([
	[5_000, 12],
	[30_000, 2],
	[0, 0],
	[undefined, 0],
])("every %s ms: %i notes in a minute, from the first sample on", async (everyMs, count) => {
	const { seen, samples } = setUp(everyMs);
	await samples(12);
	expect(seen.notes.length).toBe(count);
	if (count > 0) expect(seen.notes[0]).toEqual([4_990, "SCL_1", "ND_1", MEDIA]);
});

it("a table that is slow has one write of the call at a time", async () => {
	let done = (): void => {};
	const { seen, samples } = setUp(5_000, () => new Promise((resolve) => (done = () => resolve(true))));
	await samples(5);
	expect(seen.notes.length).toBe(1);
	done();
	await samples(2);
	expect(seen.notes.length).toBe(2);
});

it("a write that fails is said, and the next one is tried; nothing is written of media that are gone, or that nothing is known of", async () => {
	const { seen, samples } = setUp(5_000, async () => {
		throw new Error("no table");
	});
	await samples(2);
	expect([seen.notes.length, seen.warnings.length]).toEqual([2, 2]);
	seen.media = undefined;
	await samples(1);
	seen.stats = undefined;
	await samples(1);
	expect([seen.notes.length, seen.warnings.length]).toEqual([2, 2]);
});
