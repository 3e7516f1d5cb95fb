import { NODE_BURIAL_MS, NODE_DEAD_AFTER_MS, type NodeRecord, type NodeRegistry } from "@trunkline/domain";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { nodeRecord } from "../records.ts";

export interface NodeRegistryUnderTest {
	registry: NodeRegistry;
	close?: () => Promise<void>;
}

const NOW = 1_700_000_000_000;
/** the first moment at which a node of NOW is dead */
const DEAD = NOW + NODE_DEAD_AFTER_MS;

/** What every NodeRegistry does; each test has a region of its own. */
export function nodeRegistryContract(name: string, factory: () => Promise<NodeRegistryUnderTest>): void {
	let tested: NodeRegistryUnderTest;
	let registry: NodeRegistry;
	let regions = 0;
	let region = "";
	const node = (id: string, changes: Partial<NodeRecord> = {}): NodeRecord =>
		nodeRecord({ nodeId: `ND_${region}_${id}`, region, heartbeatAt: NOW, ...changes });
	const ids = (nodes: NodeRecord[]): string[] => nodes.map(({ nodeId }) => nodeId.split("_")[2] ?? "").sort();

	describe(`NodeRegistry: ${name}`, () => {
		beforeAll(async () => {
			tested = await factory();
			registry = tested.registry;
		}, 60_000);
		afterAll(() => tested.close?.());
		beforeEach(() => {
			region = `region-${++regions}`;
		});

		it("shows the live nodes of a region, whole", async () => {
			const a = node("a", {
				relay: { address: "10.0.0.1", port: 5070 },
				commandQueueUrl: "http://q/a",
				task: "arn:task/1",
				cpuShare: 0.25,
			});
			expect(await registry.beat(a)).toBe(true);
			expect(await registry.beat(node("b"))).toBe(true);
			expect(await registry.beat({ ...node("c"), region: "elsewhere" })).toBe(true);
			expect(await registry.getNode(a.nodeId)).toEqual(a);
			expect(await registry.getNode("")).toBeUndefined();
			expect(ids(await registry.liveNodes(region, NOW))).toEqual(["a", "b"]);
			expect(await registry.beat({ ...a, calls: 7, heartbeatAt: NOW + 5_000 })).toBe(true);
			expect(await registry.liveNodes(region, DEAD)).toEqual([{ ...a, calls: 7, heartbeatAt: NOW + 5_000 }]);
		});

		it("a node that stops is gone", async () => {
			await registry.beat(node("a"));
			await registry.removeNode(node("a").nodeId);
			expect(await registry.getNode(node("a").nodeId)).toBeUndefined();
			expect(await registry.deadNodes(region, DEAD)).toEqual([]);
			await registry.removeNode(node("never").nodeId);
		});

		it("a silent one is dead, and exactly one of many buries it", async () => {
			await registry.beat(node("a"));
			await registry.beat(node("b", { heartbeatAt: NOW + 1 }));
			expect(await registry.deadNodes(region, DEAD - 1)).toEqual([]);
			expect(await registry.claimDead(node("a").nodeId, "early", DEAD - 1)).toBe(false);
			expect(ids(await registry.deadNodes(region, DEAD))).toEqual(["a"]);
			const asked = Array.from({ length: 10 }, (_, i) => registry.claimDead(node("a").nodeId, `ND_${i}`, DEAD));
			expect((await Promise.all(asked)).filter((one) => one)).toHaveLength(1);
			expect(await registry.deadNodes(region, DEAD)).toEqual([]);
			expect(await registry.claimDead(node("unknown").nodeId, "x", DEAD)).toBe(false);
		});

		it("a claimed one that was only paused is told, and stays dead", async () => {
			await registry.beat(node("a"));
			await registry.claimDead(node("a").nodeId, "ND_x", DEAD);
			expect(await registry.beat(node("a", { heartbeatAt: DEAD + 1 }))).toBe(false);
			expect(await registry.liveNodes(region, DEAD + 1)).toEqual([]);
			await registry.removeNode(node("a").nodeId);
			expect(await registry.beat(node("a", { heartbeatAt: DEAD + 1 }))).toBe(false);
			await registry.buried(node("a").nodeId, "ND_x", DEAD);
			expect(await registry.beat(node("a", { heartbeatAt: DEAD + 1 }))).toBe(false);
		});

		it("who dies at a burial is followed by another; who is late ends nothing", async () => {
			const { nodeId } = node("a");
			await registry.beat(node("a"));
			await registry.claimDead(nodeId, "ND_x", DEAD);
			const over = DEAD + NODE_BURIAL_MS;
			expect(await registry.claimDead(nodeId, "ND_y", over - 1)).toBe(false);
			expect(ids(await registry.deadNodes(region, over))).toEqual(["a"]);
			expect(await registry.claimDead(nodeId, "ND_y", over)).toBe(true);
			await registry.buried(nodeId, "ND_x", over);
			expect(ids(await registry.deadNodes(region, over + NODE_BURIAL_MS))).toEqual(["a"]);
			await registry.buried(nodeId, "ND_y", over);
			expect(await registry.deadNodes(region, over + NODE_BURIAL_MS)).toEqual([]);
			expect(await registry.claimDead(nodeId, "ND_z", over + NODE_BURIAL_MS, true)).toBe(false);
		});

		it("who is certain need not wait", async () => {
			const { nodeId } = node("a");
			await registry.beat(node("a"));
			expect(await registry.claimDead(nodeId, "sweep", NOW + 1, true)).toBe(true);
			expect(await registry.claimDead(nodeId, "sweep 2", NOW + 1, true)).toBe(false);
			expect(await registry.liveNodes(region, NOW + 1)).toEqual([]);
			expect(ids(await registry.deadNodes(region, NOW + 1 + NODE_BURIAL_MS))).toEqual(["a"]);
			expect(await registry.claimDead(node("unknown").nodeId, "sweep", NOW, true)).toBe(false);
		});
	});
}
