import type { CallRecord, CallState } from "@trunkline/contracts";
import type { CallSearch } from "../ports.ts";

/** A Record, so that a new state cannot be forgotten here. */
const IS_LIVE: Readonly<Record<CallState, boolean>> = {
	queued: true,
	claimed: true,
	joining: true,
	dialing: true,
	received: true,
	ringing: true,
	active: true,
	ended: false,
	cancelled: false,
};

/** The states of a call that is not over. */
export const LIVE_STATES: readonly CallState[] = (Object.keys(IS_LIVE) as CallState[]).filter((state) => IS_LIVE[state]);

/** A state that a newer version has made is none of the two that are final. */
export function isLive(state: CallState): boolean {
	return (IS_LIVE as Partial<Record<string, boolean>>)[state] ?? true;
}

/** It is not over, and has not left its room to another telephone. */
export function isInRoom({ state, leftRoomAt }: Pick<CallRecord, "state" | "leftRoomAt">): boolean {
	return isLive(state) && leftRoomAt === undefined;
}

/** Is it a live call of this node, or (undefined) one that no node has taken yet? Whoever gives a call back leaves his name on it. */
export function isOwnedBy({ state, owner }: Pick<CallRecord, "state" | "owner">, nodeId: string | undefined): boolean {
	if (!isLive(state)) return false;
	return state === "queued" ? nodeId === undefined : owner === nodeId;
}

/** Does a call of the right project belong on the list, its place (`after`, `limit`) apart? */
export function isWanted(call: CallRecord, search: CallSearch): boolean {
	return (
		(search.since === undefined || call.createdAt >= search.since) &&
		(search.until === undefined || call.createdAt < search.until) &&
		(search.roomName === undefined || call.roomName === search.roomName) &&
		(search.trunkId === undefined || call.trunkId === search.trunkId) &&
		(search.direction === undefined || call.direction === search.direction) &&
		(search.states === undefined || search.states.includes(call.state))
	);
}
