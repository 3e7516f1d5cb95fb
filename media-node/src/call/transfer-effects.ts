import type { CallState, Effect } from "./state.ts";

export const recorded = (event: string, detail: string): Extract<Effect, { do: "record" }> => ({
	do: "record",
	from: ["active"],
	to: "active",
	event,
	detail: detail.replace(/^<|>$/g, ""),
});

/** What both a transfer and a peer's REFER come to. */
export const joinTarget = (target: string, callId: string, now: number): Effect[] => [
	{ do: "join-target" },
	{ ...recorded("transferred", target), patch: { bridgedWith: callId, leftRoomAt: now } },
];

/** What a transferred call ends with: by whom it was transferred. */
export const transferredEnd = ({ referred }: Pick<CallState, "referred">) =>
	({ by: referred === true ? "peer" : "api", reason: "transferred" }) as const;

/** After a transfer the telephone side hangs up; when it does not, we do. LiveKit's delay. */
export const HANG_UP_AFTER_MS = 1_000;
