import type { NoiseSuppression, TrunkSettings } from "@trunkline/contracts";
import { effectiveSettings, type SuppressCommand } from "@trunkline/domain";
import { type CallEvent, type CallState, type Effect, type Reduce, type Step, step } from "./state.ts";
import { recorded } from "./transfer-effects.ts";
import { refuseTransfer } from "./transfer.ts";

/** What a call begins with; `krispEnabled` is what LiveKit's fields of trunk, rule or request say. */
export function suppressionOf(krispEnabled: boolean, settings: TrunkSettings | undefined): { suppression?: NoiseSuppression } {
	const { uplink, downlink, mix } = effectiveSettings(settings).noiseSuppression;
	const suppression = { uplink: uplink ?? krispEnabled, downlink, mix };
	return isOn(suppression) ? { suppression } : {};
}

/** Noise suppression around all else that a call does: it is on as soon as there is media, and the record says so once the call is answered. */
export function suppressing(reduce: Reduce): Reduce {
	return (state, event, now) => {
		if (event.type === "suppress") return state.phase === "active" ? suppress(state, event.command) : refuseTransfer(state, event.command);
		if (event.type === "suppression-unavailable") return unavailable(state, event.message);
		const next = reduce(decided(state, event), event, now);
		const { suppression } = next.state;
		const begins = event.type === "media-opened" || event.type === "pin-checked";
		const first: Effect[] = begins && suppression !== undefined ? [{ do: "suppress", wanted: suppression }] : [];
		const last = state.phase !== "active" && next.state.phase === "active" ? answered(next.state) : [];
		return { state: next.state, effects: [...first, ...next.effects, ...last] };
	};
}

/** A rule with a PIN is known when its PIN is. */
function decided(state: CallState, event: CallEvent): CallState {
	if (event.type === "pin-checked") return event.suppression === undefined ? state : { ...state, suppression: event.suppression };
	if (event.type !== "decided" || event.decision.kind !== "accept" || event.decision.suppression === undefined) return state;
	return { ...state, suppression: event.decision.suppression };
}

function suppress(state: CallState, { transferId, noiseSuppression: wanted }: SuppressCommand): Step {
	const effects: Effect[] = [{ do: "suppress", wanted }];
	if (words(wanted) !== words(state.suppression)) effects.push(recorded("noise-suppression", words(wanted)));
	const outcome = { status: "successful", reason: "completed" } as const;
	return step(state, { suppression: wanted }, ...effects, { do: "transfer-outcome", transferIds: [transferId], outcome });
}

/** The call goes on without. */
function unavailable(state: CallState, message: string): Step {
	const next = { ...state, suppression: undefined, suppressionProblem: message };
	return { state: next, effects: state.phase === "active" ? answered(next) : [] };
}

function answered({ suppression, suppressionProblem }: CallState): Effect[] {
	if (suppression !== undefined) return [recorded("noise-suppression", words(suppression))];
	return suppressionProblem === undefined ? [] : [recorded("noise-suppression-unavailable", suppressionProblem)];
}

const isOn = ({ uplink, downlink }: NoiseSuppression): boolean => uplink || downlink;

function words(suppression: NoiseSuppression | undefined): string {
	if (suppression === undefined || !isOn(suppression)) return "off";
	const { uplink, downlink, mix } = suppression;
	const where = [uplink && "uplink", downlink && "downlink"].filter((one) => one !== false).join(" and ");
	return mix === 1 ? where : `${where}, mix ${mix}`;
}
