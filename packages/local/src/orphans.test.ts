import { callRecord, MemoryCallStore } from "@trunkline/testkit";
import { expect, it } from "vitest";
import { endOrphans } from "./orphans.ts";

const START = 1_700_000_000_000;

it("ends every call that a killed process left, and no other", async () => {
	const store = new MemoryCallStore({ now: () => START });
	for (let i = 0; i < 150; i++)
		await store.createCall(
			callRecord({ createdAt: START, callId: `SCL_live${i}`, projectId: "default", state: i % 2 === 0 ? "received" : "queued" }),
		);
	await store.createCall(callRecord({ createdAt: START, callId: "SCL_over", projectId: "default", state: "received" }));
	await store.endCall("SCL_over", START + 5, { by: "peer", reason: "hangup" });
	await store.createCall(callRecord({ createdAt: START, callId: "SCL_other", projectId: "other", state: "received" }));

	expect(await endOrphans(store, "default", START + 1_000), "ended").toBe(150);
	expect(await store.getCall("SCL_live149")).toMatchObject({
		state: "ended",
		endedAt: START + 1_000,
		end: { by: "node", reason: "internal-error" },
	});
	expect(await store.getCall("SCL_over")).toMatchObject({ end: { by: "peer" } });
	expect(await store.getCall("SCL_other")).toMatchObject({ state: "received" });
	expect(await endOrphans(store, "default", START + 2_000)).toBe(0);
});
