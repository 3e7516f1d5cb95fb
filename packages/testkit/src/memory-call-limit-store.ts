import { admitCall, callAnswered, type CallLimitStore, callSettled, type CallUsage, NO_USAGE, type Refusal } from "@trunkline/domain";

/** Projects' usage in memory. */
export class MemoryCallLimitStore implements CallLimitStore {
	readonly #usage = new Map<string, CallUsage>();

	async admit(projectId: string, request: Parameters<CallLimitStore["admit"]>[1]): Promise<Refusal | undefined> {
		const admission = admitCall(this.#of(projectId), request);
		if (!admission.admitted) return admission.refusal;
		this.#usage.set(projectId, admission.usage);
		return undefined;
	}

	async answered(projectId: string, callId: string, now: number): Promise<void> {
		this.#put(projectId, callAnswered(this.#of(projectId), callId, now));
	}

	async settle(projectId: string, callId: string, usedMs: number, now: number): Promise<void> {
		this.#put(projectId, callSettled(this.#of(projectId), callId, usedMs, now));
	}

	async liveCalls(projectId: string): Promise<{ callId: string; since: number }[]> {
		return Object.entries(this.#of(projectId).calls)
			.sort(([, a], [, b]) => a.since - b.since)
			.map(([callId, { since }]) => ({ callId, since }));
	}

	#of(projectId: string): CallUsage {
		return this.#usage.get(projectId) ?? NO_USAGE;
	}

	#put(projectId: string, usage: CallUsage | undefined): void {
		if (usage !== undefined) this.#usage.set(projectId, usage);
	}
}
