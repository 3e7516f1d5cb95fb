/**
 * The plug point: whatever takes noise out of one signal. Made per call and direction; called on the thread that has the call's audio, so it must be done
 * within a fraction of its frame.
 */
export interface NoiseSuppressor {
	/** Hz of what goes in and comes out */
	readonly sampleRate: number;
	/** samples of each call of `process` */
	readonly frameSamples: number;
	/** how far the output is behind the input */
	readonly delaySamples: number;
	/** `frameSamples` samples, -1..1, from `input` to `output`; both are the caller's. */
	process(input: Float32Array, output: Float32Array): void;
}
