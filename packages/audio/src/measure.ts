const FULL_SCALE = 32768;

export interface ToneMeasurement {
	/** of the sine at this frequency, dBov (a full-scale sine is −3.01); −Infinity for digital silence */
	levelDb: number;
	/** of everything, dBov */
	totalDb: number;
	/** the sine's share of all power, 0..1 */
	share: number;
}

/**
 * How loud one frequency is in these samples (Goertzel with a Hann window, which keeps a strong neighbour out). Resolution is about
 * 4 / duration: 200 ms tell 20 Hz apart.
 */
export function measureTone(pcm: Int16Array, rate: number, hz: number): ToneMeasurement {
	const total = meanSquare(pcm);
	const power = Math.min(total, goertzel(pcm, rate, hz));
	return { levelDb: 10 * Math.log10(power), totalDb: 10 * Math.log10(total), share: total === 0 ? 0 : power / total };
}

export interface DominantTone extends ToneMeasurement {
	hz: number;
}

/** The loudest single frequency between `fromHz` and `toHz` (default 50 Hz .. just below half the rate), to about 1 Hz; undefined for silence. */
export function dominantTone(pcm: Int16Array, rate: number, fromHz = 50, toHz = rate / 2 - 50): DominantTone | undefined {
	if (meanSquare(pcm) === 0) return undefined;
	// half a bin of the window's main lobe; long recordings are searched in their middle
	const searched = pcm.length > rate ? pcm.subarray((pcm.length - rate) >> 1, (pcm.length + rate) >> 1) : pcm;
	let step = Math.max(2, rate / searched.length);
	let best = strongest(searched, rate, fromHz, toHz, step);
	while (step > 0.5) {
		const half = step;
		step /= 4;
		best = strongest(searched, rate, Math.max(fromHz, best - half), Math.min(toHz, best + half), step);
	}
	return { hz: best, ...measureTone(pcm, rate, best) };
}

function strongest(pcm: Int16Array, rate: number, fromHz: number, toHz: number, stepHz: number): number {
	let best = fromHz;
	let bestPower = -1;
	for (let hz = fromHz; hz <= toHz; hz += stepHz) {
		const power = goertzel(pcm, rate, hz);
		if (power > bestPower) {
			bestPower = power;
			best = hz;
		}
	}
	return best;
}

/** Mean square of the sine at `hz`, 1 = square wave of full scale. */
function goertzel(pcm: Int16Array, rate: number, hz: number): number {
	const length = pcm.length;
	if (length === 0) return 0;
	const omega = (2 * Math.PI * hz) / rate;
	const coefficient = 2 * Math.cos(omega);
	// Hann window by the recurrence of a cosine
	const turn = (2 * Math.PI) / length;
	const windowCoefficient = 2 * Math.cos(turn);
	let previousCosine = Math.cos(turn);
	let cosine = 1;
	let s1 = 0;
	let s2 = 0;
	for (let i = 0; i < length; i++) {
		const s0 = (pcm[i] ?? 0) * (0.5 - 0.5 * cosine) + coefficient * s1 - s2;
		s2 = s1;
		s1 = s0;
		const nextCosine = windowCoefficient * cosine - previousCosine;
		previousCosine = cosine;
		cosine = nextCosine;
	}
	const squared = s1 * s1 + s2 * s2 - coefficient * s1 * s2;
	// |X| = amplitude × length / 2 × (mean of the window = 1/2)
	const amplitude = (4 * Math.sqrt(Math.max(0, squared))) / length / FULL_SCALE;
	return amplitude ** 2 / 2;
}

function meanSquare(pcm: Int16Array): number {
	let sum = 0;
	for (const sample of pcm) sum += (sample / FULL_SCALE) ** 2;
	return pcm.length === 0 ? 0 : sum / pcm.length;
}
