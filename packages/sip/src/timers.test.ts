import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type TimerHandle, TimerQueue } from "./timers.ts";

describe("TimerQueue", () => {
	it("fires in order of time, then of setting; a stopped timer never; a timer set meanwhile when it is due", () => {
		const queue = new TimerQueue();
		const fired: string[] = [];
		queue.set(20, () => fired.push("c"));
		queue.set(10, (now) => {
			fired.push(`a${now}`);
			queue.set(15, () => fired.push("b"));
			queue.set(26, () => fired.push("never"));
		});
		queue.stop(queue.set(5, () => fired.push("stopped")));
		queue.set(20, () => fired.push("d"));
		expect(queue.next()).toBe(10);
		queue.advance(25);
		expect(fired).toEqual(["a25", "b", "c", "d"]);
		expect([queue.next(), queue.size]).toEqual([26, 1]);
	});

	it("agrees with a sorted list, whatever is set and stopped", () => {
		const steps = fc.array(
			fc.oneof(fc.record({ set: fc.nat(1000) }), fc.record({ stop: fc.nat(200) }), fc.record({ advance: fc.nat(100) })),
			{ maxLength: 400 },
		);
		fc.assert(
			fc.property(steps, (list) => {
				const queue = new TimerQueue();
				const handles: TimerHandle[] = [];
				let model: { id: number; at: number }[] = [];
				const fired: number[] = [];
				let now = 0;
				for (const step of list) {
					if ("set" in step) {
						const id = handles.length;
						model.push({ id, at: now + step.set });
						handles.push(queue.set(now + step.set, () => fired.push(id)));
					} else if ("stop" in step) {
						queue.stop(handles[step.stop]);
						model = model.filter(({ id }) => id !== step.stop);
					} else {
						now += step.advance;
						fired.length = 0;
						queue.advance(now);
						const due = model.filter(({ at }) => at <= now).sort((a, b) => a.at - b.at || a.id - b.id);
						expect(fired).toEqual(due.map(({ id }) => id));
						model = model.filter(({ at }) => at > now);
					}
					expect(queue.size).toBe(model.length);
					expect(queue.next()).toBe(model.length === 0 ? undefined : Math.min(...model.map(({ at }) => at)));
				}
			}),
			{ numRuns: 200 },
		);
	});

	it("does not keep what was stopped: 100,000 timers set and stopped leave a small heap", () => {
		const queue = new TimerQueue();
		for (let i = 0; i < 100_000; i++) queue.stop(queue.set(32_000 + i, () => {}));
		expect(queue.size).toBe(0);
		// Were they still there, each `set` would sift through them and the next line would find them.
		expect(queue.heapLength).toBeLessThan(200);
	});
});
