import type { CallEnd } from "@trunkline/contracts";
import type { CallLog } from "./call-deps.ts";
import type { CallEvent, CallState, Effect, Reduce } from "./state.ts";

export interface ReducingOptions {
	callId: string;
	initial: CallState;
	reduce: Reduce;
	/** ms since the epoch */
	now(): number;
	log: Pick<CallLog, "error">;
	/** carries one effect out; may throw, and may dispatch */
	perform(effect: Effect): void;
}

/** A call's state, and one event after the other on it. What an effect dispatches waits until the effects of its event are carried out. */
export class Reducing {
	readonly #options: ReducingOptions;
	readonly #inbox: CallEvent[] = [];
	#state: CallState;
	#end: CallEnd | undefined;
	#draining = false;
	#faulted = false;

	constructor(options: ReducingOptions) {
		this.#options = options;
		this.#state = options.initial;
	}

	get state(): CallState {
		return this.#state;
	}

	/** why the call ends; known before its BYE leaves */
	get end(): CallEnd | undefined {
		return this.#end;
	}

	/** Never throws. An effect that throws does not keep the ones after it from running, and ends the call. */
	dispatch(event: CallEvent): void {
		this.#inbox.push(event);
		if (this.#draining) return;
		this.#draining = true;
		try {
			for (let next = this.#inbox.shift(); next !== undefined; next = this.#inbox.shift()) {
				const effects = this.#step(next);
				for (const effect of effects) if (effect.do === "end-record") this.#end = effect.end;
				for (const effect of effects) this.attempt(`effect ${effect.do}`, () => this.#options.perform(effect));
			}
		} finally {
			this.#draining = false;
		}
	}

	/** Does something that must not throw at whoever called; if it does, that ends the call. */
	attempt(what: string, work: () => void): void {
		try {
			work();
		} catch (error) {
			this.fault(what, error);
		}
	}

	/** What failed is a fault of ours, or of a service below: the call ends with it. */
	fault(what: string, error: unknown): void {
		const { callId, log } = this.#options;
		log.error({ callId, what, err: error }, "a step of the call failed");
		// Once: what fails again while the call is being ended for it has nothing more to say, and must not go round for ever.
		if (this.#faulted) return;
		this.#faulted = true;
		this.dispatch({ type: "fault", message: `${what}: ${error instanceof Error ? error.message : String(error)}` });
	}

	#step(event: CallEvent): readonly Effect[] {
		let effects: readonly Effect[] = [];
		this.attempt(`event ${event.type}`, () => {
			const step = this.#options.reduce(this.#state, event, this.#options.now());
			this.#state = step.state;
			effects = step.effects;
		});
		return effects;
	}
}
