import { expect, test } from "vitest";
import { idFor } from "./call-id.ts";

let seed = 0;
const random = (length: number) => Uint8Array.from({ length }, () => (seed = (seed * 31 + 7) % 229));
const sdk = (key: string) => ({ key, explicit: false });
const chosen = (key: string) => ({ key, explicit: true });

test("one key is one id, within its project and its origin", () => {
	const ids = [
		idFor("SCL_", "p", sdk("r"), random),
		idFor("SCL_", "p", sdk("r2"), random),
		idFor("SCL_", "p2", sdk("r"), random),
		idFor("SCL_", "p", chosen("r"), random),
		idFor("SCL_", "p", undefined, random),
	];
	expect(new Set(ids).size).toBe(ids.length);
	for (const id of ids) expect(id).toMatch(/^SCL_[1-9A-HJ-NP-Za-km-z]{12}$/);
	expect(idFor("SCL_", "p", sdk("r"), random)).toBe(ids[0]);
	expect(idFor("STR_", "p", chosen("r"), random)).toBe(`STR_${ids[3]?.slice(4)}`);
});

test("without a key each request is its own", () => {
	expect(idFor("SCL_", "p", undefined, random)).not.toBe(idFor("SCL_", "p", undefined, random));
});
