import type { CallEnd, CallRecord } from "@trunkline/contracts";
import { type CallPatch, type CallStore, DomainError, type Page } from "@trunkline/domain";

const OVER: readonly CallRecord["state"][] = ["ended", "cancelled"];

/** Call records in memory; `now` (ms since the epoch) decides what has expired. */
export class MemoryCallStore implements CallStore {
	readonly #now: () => number;
	readonly #calls = new Map<string, CallRecord>();

	constructor(options: { now?: () => number } = {}) {
		this.#now = options.now ?? Date.now;
	}

	async createCall(call: CallRecord): Promise<boolean> {
		if (this.#live(call.callId)) return false;
		this.#calls.set(call.callId, structuredClone(call));
		return true;
	}

	async getCall(callId: string): Promise<CallRecord | undefined> {
		return structuredClone(this.#live(callId));
	}

	async claimCall(callId: string, nodeId: string, now: number, leaseUntil: number): Promise<CallRecord | undefined> {
		const call = this.#live(callId);
		if (!call) return undefined;
		const abandoned =
			(call.state === "claimed" || call.state === "joining") && call.owner !== nodeId && (call.leaseUntil ?? Infinity) <= now;
		if (call.state !== "queued" && !abandoned) return undefined;
		return this.#change(call, "claimed", { at: now, event: "claimed", detail: nodeId }, { owner: nodeId, leaseUntil });
	}

	async transitionCall(callId: string, step: Parameters<CallStore["transitionCall"]>[1]): Promise<CallRecord | undefined> {
		const call = this.#live(callId);
		if (!call || !step.from.includes(call.state)) return undefined;
		if (step.owner !== undefined && call.owner !== step.owner) return undefined;
		const detail = step.detail === undefined ? {} : { detail: step.detail };
		return this.#change(call, step.to, { at: step.at, event: step.event, ...detail }, step.patch ?? {});
	}

	async endCall(callId: string, at: number, end: CallEnd): Promise<CallRecord | undefined> {
		const call = this.#live(callId);
		if (!call || OVER.includes(call.state)) return undefined;
		return this.#change(call, "ended", { at, event: "ended", detail: end.reason }, { endedAt: at, end });
	}

	async liveCallsInRoom(projectId: string, roomName: string): Promise<CallRecord[]> {
		// A call that has no room yet is in none.
		if (roomName === "") return [];
		return this.#newestFirst((call) => call.projectId === projectId && call.roomName === roomName && !OVER.includes(call.state));
	}

	async listCalls(projectId: string, { afterId, limit }: Page): Promise<CallRecord[]> {
		const calls = this.#newestFirst((call) => call.projectId === projectId);
		const start = afterId === undefined ? 0 : calls.findIndex((call) => call.callId === afterId) + 1;
		if (afterId !== undefined && start === 0)
			throw new DomainError("invalid_argument", `after_id: there is no call ${JSON.stringify(afterId)} (any more)`);
		return calls.slice(start, limit ? start + limit : undefined);
	}

	#live(callId: string): CallRecord | undefined {
		const call = this.#calls.get(callId);
		return call && call.expiresAtSeconds * 1000 > this.#now() ? call : undefined;
	}

	#change(call: CallRecord, state: CallRecord["state"], entry: CallRecord["timeline"][number], patch: CallPatch): CallRecord {
		const changed: CallRecord = {
			...call,
			...structuredClone(patch),
			state,
			version: call.version + 1,
			timeline: [...call.timeline, entry],
		};
		// Nobody dials a call that is over: its password need not stay.
		if (OVER.includes(state) && changed.request) changed.request = { ...changed.request, authPassword: "" };
		this.#calls.set(call.callId, changed);
		return structuredClone(changed);
	}

	#newestFirst(wanted: (call: CallRecord) => boolean): CallRecord[] {
		const calls = [...this.#calls.values()].filter((call) => this.#live(call.callId) && wanted(call));
		calls.sort((a, b) => b.createdAt - a.createdAt || (a.callId < b.callId ? 1 : -1));
		return structuredClone(calls);
	}
}
