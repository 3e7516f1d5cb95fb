import { describe, expect, it } from "vitest";
import { JitterBuffer, type JitterBufferOptions } from "./jitter-buffer.ts";

/** mulberry32: a small seeded generator, so that a failure can be run again */
function seeded(seed: number): () => number {
	let state = seed;
	return () => {
		state = (state + 0x6d2b79f5) | 0;
		let t = Math.imul(state ^ (state >>> 15), 1 | state);
		t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
		return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
	};
}

interface Packet {
	sequence: number;
	timestamp: number;
	/** which frame of the talk it is */
	frame: number;
	arrivalMs: number;
}

interface Pulled {
	now: number;
	got: number | "missing" | undefined;
}

/** Feeds packets in order of arrival and pulls every 20 ms at the given phase. */
function run(
	packets: Packet[],
	untilMs: number,
	phase = 7,
	options: JitterBufferOptions = {},
): { pulled: Pulled[]; buffer: JitterBuffer<number> } {
	const buffer = new JitterBuffer<number>(options);
	const arrivals = [...packets].sort((a, b) => a.arrivalMs - b.arrivalMs);
	const pulled: Pulled[] = [];
	for (let now = phase; now < untilMs; now += 20) {
		while ((arrivals[0]?.arrivalMs ?? Number.POSITIVE_INFINITY) <= now) {
			const packet = arrivals.shift();
			if (packet) buffer.push(packet.sequence, packet.timestamp, packet.frame, packet.arrivalMs);
		}
		pulled.push({ now, got: buffer.pull(now) });
	}
	return { pulled, buffer };
}

function stream(
	frames: number,
	delay: (frame: number) => number | undefined,
	start = { sequence: 65500, timestamp: 0xfffff000 },
): Packet[] {
	return Array.from({ length: frames }, (_, frame) => {
		const late = delay(frame);
		return late === undefined
			? undefined
			: {
					sequence: (start.sequence + frame) & 0xffff,
					timestamp: (start.timestamp + frame * 160) >>> 0,
					frame,
					arrivalMs: frame * 20 + late,
				};
	}).filter((packet) => packet !== undefined);
}

/** From arrival of the fastest possible packet to its play-out, for frames played after `fromMs`. */
const delays = (pulled: Pulled[], fromMs = 0): number[] =>
	pulled.flatMap(({ now, got }) => (typeof got === "number" && now >= fromMs ? [now - got * 20] : []));
const count = (pulled: Pulled[], what: Pulled["got"], fromMs = 0): number =>
	pulled.filter(({ now, got }) => now >= fromMs && got === what).length;

describe("on a clean network", () => {
	it.each([0, 3, 7, 11, 15, 19])("phase %d ms: in order, over the wrap, within one frame and a small margin", (phase) => {
		const { pulled, buffer } = run(
			stream(500, () => 0),
			9_900,
			phase,
		);
		const played = pulled.flatMap(({ got }) => (typeof got === "number" ? [got] : []));
		expect(played).toEqual([...played].sort((a, b) => a - b));
		expect(count(pulled, "missing")).toBe(0);
		expect(Math.max(...delays(pulled))).toBeLessThanOrEqual(40);
		expect(Math.max(...delays(pulled, 3000))).toBeLessThanOrEqual(28);
		expect(buffer.stats().skipped).toBeLessThanOrEqual(1);
		expect(buffer.stats().late).toBe(0);
	});

	it("nothing before the first packet, and nothing but undefined", () => {
		const buffer = new JitterBuffer();
		expect([0, 20, 40].map((now) => buffer.pull(now))).toEqual([undefined, undefined, undefined]);
		expect(buffer.stats()).toMatchObject({ played: 0, missing: 0, delayMs: undefined });
	});
});

describe("loss, order, duplicates", () => {
	it('a lost packet is one "missing" at its place, and no delay is added', () => {
		const { pulled } = run(
			stream(300, (frame) => (frame % 50 === 25 ? undefined : 0)),
			6_000,
		);
		expect(count(pulled, "missing")).toBe(6);
		const at = pulled.findIndex(({ got }) => got === 224);
		expect(pulled.slice(at, at + 3).map(({ got }) => got)).toEqual([224, "missing", 226]);
		expect(new Set(delays(pulled, 2500)).size).toBe(1);
	});

	it("pairs swapped by up to 25 ms come out in order, after the buffer has learnt it", () => {
		const { pulled } = run(
			stream(500, (frame) => (frame % 2 === 0 ? 25 : 0)),
			9_900,
		);
		const late = pulled.filter(({ now }) => now > 2000).map(({ got }) => got);
		expect(late.every((got, i) => i === 0 || got === (late[i - 1] as number) + 1)).toBe(true);
	});

	it("duplicates are counted and dropped", () => {
		const packets = stream(100, () => 0);
		const { pulled, buffer } = run([...packets, ...packets.map((packet) => ({ ...packet, arrivalMs: packet.arrivalMs + 1 }))], 1_900);
		expect(new Set(delays(pulled)).size).toBe(1);
		expect(buffer.stats().late).toBeGreaterThan(90);
	});
});

describe("jitter", () => {
	const seed = 20261122;

	it.each([20, 40, 80, 120])(`uniform 0..%d ms: delay grows to about that, few frames missing (seed ${seed})`, (jitter) => {
		const random = seeded(seed);
		const { pulled, buffer } = run(
			stream(1500, () => random() * jitter),
			29_900,
		);
		const steady = delays(pulled, 10_000);
		expect(Math.max(...steady)).toBeLessThanOrEqual(jitter + 35);
		expect(Math.min(...steady)).toBeGreaterThanOrEqual(jitter * 0.8 - 20);
		expect(count(pulled, "missing", 10_000) / steady.length).toBeLessThan(0.03);
		expect(buffer.stats().targetMs).toBeLessThanOrEqual(jitter + 6);
	});

	it("never aims beyond 200 ms, and shrinks back when the network calms down", () => {
		const random = seeded(seed);
		const { pulled, buffer } = run(
			stream(1500, (frame) => (frame < 500 ? random() * 390 : 0)),
			29_900,
		);
		expect(Math.max(...delays(pulled))).toBeLessThanOrEqual(200 + 40 + 20);
		expect(Math.max(...delays(pulled, 25_000))).toBeLessThanOrEqual(28);
		expect(buffer.stats().targetMs).toBe(4);
	});

	it("a stall of 300 ms does not leave the call 300 ms behind", () => {
		const { pulled } = run(
			stream(1000, (frame) => (frame >= 200 && frame < 215 ? 300 - (frame - 200) * 20 : 0)),
			19_900,
		);
		expect(Math.max(...delays(pulled, 12_000))).toBeLessThanOrEqual(28);
	});
});

describe("time lines", () => {
	it.each([
		["fast", 0.999],
		["slow", 1.001],
	])("a sender's clock that is 0.1 %% %s for a minute is followed", (_what, rate) => {
		const packets = stream(3000, () => 0).map((packet) => ({ ...packet, arrivalMs: packet.frame * 20 * rate }));
		const { pulled } = run(packets, 59_000 * rate);
		for (const { now, got } of pulled) if (typeof got === "number" && now > 2000) expect(now - got * 20 * rate).toBeLessThanOrEqual(34);
		// 60 ms of difference: three frames more or fewer, no more than a few disturbances
		expect(count(pulled, "missing")).toBeLessThanOrEqual(8);
	});

	it("a jump of timestamp and sequence starts anew within the start delay", () => {
		const first = stream(100, () => 0);
		const second = stream(100, () => 0, { sequence: 123, timestamp: 9_000_000 }).map((packet) => ({
			...packet,
			frame: packet.frame + 100,
			arrivalMs: packet.arrivalMs + 2000,
		}));
		const { pulled, buffer } = run([...first, ...second], 3_900);
		expect(buffer.stats().resets).toBe(1);
		const firstOfSecond = pulled.find(({ got }) => typeof got === "number" && got >= 100);
		expect(firstOfSecond?.got).toBe(100);
		expect((firstOfSecond?.now ?? 0) - 2000).toBeLessThanOrEqual(40);
		expect(count(pulled, "missing")).toBe(0);
	});

	it("a pause without packets (timestamps go on) is silence, not loss, and the talk after it is whole", () => {
		const packets = stream(200, (frame) => (frame >= 50 && frame < 100 ? undefined : 0)).map((packet) =>
			packet.frame >= 100 ? { ...packet, sequence: (packet.sequence - 50) & 0xffff } : packet,
		);
		const { pulled } = run(packets, 3_990);
		expect(count(pulled, "missing")).toBeLessThanOrEqual(5);
		expect(pulled.filter(({ got }) => typeof got === "number" && got >= 100)[0]?.got).toBe(100);
		expect(Math.max(...delays(pulled, 2000))).toBeLessThanOrEqual(28);
	});

	it.each([10, 30, 40, 60])("packets of %d ms, pulled as audio is needed", (ms) => {
		const buffer = new JitterBuffer<number>();
		let held = 0;
		let starved = 0;
		for (let now = 7; now < 10_000; now += 20) {
			for (let at = now - 20 + 1; at <= now; at++) if (at >= 0 && at % ms === 0) buffer.push(at / ms, at * 8, at, at);
			while (held < 20) {
				const got = buffer.pull(now);
				if (got === undefined) break;
				held += ms;
			}
			if (now > 2000 && held < 20) starved += 1;
			held = Math.max(0, held - 20);
		}
		expect(buffer.stats().missing).toBe(0);
		expect(starved).toBeLessThanOrEqual(1);
		expect(buffer.stats().delayMs).toBeLessThanOrEqual(Math.max(20, ms) + 8);
	});

	it("holds a bounded number of packets when nobody pulls", () => {
		const buffer = new JitterBuffer<number>();
		for (let i = 0; i < 1000; i++) buffer.push(i, i * 160, i, i * 20);
		expect(buffer.stats().skipped).toBe(1000 - 64);
	});
});

describe("for a reader that stretches", () => {
	/** Packets of 20 ms that come at their time, and a reader whose 20 ms begin `phase` ms later. */
	function reading(phase: number, late = 0) {
		const buffer = new JitterBuffer<number>({ stretches: true });
		for (let i = 0; i < 100; i++) {
			buffer.push(i, i * 160, i, i * 20 + (i % 10 === 9 ? late : 0));
			if (i > 0) buffer.pull(i * 20 + phase);
		}
		return { buffer, now: 99 * 20 + phase };
	}

	it("nothing is to be done when each packet has come by when it is asked for, and only just", () => {
		const { buffer, now } = reading(8);
		expect(buffer.adjustmentMs(now, 0, 20)).toBe(-20);
		buffer.pull(now);
		expect(buffer.adjustmentMs(now, 0, 20)).toBeCloseTo(0);
	});

	it("what is decoded may be played sooner when the next packet has come by then", () => {
		const { buffer, now } = reading(8);
		buffer.pull(now);
		expect(buffer.adjustmentMs(now, 7.5, 20)).toBeCloseTo(-7.5);
	});

	it("the reader is told to wait when the next packet may not be there", () => {
		const { buffer, now } = reading(2);
		buffer.pull(now);
		expect(buffer.adjustmentMs(now, 0, 20)).toBe(20);
		expect(buffer.adjustmentMs(now, 12, 20)).toBe(8);
	});

	it("the reader is told to wait for what it wants beyond jitter", () => {
		const { buffer, now } = reading(8);
		buffer.pull(now);
		buffer.extraMs = 20;
		expect(buffer.adjustmentMs(now, 0, 20)).toBe(20);
	});

	it("the packet behind a missing one is told, when it follows directly", () => {
		const buffer = new JitterBuffer<string>({ stretches: true });
		buffer.push(1, 160, "a", 20);
		expect(buffer.pull(48)).toBe("a");
		buffer.push(3, 480, "c", 60);
		expect(buffer.successor).toBeUndefined();
		expect(buffer.pull(68)).toBe("missing");
		expect(buffer.successor).toBe("c");
		expect(buffer.missingShare).toBeGreaterThan(0);
		expect(buffer.pull(88)).toBe("c");
	});
});
