import { createSocket } from "node:dgram";
import { createServer } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { type DescribeNetworkInterfacesCommand, EC2Client } from "@aws-sdk/client-ec2";
import { NODE_DEAD_AFTER_MS } from "@trunkline/domain";
import { captureLogs, MemoryNodeRegistry, nodeRecord } from "@trunkline/testkit";
import { describe, expect, it } from "vitest";
import { CpuShare } from "./cpu.ts";
import { Membership, type MembershipOptions } from "./membership.ts";
import { ecsTask, publicAddress, type PublicAddressOptions } from "./public-address.ts";
import { publicAddressOf } from "../wire-fleet.ts";
import { fleetOptions } from "./settings.ts";
import { stunAddress } from "../transport/stun-client.ts";
import { TaskProtection } from "./task-protection.ts";

const START = 1_700_000_000_000;

describe("Membership", () => {
	/** A node whose heartbeats come when the test says. */
	async function member(registry: MemoryNodeRegistry, changes: Partial<MembershipOptions> = {}) {
		const told: string[] = [];
		let now = START;
		let wake: (() => void)[] = [];
		const membership = new Membership({
			registry,
			own: { nodeId: "ND_1", region: "local", build: "1", advertised: { address: "192.0.2.1", sipPort: 5060 } },
			read: () => ({ state: "ready", calls: 3, maxCalls: 10, lateMs: 1, cpuShare: 0.5 }),
			bury: async () => void told.push("bury"),
			onBuried: () => told.push("buried"),
			onSuperseded: (why) => told.push(why),
			now: () => now,
			sleep: (_ms, signal) =>
				new Promise((resolve) => {
					wake.push(resolve);
					signal.addEventListener("abort", () => resolve());
				}),
			log: captureLogs(),
			...changes,
		});
		await membership.start();
		const after = async (ms: number): Promise<void> => {
			now += ms;
			const sleepers = wake;
			wake = [];
			for (const resolve of sleepers) resolve();
			for (let i = 0; i < 50; i++) await Promise.resolve();
		};
		return { membership, told, after };
	}

	it("says what the node is at once and with each heartbeat, and goodbye", async () => {
		const registry = new MemoryNodeRegistry();
		const { membership, after, told } = await member(registry);
		expect(await registry.liveNodes("local", START)).toMatchObject([
			{ nodeId: "ND_1", calls: 3, cpuShare: 0.5, deployedAt: START, heartbeatAt: START },
		]);
		await after(5_000);
		expect((await registry.getNode("ND_1"))?.heartbeatAt).toBe(START + 5_000);
		expect(told).toEqual(["bury"]);
		await membership.stop();
		expect(await registry.getNode("ND_1")).toBeUndefined();
	});

	it("one that was stopped for too long learns that it was buried, once, and says nothing more", async () => {
		const registry = new MemoryNodeRegistry();
		const { membership, told, after } = await member(registry, { bury: async () => {} });
		await registry.claimDead("ND_1", "ND_2", START + NODE_DEAD_AFTER_MS);
		await after(NODE_DEAD_AFTER_MS + 1);
		await after(5_000);
		await membership.tell();
		expect(told).toEqual(["buried"]);
		await membership.stop();
		expect(await registry.liveNodes("local", START + 20_001)).toEqual([]);
	});

	it("what it tells between two heartbeats comes after the one before, and nothing comes after its goodbye", async () => {
		const registry = new MemoryNodeRegistry();
		const reads = { state: "ready" as "ready" | "draining", calls: 3, maxCalls: 10, lateMs: 1, cpuShare: 0.5 };
		const { membership, after } = await member(registry, { bury: async () => {}, read: () => ({ ...reads }) });
		const beat = registry.beat.bind(registry);
		const slow: (() => void)[] = [];
		registry.beat = async (node) => {
			await new Promise<void>((resolve) => slow.push(resolve));
			return beat(node);
		};
		const release = async (): Promise<void> => {
			for (let i = 0; i < 50; i++) await Promise.resolve();
			slow.pop()?.();
			for (let i = 0; i < 50; i++) await Promise.resolve();
		};
		await after(5_000);
		reads.state = "draining";
		const told = membership.tell();
		// The newest answer first, as far as there are two.
		while (slow.length > 0) await release();
		await told;
		expect((await registry.getNode("ND_1"))?.state).toBe("draining");
		void membership.tell();
		for (let i = 0; i < 50; i++) await Promise.resolve();
		const stopped = membership.stop();
		for (let i = 0; i < 50; i++) await Promise.resolve();
		while (slow.length > 0) await release();
		await stopped;
		expect(await registry.getNode("ND_1")).toBeUndefined();
	});

	it("takes no new calls once peers may have buried it, until it has asked", async () => {
		const registry = new MemoryNodeRegistry();
		const { membership, after } = await member(registry, { bury: async () => {} });
		expect(membership.silent).toBe(false);
		const beat = registry.beat.bind(registry);
		registry.beat = () => Promise.reject(new Error("down"));
		await after(NODE_DEAD_AFTER_MS - 1);
		expect(membership.silent).toBe(false);
		await after(1);
		expect(membership.silent).toBe(true);
		registry.beat = beat;
		await after(5_000);
		expect(membership.silent).toBe(false);
		registry.beat = () => Promise.reject(new Error("down"));
		await after(-3_600_000);
		expect(membership.silent).toBe(true);
		registry.beat = beat;
		await after(5_000);
		expect(membership.silent).toBe(false);
		await registry.claimDead("ND_1", "ND_2", START + 100_000);
		await after(5_000);
		expect(membership.silent).toBe(true);
		await after(1);
		await membership.stop();
	});

	it("leaves itself to its peers when something is left that it could not end", async () => {
		const registry = new MemoryNodeRegistry();
		const { membership } = await member(registry, { bury: async () => {} });
		await membership.stop(true);
		expect(await registry.deadNodes("local", START + NODE_DEAD_AFTER_MS)).toHaveLength(1);
	});

	it("goes when newer ones are ready, once; a registry that is down changes nothing", async () => {
		const registry = new MemoryNodeRegistry();
		const { membership, told, after } = await member(registry, { bury: async () => {} });
		await registry.beat(nodeRecord({ nodeId: "ND_2", build: "2", deployedAt: START + 1, heartbeatAt: START + 5_000 }));
		const beat = registry.beat.bind(registry);
		registry.beat = () => Promise.reject(new Error("down"));
		await after(5_000);
		expect(told).toEqual([]);
		registry.beat = beat;
		await after(5_000);
		await after(1_000);
		expect(told).toEqual(["1 ready nodes of a newer build have taken over from 1"]);
		await membership.stop();
	});
});

describe("task protection", () => {
	it("is on while there are calls, renewed half-way, off after a minute without; what fails is asked again", async () => {
		const asked: unknown[] = [];
		let answer: [number, object] = [200, { protection: {} }];
		const agent = createServer((request, response) => {
			let body = "";
			request.on("data", (chunk: Buffer) => (body += chunk.toString()));
			request.on("end", () => {
				asked.push([request.method, request.url, JSON.parse(body)]);
				response.writeHead(answer[0]).end(JSON.stringify(answer[1]));
			});
		}).listen(0, "127.0.0.1");
		await once(agent, "listening");
		let now = START;
		const agentUri = `http://127.0.0.1:${(agent.address() as AddressInfo).port}/api`;
		const protection = new TaskProtection({ agentUri, now: () => now, log: captureLogs() });
		const on = ["PUT", "/api/task-protection/v1/state", { ProtectionEnabled: true, ExpiresInMinutes: 120 }];
		const off = ["PUT", "/api/task-protection/v1/state", { ProtectionEnabled: false }];
		await protection.update(0);
		expect(asked).toEqual([]);
		answer = [200, { failure: { Reason: "DEPLOYMENT_BLOCKED" } }];
		await protection.update(1);
		answer = [200, { protection: {} }];
		await protection.update(1);
		await protection.update(2);
		expect(asked.splice(0)).toEqual([on, on]);
		now += 3_600_000;
		await protection.update(1);
		expect(asked.splice(0)).toEqual([on]);
		now += 59_999;
		await protection.update(0);
		expect(asked).toEqual([]);
		now += 1;
		await protection.update(0);
		await protection.update(0);
		await protection.off();
		expect(asked).toEqual([off]);
		agent.closeAllConnections();
		agent.close();
	});
});

describe("the public address", () => {
	const options: PublicAddressOptions = {
		publicAddressOf: async () => "198.51.100.7",
		interfaceAddress: () => "10.0.0.9",
		sleep: async () => {},
		log: captureLogs(),
	};
	const task = { privateAddress: "10.0.0.5" };

	it("is what is configured, what EC2 knows, what STUN sees, the machine's own, in this order", async () => {
		const askStun = async (): Promise<string> => "203.0.113.4";
		expect(await publicAddress({ ...options, configured: "192.0.2.1", task, askStun })).toEqual({
			address: "192.0.2.1",
			source: "ADVERTISED_ADDRESS",
		});
		expect(await publicAddress({ ...options, task, askStun })).toEqual({ address: "198.51.100.7", source: "EC2" });
		expect(await publicAddress({ ...options, askStun })).toEqual({ address: "203.0.113.4", source: "STUN" });
		expect(await publicAddress(options)).toEqual({ address: "10.0.0.9", source: "interface" });
	});

	it("is waited for, and a task without one does not begin", async () => {
		const answers = [undefined, new Error("throttled"), "198.51.100.7"];
		const publicAddressOf = async (): Promise<string | undefined> => {
			const next = answers.shift();
			if (next instanceof Error) throw next;
			return next;
		};
		expect(await publicAddress({ ...options, task, publicAddressOf })).toEqual({ address: "198.51.100.7", source: "EC2" });
		await expect(publicAddress({ ...options, task, publicAddressOf: async () => undefined })).rejects.toThrow(
			/EC2 knows no public address/,
		);
		await expect(publicAddress({ ...options, interfaceAddress: () => undefined })).rejects.toThrow(/ADVERTISED_ADDRESS/);
	});

	it("EC2 is asked within the node's own network: other stages have the same private addresses", async () => {
		const stages: Record<string, string> = { "vpc-1": "198.51.100.7", "vpc-2": "198.51.100.8" };
		const ec2 = {
			send: async ({ input }: DescribeNetworkInterfacesCommand) => {
				expect(input.Filters?.[0]).toEqual({ Name: "addresses.private-ip-address", Values: ["10.0.0.5"] });
				const within = input.Filters?.find(({ Name }) => Name === "vpc-id")?.Values ?? Object.keys(stages);
				return { $metadata: {}, NetworkInterfaces: within.map((vpc) => ({ Association: { PublicIp: stages[vpc] ?? "" } })) };
			},
		};
		expect(await publicAddressOf(ec2, "10.0.0.5", "vpc-2")).toBe("198.51.100.8");
		await expect(publicAddressOf(ec2, "10.0.0.5")).rejects.toThrow("several interfaces");
		expect(fleetOptions({ VPC_ID: "vpc-2" }).vpcId).toBe("vpc-2");
	});

	it("reads what EC2 answers: nothing yet, then the association", async () => {
		// DescribeNetworkInterfaces as EC2 writes it, in part; the first answer is of an interface whose association lags.
		const answer = (association: string): string =>
			`<?xml version="1.0" encoding="UTF-8"?>
<DescribeNetworkInterfacesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>b1f3c6a0-0000-4000-8000-000000000000</requestId>
<networkInterfaceSet><item><networkInterfaceId>eni-0f62d1a2b3c4d5e6f</networkInterfaceId><vpcId>vpc-0a1</vpcId><status>in-use</status>
<privateIpAddress>10.0.0.5</privateIpAddress>${association}<privateIpAddressesSet><item><privateIpAddress>10.0.0.5</privateIpAddress><primary>true</primary>
${association}</item></privateIpAddressesSet></item></networkInterfaceSet></DescribeNetworkInterfacesResponse>`;
		const answers = ["", "<association><publicIp>198.51.100.7</publicIp><ipOwnerId>amazon</ipOwnerId></association>"];
		const asked: URLSearchParams[] = [];
		const server = createServer((request, response) => {
			let body = "";
			request.on("data", (chunk: Buffer) => (body += chunk.toString()));
			request.on("end", () => {
				asked.push(new URLSearchParams(body));
				response.writeHead(200, { "content-type": "text/xml;charset=UTF-8" }).end(answer(answers.shift() ?? ""));
			});
		});
		server.listen(0, "127.0.0.1");
		await once(server, "listening");
		const ec2 = new EC2Client({
			region: "eu-west-1",
			endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
			credentials: { accessKeyId: "local", secretAccessKey: "local" },
		});
		const found = await publicAddress({ ...options, task, publicAddressOf: (own) => publicAddressOf(ec2, own, "vpc-0a1") });
		expect(found).toEqual({ address: "198.51.100.7", source: "EC2" });
		expect(asked).toHaveLength(2);
		expect(Object.fromEntries(asked[0] ?? [])).toMatchObject({
			Action: "DescribeNetworkInterfaces",
			"Filter.1.Name": "addresses.private-ip-address",
			"Filter.1.Value.1": "10.0.0.5",
			"Filter.2.Name": "vpc-id",
			"Filter.2.Value.1": "vpc-0a1",
		});
		ec2.destroy();
		server.closeAllConnections();
		server.close();
	});

	it("is asked of a STUN server over UDP; an answer to another request is none", async () => {
		const server = createSocket("udp4");
		server.on("message", (request, from) => {
			const mapped = (transaction: Uint8Array, last: number): Buffer => {
				// XOR-MAPPED-ADDRESS of 203.0.113.<last>, port 0 (RFC 8489 §14.2)
				const xored = [203 ^ 0x21, 0 ^ 0x12, 113 ^ 0xa4, last ^ 0x42];
				return Buffer.from([1, 1, 0, 12, 0x21, 0x12, 0xa4, 0x42, ...transaction, 0, 0x20, 0, 8, 0, 1, 0x21, 0x12, ...xored]);
			};
			server.send(mapped(new Uint8Array(12), 66), from.port, from.address);
			server.send(mapped(request.subarray(8, 20), 4), from.port, from.address);
		});
		server.bind(0, "127.0.0.1");
		await once(server, "listening");
		const askStun = () => stunAddress({ host: "127.0.0.1", port: server.address().port });
		expect(await publicAddress({ ...options, askStun })).toEqual({ address: "203.0.113.4", source: "STUN" });
		server.close();
	});

	it("begins with what ECS tells of the task", async () => {
		const body = { TaskARN: "arn:task/1", Family: "media", Revision: "7", Containers: [{ Networks: [{ IPv4Addresses: ["10.0.2.106"] }] }] };
		const metadata = createServer((request, response) =>
			response.writeHead(request.url === "/v4/x/task" ? 200 : 404).end(JSON.stringify(body)),
		);
		metadata.listen(0, "127.0.0.1");
		await once(metadata, "listening");
		const uri = `http://127.0.0.1:${(metadata.address() as AddressInfo).port}/v4`;
		expect(await ecsTask(`${uri}/x`)).toEqual({ arn: "arn:task/1", build: "media:7", privateAddress: "10.0.2.106" });
		await expect(ecsTask(uri)).rejects.toThrow("404");
		metadata.closeAllConnections();
		metadata.close();
	});
});

it("CPU is of all cores, since the last reading", () => {
	let now = 0;
	let micros = 0;
	const cpu = new CpuShare({ now: () => now, micros: () => micros, cores: 2 });
	now = 1_000;
	micros = 500_000;
	expect([cpu.read(), cpu.full]).toEqual([0.25, false]);
	now = 2_000;
	micros = 2_400_000;
	expect([cpu.read(), cpu.full]).toEqual([0.95, true]);
	now = 2_100;
	expect(cpu.read()).toBe(0.95);
});
