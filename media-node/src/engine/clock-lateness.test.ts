import { expect, it } from "vitest";
import { ClockLateness } from "./clock-lateness.ts";

const steps = (lateness: ClockLateness, count: number, lateMs: number): void => {
	for (let i = 0; i < count; i++) lateness.step(lateMs);
};

it("tells what 5 % of the steps were late, whatever the order, and begins anew with each look", () => {
	const lateness = new ClockLateness();
	expect(lateness.look(), "a clock that stands still").toBe(0);
	steps(lateness, 10, 30);
	steps(lateness, 190, 1);
	expect(lateness.look()).toBe(30);
	steps(lateness, 10, 30);
	steps(lateness, 191, 1);
	expect(lateness.look()).toBe(1);
	expect(lateness.look()).toBe(0);
});

it("of very many steps the latest count", () => {
	const lateness = new ClockLateness();
	steps(lateness, 1_000, 50);
	steps(lateness, 512, 2);
	expect(lateness.look()).toBe(2);
});
