import type { CallEnd, CallMedia, CallRecord } from "@trunkline/contracts";
import {
	type CallPatch,
	type CallSearch,
	type CallStore,
	type ClaimedEvents,
	type EventDelivery,
	type EventOutbox,
	type FoundCalls,
	isInRoom,
	isLive,
	isOwnedBy,
	isWanted,
	type OwnedCalls,
} from "@trunkline/domain";

/** What the outbox knows of a call that is in it. */
interface Undelivered {
	due: number;
	claim?: string;
	claimedUntil: number;
}

/** Call records in memory, and their outbox; `now` (ms since the epoch) decides what has expired. */
export class MemoryCallStore implements CallStore, EventOutbox, OwnedCalls {
	readonly #now: () => number;
	readonly #calls = new Map<string, CallRecord>();
	readonly #outbox = new Map<string, Undelivered>();
	readonly #deliveries = new Map<string, Record<string, EventDelivery>>();
	#claims = 0;

	constructor(options: { now?: () => number } = {}) {
		this.#now = options.now ?? Date.now;
	}

	async createCall(call: CallRecord): Promise<boolean> {
		if (this.#live(call.callId)) return false;
		this.#deliveries.delete(call.callId);
		this.#outbox.delete(call.callId);
		this.#write(structuredClone(call));
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

	async noteQuality(callId: string, owner: string, media: CallMedia): Promise<boolean> {
		const call = this.#live(callId);
		if (!call || !isLive(call.state) || call.owner !== owner) return false;
		this.#calls.set(callId, { ...call, media: structuredClone(media) });
		return true;
	}

	async endCall(callId: string, at: number, end: CallEnd, patch: CallPatch = {}): Promise<CallRecord | undefined> {
		const call = this.#live(callId);
		if (!call || !isLive(call.state)) return undefined;
		return this.#change(call, "ended", { at, event: "ended", detail: end.reason }, { ...patch, endedAt: at, end });
	}

	async liveCallsInRoom(projectId: string, roomName: string): Promise<CallRecord[]> {
		// A call that has no room yet is in none.
		if (roomName === "") return [];
		return this.#newestFirst((call) => call.projectId === projectId && call.roomName === roomName && isInRoom(call));
	}

	async liveCallsOf(nodeId: string | undefined, limit: number): Promise<CallRecord[]> {
		return this.#newestFirst((call) => isOwnedBy(call, nodeId)).slice(0, limit);
	}

	async findCalls(projectId: string, search: CallSearch): Promise<FoundCalls> {
		if (search.roomName === "" || search.trunkId === "") return { calls: [] };
		const { after } = search;
		const isLater = (call: CallRecord): boolean =>
			after === undefined || call.createdAt < after.createdAt || (call.createdAt === after.createdAt && call.callId < after.callId);
		const all = this.#newestFirst((call) => call.projectId === projectId && isWanted(call, search) && isLater(call));
		const calls = all.slice(0, search.limit);
		const last = calls.at(-1);
		const next = last === undefined || all.length === calls.length ? {} : { next: { createdAt: last.createdAt, callId: last.callId } };
		return { calls, ...next };
	}

	async dueCalls(now: number, limit: number): Promise<string[]> {
		const due = [...this.#outbox].filter(([, entry]) => entry.due <= now).sort(([, a], [, b]) => a.due - b.due);
		return due.slice(0, limit).map(([callId]) => callId);
	}

	async claimEvents(callId: string, now: number, until: number): Promise<ClaimedEvents | undefined> {
		const record = this.#calls.get(callId);
		const entry = this.#outbox.get(callId);
		if (record === undefined || entry === undefined || entry.claimedUntil > now || entry.due > now) return undefined;
		const claim = `claim-${++this.#claims}`;
		this.#outbox.set(callId, { due: until, claim, claimedUntil: until });
		return structuredClone({ record, deliveries: this.#deliveries.get(callId) ?? {}, claim });
	}

	async settleEvents(
		{ record, claim }: ClaimedEvents,
		deliveries: Record<string, EventDelivery>,
		nextAt: number | undefined,
	): Promise<boolean> {
		const { callId } = record;
		const entry = this.#outbox.get(callId);
		if (entry?.claim !== claim) return false;
		this.#deliveries.set(callId, structuredClone(deliveries));
		const isUnchanged = this.#calls.get(callId)?.version === record.version;
		if (isUnchanged && nextAt === undefined) this.#outbox.delete(callId);
		else this.#outbox.set(callId, { due: isUnchanged ? (nextAt ?? 0) : entry.due, claimedUntil: 0 });
		return true;
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
		if (!isLive(state) && changed.request) changed.request = { ...changed.request, authPassword: "" };
		this.#write(changed);
		return structuredClone(changed);
	}

	#write(call: CallRecord): void {
		this.#calls.set(call.callId, call);
		const claimed = this.#outbox.get(call.callId) ?? { claimedUntil: 0 };
		this.#outbox.set(call.callId, { ...claimed, due: this.#now() });
	}

	#newestFirst(wanted: (call: CallRecord) => boolean): CallRecord[] {
		const calls = [...this.#calls.values()].filter((call) => this.#live(call.callId) && wanted(call));
		calls.sort((a, b) => b.createdAt - a.createdAt || (a.callId < b.callId ? 1 : -1));
		return structuredClone(calls);
	}
}
