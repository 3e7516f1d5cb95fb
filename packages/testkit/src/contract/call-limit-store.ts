import type { AdmissionRequest, CallLimits, CallLimitStore } from "@trunkline/domain";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";

const NOW = 1_800_000_000_000;
const UNLIMITED: CallLimits = { callsPerSecond: null, concurrentCalls: null, ringingCalls: null, minutesPerDay: null };

export interface CallLimitStoreUnderTest {
	/** another API process on the same tables */
	open(): CallLimitStore;
	close?: () => Promise<void>;
}

/** What every CallLimitStore does; `domain/src/policy/admission.test.ts` says what is counted and how. */
export function callLimitStoreContract(name: string, factory: () => Promise<CallLimitStoreUnderTest>): void {
	let tested: CallLimitStoreUnderTest;
	let store: CallLimitStore;
	let projects = 0;
	let project = "";

	const request = (callId: string, limits: Partial<CallLimits>, over: Partial<AdmissionRequest> = {}): AdmissionRequest => ({
		callId,
		limits: { ...UNLIMITED, ...limits },
		now: NOW,
		leaseMs: 60_000,
		maxCallDurationMs: 3_600_000,
		...over,
	});

	describe(`CallLimitStore: ${name}`, () => {
		beforeAll(async () => {
			tested = await factory();
			store = tested.open();
		}, 60_000);
		afterAll(() => tested.close?.());
		beforeEach(() => {
			project = `project-${++projects}`;
		});

		it.each<[string, Partial<CallLimits>]>([
			["calls at a time", { concurrentCalls: 10 }],
			["ringing calls", { ringingCalls: 10 }],
			["calls per second", { callsPerSecond: 10 }],
			["minutes per day", { minutesPerDay: 10 }],
		])(
			"50 at once against a limit of 10 %s: exactly 10",
			async (_, limits) => {
				const processes = [store, tested.open(), tested.open()];
				const asked = Array.from({ length: 50 }, (_each, i) => (processes[i % 3] ?? store).admit(project, request(`SCL_${i}`, limits)));
				const refusals = (await Promise.all(asked)).filter((refusal) => refusal !== undefined);
				expect(refusals).toHaveLength(40);
				expect(new Set(refusals.map(({ limit, value }) => `${limit} ${value}`))).toEqual(new Set([`${Object.keys(limits)[0]} 10`]));
				expect(await store.liveCalls(project)).toHaveLength(10);
			},
			30_000,
		);

		it("an end makes room for one, told once or twice", async () => {
			const limits = { concurrentCalls: 2 };
			for (const id of ["SCL_1", "SCL_2"]) expect(await store.admit(project, request(id, limits))).toBeUndefined();
			expect(await store.admit(project, request("SCL_3", limits))).toEqual({ limit: "concurrentCalls", value: 2 });
			await store.settle(project, "SCL_1", 1000, NOW);
			await store.settle(project, "SCL_1", 1000, NOW);
			expect(await store.admit(project, request("SCL_3", limits))).toBeUndefined();
			expect(await store.admit(project, request("SCL_4", limits))).toMatchObject({ limit: "concurrentCalls" });
			expect(await store.liveCalls(project)).toEqual([
				{ callId: "SCL_2", since: NOW },
				{ callId: "SCL_3", since: NOW },
			]);
		});

		it("an answer ends the ringing, the end of a lease gives the slot back", async () => {
			const limits = { ringingCalls: 1, concurrentCalls: 2 };
			await store.admit(project, request("SCL_1", limits));
			expect(await store.admit(project, request("SCL_2", limits))).toMatchObject({ limit: "ringingCalls" });
			await store.answered(project, "SCL_1", NOW);
			expect(await store.admit(project, request("SCL_2", limits))).toBeUndefined();
			expect(await store.admit(project, request("SCL_3", { concurrentCalls: 2 }))).toMatchObject({ limit: "concurrentCalls" });
			const later = { now: NOW + 60_000 };
			expect(await store.admit(project, request("SCL_3", { concurrentCalls: 2 }, later))).toBeUndefined();
		});

		it("projects do not count for each other, and unknown calls not at all", async () => {
			const limits = { concurrentCalls: 1 };
			await store.admit(project, request("SCL_1", limits));
			expect(await store.admit(`${project}-other`, request("SCL_1", limits))).toBeUndefined();
			await store.settle(project, "SCL_none", 0, NOW);
			await store.answered(`${project}-none`, "SCL_none", NOW);
			expect(await store.liveCalls(`${project}-none`)).toEqual([]);
			expect(await store.admit(project, request("SCL_1", limits))).toBeUndefined();
		});
	});
}
