import type { NoiseSuppression } from "@trunkline/contracts";
import { type NoiseSuppressor, SwitchedSuppression } from "@trunkline/noise-suppression";
import type { Suppressors } from "./suppressors.ts";

const OFF: NoiseSuppression = { uplink: false, downlink: false, mix: 1 };

/** What takes noise out of one direction of a call, as whoever has the audio sees it. */
export interface SuppressedPath {
	/** false: do not even decode for it */
	readonly active: boolean;
	/** In place; false: nothing was changed. */
	process(samples: Int16Array, sampleRate: number): boolean;
}

/** Noise suppression of one call. Whatever goes wrong with it, the call goes on without. */
export class CallSuppression {
	readonly uplink: SuppressedPath;
	readonly downlink: SuppressedPath;
	readonly #up: Path;
	readonly #down: Path;
	readonly #suppressors: Suppressors;
	readonly #onUnavailable: (message: string) => void;
	#wanted = OFF;
	#closed = false;

	/** `onUnavailable` is told why it is off although it was wanted. */
	constructor(suppressors: Suppressors, onUnavailable: (message: string) => void) {
		this.#suppressors = suppressors;
		this.#onUnavailable = onUnavailable;
		const failed = (error: unknown): void => this.#fail(error);
		this.uplink = this.#up = new Path(failed);
		this.downlink = this.#down = new Path(failed);
	}

	/** Takes effect at once, or, for the first of the thread's calls, when the model is loaded. */
	set(wanted: NoiseSuppression): void {
		this.#wanted = wanted;
		if (!wanted.uplink && !wanted.downlink) return this.#switch();
		this.#suppressors.load().then(
			(create) => this.#switch(create),
			(error: unknown) => this.#fail(error),
		);
	}

	close(): void {
		this.#closed = true;
		this.#wanted = OFF;
		this.#up.drop();
		this.#down.drop();
	}

	#switch(create?: () => NoiseSuppressor): void {
		if (this.#closed) return;
		const { uplink, downlink, mix } = this.#wanted;
		this.#up.set(uplink ? mix : undefined, create);
		this.#down.set(downlink ? mix : undefined, create);
	}

	#fail(error: unknown): void {
		this.#up.drop();
		this.#down.drop();
		const { uplink, downlink } = this.#wanted;
		this.#wanted = OFF;
		if ((uplink || downlink) && !this.#closed) this.#onUnavailable(error instanceof Error ? error.message : String(error));
	}
}

class Path implements SuppressedPath {
	readonly #onFailed: (error: unknown) => void;
	#suppression: SwitchedSuppression | undefined;

	constructor(onFailed: (error: unknown) => void) {
		this.#onFailed = onFailed;
	}

	get active(): boolean {
		return this.#suppression?.active === true;
	}

	set(mix: number | undefined, create: (() => NoiseSuppressor) | undefined): void {
		if (mix !== undefined && create !== undefined) this.#suppression ??= new SwitchedSuppression(create);
		this.#suppression?.set(mix);
	}

	drop(): void {
		this.#suppression = undefined;
	}

	process(samples: Int16Array, sampleRate: number): boolean {
		try {
			return this.#suppression?.process(samples, sampleRate) === true;
		} catch (error) {
			this.#onFailed(error);
			return false;
		}
	}
}
