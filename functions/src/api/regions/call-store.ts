import type { CallEnd, CallMedia, CallRecord } from "@trunkline/contracts";
import type { CallPatch, CallSearch, CallStore, FoundCalls } from "@trunkline/domain";
import { ByCallId, type PerRegion } from "./by-call-id.ts";
import { mergePages } from "./merge-pages.ts";

/**
 * Calls of all regions, each in the table of its own: a record is written where its call is, and read from there. Lists ask every region and keep nothing; a
 * region that cannot be asked fails them, so that no list lacks calls without a word.
 */
export class RegionalCallStore implements CallStore {
	readonly #regions: ByCallId<CallStore>;

	constructor(regions: PerRegion<CallStore>) {
		this.#regions = new ByCallId(regions);
	}

	async createCall(call: CallRecord): Promise<boolean> {
		return this.#regions.in(call.region).createCall(call);
	}

	async getCall(callId: string): Promise<CallRecord | undefined> {
		const { store, found } = await this.#regions.of(callId, (one) => one.getCall(callId));
		return found ?? (this.#regions.named(callId) === undefined ? undefined : store.getCall(callId));
	}

	async claimCall(callId: string, nodeId: string, now: number, leaseUntil: number): Promise<CallRecord | undefined> {
		return (await this.#storeOf(callId)).claimCall(callId, nodeId, now, leaseUntil);
	}

	async transitionCall(callId: string, step: Parameters<CallStore["transitionCall"]>[1]): Promise<CallRecord | undefined> {
		return (await this.#storeOf(callId)).transitionCall(callId, step);
	}

	async noteQuality(callId: string, owner: string, media: CallMedia): Promise<boolean> {
		return (await this.#storeOf(callId)).noteQuality(callId, owner, media);
	}

	async endCall(callId: string, at: number, end: CallEnd, patch?: CallPatch): Promise<CallRecord | undefined> {
		return (await this.#storeOf(callId)).endCall(callId, at, end, patch);
	}

	async liveCallsInRoom(projectId: string, roomName: string): Promise<CallRecord[]> {
		const found = await Promise.all(this.#regions.all.map((store) => store.liveCallsInRoom(projectId, roomName)));
		return found.flat().sort((a, b) => b.createdAt - a.createdAt);
	}

	async findCalls(projectId: string, search: CallSearch): Promise<FoundCalls> {
		return mergePages(await Promise.all(this.#regions.all.map((store) => store.findCalls(projectId, search))), search.limit);
	}

	async #storeOf(callId: string): Promise<CallStore> {
		return (await this.#regions.of(callId, (one) => one.getCall(callId))).store;
	}
}
