import { setTimeout as delay } from "node:timers/promises";
import { afterEach, expect, it, vi } from "vitest";
import { Lateness } from "./lateness.ts";

let lateness: Lateness;
afterEach(() => lateness.stop());

function block(ms: number): void {
	const until = performance.now() + ms;
	while (performance.now() < until);
}

it("a loop that is always busy is late; when it has time again it is not", async () => {
	lateness = new Lateness(100);
	let busy = true;
	const keepBusy = async (): Promise<void> => {
		while (busy) {
			block(200);
			await delay(1);
		}
	};
	const work = keepBusy();
	await vi.waitUntil(() => lateness.overloaded, { timeout: 10_000 });
	expect(lateness.medianMs).toBeGreaterThan(100);
	busy = false;
	await work;
	await vi.waitUntil(() => !lateness.overloaded, { timeout: 10_000 });
});

it("one long pause is no overload", async () => {
	lateness = new Lateness(100);
	await delay(600);
	block(300);
	await delay(700);
	expect(lateness.overloaded).toBe(false);
});
