import { header } from "@trunkline/sip";
import {
	captureLogs,
	dispatchRule,
	inboundTrunk,
	MemoryCallStore,
	MemoryConfigStore,
	MemoryDialQueue,
	MemoryTransferStore,
	SipPeer,
} from "@trunkline/testkit";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { FakeRooms } from "../call/fakes.testkit.ts";
import { MediaNode, type MediaNodeOptions } from "../wire.ts";
import type { PeerRegistry } from "./fleet-view.ts";
import type { RelayPeer } from "./share.ts";

const SECRET = new Uint8Array(32).fill(7);

/** What nodes have told of themselves, and one that was told and is gone. */
class Registry implements PeerRegistry {
	readonly told = new Map<string, () => RelayPeer>();

	async liveNodes(region: string): Promise<RelayPeer[]> {
		return [...this.told.values()].map((tell) => tell()).filter((peer) => peer.region === region);
	}
}

let registry: Registry;
let configStore: MemoryConfigStore;
let callStore: MemoryCallStore;
let rooms: FakeRooms;
let log: ReturnType<typeof captureLogs>;
const closing: (() => unknown)[] = [];

beforeEach(async () => {
	registry = new Registry();
	configStore = new MemoryConfigStore();
	callStore = new MemoryCallStore();
	rooms = new FakeRooms();
	log = captureLogs();
	await configStore.createTrunk("project", inboundTrunk({ numbers: ["+15550100"], allowedAddresses: ["127.0.0.1"] }));
	await configStore.createRule("project", dispatchRule());
});
afterEach(async () => {
	for (let close = closing.pop(); close !== undefined; close = closing.pop()) await close();
});

const options = (region: string, maxCalls = 10): MediaNodeOptions => ({
	region,
	projectId: "project",
	sip: { bindHost: "127.0.0.1", port: 0, advertisedHost: "127.0.0.1" },
	rtp: { bindHost: "127.0.0.1", advertisedAddress: "127.0.0.1", portRange: [31_000, 31_998] },
	livekit: { url: "ws://rooms.invalid", apiKey: "key", apiSecret: "a-secret-of-the-room-server" },
	...{ configStore, callStore, log, rooms, maxCalls },
	dialQueue: new MemoryDialQueue(),
	transferStore: new MemoryTransferStore(),
	strictDispatch: true,
	relay: { registry, bindHost: "127.0.0.1", port: 0, everyMs: 10 },
});

async function start(changes: Partial<MediaNodeOptions> = {}): Promise<MediaNode> {
	const maxCalls = changes.maxCalls ?? 10;
	const node = await MediaNode.start({ ...options("eu-west-1", maxCalls), nonceSecret: SECRET, ...changes });
	closing.push(() => node.close(0));
	const relay = node.relay?.address;
	if (relay !== undefined)
		registry.told.set(node.nodeId, () => ({
			...{ nodeId: node.nodeId, region: "eu-west-1", relay, maxCalls, lateMs: 0, heartbeatAt: Date.now() },
			state: node.draining ? "draining" : "ready",
			calls: node.stats().calls,
		}));
	return node;
}

async function peer(): Promise<SipPeer> {
	const opened = await SipPeer.open();
	closing.push(() => opened.close());
	return opened;
}

const seen = (...nodes: MediaNode[]): Promise<unknown> =>
	vi.waitUntil(async () => (await registry.liveNodes("eu-west-1")).length >= nodes.length, { timeout: 5_000, interval: 5 });
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
/** long enough for each node to have looked at the registry since */
const looked = async (...nodes: MediaNode[]): Promise<void> => {
	await seen(...nodes);
	await pause(60);
};
const answerable = (): void => {
	rooms.others = [{ sid: "PA_2", identity: "another telephone", kind: "sip" }];
};

describe("nodes of one region", () => {
	it("in a dialog of another node: re-INVITE and BYE are passed on, their answers come back", async () => {
		answerable();
		const [mine, other] = [await start(), await start()];
		await looked(mine, other);
		const caller = await peer();
		caller.call("a", mine.sipPort);
		const answered = await caller.event("answered", "a");
		expect(header(answered.response, "to")).toMatch(new RegExp(`;tag=[0-9a-f]{16}-${mine.nodeId.slice(3)}$`));
		// From now on the carrier's packets land on the other node.
		caller.redirect = (to) => (to.port === mine.sipPort ? other.sipPort : to.port);
		caller.handle({ kind: "request", leg: "a", transaction: "hold", method: "INVITE", body: caller.offer("sendonly") });
		const held = await caller.event("in-dialog-response", "a");
		expect(held.response?.status).toBe(200);
		expect(new TextDecoder().decode(held.response?.body)).toContain("a=recvonly");
		caller.handle({ kind: "bye", leg: "a" });
		expect(await caller.event("ended", "a")).toMatchObject({ cause: "bye" });
		await vi.waitUntil(() => mine.stats().calls === 0, { timeout: 5_000 });
		expect(other.stats()).toMatchObject({ calls: 0, legs: 0, rtpPorts: 0 });
		expect(other.relay?.counts.relayedRequests).toBeGreaterThanOrEqual(3);
		expect(mine.relay?.counts.relayedHere).toBeGreaterThanOrEqual(3);
	});

	it("a CANCEL that comes to another node finds the node that rings", async () => {
		const nodes = [await start(), await start(), await start()];
		const [mine, other] = [nodes[0] as MediaNode, nodes[2] as MediaNode];
		await looked(...nodes);
		const caller = await peer();
		caller.call("a", mine.sipPort);
		await vi.waitUntil(() => caller.events.some((event) => event.type === "provisional" && event.response.status === 180), {
			timeout: 5_000,
		});
		caller.redirect = (to) => (to.port === mine.sipPort ? other.sipPort : to.port);
		caller.handle({ kind: "cancel", leg: "a" });
		expect(await caller.event("failed", "a")).toMatchObject({ cause: "cancelled" });
		await vi.waitUntil(() => mine.stats().calls === 0, { timeout: 5_000 });
	});

	it("a PRACK of another node's call is passed on", async () => {
		answerable();
		await configStore.deleteTrunk("project", inboundTrunk().trunkId);
		const settings = { reliableProvisional: "required" } as const;
		await configStore.createTrunk("project", inboundTrunk({ numbers: ["+15550100"], settings }));
		const [mine, other] = [await start(), await start()];
		await looked(mine, other);
		const caller = await peer();
		caller.redirect = (to, bytes) =>
			new TextDecoder().decode(bytes.subarray(0, 5)) === "PRACK" && to.port === mine.sipPort ? other.sipPort : to.port;
		caller.call("a", mine.sipPort, { reliable: true });
		await caller.event("answered", "a");
		expect(caller.events.some((event) => event.type === "provisional" && event.reliable)).toBe(true);
		// the answer and the PRACK cross each other
		await vi.waitUntil(() => other.relay?.counts.relayedRequests === 1, { timeout: 5_000 });
		caller.handle({ kind: "bye", leg: "a" });
		await caller.event("ended", "a");
	});

	it("a full node passes a new call on; the peer sees who calls, answers through it, and talks to the caller itself from then on", async () => {
		answerable();
		const [full, free] = [await start({ maxCalls: 1 }), await start()];
		await looked(full, free);
		const [first, second] = [await peer(), await peer()];
		first.call("a", full.sipPort);
		await first.event("answered", "a");
		second.call("b", full.sipPort);
		const answered = await second.event("answered", "b");
		expect(header(answered.response, "contact")).toContain(`:${free.sipPort}`);
		expect(answered.response.headers.filter(({ key }) => key === "via")).toHaveLength(1);
		expect([full.stats().calls, free.stats().calls]).toEqual([1, 1]);
		expect(full.relay?.counts).toMatchObject({ relayedCalls: 1 });
		second.handle({ kind: "bye", leg: "b" });
		expect(await second.event("ended", "b")).toMatchObject({ cause: "bye" });
		// The trunk takes calls of 127.0.0.1 alone: the peer has matched the caller's address, and no header of ours got into the room.
		expect(JSON.stringify(rooms.joins.map(({ options }) => options))).not.toContain("Relay");
		first.handle({ kind: "bye", leg: "a" });
		await first.event("ended", "a");
	});

	it("CANCEL and the ACK of a refusal go the way of the INVITE that was passed on", async () => {
		const [full, free] = [await start({ maxCalls: 1 }), await start()];
		await looked(full, free);
		const [first, second] = [await peer(), await peer()];
		first.call("a", full.sipPort);
		await vi.waitUntil(() => full.stats().calls === 1, { timeout: 5_000 });
		second.call("b", full.sipPort);
		await vi.waitUntil(() => free.stats().calls === 1, { timeout: 5_000 });
		await vi.waitUntil(() => second.events.some((event) => event.type === "provisional"), { timeout: 5_000 });
		second.handle({ kind: "cancel", leg: "b" });
		expect(await second.event("failed", "b")).toMatchObject({ cause: "cancelled" });
		await vi.waitUntil(() => free.stats().calls === 0, { timeout: 5_000 });
		expect(full.stats().calls).toBe(1);
		first.handle({ kind: "cancel", leg: "a" });
		await first.event("failed", "a");
	});

	it("a node that drains passes new calls on, as its load balancer goes on sending them: ECS would end it with its calls otherwise", async () => {
		answerable();
		const [draining, other] = [await start(), await start()];
		await looked(draining, other);
		const caller = await peer();
		caller.call("a", draining.sipPort);
		await caller.event("answered", "a");
		const ended = [draining.drain(60_000)];
		await looked(draining, other);
		caller.call("b", draining.sipPort);
		await caller.event("answered", "b");
		expect([draining.stats().calls, other.stats().calls]).toEqual([1, 1]);
		// With nobody else, it says so.
		ended.push(other.drain(60_000));
		await looked(draining, other);
		caller.call("c", draining.sipPort);
		expect((await caller.event("failed", "c")).response?.status).toBe(503);
		for (const leg of ["a", "b"]) {
			caller.handle({ kind: "bye", leg });
			await caller.event("ended", leg);
		}
		await Promise.all(ended);
	});

	it("a full fleet is a 503 that says when to come again", async () => {
		const nodes = [await start({ maxCalls: 1 }), await start({ maxCalls: 1 })];
		await looked(...nodes);
		const port = nodes[0]?.sipPort ?? 0;
		const callers = [await peer(), await peer(), await peer()];
		for (const [index, caller] of callers.entries()) {
			caller.call("x", port);
			if (index < 2) await vi.waitUntil(() => nodes.reduce((sum, node) => sum + node.stats().calls, 0) === index + 1, { timeout: 5_000 });
			await pause(40);
		}
		const failed = await (callers[2] as SipPeer).event("failed", "x");
		expect(failed.status).toBe(503);
		expect(failed.response && header(failed.response, "retry-after")).toBe("10");
	});

	it("in a dialog of a node that is gone: 481", async () => {
		answerable();
		const [gone, other] = [await start(), await start()];
		await looked(gone, other);
		const caller = await peer();
		caller.call("a", gone.sipPort);
		await caller.event("answered", "a");
		registry.told.delete(gone.nodeId);
		await pause(60);
		caller.redirect = (to) => (to.port === gone.sipPort ? other.sipPort : to.port);
		caller.handle({ kind: "request", leg: "a", transaction: "hold", method: "INVITE", body: caller.offer("sendonly") });
		const response = await caller.event("in-dialog-response", "a");
		expect(response.response?.status).toBe(481);
	});

	it("never to another region, and not at all without the fleet's secret", async () => {
		const [full, far] = [await start({ maxCalls: 1 }), await start({ region: "us-east-1" })];
		const farRelay = far.relay?.address;
		if (farRelay === undefined) throw new Error("no relay");
		// Even a registry that shows it.
		registry.liveNodes = async () => [
			{
				nodeId: far.nodeId,
				region: "us-east-1",
				state: "ready",
				relay: farRelay,
				calls: 0,
				maxCalls: 100,
				lateMs: 0,
				heartbeatAt: Date.now(),
			},
		];
		await pause(60);
		const callers = [await peer(), await peer()];
		callers[0]?.call("x", full.sipPort);
		await vi.waitUntil(() => full.stats().calls === 1, { timeout: 5_000 });
		callers[1]?.call("x", full.sipPort);
		expect(await callers[1]?.event("failed", "x")).toMatchObject({ status: 503 });
		expect(far.relay?.counts.relayedHere).toBe(0);
		const { nonceSecret, ...rest } = { nonceSecret: SECRET, ...options("eu-west-1") };
		expect(nonceSecret).toBe(SECRET);
		const alone = await MediaNode.start(rest);
		closing.push(() => alone.close(0));
		expect(alone.relay).toBeUndefined();
	});
});

describe("an INVITE in a region that its call is not pinned to", () => {
	const pinned = async (wrongRegion: "refuse" | "redirect"): Promise<void> => {
		await configStore.createTrunk(
			"project",
			inboundTrunk({ trunkId: "ST_pinned", numbers: ["+15550199"], settings: { regions: ["us-east-1"], wrongRegion } }),
		);
	};
	const invite = async (node: MediaNode): Promise<{ status?: number; contact?: string | undefined }> => {
		const caller = await peer();
		const uri = `sip:+15550199@127.0.0.1:${node.sipPort}`;
		caller.handle({
			kind: "call",
			leg: "p",
			requestUri: uri,
			from: { uri: "sip:+15551111@127.0.0.1" },
			to: { uri },
			target: { host: "127.0.0.1", port: node.sipPort, transport: "UDP" },
			body: caller.offer(),
		});
		const { status, response } = await caller.event("failed", "p");
		return { ...(status === undefined ? {} : { status }), contact: response && header(response, "contact") };
	};

	it("is refused: no port, no room, no record, one count, a masked line", async () => {
		await pinned("refuse");
		let ports = 0;
		const node = await start();
		const watch = setInterval(() => (ports = Math.max(ports, node.stats().rtpPorts)), 1);
		expect(await invite(node)).toMatchObject({ status: 403 });
		clearInterval(watch);
		expect(ports).toBe(0);
		expect(rooms.joins).toEqual([]);
		expect((await callStore.findCalls("project", { limit: 10 })).calls).toEqual([]);
		expect(node.turnedAway).toBe(1);
		expect(log.text()).toContain("not pinned to");
		expect(log.text()).not.toContain("5550199");
		expect(log.text()).not.toContain("5551111");
		await vi.waitUntil(() => node.stats().calls === 0, { timeout: 5_000 });
	});

	it("is sent to the region where it may be, as the trunk says; without an address of it, it is refused", async () => {
		await pinned("redirect");
		const node = await start({ peerRegions: [{ region: "us-east-1", sipAddress: "sip.us.example.com:5080" }] });
		expect(await invite(node)).toEqual({ status: 302, contact: "<sip:+15550199@sip.us.example.com:5080>" });
		expect(await invite(await start())).toMatchObject({ status: 403 });
		expect((await callStore.findCalls("project", { limit: 10 })).calls).toEqual([]);
	});
});
