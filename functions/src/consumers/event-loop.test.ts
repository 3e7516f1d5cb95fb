import { captureLogs } from "@trunkline/testkit";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { EventLoop } from "./event-loop.ts";

beforeEach(() => {
	vi.useFakeTimers();
});
afterEach(() => {
	vi.useRealTimers();
});

/** A deliverer whose deliveries end when the test says. */
function slow() {
	const calls: string[] = [];
	const ends: (() => void)[] = [];
	let sweeps = 0;
	return {
		calls,
		end: async () => {
			ends.shift()?.();
			await vi.advanceTimersByTimeAsync(0);
		},
		sweeps: () => sweeps,
		deliverCall: (callId: string) => {
			calls.push(callId);
			return new Promise<boolean>((resolve) => ends.push(() => resolve(true)));
		},
		deliverDue: async () => {
			sweeps++;
			return false;
		},
	};
}

describe("EventLoop", () => {
	it("delivers a call at once, one delivery at a time, and once more for what was written meanwhile", async () => {
		const deliverer = slow();
		const loop = new EventLoop(deliverer, captureLogs() as never);
		loop.nudge("a");
		loop.nudge("a");
		loop.nudge("a");
		loop.nudge("b");
		expect(deliverer.calls).toEqual(["a", "b"]);
		await deliverer.end();
		expect(deliverer.calls).toEqual(["a", "b", "a"]);
		await deliverer.end();
		await deliverer.end();
		expect(deliverer.calls).toEqual(["a", "b", "a"]);
		loop.nudge("a");
		expect(deliverer.calls).toEqual(["a", "b", "a", "a"]);
	});

	it("looks every second for what failed", async () => {
		const deliverer = slow();
		const loop = new EventLoop(deliverer, captureLogs() as never);
		loop.start();
		await vi.advanceTimersByTimeAsync(5_000);
		expect(deliverer.sweeps()).toBe(5);
		await loop.stop();
		await vi.advanceTimersByTimeAsync(5_000);
		expect(deliverer.sweeps()).toBe(5);
	});

	it("goes on after a failure, and logs it", async () => {
		const log = captureLogs();
		let fails = 2;
		const loop = new EventLoop(
			{
				deliverCall: async () => true,
				deliverDue: async () => {
					if (fails-- > 0) throw new Error("no table");
					return false;
				},
			},
			log as never,
		);
		loop.start();
		await vi.advanceTimersByTimeAsync(3_000);
		expect(fails).toBe(-1);
		expect(log.logs.map(({ message }) => message)).toEqual(Array.from({ length: 2 }, () => "delivering events failed; it is tried again"));
		await loop.stop();
	});

	it("stops after what is under way, and begins nothing more", async () => {
		const deliverer = slow();
		const loop = new EventLoop(deliverer, captureLogs() as never);
		loop.nudge("a");
		loop.nudge("a");
		let stopped = false;
		const stopping = loop.stop().then(() => {
			stopped = true;
		});
		loop.nudge("b");
		await vi.advanceTimersByTimeAsync(0);
		expect(stopped).toBe(false);
		await deliverer.end();
		await stopping;
		expect(deliverer.calls).toEqual(["a"]);
	});
});
