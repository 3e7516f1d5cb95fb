import type { CallRecord } from "@trunkline/contracts";
import { isLive } from "../call/search.ts";
import type { CallStore } from "../ports.ts";
import type { CallLimitStore } from "./ports.ts";

export interface CountedCallsOptions {
	store: CallStore;
	limits: Pick<CallLimitStore, "answered" | "settle">;
	/** projects whose calls are not counted */
	uncounted: readonly string[];
	/** The count could not be written. The call goes on: its slot is found out when the limit is reached, or ends with its lease. */
	onError(error: unknown, callId: string): void;
}

/**
 * `store`, and whoever writes there that an outbound call is answered or over has told the limits of its project too: the API and the media node alike,
 * without knowing of limits.
 */
export function countedCalls({ store, limits, uncounted, onError }: CountedCallsOptions): CallStore {
	const count = async (call: CallRecord | undefined): Promise<CallRecord | undefined> => {
		if (call === undefined || call.direction !== "outbound" || uncounted.includes(call.projectId)) return call;
		try {
			if (call.state === "active") await limits.answered(call.projectId, call.callId, call.answeredAt ?? lastChange(call));
			if (call.state === "ended" || call.state === "cancelled")
				await limits.settle(call.projectId, call.callId, usedMs(call), call.endedAt ?? lastChange(call));
		} catch (error) {
			onError(error, call.callId);
		}
		return call;
	};
	/** An end that was written and whose answer was lost is found when it is written again. */
	const countEnd = async (callId: string, ended: CallRecord | undefined): Promise<CallRecord | undefined> => {
		if (ended !== undefined) return count(ended);
		const call = await store.getCall(callId).catch((error: unknown) => {
			onError(error, callId);
			return undefined;
		});
		if (call !== undefined && !isLive(call.state)) await count(call);
		return undefined;
	};
	const counted: Pick<CallStore, "transitionCall" | "endCall"> = {
		transitionCall: async (callId, step) => {
			const call = await store.transitionCall(callId, step);
			return isLive(step.to) ? count(call) : countEnd(callId, call);
		},
		endCall: async (callId, at, end, patch) => countEnd(callId, await store.endCall(callId, at, end, patch)),
	};
	return new Proxy(store, {
		get: (target, name) => {
			const own: unknown = Reflect.get(counted, name) ?? Reflect.get(target, name);
			return typeof own === "function" ? (own.bind(target) as unknown) : own;
		},
	});
}

/** What a call counts for against `minutesPerDay`, ms: from the answer to the end. */
export function usedMs(call: Pick<CallRecord, "answeredAt" | "endedAt"> | undefined): number {
	return call?.answeredAt === undefined || call.endedAt === undefined ? 0 : Math.max(0, call.endedAt - call.answeredAt);
}

function lastChange({ timeline, createdAt }: CallRecord): number {
	return timeline.at(-1)?.at ?? createdAt;
}
