import { type OutgoingCall, Phone } from "@trunkline/phone";
import { header } from "@trunkline/sip";
import { dispatchRule, inboundTrunk, outboundTrunk, SipPeer } from "@trunkline/testkit";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { expectNothingLeft, recordsOf } from "./invariants.ts";
import { Switchboard } from "./switchboard.ts";
import { Fleet, type FleetNode } from "./testbed.ts";

const REGION = "eu-west-1";
const NUMBER = "+15550100";
const MAX_CALLS = 6;

describe("two nodes of a region, and a carrier that sends everything to one", () => {
	let fleet: Fleet;
	let board: Switchboard;
	let callers: Phone;
	/** where the carrier sends to: it started last, so it knows the other from the start */
	let front: FleetNode;
	let back: FleetNode;
	let peers: SipPeer[] = [];
	beforeAll(async () => {
		fleet = await Fleet.start({ regions: [REGION], heartbeatMs: 2_000 });
		board = await Switchboard.open();
		callers = await Phone.open({ host: "127.0.0.1", record: false });
		await fleet.config.createTrunk("project", inboundTrunk({ numbers: [NUMBER] }));
		await fleet.config.createRule("project", dispatchRule());
		await fleet.config.createTrunk("project", outboundTrunk({ transport: "UDP", address: board.address }));
		back = await fleet.node(REGION, { MAX_CALLS: String(MAX_CALLS) });
		front = await fleet.node(REGION, { MAX_CALLS: String(MAX_CALLS) });
	}, 60_000);
	afterEach(async () => {
		for (const call of callers.calls) call.hangup();
		await expectNothingLeft(fleet, board, 30_000);
		for (const peer of peers) peer.close();
		peers = [];
	}, 40_000);
	afterAll(async () => {
		await callers?.close();
		await board?.close();
		await fleet?.close();
	});
	const until = async (is: () => unknown): Promise<void> => void (await vi.waitUntil(is, { timeout: 30_000, interval: 50 }));
	const peer = async (): Promise<SipPeer> => {
		const opened = await SipPeer.open();
		peers.push(opened);
		return opened;
	};
	const callsOf = async (node: FleetNode): Promise<number> => (await node.stats())?.calls ?? 0;
	/** Rings or is answered. A node whose clock is late, as on a busy machine, says 503, and the carrier comes again. */
	const dialled = async (node: FleetNode): Promise<OutgoingCall> => {
		for (;;) {
			const call = await callers.call(node.uri(NUMBER));
			await until(() => call.state !== "calling");
			if (call.end?.status !== 503) return call;
		}
	};
	/** A caller with somebody to hear, on the node where nothing is sent to from then on: the carrier's packets land on the other. */
	const answeredAtBack = async (): Promise<SipPeer> => {
		const caller = await peer();
		caller.call("a", back.sipPort);
		await dialled(back);
		await caller.event("answered", "a");
		await until(async () => (await callsOf(back)) === 2);
		caller.redirect = ({ port }) => (port === back.sipPort ? front.sipPort : port);
		return caller;
	};

	it("what is above the share of one goes to the other, media too; when both are full the carrier is told when to come again, and the API which region", async () => {
		// They ring until there are two.
		const first = [await dialled(front), await dialled(front)];
		await Promise.all(first.map((call) => call.answered()));
		for (let i = 2; i < MAX_CALLS; i++) await (await dialled(front)).answered();
		// It still had room.
		expect(await callsOf(back)).toBeGreaterThan(0);
		expect(await callsOf(front)).toBeLessThan(MAX_CALLS);
		for (let i = MAX_CALLS; i < 2 * MAX_CALLS; i++) await (await dialled(front)).answered();
		expect([await callsOf(front), await callsOf(back)]).toEqual([MAX_CALLS, MAX_CALLS]);
		expect(await front.count("relayed_calls")).toBeGreaterThanOrEqual(MAX_CALLS);
		expect(await back.count("relayed_calls")).toBe(0);
		const at = ({ rtpPorts: [first, last] }: FleetNode) =>
			callers.calls.filter(({ rtp }) => (rtp.remote?.port ?? 0) >= first && (rtp.remote?.port ?? 0) <= last).length;
		await until(() => at(front) + at(back) === 2 * MAX_CALLS);
		expect([at(front), at(back)]).toEqual([MAX_CALLS, MAX_CALLS]);
		const owners = (await recordsOf(fleet, REGION)).filter(({ state }) => state === "active").map(({ owner }) => owner);
		expect(owners.filter((owner) => owner === back.nodeId)).toHaveLength(MAX_CALLS);
		expect(owners.filter((owner) => owner === front.nodeId)).toHaveLength(MAX_CALLS);

		const late = await peer();
		late.call("x", front.sipPort);
		const refused = await late.event("failed", "x");
		expect(refused.status).toBe(503);
		expect(Number(refused.response && header(refused.response, "retry-after"))).toBeGreaterThan(0);
		const { registry } = fleet.region(REGION);
		await until(async () => (await registry.liveNodes(REGION, Date.now())).every(({ calls }) => calls === MAX_CALLS));
		const answer = await fleet.api()("POST", "/twirp/livekit.SIP/CreateSIPParticipant", {
			...{ sip_trunk_id: "ST_222222222222", sip_call_to: "+15550199", room_name: "lobby", participant_identity: "callee" },
		});
		expect(answer).toMatchObject({ status: 429, body: { code: "resource_exhausted", msg: expect.stringContaining(REGION) } });
		expect(board.taken).toEqual([]);
	}, 60_000);

	it("a re-INVITE and a BYE at the wrong node reach the one that has the call", async () => {
		const before = { front: await front.count("relayed_requests"), back: await back.count("relayed_here") };
		const caller = await answeredAtBack();
		caller.handle({ kind: "request", leg: "a", transaction: "hold", method: "INVITE", body: caller.offer("sendonly") });
		const held = await caller.event("in-dialog-response", "a");
		expect(held.response?.status).toBe(200);
		expect(new TextDecoder().decode(held.response?.body)).toContain("a=recvonly");
		caller.handle({ kind: "bye", leg: "a" });
		expect(await caller.event("ended", "a")).toMatchObject({ cause: "bye" });
		await until(async () => (await callsOf(back)) === 1);
		expect(await front.stats()).toMatchObject({ calls: 0, legs: 0, rtpPorts: 0 });
		// INVITE, its ACK and BYE
		expect((await front.count("relayed_requests")) - before.front).toBeGreaterThanOrEqual(3);
		expect((await back.count("relayed_here")) - before.back).toBeGreaterThanOrEqual(3);
	}, 60_000);

	it("a CANCEL at the wrong node ends the call that rings at the other", async () => {
		const caller = await peer();
		caller.call("a", back.sipPort);
		await until(() => caller.events.some((event) => event.type === "provisional" && event.response.status === 180));
		caller.redirect = ({ port }) => (port === back.sipPort ? front.sipPort : port);
		caller.handle({ kind: "cancel", leg: "a" });
		expect(await caller.event("failed", "a")).toMatchObject({ cause: "cancelled", status: 487 });
		await until(async () => (await callsOf(back)) === 0);
		const [newest] = (await recordsOf(fleet, REGION)).sort((a, b) => b.createdAt - a.createdAt);
		expect(newest).toMatchObject({ owner: back.nodeId, state: "ended", end: { by: "peer", reason: "cancelled" } });
	}, 60_000);
});
