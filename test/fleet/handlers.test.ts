import { queuedCall } from "@trunkline/domain";
import { dialRequest, nodeRecord } from "@trunkline/testkit";
import { afterAll, afterEach, beforeAll, expect, it, vi } from "vitest";
import { expectNothingLeft } from "./invariants.ts";
import { Fleet } from "./testbed.ts";

let fleet: Fleet;
beforeAll(async () => {
	fleet = await Fleet.start({ regions: ["eu-west-1"] });
	// Handlers read the process when they are loaded, as on Lambda.
	for (const [name, value] of Object.entries(fleet.apiVariables())) vi.stubEnv(name, value);
}, 60_000);
afterEach(() => expectNothingLeft(fleet), 20_000);
afterAll(() => fleet?.close());

const queued = async (callId: string, now: number): Promise<void> => {
	const { calls } = fleet.region("eu-west-1");
	await calls.createCall(queuedCall({ callId, projectId: "project", region: "eu-west-1", request: dialRequest(), now }));
};

it("a dead letter ends its call, once, and what nobody can read stays", async () => {
	const { calls } = fleet.region("eu-west-1");
	const callId = "SCL_euw1111111111111";
	await queued(callId, Date.now());
	const { handler } = await import("../../functions/src/handlers/dead-letters.ts");
	const letter = { messageId: "1", body: JSON.stringify({ version: 1, type: "dial", projectId: "project", callId }) };
	expect(await handler({ Records: [letter, { messageId: "2", body: "no JSON" }] })).toEqual({
		batchItemFailures: [{ itemIdentifier: "2" }],
	});
	expect(await handler({ Records: [letter] })).toEqual({ batchItemFailures: [] });
	const call = await calls.getCall(callId);
	expect(call).toMatchObject({ state: "ended", end: { by: "node", reason: "not-claimed" } });
	expect(call?.timeline.filter(({ event }) => event === "ended")).toHaveLength(1);
});

it("the sweep ends a call that nobody claimed within an hour, and buries the last node of its region", async () => {
	const { calls, registry } = fleet.region("eu-west-1");
	const [unclaimed, callId, now] = ["SCL_euw1222222222222", "SCL_euw1333333333333", Date.now()];
	await queued(unclaimed, now - 3_600_000);
	await queued(callId, now);
	await registry.beat(nodeRecord({ nodeId: "ND_dead", region: "eu-west-1", heartbeatAt: now - 60_000 }));
	await calls.claimCall(callId, "ND_dead", now - 60_000, now - 50_000);
	await calls.transitionCall(callId, { from: ["claimed"], owner: "ND_dead", to: "dialing", at: now - 55_000, event: "dialing" });
	const { handler } = await import("../../functions/src/handlers/sweep.ts");
	expect(await handler({})).toMatchObject({ nodes: 1, calls: 1, unclaimed: 1 });
	// Its row stays for a while: a node that was only paused must find that it is dead.
	expect(await registry.deadNodes("eu-west-1", Date.now())).toEqual([]);
	expect(await calls.getCall(callId)).toMatchObject({ state: "ended", end: { by: "node", reason: "internal-error" } });
	expect((await calls.getCall(unclaimed))?.state).toMatch(/ended|cancelled/);
	expect(await handler({})).toMatchObject({ nodes: 0, calls: 0, unclaimed: 0 });
}, 40_000);
