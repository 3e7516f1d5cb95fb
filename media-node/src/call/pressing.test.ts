import { expect, it } from "vitest";
import { pressing } from "./pressing.ts";
import type { CallState, Reduce } from "./state.ts";

const nothing: Reduce = (state) => ({ state, effects: [] });
const press = { type: "press", command: { transferId: "STR_1", digits: "12#" } } as const;
const inPhase = (phase: CallState["phase"]) => ({ phase }) as CallState;

it("sends the digits of an answered call, and tells that they went", () => {
	const { effects } = pressing(nothing)(inPhase("active"), press, 0);
	expect(effects).toEqual([
		{ do: "send-digits", digits: "12#", report: false },
		{ do: "transfer-outcome", transferIds: ["STR_1"], outcome: { status: "successful", reason: "completed" } },
	]);
});

it("sends none before the answer and none after the end", () => {
	for (const [phase, refused] of [
		["ringing", "not-answered"],
		["over", "gone"],
	] as const)
		expect(pressing(nothing)(inPhase(phase as CallState["phase"]), press, 0).effects).toEqual([
			{ do: "transfer-outcome", transferIds: ["STR_1"], outcome: expect.objectContaining({ status: "failed", refused }) as unknown },
		]);
});
