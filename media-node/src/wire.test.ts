import { Phone } from "@trunkline/phone";
import {
	callRecord,
	captureLogs,
	dialRequest,
	dispatchRule,
	inboundTrunk,
	MemoryCallStore,
	MemoryConfigStore,
	MemoryDialQueue,
	MemoryTransferStore,
} from "@trunkline/testkit";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { FakeRooms, gate } from "./call/fakes.testkit.ts";
import { MediaNode, type MediaNodeOptions } from "./wire.ts";

const NUMBER = "+15550100";
const CALL_ID = "SCL_111111111111";

let callStore: MemoryCallStore;
let dialQueue: MemoryDialQueue;
let rooms: FakeRooms;
let log: ReturnType<typeof captureLogs>;
const closing: (() => Promise<unknown>)[] = [];

beforeEach(() => {
	callStore = new MemoryCallStore();
	dialQueue = new MemoryDialQueue();
	rooms = new FakeRooms();
	log = captureLogs();
});
afterEach(async () => {
	for (let close = closing.pop(); close !== undefined; close = closing.pop()) await close();
});

async function start(changes: Partial<MediaNodeOptions> = {}): Promise<MediaNode> {
	const configStore = new MemoryConfigStore();
	await configStore.createTrunk("project", inboundTrunk({ numbers: [NUMBER] }));
	await configStore.createRule("project", dispatchRule());
	const node = await MediaNode.start({
		region: "local",
		projectId: "project",
		sip: { bindHost: "127.0.0.1", port: 0, advertisedHost: "127.0.0.1" },
		rtp: { bindHost: "127.0.0.1", advertisedAddress: "127.0.0.1", portRange: [31_000, 31_998] },
		livekit: { url: "ws://rooms.invalid", apiKey: "key", apiSecret: "a-secret-of-the-room-server" },
		configStore,
		callStore,
		dialQueue,
		transferStore: new MemoryTransferStore(),
		strictDispatch: true,
		maxCalls: 2,
		log,
		rooms,
		...changes,
	});
	closing.push(() => node.close(0));
	return node;
}

async function phone(): Promise<Phone> {
	const opened = await Phone.open({ host: "127.0.0.1" });
	closing.push(() => opened.close());
	return opened;
}

async function ring(node: MediaNode) {
	const call = await (await phone()).call(`sip:${NUMBER}@127.0.0.1:${node.sipPort}`, { from: "+15551111" });
	await until(() => call.state === "ringing" || call.end !== undefined);
	return call;
}

const until = (condition: () => boolean): Promise<unknown> => vi.waitUntil(condition, { timeout: 5_000, interval: 5 });

async function enqueue(port: number): Promise<void> {
	const request = dialRequest({ address: `127.0.0.1:${port}` });
	await callStore.createCall(callRecord({ callId: CALL_ID, createdAt: Date.now(), request }));
	await dialQueue.send({ version: 1, type: "dial", projectId: "project", callId: CALL_ID, region: "local", enqueuedAt: Date.now() });
}

describe("a media node", () => {
	it("takes as many calls as it may, and the next one gets 503", async () => {
		const node = await start();
		const calls = [await ring(node), await ring(node), await ring(node)];
		expect(calls.map(({ state, end }) => end?.status ?? state)).toEqual(["ringing", "ringing", 503]);
		expect(node.stats()).toMatchObject({ calls: 2, rtpPorts: 2 });
		for (const call of calls.slice(0, 2)) call.hangup();
		await until(() => node.stats().calls === 0);
		expect(node.stats()).toMatchObject({ rtpPorts: 0, legs: 0 });
	});

	it("drain: the call goes on, new ones are refused, and it ends with the last call", async () => {
		const node = await start();
		const call = await ring(node);
		const drained = node.drain(60_000);
		expect(node.draining).toBe(true);
		expect((await ring(node)).end).toMatchObject({ status: 503 });
		expect(call.state).toBe("ringing");
		call.hangup();
		expect(await drained).toBe(true);
		expect(await node.drain(60_000)).toBe(true);
	});

	it("drain: says so when calls outlast the grace period", async () => {
		const node = await start();
		const call = await ring(node);
		expect(await node.drain(10)).toBe(false);
		expect(call.state).toBe("ringing");
	});

	it("close hangs up; every caller gets the same end, and it is the end", async () => {
		const node = await start();
		const call = await ring(node);
		const first = node.close(5_000);
		const second = node.close(0);
		expect(second).toBe(first);
		await first;
		expect(await call.ended()).toMatchObject({ status: 503 });
		expect(node.stats()).toMatchObject({ calls: 0, rtpPorts: 0 });
		expect(rooms.one.closed).toBe(1);
	});

	it("close does not wait for ever for a room that never lets go", async () => {
		const node = await start();
		await ring(node);
		await until(() => rooms.sessions.length === 1);
		rooms.one.left = new Promise(() => {});
		const began = performance.now();
		await node.close(50);
		expect(performance.now() - began).toBeLessThan(2_000);
		expect(log.text()).toContain("calls were not over in time");
	});

	it("a dial request that is being claimed while the node closes is left to another node", async () => {
		const claim = gate();
		const claiming = gate();
		class SlowStore extends MemoryCallStore {
			override async claimCall(...given: Parameters<MemoryCallStore["claimCall"]>): ReturnType<MemoryCallStore["claimCall"]> {
				claiming.resolve();
				await claim.promise;
				return super.claimCall(...given);
			}
		}
		callStore = new SlowStore();
		const node = await start();
		const callee = await phone();
		let rang = 0;
		callee.onIncoming(() => rang++);
		await enqueue(callee.port);
		await claiming.promise;
		const closed = node.close(1_000);
		claim.resolve();
		await closed;
		expect(rang).toBe(0);
		expect(rooms.joins).toEqual([]);
		expect((await callStore.getCall(CALL_ID))?.state).toBe("queued");
	});

	it("a call that it dials is cancelled when it closes, and the record says why", async () => {
		const node = await start();
		const callee = await phone();
		const rang = new Promise<{ ring(): void; ended(): Promise<unknown> }>((resolve) => callee.onIncoming(resolve));
		await enqueue(callee.port);
		const incoming = await rang;
		incoming.ring();
		await until(() => node.stats().calls === 1);
		await node.close(5_000);
		await incoming.ended();
		expect(await callStore.getCall(CALL_ID)).toMatchObject({ state: "ended", end: { by: "node", reason: "shutdown" } });
	});

	it("that cannot start leaves nothing open", async () => {
		const node = await start();
		const port = node.sipPort;
		await node.close(0);
		const impossible = { rtp: { bindHost: "127.0.0.1", advertisedAddress: "127.0.0.1", portRange: [31_001, 31_001] as const } };
		await expect(start({ ...impossible, sip: { bindHost: "127.0.0.1", port, advertisedHost: "127.0.0.1" } })).rejects.toThrow(RangeError);
		// The port is free again.
		await start({ sip: { bindHost: "127.0.0.1", port, advertisedHost: "127.0.0.1" } });
	});
});
