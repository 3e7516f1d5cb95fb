/** Pitch of speech: 66 to 400 Hz. */
const MIN_PERIOD_MS = 2.5;
const MAX_PERIOD_MS = 15;
/** Below this (RMS, of 32,768) nobody hears a seam. */
const QUIET_RMS = 40;

/**
 * Takes one pitch period out of the first samples of `pcm`, in place; gives the number of samples that are gone, 0 where no two neighbouring periods
 * are alike enough. `length` samples count, at most `max` go; `least` is how much alike they must be, 0..1. What was before and what comes after goes on
 * without a step.
 */
export function shorten(pcm: Int16Array, length: number, rate: number, max: number, least: number): number {
	const period = findPeriod(pcm, length, rate, max, least);
	if (period === 0) return 0;
	for (let i = 0; i < period; i++) pcm[i] = blend(pcm[i] ?? 0, pcm[period + i] ?? 0, (i + 1) / (period + 1));
	pcm.copyWithin(period, 2 * period, length);
	return period;
}

/** Repeats one pitch period, in the same way; gives the number of samples that are new. `pcm` has room for them behind `length`. */
export function lengthen(pcm: Int16Array, length: number, rate: number, max: number, least: number): number {
	const period = findPeriod(pcm, length, rate, Math.min(max, pcm.length - length), least);
	if (period === 0) return 0;
	pcm.copyWithin(2 * period, period, length);
	// pcm[2p + i] is now what was at p + i: it fades out while what was at i comes in again
	for (let i = 0; i < period; i++) pcm[period + i] = blend(pcm[2 * period + i] ?? 0, pcm[i] ?? 0, (i + 1) / (period + 1));
	return period;
}

function blend(from: number, to: number, share: number): number {
	return Math.round(from + (to - from) * share);
}

/** The longest of the lags at which the beginning is most like what follows it; 0 = none is good enough. */
function findPeriod(pcm: Int16Array, length: number, rate: number, max: number, least: number): number {
	const shortest = Math.round((MIN_PERIOD_MS * rate) / 1000);
	const longest = Math.min(Math.floor(length / 2), Math.floor(max), Math.round((MAX_PERIOD_MS * rate) / 1000));
	if (longest < shortest) return 0;
	if (isQuiet(pcm, 2 * longest)) return longest;
	let best = 0;
	let bestScore = least;
	for (let lag = shortest; lag <= longest; lag++) {
		const score = likeness(pcm, lag);
		if (score < bestScore) continue;
		bestScore = score;
		best = lag;
	}
	return best;
}

/** Normalised correlation of the first `lag` samples with the next. */
function likeness(pcm: Int16Array, lag: number): number {
	let cross = 0;
	let first = 0;
	let second = 0;
	for (let i = 0; i < lag; i++) {
		const a = pcm[i] ?? 0;
		const b = pcm[lag + i] ?? 0;
		cross += a * b;
		first += a * a;
		second += b * b;
	}
	return cross <= 0 ? 0 : cross / Math.sqrt(first * second);
}

function isQuiet(pcm: Int16Array, length: number): boolean {
	let energy = 0;
	for (let i = 0; i < length; i++) energy += (pcm[i] ?? 0) ** 2;
	return energy < QUIET_RMS * QUIET_RMS * length;
}
