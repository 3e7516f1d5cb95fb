import type { NoiseSuppression, TrunkSettings } from "@trunkline/contracts";
import { describe, expect, it } from "vitest";
import { inbound, initialInbound } from "./inbound.ts";
import { suppressing, suppressionOf } from "./noise.ts";
import type { CallEvent, CallState, Effect } from "./state.ts";

const ON: NoiseSuppression = { uplink: true, downlink: false, mix: 1 };
const BOTH: NoiseSuppression = { uplink: true, downlink: true, mix: 0.7 };
const OFF: NoiseSuppression = { uplink: false, downlink: false, mix: 1 };
const reduce = suppressing(inbound);

function run(state: CallState, ...events: CallEvent[]): { state: CallState; effects: Effect[] } {
	const effects: Effect[] = [];
	let current = state;
	for (const event of events) {
		const next = reduce(current, event, 1_000);
		current = next.state;
		effects.push(...next.effects);
	}
	return { state: current, effects };
}

const decided = (suppression?: NoiseSuppression): CallEvent => ({
	type: "decided",
	decision: { kind: "accept", ringingTimeoutMs: 60_000, maxCallDurationMs: 3_600_000, ...(suppression && { suppression }) },
});
const ANSWERED: readonly CallEvent[] = [
	{ type: "media-opened" },
	{ type: "room-joined", occupied: true },
	{ type: "acked" },
	{ type: "media-started" },
];
const asked = (noiseSuppression: NoiseSuppression): CallEvent => ({ type: "suppress", command: { transferId: "STR_1", noiseSuppression } });
const told = (effects: readonly Effect[]): unknown[] =>
	effects.flatMap((effect): unknown[] =>
		effect.do === "suppress"
			? [effect.wanted]
			: effect.do === "record" && effect.event.startsWith("noise-suppression")
				? [[effect.event, effect.detail]]
				: [],
	);

it.each<[boolean, TrunkSettings | undefined, NoiseSuppression | undefined]>([
	[false, undefined, undefined],
	[true, undefined, ON],
	[false, { noiseSuppression: { uplink: true } }, ON],
	[true, { noiseSuppression: { uplink: false } }, undefined],
	[true, { noiseSuppression: { downlink: true, mix: 0.7 } }, BOTH],
	[false, { noiseSuppression: { mix: 0.5 } }, undefined],
])("krisp_enabled %s and settings %j make %j", (krispEnabled, settings, suppression) => {
	expect(suppressionOf(krispEnabled, settings)).toEqual(suppression === undefined ? {} : { suppression });
});

describe("a call", () => {
	it("that wants it has it as soon as there is media, and its record says so after the answer", () => {
		const { state, effects } = run(initialInbound, { type: "start" }, decided(ON), ...ANSWERED);
		expect(told(effects)).toEqual([ON, ["noise-suppression", "uplink"]]);
		const at = (name: Effect["do"]): number => effects.findIndex((effect) => effect.do === name);
		expect(at("suppress")).toBeLessThan(at("bridge"));
		expect(told(run(state, { type: "digit", code: 1, digit: "1" }).effects), "said once").toEqual([]);
	});

	it("whose rule is known by its PIN has it from then on", () => {
		const asksForPin: CallEvent = { type: "decided", decision: { kind: "ask-pin", maxCallDurationMs: 3_600_000, length: 1 } };
		const { state, effects } = run(
			initialInbound,
			{ type: "start" },
			asksForPin,
			{ type: "media-opened" },
			{ type: "acked" },
			{ type: "media-started" },
			{ type: "digit", code: 1, digit: "1" },
			{ type: "pin-checked", verdict: "accepted", suppression: ON },
			{ type: "room-joined", occupied: true },
			{ type: "prompts-played" },
		);
		expect(state.phase).toBe("active");
		expect(told(effects)).toEqual([ON, ["noise-suppression", "uplink"]]);
	});

	it("that does not want it is not touched", () => {
		expect(told(run(initialInbound, { type: "start" }, decided(), ...ANSWERED).effects)).toEqual([]);
	});

	it("goes on without where there is no model, with a warning on its record", () => {
		const missing: CallEvent = { type: "suppression-unavailable", message: "no such file" };
		const { state, effects } = run(initialInbound, { type: "start" }, decided(ON), { type: "media-opened" }, missing, ...ANSWERED.slice(1));
		expect(told(effects)).toEqual([ON, ["noise-suppression-unavailable", "no such file"]]);
		expect(state.phase).toBe("active");
		expect(told(run(state, asked(ON), missing).effects)).toEqual([
			ON,
			["noise-suppression", "uplink"],
			["noise-suppression-unavailable", "no such file"],
		]);
	});

	it("is switched while it is active, and who asked is told; what is asked again is written once", () => {
		const { state } = run(initialInbound, { type: "start" }, decided(ON), ...ANSWERED);
		const { effects } = run(state, asked(BOTH), asked(BOTH), asked(OFF));
		expect(told(effects)).toEqual([BOTH, ["noise-suppression", "uplink and downlink, mix 0.7"], BOTH, OFF, ["noise-suppression", "off"]]);
		expect(effects.filter((effect) => effect.do === "transfer-outcome").map(({ outcome }) => outcome.status)).toEqual(
			Array(3).fill("successful"),
		);
	});

	it("is not switched before it is answered", () => {
		const { state } = run(initialInbound, { type: "start" }, decided(ON));
		expect(run(state, asked(BOTH)).effects).toEqual([
			{ do: "transfer-outcome", transferIds: ["STR_1"], outcome: { status: "failed", reason: "unspecified", refused: "not-answered" } },
		]);
	});
});
