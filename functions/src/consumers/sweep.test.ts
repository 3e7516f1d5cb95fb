import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { callRecord, captureLogs, MemoryCallStore, MemoryNodeRegistry, nodeRecord } from "@trunkline/testkit";
import { decodeJwt } from "jose";
import { describe, expect, it } from "vitest";
import { removalFrom, sweeper } from "./sweep.ts";

const NOW = 1_700_000_000_000;

describe("the sweep", () => {
	it("buries the node of a stopped task, ends what nobody claims, deletes queues of nobody", async () => {
		const calls = new MemoryCallStore({ now: () => NOW });
		const registry = new MemoryNodeRegistry();
		await registry.beat(nodeRecord({ nodeId: "ND_1", heartbeatAt: NOW, task: "arn:task/1" }));
		await calls.createCall(callRecord({ callId: "SCL_1", createdAt: NOW, state: "active", owner: "ND_1" }));
		await calls.createCall(callRecord({ callId: "SCL_2", createdAt: NOW - 600_000 }));
		const deleted: string[] = [];
		const measurements: unknown[] = [];
		const queue = (nodeId: string, createdAt: number) => ({ url: nodeId, nodeId, createdAt });
		const sweep = sweeper({
			...{
				region: "local",
				by: "sweep",
				registry,
				owned: calls,
				calls,
				removeFromRoom: async () => {},
				now: () => NOW,
				log: captureLogs(),
			},
			deleteCommandQueue: async (url) => void deleted.push(url),
			metrics: { record: (...measured: unknown[]) => void measurements.push(measured) },
			commandQueues: async () => [queue("ND_1", 0), queue("ND_gone", NOW - 600_000), queue("ND_new", NOW - 599_999)],
		});
		expect(await sweep({})).toEqual({ nodes: 0, calls: 0, unclaimed: 1, queues: 1 });
		expect(measurements).toEqual([]);
		expect(await sweep({ detail: { lastStatus: "STOPPED", taskArn: "arn:task/1" } })).toMatchObject({ nodes: 1, calls: 1 });
		expect(deleted).toEqual(["ND_gone", "ND_gone"]);
		expect((await calls.getCall("SCL_1"))?.state).toBe("ended");
		expect(measurements).toEqual([["DeadNodesBuried", 1]]);
	});

	it("a queue that cannot be deleted keeps none of the others", async () => {
		const deleted: string[] = [];
		const log = captureLogs();
		const calls = new MemoryCallStore({ now: () => NOW });
		const sweep = sweeper({
			...{ region: "local", by: "sweep", registry: new MemoryNodeRegistry(), owned: calls, calls, log },
			...{ removeFromRoom: async () => {}, now: () => NOW },
			deleteCommandQueue: async (url) => {
				if (url === "ND_1") throw new Error("SQS is not well");
				deleted.push(url);
			},
			commandQueues: async () => ["ND_1", "ND_2", "ND_3"].map((nodeId) => ({ url: nodeId, nodeId, createdAt: 0 })),
		});
		expect(await sweep({})).toEqual({ nodes: 0, calls: 0, unclaimed: 0, queues: 2 });
		expect(deleted).toEqual(["ND_2", "ND_3"]);
		expect(log.text()).toContain("SQS is not well");
	});

	it("asks LiveKit with a token for that room alone; who is not there is no error", async () => {
		const asked: unknown[] = [];
		let status = 200;
		const server = createServer((request, response) => {
			let body = "";
			request.on("data", (chunk: Buffer) => (body += chunk.toString()));
			request.on("end", () => {
				const { video, iss } = decodeJwt((request.headers.authorization ?? "").replace("Bearer ", ""));
				asked.push([request.url, JSON.parse(body), video, iss]);
				response.writeHead(status).end("{}");
			});
		}).listen(0, "127.0.0.1");
		await once(server, "listening");
		const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
		const remove = removalFrom(async () => ({ url, apiKey: "key", apiSecret: "secret" }));
		const call = { projectId: "p", roomName: "lobby", participantIdentity: "sip_1" };
		await remove(call);
		const admin = { roomAdmin: true, room: "lobby" };
		expect(asked).toEqual([["/twirp/livekit.RoomService/RemoveParticipant", { room: "lobby", identity: "sip_1" }, admin, "key"]]);
		status = 404;
		await remove(call);
		status = 500;
		await expect(remove(call)).rejects.toThrow("500");
		server.closeAllConnections();
		server.close();
	});
});
