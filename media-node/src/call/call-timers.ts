import type { Clock } from "./ports.ts";
import type { TimerName } from "./state.ts";

/** The timers that a call's reducer asks for: one for each name. */
export class CallTimers {
	readonly #clock: Clock;
	readonly #onTimer: (name: TimerName) => void;
	readonly #cancels = new Map<TimerName, () => void>();

	constructor(clock: Clock, onTimer: (name: TimerName) => void) {
		this.#clock = clock;
		this.#onTimer = onTimer;
	}

	/** `at`: ms since the epoch. One of the same name is over. */
	set(name: TimerName, at: number): void {
		this.clear(name);
		const cancel = this.#clock.wakeAt(at, () => {
			this.#cancels.delete(name);
			this.#onTimer(name);
		});
		this.#cancels.set(name, cancel);
	}

	clear(name: TimerName): void {
		this.#cancels.get(name)?.();
		this.#cancels.delete(name);
	}

	clearAll(): void {
		for (const cancel of this.#cancels.values()) cancel();
		this.#cancels.clear();
	}
}
