import { dtmfCode } from "@trunkline/rtp";
import type { MediaEvent } from "./ports.ts";

/** The second report of a key press comes within this of the first, ms. */
const WINDOW_MS = 2_000;
const MAX_WAITING = 64;

/** How a digit came: in the audio's own packets (RFC 4733) or in signalling (INFO). */
export type DigitWay = "rtp" | "info";

/**
 * Telephones and carriers that report each key press both ways: one for one, the second report is not a second press. A peer that uses one way
 * only is never touched, however fast its fingers.
 */
export class DigitMerge {
	#waiting: { way: DigitWay; digit: string; until: number }[] = [];

	/** false: this press was reported the other way already. `now` in ms. */
	accept(way: DigitWay, digit: string, now: number): boolean {
		this.#waiting = this.#waiting.filter(({ until }) => until > now);
		const twin = this.#waiting.findIndex((other) => other.way !== way && other.digit === digit);
		if (twin >= 0) {
			this.#waiting.splice(twin, 1);
			return false;
		}
		if (this.#waiting.length < MAX_WAITING) this.#waiting.push({ way, digit, until: now + WINDOW_MS });
		return true;
	}
}

/** Digits of a call, whichever way they come; told once each. */
export class IncomingDigits {
	readonly #merge = new DigitMerge();
	readonly #now: () => number;
	readonly #tell: (event: MediaEvent) => void;

	constructor(now: () => number, tell: (event: MediaEvent) => void) {
		this.#now = now;
		this.#tell = tell;
	}

	/** What the media session tells; digits among it. */
	onMedia(event: MediaEvent): void {
		if (event.type !== "digit" || this.#merge.accept("rtp", event.digit, this.#now())) this.#tell(event);
	}

	onInfo(digits: string): void {
		for (const digit of digits) {
			const code = dtmfCode(digit);
			if (code !== undefined && this.#merge.accept("info", digit, this.#now())) this.#tell({ type: "digit", code, digit });
		}
	}
}
