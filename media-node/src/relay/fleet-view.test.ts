import { expect, it } from "vitest";
import { FleetView } from "./fleet-view.ts";
import type { RelayPeer } from "./share.ts";

it("whoever writes names of nodes into tags has the registry read twice a second at most, and each is answered", async () => {
	let now = 1_000_000;
	let reads = 0;
	const node: RelayPeer = {
		...{ nodeId: "ND_new", region: "r", state: "ready", calls: 0, maxCalls: 1, lateMs: 0, heartbeatAt: 0 },
		relay: { address: "10.0.0.1", port: 5070 },
	};
	const view = new FleetView({
		registry: {
			liveNodes: async () => {
				reads += 1;
				return [node];
			},
		},
		...{ nodeId: "ND_1", region: "r", now: () => now },
		sleep: async (ms) => {
			now += ms;
		},
		log: { warn: () => undefined },
	});
	const found = await Promise.all(Array.from({ length: 20 }, (_, index) => view.find(index % 2 === 0 ? "ND_new" : `ND_${index}`)));
	expect(found.filter((one) => one === node)).toHaveLength(10);
	expect(reads).toBe(1);
	const began = now;
	for (let asked = 0; asked < 40; asked++) expect(await view.find("ND_new")).toBe(node);
	expect(reads - 1).toBeLessThanOrEqual((now - began) / 500 + 1);
});

it("a registry that cannot be read is asked again by the next one", async () => {
	let fails = true;
	const view = new FleetView({
		registry: { liveNodes: () => (fails ? Promise.reject(new Error("away")) : Promise.resolve([])) },
		...{ nodeId: "ND_1", region: "r", now: () => 1, sleep: () => Promise.resolve() },
		log: { warn: () => undefined },
	});
	await expect(view.find("ND_2")).rejects.toThrow("away");
	fails = false;
	expect(await view.find("ND_2")).toBeUndefined();
});
