const RATE = 8_000;
const STEP_MS = 5;
const STEP = (RATE * STEP_MS) / 1_000;
const MOST_MS = 800;

/** By how much `heard` comes after `said`, ms in steps of 5: where their loudness agrees best. Both have 8 kHz. */
export function lagMs(said: Int16Array, heard: Int16Array): number {
	const [a, b] = [loudness(said), loudness(heard)];
	let best = { lag: 0, agreement: Number.NEGATIVE_INFINITY };
	for (let lag = 0; lag * STEP_MS <= MOST_MS; lag++) {
		let agreement = 0;
		for (let i = 0; i < a.length && i + lag < b.length; i++) agreement += (a[i] ?? 0) * (b[i + lag] ?? 0);
		if (agreement > best.agreement) best = { lag, agreement };
	}
	return best.lag * STEP_MS;
}

/** Without its mean, so that only changes agree. */
function loudness(pcm: Int16Array): number[] {
	const steps = Array.from({ length: Math.floor(pcm.length / STEP) }, (_, i) => {
		let sum = 0;
		for (let at = i * STEP; at < (i + 1) * STEP; at++) sum += Math.abs(pcm[at] ?? 0);
		return Math.log1p(sum / STEP);
	});
	const mean = steps.reduce((sum, each) => sum + each, 0) / Math.max(1, steps.length);
	return steps.map((each) => each - mean);
}
