import { outboundTrunk } from "@trunkline/testkit";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { expectNothingLeft } from "./invariants.ts";
import { Switchboard } from "./switchboard.ts";
import { Fleet } from "./testbed.ts";

const REGION = "eu-west-1";
const COPIES = 3;

let fleet: Fleet;
let board: Switchboard;
beforeAll(async () => {
	fleet = await Fleet.start({ regions: [REGION], heartbeatMs: 2_000 });
	board = await Switchboard.open();
	await fleet.config.createTrunk("project", outboundTrunk({ transport: "UDP", address: board.address }));
}, 60_000);
afterAll(async () => {
	await board?.close();
	await fleet?.close();
});

it("a command that is delivered three times is applied once, and one for a call of another node not at all", async () => {
	const node = await fleet.node(REGION);
	const dial = async (number: string): Promise<string> => {
		const { status, body } = await fleet.api()("POST", "/twirp/livekit.SIP/CreateSIPParticipant", {
			...{ sip_trunk_id: "ST_222222222222", sip_call_to: number, room_name: "lobby" },
			...{ participant_identity: number, wait_until_answered: true },
		});
		expect(status).toBe(200);
		return String(body["sip_call_id"]);
	};
	const [callId, other] = [await dial("+15550101"), await dial("+15550102")];
	const { calls, commandQueue } = fleet.region(REGION);
	const { queue, messages } = await commandQueue(node.nodeId);
	const command = {
		version: 1,
		type: "hangup",
		commandId: "once",
		projectId: "project",
		callId,
		nodeId: node.nodeId,
		sentAt: Date.now(),
	} as const;
	await queue.send({ ...command, commandId: "astray", callId: other, nodeId: "ND_other" });
	for (let i = 0; i < COPIES; i++) await queue.send(command);
	await vi.waitUntil(async () => (await calls.getCall(callId))?.state === "ended" && (await messages()) === 0, {
		timeout: 30_000,
		interval: 50,
	});
	// A second time would find that the call is over, and say so.
	const said = node.lines.filter(({ commandId }) => commandId === "once").map(({ msg }) => msg);
	expect(said).toEqual(["hanging up on command"]);
	expect(node.lines.filter(({ commandId }) => commandId === "astray").map(({ msg }) => msg)).toEqual([
		"a command for another node was in this node's queue",
	]);
	expect((await calls.getCall(callId))?.timeline.filter(({ event }) => event === "ended")).toHaveLength(1);
	expect(await calls.getCall(other)).toMatchObject({ state: "active" });
	await queue.send({ ...command, commandId: "the other", callId: other });
	await expectNothingLeft(fleet, board, 30_000);
}, 60_000);
