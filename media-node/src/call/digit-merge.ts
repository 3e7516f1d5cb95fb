import { dtmfCode } from "@trunkline/rtp";
import type { MediaEvent } from "./ports.ts";

/** What a call does with digits and the like; recordings are no business of the call's course. */
type CallMediaEvent = Exclude<MediaEvent, { type: "recorded" | "media-lost" | "quality" | "secured" }>;

/** The second report of a key press comes within this of the first, ms. */
const WINDOW_MS = 2_000;
const MAX_WAITING = 64;

/** How a digit came: in the audio's own packets (RFC 4733), in signalling (INFO), or as tones in the audio. */
export type DigitWay = "rtp" | "info" | "in-band";

/**
 * Telephones and carriers that report each key press in several ways: one for one, the reports after the first are no further presses. A peer that uses one way
 * only is never touched, however fast its fingers.
 */
export class DigitMerge {
	#presses: { ways: Set<DigitWay>; digit: string; until: number }[] = [];

	/** false: this press was reported another way already. `now` in ms. */
	accept(way: DigitWay, digit: string, now: number): boolean {
		this.#presses = this.#presses.filter(({ until }) => until > now);
		const twin = this.#presses.find((press) => press.digit === digit && !press.ways.has(way));
		if (twin !== undefined) {
			twin.ways.add(way);
			return false;
		}
		if (this.#presses.length < MAX_WAITING) this.#presses.push({ ways: new Set([way]), digit, until: now + WINDOW_MS });
		return true;
	}
}

/** Digits of a call, whichever way they come; told once each. */
export class IncomingDigits {
	readonly #merge = new DigitMerge();
	readonly #now: () => number;
	readonly #tell: (event: CallMediaEvent) => void;

	constructor(now: () => number, tell: (event: CallMediaEvent) => void) {
		this.#now = now;
		this.#tell = tell;
	}

	/** What the media session tells; digits among it. */
	onMedia(event: CallMediaEvent): void {
		if (event.type !== "digit" || this.#merge.accept(event.inBand === true ? "in-band" : "rtp", event.digit, this.#now()))
			this.#tell(event);
	}

	onInfo(digits: string): void {
		for (const digit of digits) {
			const code = dtmfCode(digit);
			if (code !== undefined && this.#merge.accept("info", digit, this.#now())) this.#tell({ type: "digit", code, digit });
		}
	}
}
