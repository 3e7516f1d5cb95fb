import type { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { admitCall, callAnswered, type CallLimitStore, callSettled, type CallUsage, NO_USAGE, type Refusal } from "@trunkline/domain";
import type { Attributes } from "./items.ts";
import * as keys from "./keys.ts";
import { VersionedItems } from "./versioned-items.ts";

/** Usage that nobody touches says nothing after this. */
const KEPT_SECONDS = 3 * 24 * 3600;

/** What counts against each project's limits, one item per project in the calls table. Throws DomainError only. */
export class DynamoCallLimitStore implements CallLimitStore {
	readonly #items: VersionedItems;

	constructor(options: { client: DynamoDBClient; table: string }) {
		this.#items = new VersionedItems(options);
	}

	async admit(projectId: string, request: Parameters<CallLimitStore["admit"]>[1]): Promise<Refusal | undefined> {
		let refusal: Refusal | undefined;
		await this.#change(projectId, request.now, (usage) => {
			const admission = admitCall(usage, request);
			refusal = admission.admitted ? undefined : admission.refusal;
			return admission.admitted ? admission.usage : undefined;
		});
		return refusal;
	}

	async answered(projectId: string, callId: string, now: number): Promise<void> {
		await this.#change(projectId, now, (usage) => callAnswered(usage, callId, now));
	}

	async settle(projectId: string, callId: string, usedMs: number, now: number): Promise<void> {
		await this.#change(projectId, now, (usage) => callSettled(usage, callId, usedMs, now));
	}

	async liveCalls(projectId: string): Promise<{ callId: string; since: number }[]> {
		const { calls } = usageOf(await this.#items.get(keys.callUsage(projectId)));
		return Object.entries(calls)
			.sort(([, a], [, b]) => a.since - b.since)
			.map(([callId, { since }]) => ({ callId, since }));
	}

	#change(projectId: string, now: number, change: (usage: CallUsage) => CallUsage | undefined): Promise<void> {
		return this.#items.change(keys.callUsage(projectId), (item) => {
			const usage = change(usageOf(item));
			return usage && { ...usage, expiresAtSeconds: Math.floor(now / 1000) + KEPT_SECONDS };
		});
	}
}

function usageOf(item: Attributes | undefined): CallUsage {
	if (item === undefined) return NO_USAGE;
	const { wholeAt, day, usedMs, calls } = item as unknown as CallUsage;
	return { wholeAt, day, usedMs, calls };
}
