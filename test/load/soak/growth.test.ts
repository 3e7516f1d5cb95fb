import { expect, test } from "vitest";
import { growth, type Held, heldOf, verdict } from "./growth.ts";

const held: Held = { rss: 300e6, heap: 80e6, spare: 100e6, external: 20e6, handles: 40, sockets: 12 };

test("threads count together, and handles of every kind", () => {
	const thread = { isMainThread: false, heapTotal: 5e6, external: 2e6, arrayBuffers: 0, lateFrames: 0 };
	const threads = [
		{ ...thread, threadId: 0, heapUsed: 3e6, handles: { Timeout: 2, UDPWrap: 1 } },
		{ ...thread, threadId: 1, heapUsed: 4e6, handles: { UDPWrap: 5 } },
	];
	expect(heldOf({ id: 1, rss: 9e6, threads }, 7)).toEqual({ rss: 9e6, heap: 7e6, spare: 3e6, external: 4e6, handles: 8, sockets: 7 });
});

test("less, the same, and a little more are no growth", () => {
	expect(growth(held, held)).toEqual([]);
	expect(growth(held, { ...held, heap: 60e6, handles: 30 })).toEqual([]);
	expect(growth(held, { ...held, heap: 84e6, rss: 320e6, handles: 43, sockets: 13 })).toEqual([]);
	expect(verdict(held, held)).toContain("**No growth**");
});

test("what V8 keeps for later, and nothing is in, is no growth", () => {
	expect(growth(held, { ...held, rss: 400e6, spare: 200e6 })).toEqual([]);
	expect(growth(held, { ...held, rss: 300e6, spare: 50e6 })).toEqual(["resident memory that is in use by 50.0 MB"]);
});

test("each of them is growth", () => {
	expect(growth(held, { ...held, heap: 92e6 })).toEqual(["heap by 12.0 MB"]);
	expect(growth(held, { ...held, external: 30e6 })).toEqual(["external memory by 10.0 MB"]);
	expect(growth(held, { ...held, rss: 340e6 })).toEqual(["resident memory that is in use by 40.0 MB"]);
	expect(growth(held, { ...held, handles: 60, sockets: 32 })).toEqual(["handles by 20", "sockets by 20"]);
	expect(verdict(held, { ...held, sockets: 32 })).toContain("**Grown: sockets by 20**");
});
