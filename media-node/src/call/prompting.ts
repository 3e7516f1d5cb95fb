import type { MediaSession } from "./ports.ts";
import type { CallEvent, Effect } from "./state.ts";

export interface PromptedCall {
	media(): MediaSession | undefined;
	/** of the trunk's callers */
	language(): string;
	dispatch(event: CallEvent): void;
	run(what: string, work: Promise<unknown>): void;
}

/** Carries out what a call says to its telephone. */
export class Prompting {
	readonly #call: PromptedCall;
	#turn = 0;

	constructor(call: PromptedCall) {
		this.#call = call;
	}

	/** False: the effect is none of these. */
	perform(effect: Effect): boolean {
		switch (effect.do) {
			case "play-prompts":
				this.#call.run("playing a prompt", this.#play(effect.names));
				return true;
			case "stop-prompts":
				this.#turn += 1;
				this.#call.media()?.stopPrompts();
				return true;
			default:
				return false;
		}
	}

	async #play(names: Extract<Effect, { do: "play-prompts" }>["names"]): Promise<void> {
		this.#turn += 1;
		const turn = this.#turn;
		await this.#call.media()?.playPrompts(names, this.#call.language());
		// The end of what was stopped says nothing about what plays now.
		if (turn === this.#turn) this.#call.dispatch({ type: "prompts-played" });
	}
}
