import { expect, test } from "vitest";
import { callIdFor } from "./call-id.ts";

let seed = 0;
const random = (length: number) => Uint8Array.from({ length }, () => (seed = (seed * 31 + 7) % 229));

test("one request id is one call id, within its project", () => {
	const ids = [
		callIdFor("p", "r", random),
		callIdFor("p", "r2", random),
		callIdFor("p2", "r", random),
		callIdFor("pr", "", random),
		callIdFor("p", undefined, random),
	];
	expect(new Set(ids).size).toBe(ids.length);
	for (const id of ids) expect(id).toMatch(/^SCL_[1-9A-HJ-NP-Za-km-z]{12}$/);
	expect(callIdFor("p", "r", random)).toBe(ids[0]);
});

test("without a request id each request is its own", () => {
	expect(callIdFor("p", "", random)).not.toBe(callIdFor("p", "", random));
	expect(callIdFor("p", undefined, random)).not.toBe(callIdFor("p", undefined, random));
});
