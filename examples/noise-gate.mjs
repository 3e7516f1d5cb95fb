// NOISE_SUPPRESSOR_MODULE=examples/noise-gate.mjs: the smallest thing that takes the place of the built-in noise suppression. It lets through what is
// louder than the quietest second of the last ten, times four; real ones are cleverer, and look the same from outside.

/** Hz; 8000, 16000 or whatever the model wants: the media node resamples */
const SAMPLE_RATE = 8_000;
/** samples per call of `process`: 10 ms */
const FRAME = 80;

/** One per call and direction; keep what they share (a model) in the module. */
export function create() {
	const quietest = new Array(10).fill(Number.POSITIVE_INFINITY);
	let frames = 0;
	let gain = 1;
	return {
		sampleRate: SAMPLE_RATE,
		frameSamples: FRAME,
		/** samples that the output is behind the input */
		delaySamples: 0,
		/** Called every 10 ms on the thread that has the call's audio: microseconds, not milliseconds. Samples are -1..1. */
		process(input, output) {
			const level = Math.sqrt(input.reduce((sum, sample) => sum + sample * sample, 0) / FRAME);
			if (frames % 100 === 0) {
				quietest.shift();
				quietest.push(level);
			}
			quietest[9] = Math.min(quietest[9], level);
			frames += 1;
			const target = level > 4 * Math.min(...quietest) ? 1 : 0.1;
			for (let index = 0; index < FRAME; index++) {
				gain += (target - gain) / FRAME;
				output[index] = input[index] * gain;
			}
		},
	};
}
