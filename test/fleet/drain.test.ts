import { header } from "@trunkline/sip";
import { dispatchRule, inboundTrunk, SipPeer } from "@trunkline/testkit";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { expectNothingLeft, recordsOf } from "./invariants.ts";
import { Fleet, type FleetNode } from "./testbed.ts";

const REGION = "eu-west-1";
const NUMBER = "+15550100";

describe("a node that gets SIGTERM during calls", () => {
	let fleet: Fleet;
	const peers: SipPeer[] = [];
	beforeAll(async () => {
		fleet = await Fleet.start({ regions: [REGION], heartbeatMs: 1_000 });
		await fleet.config.createTrunk("project", inboundTrunk({ numbers: [NUMBER] }));
		await fleet.config.createRule("project", dispatchRule());
	}, 60_000);
	afterEach(() => expectNothingLeft(fleet), 20_000);
	afterAll(async () => {
		for (const peer of peers) peer.close();
		await fleet?.close();
	});
	const until = async (is: () => unknown): Promise<void> => void (await vi.waitUntil(is, { timeout: 30_000, interval: 20 }));
	const peer = async (): Promise<SipPeer> => {
		const opened = await SipPeer.open();
		peers.push(opened);
		return opened;
	};
	/** Two callers in one room, who hear each other. */
	const twoOn = async (node: FleetNode): Promise<[SipPeer, SipPeer]> => {
		const two: [SipPeer, SipPeer] = [await peer(), await peer()];
		for (const caller of two) caller.call("a", node.sipPort);
		for (const caller of two) await caller.event("answered", "a");
		return two;
	};
	/** A call goes on: its node answers a new offer. */
	const expectAlive = async (caller: SipPeer): Promise<void> => {
		caller.handle({ kind: "request", leg: "a", transaction: "hold", method: "INVITE", body: caller.offer("sendonly") });
		expect((await caller.event("in-dialog-response", "a")).response?.status).toBe(200);
	};

	it("alone: its calls go on, new ones are told to come again, and at the limit the rest get a BYE that says why", async () => {
		const node = await fleet.node(REGION, { DRAIN_SECONDS: "4" });
		const [leaves, stays] = await twoOn(node);
		node.signal("SIGTERM");
		await until(() => node.line("draining") !== undefined);
		const late = await peer();
		late.call("x", node.sipPort);
		const refused = await late.event("failed", "x");
		expect(refused.status).toBe(503);
		expect(Number(refused.response && header(refused.response, "retry-after"))).toBeGreaterThan(0);
		await expectAlive(leaves);
		leaves.handle({ kind: "bye", leg: "a" });
		expect(await leaves.event("ended", "a")).toMatchObject({ by: "local", cause: "bye" });
		expect(stays.events.some(({ type }) => type === "ended")).toBe(false);
		const { request } = await stays.event("ended", "a");
		expect(request?.method).toBe("BYE");
		expect(request && header(request, "reason")).toMatch(/^Q\.850 ?;cause=41/);
		expect(await node.exited()).toBe(0);
		const ends = (await recordsOf(fleet, REGION)).flatMap(({ end }) => (end === undefined ? [] : [end.reason]));
		expect(ends.sort()).toEqual(["hangup", "rejected", "shutdown"]);
		expect(await fleet.region(REGION).registry.getNode(node.nodeId)).toBeUndefined();
	}, 60_000);

	it("with a peer: new calls go to the peer, and it is over with its last call, not at the limit", async () => {
		const other = await fleet.node(REGION);
		const node = await fleet.node(REGION, { DRAIN_SECONDS: "600" });
		const [first, second] = await twoOn(node);
		node.signal("SIGTERM");
		await until(() => node.line("draining") !== undefined);
		const late = await peer();
		late.call("a", node.sipPort);
		const { response } = await late.event("answered", "a");
		expect(header(response, "contact")).toContain(`:${other.sipPort}`);
		expect((await other.stats())?.calls).toBe(1);
		await expectAlive(first);
		for (const caller of [first, second]) {
			caller.handle({ kind: "bye", leg: "a" });
			await caller.event("ended", "a");
		}
		expect(await node.exited()).toBe(0);
		late.handle({ kind: "bye", leg: "a" });
		await late.event("ended", "a");
		await until(async () => (await other.stats())?.calls === 0);
	}, 60_000);
});
