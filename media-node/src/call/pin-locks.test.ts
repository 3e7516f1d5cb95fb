import { expect, it } from "vitest";
import { type PinCaller, PinLocks } from "./pin-locks.ts";

const MINUTE = 60_000;
const who = (caller: string, trunkId = "ST_1"): PinCaller => ({ projectId: "p", trunkId, caller });

it("nine within a quarter of an hour lock a caller for as long, and no other", () => {
	const locks = new PinLocks();
	for (let i = 0; i < 8; i++) locks.failed(who("anna"), i);
	expect(locks.lockedUntil(who("anna"), 8)).toBeUndefined();
	locks.failed(who("anna"), 8);
	expect(locks.lockedUntil(who("anna"), 9)).toBe(15 * MINUTE + 8);
	expect(locks.lockedUntil(who("bert"), 9)).toBeUndefined();
	expect(locks.lockedUntil(who("anna", "ST_2"), 9)).toBeUndefined();
	expect(locks.lockedUntil(who("anna"), 15 * MINUTE + 8)).toBeUndefined();
});

it("slow tries are slips, and so are those before the right one", () => {
	const locks = new PinLocks();
	for (let i = 0; i < 20; i++) locks.failed(who("anna"), i * 2 * MINUTE);
	expect(locks.lockedUntil(who("anna"), 40 * MINUTE)).toBeUndefined();
	for (let i = 0; i < 8; i++) locks.failed(who("bert"), i);
	locks.succeeded(who("bert"));
	for (let i = 0; i < 8; i++) locks.failed(who("bert"), 10 + i);
	expect(locks.lockedUntil(who("bert"), 20)).toBeUndefined();
});

it("invented callers do not hide behind each other: a hundred lock the trunk", () => {
	const locks = new PinLocks();
	for (let i = 0; i < 99; i++) locks.failed(who(`caller ${i}`), i);
	expect(locks.lockedUntil(who("new"), 99)).toBeUndefined();
	locks.failed(who("caller 99"), 99);
	expect(locks.lockedUntil(who("new"), 100)).toBe(15 * MINUTE + 99);
	expect(locks.lockedUntil(who("new", "ST_2"), 100)).toBeUndefined();
});
