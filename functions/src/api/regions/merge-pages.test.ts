import type { CallRecord } from "@trunkline/contracts";
import type { CallCursor } from "@trunkline/domain";
import { callRecord, MemoryCallStore } from "@trunkline/testkit";
import fc from "fast-check";
import { expect, it } from "vitest";
import { RegionalCallStore } from "./call-store.ts";
import { compareNewest } from "./merge-pages.ts";

const BASE = 1_700_000_000_000;
const REGIONS = ["eu-west-1", "us-east-1", "ap-south-1"] as const;

it("pages over regions bring every call once, newest first, whatever the page size", async () => {
	await fc.assert(
		fc.asyncProperty(fc.array(fc.tuple(fc.nat(2), fc.nat(8)), { maxLength: 25 }), fc.integer({ min: 1, max: 6 }), async (made, limit) => {
			const now = (): number => BASE + 1_000;
			const [home, ...others] = REGIONS.map((region) => ({ region, store: new MemoryCallStore({ now }) }));
			if (home === undefined) throw new Error("no region");
			const store = new RegionalCallStore([home, ...others]);
			const calls: CallRecord[] = made.map(([where, at], index) =>
				callRecord({
					callId: `SCL_${["euw1", "use1", "aps1"][where]}${String(index + 1)
						.padStart(12, "1")
						.replaceAll("0", "z")}`,
					region: REGIONS[where] ?? "",
					createdAt: BASE + at,
				}),
			);
			const ids = new Set(calls.map(({ callId }) => callId));
			fc.pre(ids.size === calls.length);
			for (const call of calls) expect(await store.createCall(call)).toBe(true);
			const found: string[] = [];
			let after: CallCursor | undefined;
			for (let page = 0; page < 60; page++) {
				const { calls: part, next } = await store.findCalls(calls[0]?.projectId ?? "p", {
					limit,
					...(after === undefined ? {} : { after }),
				});
				expect(part.length).toBeLessThanOrEqual(limit);
				found.push(...part.map(({ callId }) => callId));
				after = next;
				if (next === undefined) break;
			}
			expect(after).toBeUndefined();
			expect(found).toEqual([...calls].sort(compareNewest).map(({ callId }) => callId));
			for (const call of calls) expect(await store.getCall(call.callId)).toMatchObject({ region: call.region });
		}),
		{ numRuns: 100 },
	);
});

it("a call whose id names no region is found where it is; a record is never written elsewhere", async () => {
	const stores = REGIONS.map((region) => ({ region, store: new MemoryCallStore() }));
	const [home, ...others] = stores;
	if (home === undefined) throw new Error("no region");
	const store = new RegionalCallStore([home, ...others]);
	await store.createCall(callRecord({ callId: "SCL_222222222222", region: "ap-south-1", createdAt: Date.now() }));
	expect(await store.getCall("SCL_222222222222")).toMatchObject({ region: "ap-south-1" });
	expect(await Promise.all(stores.map(async (one) => (await one.store.getCall("SCL_222222222222"))?.region))).toEqual([
		undefined,
		undefined,
		"ap-south-1",
	]);
	await expect(store.createCall(callRecord({ callId: "SCL_333333333333", region: "mars", createdAt: BASE }))).rejects.toThrow(
		"no region mars",
	);
	expect(await store.getCall("SCL_999999999999")).toBeUndefined();
});
