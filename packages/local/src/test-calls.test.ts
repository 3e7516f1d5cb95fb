import { createSocket } from "node:dgram";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createLogger } from "@trunkline/observability";
import { MemoryConfigStore } from "@trunkline/testkit";
import { beforeEach, describe, expect, it } from "vitest";
import { DEMO_NUMBER, seed } from "./seed.ts";
import { TestCalls } from "./test-calls.ts";

let configStore: MemoryConfigStore;
let calls: TestCalls;

beforeEach(async () => {
	configStore = new MemoryConfigStore();
	await seed(configStore, "default", 0);
	// Nobody is at this port: the calls fail, which is on nobody's record.
	calls = new TestCalls({ configStore, target: { host: "127.0.0.1", sipPort: 9 }, log: createLogger({ name: "test", level: "silent" }) });
});

describe("a test call", () => {
	it("goes to a number that leads to the room", async () => {
		expect(await calls.place("default", { room: "hello" })).toMatchObject({ from: "+15550123", to: DEMO_NUMBER });
		await calls.close();
	});

	it.each([{ room: "elsewhere" }, {}])("says what is missing when none does: %j", async (request) => {
		await expect(calls.place("default", request)).rejects.toMatchObject({ meta: { field: "room" } });
	});

	it.each(["a@127.0.0.1:PORT;x=", "a@127.0.0.1:PORT?x="])(
		"goes to this node and nowhere else, whatever the number says: %s",
		async (text) => {
			const [node, other] = [createSocket("udp4"), createSocket("udp4")];
			for (const socket of [node, other]) {
				socket.bind(0, "127.0.0.1");
				await once(socket, "listening");
			}
			const portOf = (socket: typeof node): number => (socket.address() as AddressInfo).port;
			const asked = new TestCalls({
				configStore,
				target: { host: "127.0.0.1", sipPort: portOf(node) },
				log: createLogger({ name: "test", level: "silent" }),
			});
			const first = Promise.race([once(node, "message").then(() => "node"), once(other, "message").then(() => "other")]);
			try {
				await asked.place("default", { to: text.replace("PORT", String(portOf(other))) });
				expect(await first).toBe("node");
			} finally {
				await asked.close();
				node.close();
				other.close();
			}
		},
	);

	it("is one of few", async () => {
		for (let i = 0; i < 4; i++) await calls.place("default", { to: "+1555" });
		await expect(calls.place("default", { to: "+1555" })).rejects.toMatchObject({ code: "resource_exhausted" });
		await calls.close();
	});
});
