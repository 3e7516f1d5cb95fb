import { expect, test } from "vitest";
import { lagMs } from "./lag.ts";
import { speechClips } from "./speech.ts";

test.each([0, 40, 180, 415])("speech that comes %i ms later", (ms) => {
	const [clip] = speechClips(1, "none").clips;
	const said = clip?.subarray(0, 24_000) ?? new Int16Array();
	const heard = new Int16Array(said.length + 8_000);
	// quieter, too
	heard.set(
		said.map((sample) => sample >> 1),
		ms * 8,
	);
	expect(lagMs(said, heard)).toBe(ms);
});
