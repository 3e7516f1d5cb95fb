import { expect, it } from "vitest";
import { UsedAnswers } from "./used-answers.ts";

it("each nonce and count once, and none is remembered longer than its nonce lives", () => {
	const used = new UsedAnswers(60_000);
	expect(used.use("n1", "0000000a", 0)).toBe(true);
	expect(used.use("n1", "0000000A", 59_000)).toBe(false);
	expect(used.use("n1", "0000000b", 59_000)).toBe(true);
	expect(used.use("n2", "0000000a", 59_000)).toBe(true);
	expect(used.size).toBe(3);
	expect(used.use("n3", "00000001", 119_001)).toBe(true);
	expect(used.size).toBe(1);
});
