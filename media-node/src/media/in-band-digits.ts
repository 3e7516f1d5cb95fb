import { dtmfFrequencies, ToneGenerator } from "@trunkline/audio";

const FRAME_MS = 20;
const WAIT_MS = 500;
const RATE = 8_000;
/** of each of the two tones; ITU-T Q.24 receivers want −3 to −24 dBm */
const LEVEL_DBOV = -13;

type Step = { kind: "tone"; digit: string; frames: number } | { kind: "pause"; frames: number };

/** Digits as tones (ITU-T Q.23) for telephones whose SDP has no telephone-event. Same queue rules as `DtmfSender`. */
export class InBandDigits {
	readonly #toneFrames: number;
	readonly #pauseFrames: number;
	readonly #queue: Step[] = [];
	#step: Step | undefined;
	#tone: ToneGenerator | undefined;

	constructor(options: { toneMs: number; pauseMs: number }) {
		this.#toneFrames = Math.ceil(options.toneMs / FRAME_MS);
		this.#pauseFrames = Math.ceil(options.pauseMs / FRAME_MS);
	}

	get busy(): boolean {
		return this.#step !== undefined || this.#queue.length > 0;
	}

	/** ms until all that waits is sent */
	get waitingMs(): number {
		return this.#queue.reduce((sum, { frames }) => sum + frames, 0) * FRAME_MS;
	}

	/** Digits and `w`, all of them known ones; false when too many wait. */
	enqueue(digits: string): boolean {
		if (this.#queue.length + digits.length * 2 > 1_024) return false;
		for (const digit of digits) {
			if (digit === "w" || digit === "W") this.#queue.push({ kind: "pause", frames: WAIT_MS / FRAME_MS });
			else this.#queue.push({ kind: "tone", digit, frames: this.#toneFrames }, { kind: "pause", frames: this.#pauseFrames });
		}
		return true;
	}

	/** Fills `out` with the next frame's tone (8 kHz); false = a pause. */
	next(out: Int16Array): boolean {
		if (this.#step === undefined) {
			this.#step = this.#queue.shift();
			this.#tone = this.#step?.kind === "tone" ? new ToneGenerator(RATE, dtmfFrequencies(this.#step.digit) ?? [], LEVEL_DBOV) : undefined;
		}
		const step = this.#step;
		if (step === undefined) return false;
		step.frames -= 1;
		if (step.frames <= 0) this.#step = undefined;
		this.#tone?.fill(out);
		return step.kind === "tone";
	}
}
