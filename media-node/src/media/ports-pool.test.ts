import { expect, it } from "vitest";
import { PortsPool } from "./ports-pool.ts";

it("gives even ports of the range, each once, and none when all are in use", () => {
	const pool = new PortsPool(10_001, 10_009, () => 0.4);
	const ports = [0, 1, 2, 3].map(() => pool.take(0));
	expect([...ports].sort()).toEqual([10_002, 10_004, 10_006, 10_008]);
	expect(pool.take(0)).toBeUndefined();
	expect(pool.inUse).toBe(4);
});

it("lets a closed port rest 30 s, unless nothing else is free", () => {
	const pool = new PortsPool(10_000, 10_003, () => 0);
	expect(pool.take(0)).toBe(10_000);
	pool.release(10_000, 1_000);
	expect(pool.take(2_000)).toBe(10_002);
	expect(pool.take(3_000)).toBe(10_000);
	pool.release(10_002, 4_000);
	pool.release(10_000, 5_000);
	expect(pool.take(6_000), "the one that has rested longest").toBe(10_002);
	pool.release(10_002, 7_000);
	expect(pool.take(36_000), "rested enough").toBe(10_000);
});
