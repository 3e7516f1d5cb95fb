import { DEFAULT_POLICY } from "@trunkline/contracts";
import { newProject } from "@trunkline/domain";
import {
	callRecord,
	captureLogs,
	dialRequest,
	inboundTrunk,
	MemoryCallLimitStore,
	MemoryCallStore,
	MemoryConfigStore,
	MemoryNumberOwnerStore,
	MemoryProjectStore,
} from "@trunkline/testkit";
import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { nodeProjects } from "./projects.ts";

const NOW = 1_700_000_000_000;
const now = (): number => NOW;
const livekit = { url: "wss://shop.example", apiKey: "APIshop", apiSecret: "the shop's own secret" };

async function setUp() {
	const { project } = newProject({ name: "shop", livekit, sharedRooms: true, policy: {} }, { now: NOW, random: randomBytes });
	const store = new MemoryProjectStore();
	await store.createProject(project);
	const given = {
		store,
		owners: new MemoryNumberOwnerStore(),
		callLimits: new MemoryCallLimitStore(),
		configStore: new MemoryConfigStore(),
		callStore: new MemoryCallStore({ now }),
		fallbackProject: "own",
		builtInProjects: ["own", "second"],
		now,
		log: captureLogs(),
	};
	return { ...given, shop: project.projectId, node: nodeProjects(given) };
}

test("an inbound call is the project's that has its number; the deployment's own gets the rest", async () => {
	const { node, shop, configStore, owners } = await setUp();
	for (const [projectId, number] of [
		[shop, "+15550101"],
		["second", "+15550102"],
		["p_deleted", "+15550103"],
	] as const) {
		const trunk = inboundTrunk({ trunkId: `ST_${number.slice(1)}`, numbers: [number] });
		await configStore.createTrunk(projectId, trunk);
		await owners.change(number, async () => [{ projectId, trunkId: trunk.trunkId, networks: [], reservedUntil: 0 }]);
	}
	const askedFor = (number: string) => node.projects.forInbound(number, "192.0.2.1");
	expect(await Promise.all(["+15550101", "15550102", "+15550103", "+15550104"].map(askedFor))).toEqual([shop, "second", "own", "own"]);
});

test("rooms are on the project's server, or on the deployment's; of a project that is gone on neither", async () => {
	const { node, shop, store } = await setUp();
	expect(await node.projects.livekit(shop)).toEqual(livekit);
	expect(await node.projects.livekit("own")).toBeUndefined();
	await store.deleteProject(shop);
	await expect(nodeProjects({ ...(await setUp()), store }).projects.livekit(shop)).rejects.toThrow("is gone");
});

test("the end of a call gives its slot back", async () => {
	const { node, shop, callLimits } = await setUp();
	const admission = { limits: DEFAULT_POLICY, now: NOW, leaseMs: 3_600_000, maxCallDurationMs: 3_600_000 };
	for (const callId of ["SCL_1", "SCL_2"]) {
		await callLimits.admit(shop, { callId, ...admission });
		await node.callStore.createCall(callRecord({ callId, projectId: shop, createdAt: NOW }));
	}
	await node.callStore.endCall("SCL_1", NOW + 1000, { by: "peer", reason: "hangup" });
	expect((await callLimits.liveCalls(shop)).map(({ callId }) => callId)).toEqual(["SCL_2"]);
});

test("a call that the node begins by itself counts against its project's limits until it ends; nothing of the deployment's own is counted", async () => {
	const { node, shop, store, callLimits } = await setUp();
	const project = (await store.getProject(shop)) ?? expect.fail("the project is gone");
	await store.replaceProject({
		...project,
		version: project.version + 1,
		policy: { ...project.policy, concurrentCalls: 1, maxCallDurationMs: 60_000 },
	});
	const admit = node.projects.admit ?? expect.fail("nothing is counted");
	const dial = dialRequest({});
	expect((await admit({ projectId: shop, callId: "SCL_1", dial })).maxCallDurationMs).toBe(60_000);
	await node.callStore.createCall(callRecord({ callId: "SCL_1", projectId: shop, createdAt: NOW }));
	await expect(admit({ projectId: shop, callId: "SCL_2", dial })).rejects.toMatchObject({ code: "resource_exhausted" });
	await node.callStore.endCall("SCL_1", NOW + 1000, { by: "peer", reason: "hangup" });
	await admit({ projectId: shop, callId: "SCL_3", dial });
	expect((await callLimits.liveCalls(shop)).map(({ callId }) => callId)).toEqual(["SCL_3"]);
	expect(await admit({ projectId: "own", callId: "SCL_4", dial })).toBe(dial);
	expect(await callLimits.liveCalls("own")).toEqual([]);
});
