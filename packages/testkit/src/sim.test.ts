import type { Address } from "@trunkline/sip";
import { describe, expect, it } from "vitest";
import { SimClock } from "./sim-clock.ts";
import { SimNet, type SimNetOptions, seededBytes, seededRandom, simEndpoint } from "./sim-net.ts";

const A: Address = { host: "192.0.2.1", port: 5060, transport: "UDP" };
const B: Address = { host: "192.0.2.2", port: 5060, transport: "UDP" };

describe("SimClock", () => {
	it("runs alarms in order of time, then of setting; cancelled ones never; what they set in time too", () => {
		const clock = new SimClock(100);
		const seen: string[] = [];
		clock.wakeAt(130, () => seen.push(`c${clock.now()}`));
		clock.wakeAt(110, () => {
			seen.push(`a${clock.now()}`);
			clock.wakeAt(50, () => seen.push(`late${clock.now()}`));
		});
		clock.wakeAt(130, () => seen.push("d"));
		clock.wakeAt(120, () => seen.push("cancelled"))();
		clock.runFor(29);
		expect([seen, clock.now()]).toEqual([["a110", "late110"], 129]);
		clock.runFor(1);
		expect(seen.slice(2)).toEqual(["c130", "d"]);
	});

	it("runUntilIdle ends at the last alarm, and throws when there is no end", () => {
		const clock = new SimClock();
		clock.wakeAt(5000, () => {});
		clock.runUntilIdle(5000);
		expect(clock.now()).toBe(5000);
		const forever = (): void => void clock.wakeAt(clock.now() + 1000, forever);
		forever();
		expect(() => clock.runUntilIdle(60_000)).toThrow("still not idle after 60000 ms");
	});
});

describe("SimNet", () => {
	/** Sends 2000 numbered packets, 10 ms apart; gives number and travel time of each arrival. */
	function run(options: SimNetOptions) {
		const clock = new SimClock();
		const net = new SimNet(clock, options);
		const arrived: { n: number; took: number }[] = [];
		net.bind(B, ({ at, bytes }) => arrived.push({ n: (bytes[0] ?? 0) * 256 + (bytes[1] ?? 0), took: clock.now() - at }));
		for (let n = 0; n < 2000; n++) clock.wakeAt(n * 10, () => net.send(A, B, Uint8Array.of(n >> 8, n & 255)));
		clock.runUntilIdle(100_000);
		return { arrived, sent: net.sent };
	}

	it("loses, doubles and delays as often as asked, and lets packets overtake each other", () => {
		const { arrived, sent } = run({ seed: 7, loss: 0.1, duplicate: 0.2, delay: [5, 50] });
		expect(sent).toHaveLength(2000);
		const distinct = new Set(arrived.map(({ n }) => n)).size;
		expect(distinct / 2000).toBeCloseTo(0.9, 1);
		expect((arrived.length - distinct) / distinct).toBeCloseTo(0.2, 1);
		expect(Math.min(...arrived.map(({ took }) => took))).toBeGreaterThanOrEqual(5);
		expect(Math.max(...arrived.map(({ took }) => took))).toBeLessThan(50.001);
		expect(arrived.some(({ n }, index) => n < (arrived[index - 1]?.n ?? 0))).toBe(true);
	});

	it("has the same fate for the same seed, another for another", () => {
		const options = { loss: 0.3, delay: [1, 20] as const };
		expect(run({ ...options, seed: 1 }).arrived).toEqual(run({ ...options, seed: 1 }).arrived);
		expect(run({ ...options, seed: 1 }).arrived).not.toEqual(run({ ...options, seed: 2 }).arrived);
	});

	it("is perfect unless told otherwise; a filter loses one certain packet", () => {
		expect(run({}).arrived).toEqual(Array.from({ length: 2000 }, (_, n) => ({ n, took: 1 })));
		const clock = new SimClock();
		const net = new SimNet(clock);
		const [a, b] = [simEndpoint(clock, net, A, { answerOptions: true }), simEndpoint(clock, net, B)];
		net.filter = ({ to, at }) => to !== B || at > 0;
		a.handle({ kind: "call", leg: "x", requestUri: "sip:b@192.0.2.2", from: { uri: "sip:a@h" }, to: { uri: "sip:b@h" }, target: B });
		clock.runFor(499);
		expect(b.events).toEqual([]);
		clock.runFor(2);
		expect(b.of("incoming")).toHaveLength(1);
	});

	it("random bytes follow from the seed and use the whole range", () => {
		const bytes = seededBytes(seededRandom(3))(4000);
		expect(seededBytes(seededRandom(3))(4000)).toEqual(bytes);
		expect(new Set(bytes).size).toBe(256);
	});
});
