import type { TransferOutcome, TransferRecord, TransferStore } from "@trunkline/domain";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

export interface TransferStoreUnderTest {
	/** each call gives another client of the same transfers */
	open(): TransferStore;
	close?: () => Promise<void>;
}

const DONE: TransferOutcome = { status: "successful", reason: "completed", sipStatus: { code: 200, reason: "OK" } };
const FAILED: TransferOutcome = { status: "failed", reason: "rejected", sipStatus: { code: 603, reason: "Decline" } };

/** What every TransferStore does; the suite works on ids of its own. */
export function transferStoreContract(name: string, factory: () => Promise<TransferStoreUnderTest>): void {
	let tested: TransferStoreUnderTest;
	let store: TransferStore;
	let next = 0;

	const requested = (): TransferRecord => ({
		projectId: "project",
		callId: "SCL_1",
		command: {
			transferId: `STR_${++next}`,
			transferTo: "<sip:+1@a.example>",
			playDialtone: true,
			headers: { "X-A": "b" },
			ringingTimeoutMs: 30_000,
		},
		state: "requested",
		expiresAtSeconds: 4_000_000_000,
	});
	const created = async (): Promise<string> => {
		const transfer = requested();
		expect(await store.createTransfer(transfer)).toBe(true);
		return transfer.command.transferId;
	};

	describe(`TransferStore: ${name}`, () => {
		beforeAll(async () => {
			tested = await factory();
			store = tested.open();
		}, 30_000);
		afterAll(() => tested.close?.());

		it("gives back what was asked for; an id is used once", async () => {
			const transfer = requested();
			const { transferId } = transfer.command;
			expect(await store.getTransfer(transferId)).toBeUndefined();
			expect(await store.createTransfer(transfer)).toBe(true);
			expect(await store.createTransfer({ ...transfer, callId: "SCL_2" })).toBe(false);
			expect(await tested.open().getTransfer(transferId)).toEqual(transfer);
		});

		it("is taken once, then settled once", async () => {
			const transferId = await created();
			expect(await store.takeTransfer(transferId)).toMatchObject({ state: "ongoing", callId: "SCL_1", command: { transferId } });
			expect(await store.takeTransfer(transferId)).toBeUndefined();
			expect(await store.settleTransfer(transferId, ["requested"], FAILED)).toBe(false);
			expect(await store.settleTransfer(transferId, ["requested", "ongoing"], DONE)).toBe(true);
			expect(await store.settleTransfer(transferId, ["requested", "ongoing"], FAILED)).toBe(false);
			expect(await store.getTransfer(transferId)).toMatchObject({ state: "over", outcome: DONE });
		});

		it("one that was given up cannot be taken any more", async () => {
			const transferId = await created();
			expect(await store.settleTransfer(transferId, ["requested"], { status: "failed", reason: "unspecified", refused: "gone" })).toBe(
				true,
			);
			expect(await store.takeTransfer(transferId)).toBeUndefined();
		});

		it("of many who take it or give it up at once one succeeds", async () => {
			const transferId = await created();
			const takes = Array.from({ length: 5 }, async () => (await tested.open().takeTransfer(transferId)) !== undefined);
			const givesUp = tested.open().settleTransfer(transferId, ["requested"], FAILED);
			expect((await Promise.all([...takes, givesUp])).filter(Boolean)).toHaveLength(1);
		});

		it("what is not there can be neither taken nor settled", async () => {
			for (const transferId of ["STR_none", "", "x".repeat(3000)]) {
				expect(await store.getTransfer(transferId)).toBeUndefined();
				expect(await store.takeTransfer(transferId)).toBeUndefined();
				expect(await store.settleTransfer(transferId, ["requested", "ongoing"], DONE)).toBe(false);
			}
		});
	});
}
