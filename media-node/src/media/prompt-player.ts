import type { PromptName } from "../call/ports.ts";
import type { EndlessAudio } from "./hold-music.ts";
import { Once, type Prompts } from "./prompts.ts";

/** Plays prompts to one telephone, one row of them at a time. */
export class PromptPlayer {
	readonly #prompts: Prompts;
	/** in the place of the room; gives the stop */
	readonly #play: (audio: EndlessAudio) => () => void;
	#stop: () => void = () => {};
	#closed = false;

	constructor(prompts: Prompts, play: (audio: EndlessAudio) => () => void) {
		this.#prompts = prompts;
		this.#play = play;
	}

	/** Resolves when the last one is over, at `stop`, or when others take their place. */
	async play(names: readonly PromptName[], language: string): Promise<void> {
		this.stop();
		const turn = { over: this.#closed, end: (): void => {} };
		this.#stop = () => {
			turn.over = true;
			turn.end();
		};
		for (const name of names) {
			const pcm = await this.#prompts.load(name, language);
			if (turn.over) return;
			const { promise, resolve } = Promise.withResolvers<void>();
			turn.end = resolve;
			const remove = this.#play(new Once(pcm, resolve));
			await promise;
			remove();
			if (turn.over) return;
		}
	}

	stop(): void {
		const stop = this.#stop;
		this.#stop = () => {};
		stop();
	}

	close(): void {
		this.#closed = true;
		this.stop();
	}
}
