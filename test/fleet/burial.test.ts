import { Phone } from "@trunkline/phone";
import { dispatchRule, inboundTrunk } from "@trunkline/testkit";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { expectNothingLeft } from "./invariants.ts";
import { Fleet, type FleetNode } from "./testbed.ts";

const NUMBER = "+15550100";
const CALLS = 4;

const retire = async (node: FleetNode): Promise<void> => {
	node.signal("SIGTERM");
	expect(await node.exited()).toBe(0);
};

describe("nodes of a region", () => {
	let fleet: Fleet;
	let phone: Phone;
	beforeAll(async () => {
		fleet = await Fleet.start({ regions: ["here"] });
		await fleet.config.createTrunk("project", inboundTrunk({ numbers: [NUMBER] }));
		await fleet.config.createRule("project", dispatchRule());
		phone = await Phone.open({ host: "127.0.0.1" });
	}, 60_000);
	afterEach(() => expectNothingLeft(fleet), 20_000);
	afterAll(async () => {
		await phone?.close();
		await fleet?.close();
	});
	const until = async (is: () => unknown): Promise<void> => void (await vi.waitUntil(is, { timeout: 30_000, interval: 50 }));

	const callsOn = async (node: FleetNode): Promise<string[]> => {
		// In one room: each is somebody who hears the others.
		const dialled = await Promise.all(Array.from({ length: CALLS }, (_, i) => phone.call(node.uri(NUMBER), { from: `+1555020${i}` })));
		await Promise.all(dialled.map((call) => call.answered()));
		const { calls } = fleet.region("here");
		await until(async () => (await calls.liveCallsOf(node.nodeId, 100)).filter(({ state }) => state === "active").length === CALLS);
		return (await calls.liveCallsOf(node.nodeId, 100)).map(({ callId }) => callId);
	};
	const expectEnded = async (callIds: string[]): Promise<void> => {
		const { calls, rooms } = fleet.region("here");
		await until(async () => (await Promise.all(callIds.map((id) => calls.getCall(id)))).every((call) => call?.state === "ended"));
		for (const id of callIds) {
			const call = await calls.getCall(id);
			expect(call?.end).toMatchObject({ by: "node", reason: "internal-error", message: expect.stringMatching(/died/) });
			expect(call?.timeline.filter(({ event }) => event === "ended")).toHaveLength(1);
		}
		await until(() => rooms.stats().participants === 0);
	};

	it("one that is killed is buried by its peer: calls, participants and its queue", async () => {
		const [dead, peer] = await Promise.all([fleet.node("here"), fleet.node("here")]);
		const { registry, commandQueues } = fleet.region("here");
		expect((await registry.liveNodes("here", Date.now())).map(({ nodeId }) => nodeId).sort()).toEqual([dead.nodeId, peer.nodeId].sort());
		const callIds = await callsOn(dead);
		await dead.kill();
		await expectEnded(callIds);
		await until(async () => (await commandQueues()).join() === peer.nodeId);
		expect((await registry.liveNodes("here", Date.now())).map(({ nodeId }) => nodeId)).toEqual([peer.nodeId]);
		await retire(peer);
	}, 120_000);

	it.each(["at work", "draining"])(
		"one (%s) that was only stopped for too long hangs up when it comes back, and exits",
		async (how) => {
			const [paused, peer] = await Promise.all([fleet.node("here", { DRAIN_SECONDS: "600" }), fleet.node("here")]);
			const before = phone.calls.length;
			const callIds = await callsOn(paused);
			if (how === "draining") {
				paused.signal("SIGTERM");
				await until(() => paused.line("draining") !== undefined);
			}
			paused.signal("SIGSTOP");
			await expectEnded(callIds);
			paused.signal("SIGCONT");
			expect(await paused.exited()).toBe(1);
			// Their telephones got a BYE.
			await until(() => phone.calls.length === before);
			expect(paused.lines.some(({ msg }) => String(msg).startsWith("peers took this node for dead"))).toBe(true);
			await retire(peer);
		},
		120_000,
	);

	it("one whose clock is half a minute behind is no dead one, and one whose clock is ahead buries nobody", async () => {
		const off = (ms: number) => ({ NODE_OPTIONS: `--import=data:text/javascript,const{now}=Date;Date.now=()=>now()%2B(${ms})` });
		const nodes = await Promise.all([fleet.node("here", off(-30_000)), fleet.node("here", off(30_000)), fleet.node("here")]);
		const { registry } = fleet.region("here");
		// Longer than a silence that nobody survives.
		const until = Date.now() + 3_000;
		while (Date.now() < until) {
			await new Promise((resolve) => setTimeout(resolve, 250));
			expect((await registry.deadNodes("here", Date.now())).map(({ nodeId }) => nodeId)).toEqual([]);
		}
		expect((await registry.liveNodes("here", Date.now())).map(({ nodeId }) => nodeId).sort()).toEqual(
			nodes.map(({ nodeId }) => nodeId).sort(),
		);
		await Promise.all(nodes.map(retire));
	}, 60_000);

	it("drains itself when one of a newer build is ready, and leaves nothing behind", async () => {
		const old = await fleet.node("here", { BUILD: "1", DRAIN_SECONDS: "1" });
		const { registry, commandQueues } = fleet.region("here");
		await callsOn(old);
		const newer = await fleet.node("here", { BUILD: "2" });
		await until(async () => (await old.readiness()) === 503);
		expect((await registry.getNode(old.nodeId))?.calls).toBe(CALLS);
		// Calls have as long as the platform gives them then, not as long as when nobody asks for an end.
		old.signal("SIGTERM");
		expect(await old.exited()).toBe(0);
		expect(await registry.getNode(old.nodeId)).toBeUndefined();
		await until(async () => (await commandQueues()).join() === newer.nodeId);
		await retire(newer);
	}, 120_000);
});

it("with the heartbeat of a deployment a node that died is buried within thirty seconds", async () => {
	const fleet = await Fleet.start({ regions: ["here"], heartbeatMs: 5_000 });
	const phone = await Phone.open({ host: "127.0.0.1", record: false });
	try {
		await fleet.config.createTrunk("project", inboundTrunk({ numbers: [NUMBER] }));
		await fleet.config.createRule("project", dispatchRule());
		const [dead, peer] = [await fleet.node("here"), await fleet.node("here")];
		const dialled = await Promise.all(Array.from({ length: CALLS }, () => phone.call(dead.uri(NUMBER))));
		await Promise.all(dialled.map((call) => call.answered()));
		const { calls, rooms, registry, commandQueues } = fleet.region("here");
		const ids = (await calls.liveCallsOf(dead.nodeId, 100)).map(({ callId }) => callId);
		expect(ids).toHaveLength(CALLS);
		await dead.kill();
		const diedAt = Date.now();
		await vi.waitUntil(async () => (await Promise.all(ids.map((id) => calls.getCall(id)))).every((call) => call?.state === "ended"), {
			timeout: 60_000,
			interval: 100,
		});
		await vi.waitUntil(() => rooms.stats().participants === 0, { timeout: 30_000, interval: 100 });
		const endedAt = Math.max(
			...(await Promise.all(ids.map((id) => calls.getCall(id)))).map((call) => call?.endedAt ?? Number.POSITIVE_INFINITY),
		);
		expect(endedAt - diedAt).toBeLessThan(30_000);
		await vi.waitUntil(async () => (await commandQueues()).join() === peer.nodeId, { timeout: 30_000, interval: 100 });
		expect((await registry.liveNodes("here", Date.now())).map(({ nodeId }) => nodeId)).toEqual([peer.nodeId]);
		await expectNothingLeft(fleet);
	} finally {
		await phone.close();
		await fleet.close();
	}
}, 150_000);
