import type { CallMedia } from "@trunkline/contracts";
import type { CallDeps } from "./call-deps.ts";
import type { MediaStats } from "./ports.ts";

/** Samples come each 5 s, a little earlier or later. */
const TOLERANCE_MS = 2_500;

export interface LiveQualityOptions {
	callId: string;
	deps: Pick<CallDeps, "calls" | "clock" | "log" | "nodeId" | "qualityEveryMs">;
	/** undefined: the media are gone */
	stats(): MediaStats | Promise<MediaStats> | undefined;
	/** undefined = nothing was agreed */
	summary(stats: MediaStats): CallMedia | undefined;
}

/** Puts how a call is on its record while it goes on. Nothing waits for it: what cannot be written is out of date soon. */
export class LiveQuality {
	readonly #options: LiveQualityOptions;
	#next = Number.NEGATIVE_INFINITY;
	#writing = false;

	constructor(options: LiveQualityOptions) {
		this.#options = options;
	}

	/** The media have judged some seconds more. */
	onSample(): void {
		const { clock, qualityEveryMs = 0 } = this.#options.deps;
		const now = clock.now();
		// A table that is slow has one write at a time of each call.
		if (qualityEveryMs === 0 || this.#writing || now < this.#next) return;
		this.#next = now + qualityEveryMs - TOLERANCE_MS;
		this.#writing = true;
		void this.#note().finally(() => {
			this.#writing = false;
		});
	}

	async #note(): Promise<void> {
		const { callId, deps, summary } = this.#options;
		try {
			const stats = await this.#options.stats();
			const media = stats && summary(stats);
			if (media?.quality !== undefined) await deps.calls.noteQuality(callId, deps.nodeId, media);
		} catch (error) {
			deps.log.warn({ callId, err: error }, "how the call is could not be written");
		}
	}
}
