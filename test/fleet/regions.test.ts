import { Phone } from "@trunkline/phone";
import { dispatchRule, inboundTrunk, outboundTrunk } from "@trunkline/testkit";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { expectNothingLeft, recordsOf } from "./invariants.ts";
import { Switchboard } from "./switchboard.ts";
import { Fleet, type FleetNode } from "./testbed.ts";

const EUROPE = "eu-west-1";
const AMERICA = "us-east-1";
const NUMBER = "+15550100";
const EACH_WAY = 25;

describe("three nodes in two regions", () => {
	let fleet: Fleet;
	let api: ReturnType<Fleet["api"]>;
	let board: Switchboard;
	let callers: Phone;
	let west: FleetNode;
	let east: [FleetNode, FleetNode];
	let last = 0;
	beforeAll(async () => {
		fleet = await Fleet.start({ regions: [AMERICA, EUROPE], heartbeatMs: 1_000 });
		api = fleet.api();
		board = await Switchboard.open();
		callers = await Phone.open({ host: "127.0.0.1", record: false });
		const { config } = fleet;
		await config.createTrunk("project", inboundTrunk({ numbers: [NUMBER], settings: { regions: [EUROPE] } }));
		await config.createRule("project", dispatchRule({ rule: { type: "individual", roomPrefix: "call", pin: "", noRandomness: false } }));
		await config.createTrunk("project", outboundTrunk({ transport: "UDP", address: board.address, settings: { regions: [EUROPE] } }));
		[west, ...east] = await Promise.all([fleet.node(AMERICA), fleet.node(EUROPE), fleet.node(EUROPE)]);
	}, 60_000);
	// Longer than the visibility time-out: a message whose receiver went away comes back after it.
	afterEach(() => expectNothingLeft(fleet, board, 45_000), 60_000);
	afterAll(async () => {
		await callers?.close();
		await board?.close();
		await fleet?.close();
	});
	const until = async (is: () => unknown): Promise<void> => void (await vi.waitUntil(is, { timeout: 45_000, interval: 50 }));
	/** Each call has a number of its own. */
	const participant = (over: Record<string, unknown> = {}) => {
		last += 1;
		return {
			...{ sip_trunk_id: "ST_222222222222", sip_call_to: `+1555${String(last).padStart(7, "0")}`, room_name: `room-${last}` },
			...{ participant_identity: "callee", wait_until_answered: true, ...over },
		};
	};
	const dial = (over: Record<string, unknown> = {}) => api("POST", "/twirp/livekit.SIP/CreateSIPParticipant", participant(over));
	const live = async (region: string) => (await recordsOf(fleet, region)).filter(({ state }) => state === "active");

	it("pinned calls, in and out, are in their region alone: records, rooms, ports and media", async () => {
		const out = await dial();
		expect(out).toMatchObject({ status: 200, body: { sip_call_id: expect.stringMatching(/^SCL_euw1/) } });
		const into = await callers.call(east[0].uri(NUMBER));
		// Alone in a room: it rings until somebody is there, so nothing is answered.
		await until(async () => (await recordsOf(fleet, EUROPE)).length === 2);
		expect(await recordsOf(fleet, AMERICA)).toEqual([]);
		expect(fleet.region(AMERICA).rooms.stats()).toMatchObject({ participants: 0, rooms: 0 });
		expect(await west.stats()).toMatchObject({ calls: 0, rtpPorts: 0, legs: 0 });
		// Where its audio comes from is a port of a node of Europe.
		const port = board.taken.at(-1)?.rtp.remote?.port ?? 0;
		expect(east.some(({ rtpPorts }) => port >= rtpPorts[0] && port <= rtpPorts[1])).toBe(true);
		const stray = await callers.call(west.uri(NUMBER));
		expect(await stray.ended()).toMatchObject({ status: 403 });
		expect(await recordsOf(fleet, AMERICA)).toEqual([]);
		into.hangup();
		board.taken.at(-1)?.hangup();
	}, 60_000);

	it("a request that is delivered three times, late and out of order dials once", async () => {
		const { dialQueue, calls } = fleet.region(EUROPE);
		const dialled = await Promise.all([dial(), dial(), dial()]);
		expect(dialled.map(({ status }) => status)).toEqual([200, 200, 200]);
		const ids = dialled.map(({ body }) => String(body["sip_call_id"]));
		for (const callId of [...ids, ...ids].reverse())
			await dialQueue.send({ version: 1, type: "dial", projectId: "project", callId, region: EUROPE, enqueuedAt: Date.now() - 1_000 });
		// They are gone from the queue, and each call goes on.
		await until(async () => (await fleet.region(EUROPE).messages()) === 0);
		for (const callId of ids) expect(await calls.getCall(callId)).toMatchObject({ state: "active" });
		expect(board.dialledTwice()).toEqual([]);
		expect((await Promise.all(ids.map((id) => api("POST", `/v1/calls/${id}/hangup`)))).every(({ status }) => status < 300)).toBe(true);
	}, 120_000);

	it("a node that is killed under fifty calls is buried by its peer; then its region has one node, and at last none: that is the error", async () => {
		const [dead, peer] = east;
		const dialled = await Promise.all(Array.from({ length: EACH_WAY }, () => dial()));
		expect(dialled.filter(({ status }) => status === 200)).toHaveLength(EACH_WAY);
		const calling = await Promise.all(Array.from({ length: EACH_WAY }, () => callers.call(dead.uri(NUMBER))));
		const states = ["active", "ringing", "received"];
		const atWork = async () => (await recordsOf(fleet, EUROPE)).filter(({ state }) => states.includes(state));
		await until(async () => (await atWork()).length === 2 * EACH_WAY);
		const lost = (await atWork()).filter(({ owner }) => owner === dead.nodeId).map(({ callId }) => callId);
		const kept = (await atWork()).filter(({ owner }) => owner === peer.nodeId).map(({ callId }) => callId);
		// Dial requests go to whoever asks the queue first, and all callers came to one node, which passed on what was above its share: each has some.
		expect(
			[lost.length, kept.length].every((count) => count > 5),
			`${lost.length} and ${kept.length}`,
		).toBe(true);
		await dead.kill();
		const { calls } = fleet.region(EUROPE);
		await until(async () => (await Promise.all(lost.map((id) => calls.getCall(id)))).every((call) => call?.state === "ended"));
		for (const id of lost) expect((await calls.getCall(id))?.end).toMatchObject({ by: "node", reason: "internal-error" });
		for (const id of kept) expect(states).toContain((await calls.getCall(id))?.state);
		expect((await live(AMERICA)).length).toBe(0);
		for (const call of [...calling, ...board.taken]) call.hangup();
		await until(async () => (await peer.stats())?.calls === 0);
		await peer.kill();
		await until(async () => (await fleet.region(EUROPE).registry.liveNodes(EUROPE, Date.now())).length === 0);
		// The API takes nodes for dead after the fifteen seconds that they have in a deployment.
		const nodesOfEurope = async () => {
			const { regions } = (await api("GET", "/v1/regions")).body as { regions: { region: string; capacity?: { nodes: number } }[] };
			return regions.find(({ region }) => region === EUROPE)?.capacity?.nodes;
		};
		await until(async () => (await nodesOfEurope()) === 0);
		expect(await dial()).toMatchObject({ body: { code: "unavailable", msg: expect.stringContaining(EUROPE) } });
		expect(await recordsOf(fleet, AMERICA)).toEqual([]);
		expect(await west.stats()).toMatchObject({ calls: 0, rtpPorts: 0 });
		// Nobody of its own region is left to bury it: a node that comes does.
		await fleet.node(EUROPE);
	}, 120_000);
});
