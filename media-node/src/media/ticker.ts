import { channel } from "node:diagnostics_channel";

const TICK_MS = 20;
/** calls are spread over the 20 ms, so that their work and packets do not come in one burst */
const PHASES = 4;
const STEP_MS = TICK_MS / PHASES;
/** After a longer pause (suspended laptop, stopped process) the clock starts anew instead of catching up. */
const MAX_CATCH_UP_MS = 200;
/** for whoever measures a thread from outside: how many frames came late just now */
const lateFramesChannel = channel("trunkline:late-frames");

/**
 * One 20 ms clock for all calls of the process. The schedule is absolute: a late tick is followed by an early one, so it never drifts.
 * Runs only while somebody is subscribed.
 */
export class Ticker {
	readonly #phases: Set<() => void>[] = Array.from({ length: PHASES }, () => new Set());
	#timer: NodeJS.Timeout | undefined;
	#next = 0;
	#phase = 0;
	/** frames that came a whole frame late or more, of all calls: what a telephone's jitter buffer has to make up for */
	lateFrames = 0;
	readonly #onStep: ((lateMs: number) => void) | undefined;

	/** `onStep` is told how late each step of the clock is, four in 20 ms */
	constructor(onStep?: (lateMs: number) => void) {
		this.#onStep = onStep;
	}

	/** Calls `tick` every 20 ms; gives the unsubscribe. One that throws is called no more; what it threw is for the process to tell. */
	subscribe(tick: () => void): () => void {
		const phase = this.#phases.reduce((least, set) => (set.size < least.size ? set : least));
		phase.add(tick);
		if (this.#timer === undefined) {
			this.#next = performance.now() + STEP_MS;
			this.#schedule();
		}
		return () => {
			phase.delete(tick);
			if (this.#phases.some((set) => set.size > 0)) return;
			clearTimeout(this.#timer);
			this.#timer = undefined;
		};
	}

	#schedule(): void {
		this.#timer = setTimeout(() => this.#run(), Math.max(0, this.#next - performance.now()));
	}

	#countLate(frames: number): void {
		this.lateFrames += frames;
		if (lateFramesChannel.hasSubscribers) lateFramesChannel.publish(frames);
	}

	#run(): void {
		const now = performance.now();
		if (now - this.#next > MAX_CATCH_UP_MS) {
			const frames = this.#phases.reduce((sum, { size }) => sum + size, 0);
			this.#countLate(frames * Math.floor((now - this.#next) / TICK_MS));
			this.#next = now;
		}
		while (this.#next <= now) {
			const phase = this.#phases[this.#phase];
			this.#onStep?.(now - this.#next);
			if (now - this.#next >= TICK_MS) this.#countLate(phase?.size ?? 0);
			if (phase !== undefined) for (const tick of phase) call(tick, phase);
			this.#phase = (this.#phase + 1) % PHASES;
			this.#next += STEP_MS;
		}
		if (this.#phases.some((set) => set.size > 0)) this.#schedule();
		else this.#timer = undefined;
	}
}

/** One call's fault must not silence all the others. */
function call(tick: () => void, phase: Set<() => void>): void {
	try {
		tick();
	} catch (error) {
		phase.delete(tick);
		queueMicrotask(() => {
			throw error;
		});
	}
}
