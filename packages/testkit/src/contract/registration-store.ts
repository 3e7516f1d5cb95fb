import type { RegistrationRecord, RegistrationStore } from "@trunkline/domain";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";

export interface RegistrationStoreUnderTest {
	store: RegistrationStore;
	close?: () => Promise<void>;
}

/** What every RegistrationStore does; the suite works on trunks of its own. */
export function registrationStoreContract(name: string, factory: () => Promise<RegistrationStoreUnderTest>): void {
	let tested: RegistrationStoreUnderTest;
	let store: RegistrationStore;
	let trunks = 0;
	let trunkId = "";

	const record = (nodeId: string, leaseUntil: number, changes: Partial<RegistrationRecord> = {}): RegistrationRecord => ({
		...{ projectId: "project #1", trunkId, nodeId, leaseUntil, state: "registering", registrar: "carrier.example" },
		...{ updatedAt: 1_000, expiresAtSeconds: 4_000_000_000, ...changes },
	});

	describe(`RegistrationStore: ${name}`, () => {
		beforeAll(async () => {
			tested = await factory();
			store = tested.store;
		}, 60_000);
		afterAll(() => tested.close?.());
		beforeEach(() => {
			trunkId = `ST_registering${++trunks}`;
		});

		it("is one node's until its lease is over, and comes back whole", async () => {
			const bound = record("ND_a", 2_000, { state: "registered", contact: "sip:a@192.0.2.1", registeredUntil: 9_000, sipStatus: 200 });
			expect(await store.getRegistration("project #1", trunkId)).toBeUndefined();
			expect(await store.holdRegistration(bound, 1_000)).toBe(true);
			expect(await store.getRegistration("project #1", trunkId)).toEqual(bound);
			expect(await store.holdRegistration(record("ND_b", 3_000), 1_999)).toBe(false);
			expect(await store.getRegistration("project #1", trunkId)).toEqual(bound);
			expect(await store.holdRegistration(record("ND_a", 2_500), 2_400)).toBe(true);
			expect(await store.holdRegistration(record("ND_b", 3_500), 2_500)).toBe(true);
			expect(await store.holdRegistration(record("ND_a", 3_600), 2_600)).toBe(false);
			expect((await store.getRegistration("project #1", trunkId))?.nodeId).toBe("ND_b");
		});

		it("of many nodes exactly one gets it", async () => {
			const nodes = Array.from({ length: 10 }, (_, i) => `ND_${i}`);
			const held = await Promise.all(nodes.map((node) => store.holdRegistration(record(node, 2_000), 1_000)));
			expect(held.filter((one) => one)).toHaveLength(1);
			expect((await store.getRegistration("project #1", trunkId))?.nodeId).toBe(nodes[held.indexOf(true)]);
		});

		it("is given up by its node alone", async () => {
			await store.holdRegistration(record("ND_a", 2_000), 1_000);
			await store.releaseRegistration("project #1", trunkId, "ND_b");
			expect(await store.holdRegistration(record("ND_b", 2_000), 1_000)).toBe(false);
			await store.releaseRegistration("project #1", trunkId, "ND_a");
			expect(await store.getRegistration("project #1", trunkId)).toBeUndefined();
			expect(await store.holdRegistration(record("ND_b", 2_000), 1_000)).toBe(true);
			await store.releaseRegistration("project #1", "ST_none", "ND_a");
		});

		it("another project's trunk of the same id is another", async () => {
			await store.holdRegistration(record("ND_a", 2_000), 1_000);
			expect(await store.getRegistration("project", trunkId)).toBeUndefined();
			expect(await store.getRegistration("project #1", "")).toBeUndefined();
		});
	});
}
