import type { CallEvent, CallState, Effect, Step } from "./state.ts";

/** Test aid: runs events through a reducer and keeps what it wanted done. Time is an argument. */
export function reducerRun(initial: CallState, reduce: (state: CallState, event: CallEvent, now: number) => Step) {
	let state = initial;
	const effects: Effect[] = [];
	return {
		effects,
		phase: () => state.phase,
		/** effects of this event only */
		feed(event: CallEvent, now = 0): Effect[] {
			const step = reduce(state, event, now);
			state = step.state;
			effects.push(...step.effects);
			return step.effects;
		},
		done: (kind: Effect["do"]) => effects.filter((effect) => effect.do === kind),
	};
}
