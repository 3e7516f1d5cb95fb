import type { NumberOwner, NumberOwnerStore } from "@trunkline/domain";

/** Owners of numbers in memory; what goes in and out is copied. */
export class MemoryNumberOwnerStore implements NumberOwnerStore {
	readonly #owners = new Map<string, NumberOwner[]>();

	async get(number: string): Promise<NumberOwner[]> {
		return structuredClone(this.#owners.get(number) ?? []);
	}

	async change(number: string, change: Parameters<NumberOwnerStore["change"]>[1]): Promise<void> {
		for (;;) {
			const before = this.#owners.get(number);
			const next = await change(structuredClone(before ?? []));
			if (next === undefined) return;
			if (this.#owners.get(number) !== before) continue;
			this.#owners.set(number, structuredClone(next));
			return;
		}
	}
}
