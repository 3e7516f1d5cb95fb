/** What a network does to packets, the same each time for one seed. Times are ms. */
export interface Condition {
	name: string;
	/** share of packets that never come, in bursts as a network loses them */
	loss: number;
	/** each packet waits for 0 to so long beyond the fastest; order is kept */
	jitterMs: number;
	/** the sender's clock against ours */
	driftPpm: number;
}

export const CONDITIONS: readonly Condition[] = [
	{ name: "clean", loss: 0, jitterMs: 0, driftPpm: 0 },
	{ name: "loss 1 %", loss: 0.01, jitterMs: 0, driftPpm: 0 },
	{ name: "loss 5 %", loss: 0.05, jitterMs: 0, driftPpm: 0 },
	{ name: "loss 10 %", loss: 0.1, jitterMs: 0, driftPpm: 0 },
	{ name: "jitter 30 ms", loss: 0, jitterMs: 30, driftPpm: 0 },
	{ name: "jitter 60 ms", loss: 0, jitterMs: 60, driftPpm: 0 },
	{ name: "drift +200 ppm", loss: 0, jitterMs: 0, driftPpm: 200 },
	{ name: "drift −200 ppm", loss: 0, jitterMs: 0, driftPpm: -200 },
	{ name: "loss 5 %, jitter 30 ms, drift +200 ppm", loss: 0.05, jitterMs: 30, driftPpm: 200 },
];

export interface Arrival {
	/** of the packets that were sent */
	index: number;
	at: number;
}

/** A sequence of numbers 0..1 (mulberry32). */
export function seeded(seed: number): () => number {
	let state = seed >>> 0;
	return () => {
		state = (state + 0x6d2b79f5) >>> 0;
		let mixed = Math.imul(state ^ (state >>> 15), state | 1);
		mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
		return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
	};
}

/** When each of `count` packets of `packetMs` arrives; those that are lost are left out. A lost packet is followed by another one in three of ten cases. */
export function arrivals(count: number, packetMs: number, { loss, jitterMs, driftPpm }: Condition, seed: number): Arrival[] {
	const random = seeded(seed);
	const again = loss === 0 ? 0 : 0.3;
	const begins = (loss * (1 - again)) / (1 - loss);
	const all: Arrival[] = [];
	let lost = false;
	let latest = 0;
	for (let index = 0; index < count; index++) {
		lost = random() < (lost ? again : begins);
		const at = index * packetMs * (1 - driftPpm / 1e6) + random() * jitterMs;
		latest = Math.max(latest, at);
		if (!lost) all.push({ index, at: latest });
	}
	return all;
}
