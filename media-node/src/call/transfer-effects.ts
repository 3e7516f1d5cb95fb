import type { Effect } from "./state.ts";

export const recorded = (event: string, detail: string): Extract<Effect, { do: "record" }> => ({
	do: "record",
	from: ["active"],
	to: "active",
	event,
	detail: detail.replace(/^<|>$/g, ""),
});

/** What both a transfer and a peer's REFER come to. */
export const joinTarget = (target: string, callId: string): Effect[] => [
	{ do: "join-target" },
	{ ...recorded("transferred", target), patch: { bridgedWith: callId } },
];
