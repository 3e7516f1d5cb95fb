import { describe, expect, it } from "vitest";
import { captureLogs } from "./capture-logs.ts";
import { callStoreContract } from "./contract/call-store.ts";
import { configStoreContract } from "./contract/config-store.ts";
import { dialQueueContract } from "./contract/dial-queue.ts";
import { eventOutboxContract } from "./contract/event-outbox.ts";
import { nodeRegistryContract } from "./contract/node-registry.ts";
import { MemoryCallStore } from "./memory-call-store.ts";
import { MemoryConfigStore } from "./memory-config-store.ts";
import { MemoryDialQueue } from "./memory-dial-queue.ts";
import { MemoryNodeRegistry } from "./memory-node-registry.ts";
import { inboundTrunk } from "./records.ts";

configStoreContract("memory", async () => ({ store: new MemoryConfigStore() }));
nodeRegistryContract("memory", async () => ({ registry: new MemoryNodeRegistry() }));
callStoreContract("memory", async (now) => ({ store: new MemoryCallStore({ now }) }));
eventOutboxContract("memory", async (now) => {
	const store = new MemoryCallStore({ now });
	return { store, outbox: store };
});
dialQueueContract("memory", async () => {
	const queue = new MemoryDialQueue({ visibilityTimeoutMs: 1000 });
	return { queue, sendBody: async (body) => queue.sendBody(body), deadLetters: async () => [...queue.deadLetters] };
});

describe("memory stores", () => {
	it("share no object with their caller", async () => {
		const store = new MemoryConfigStore();
		const trunk = inboundTrunk({ numbers: ["+15550100"] });
		await store.createTrunk("project", trunk);
		trunk.numbers.push("+15550101");
		const read = await store.getTrunk("project", trunk.trunkId);
		read?.numbers.push("+15550102");
		expect((await store.getTrunk("project", trunk.trunkId))?.numbers).toEqual(["+15550100"]);
	});
});

describe("log capture", () => {
	it("keeps levels, fields and messages, and errors in its text", () => {
		const log = captureLogs();
		log.warn({ callId: "SCL_1", error: new Error("outer", { cause: new Error("inner secret") }) }, "call failed");
		expect(log.logs).toEqual([{ level: "warn", message: "call failed", fields: { callId: "SCL_1", error: expect.any(Error) } }]);
		expect(log.text()).toContain("inner secret");
	});
});
