import type { RegistrationRecord, RegistrationStore } from "@trunkline/domain";

/** Leases of registrations in memory. */
export class MemoryRegistrationStore implements RegistrationStore {
	readonly #records = new Map<string, RegistrationRecord>();

	async getRegistration(projectId: string, trunkId: string): Promise<RegistrationRecord | undefined> {
		return structuredClone(this.#records.get(keyOf(projectId, trunkId)));
	}

	async holdRegistration(record: RegistrationRecord, now: number): Promise<boolean> {
		const key = keyOf(record.projectId, record.trunkId);
		const held = this.#records.get(key);
		if (held !== undefined && held.nodeId !== record.nodeId && held.leaseUntil > now) return false;
		this.#records.set(key, structuredClone(record));
		return true;
	}

	async releaseRegistration(projectId: string, trunkId: string, nodeId: string): Promise<void> {
		const key = keyOf(projectId, trunkId);
		if (this.#records.get(key)?.nodeId === nodeId) this.#records.delete(key);
	}
}

function keyOf(projectId: string, trunkId: string): string {
	return JSON.stringify([projectId, trunkId]);
}
