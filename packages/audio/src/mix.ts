/** Below this a sum goes through as it is (−2.5 dB of full scale). */
const KNEE = 24576;
const ROOM = 32767 - KNEE;

/**
 * Full scale is approached but never passed: linear up to the knee, then bent with the same slope at the knee, so that two loud talkers
 * do not crackle.
 */
export function softLimit(sum: number): number {
	if (sum > KNEE) return Math.round(KNEE + (ROOM * (sum - KNEE)) / (sum - KNEE + ROOM));
	if (sum < -KNEE) return -Math.round(KNEE + (ROOM * (-sum - KNEE)) / (-sum - KNEE + ROOM));
	return sum;
}

/** Adds all sources into `out`; a source that is shorter counts as silent from there on. With one source its samples come out unchanged. */
export function mix(sources: readonly Int16Array[], out: Int16Array): void {
	const only = sources[0];
	if (sources.length === 1 && only !== undefined) {
		out.fill(0);
		out.set(only.length > out.length ? only.subarray(0, out.length) : only);
		return;
	}
	for (let i = 0; i < out.length; i++) {
		let sum = 0;
		for (const source of sources) sum += source[i] ?? 0;
		out[i] = softLimit(sum);
	}
}

/**
 * N−1 mixing: `outputs[k]` becomes the sum of all sources but `sources[k]`, so that nobody hears themselves. An undefined source is silent
 * and still hears the others. One pass over the sources and one over the outputs, however many there are.
 */
export function mixMinus(sources: readonly (Int16Array | undefined)[], outputs: readonly Int16Array[], total: Int32Array): void {
	total.fill(0);
	for (const source of sources) {
		if (source === undefined) continue;
		const length = Math.min(source.length, total.length);
		for (let i = 0; i < length; i++) total[i] = (total[i] ?? 0) + (source[i] ?? 0);
	}
	for (let k = 0; k < outputs.length; k++) {
		const out = outputs[k];
		const own = sources[k];
		if (out === undefined) continue;
		for (let i = 0; i < out.length; i++) out[i] = softLimit((total[i] ?? 0) - (own?.[i] ?? 0));
	}
}
