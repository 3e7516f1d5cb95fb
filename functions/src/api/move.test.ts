import { MoveParticipantRequest, MoveParticipantResponse } from "@livekit/protocol";
import type { CallState } from "@trunkline/contracts";
import type { CallCommand, TransferOutcome } from "@trunkline/domain";
import type { Log } from "@trunkline/observability";
import { callRecord, captureLogs, MemoryCallStore, MemoryConfigStore, MemoryDialQueue, MemoryTransferStore } from "@trunkline/testkit";
import { describe, expect, it } from "vitest";
import { testApi, token } from "./test-api.ts";

const PATH = "/twirp/livekit.RoomService/MoveParticipant";
const DONE: TransferOutcome = { status: "successful", reason: "completed" };

async function setUp(outcome: TransferOutcome = DONE, state: CallState = "active") {
	const callStore = new MemoryCallStore();
	const base = callRecord({ callId: "SCL_1", createdAt: Date.now() });
	await callStore.createCall({ ...base, projectId: "p_test", roomName: "lobby", participantIdentity: "sip_1", state, owner: "ND_1" });
	const commands: CallCommand[] = [];
	const forwarded: string[] = [];
	const transfers = new MemoryTransferStore();
	const api = testApi(
		{
			configStore: new MemoryConfigStore(),
			callStore: () => callStore,
			dialQueue: new MemoryDialQueue(),
			log: captureLogs() as unknown as Log,
		},
		{
			transfers,
			command: async (call, command) => {
				commands.push(command);
				const { callId, projectId } = call;
				await transfers.createTransfer({ projectId, callId, command, state: "requested", expiresAtSeconds: 2 ** 31 });
				await transfers.settleTransfer(command.transferId, ["requested"], outcome);
				if ("destinationRoom" in command && outcome.status === "successful") await moved(callStore, command.destinationRoom);
				return outcome;
			},
			roomService: async (request) => {
				forwarded.push(Buffer.from(await request.arrayBuffer()).toString());
				return new Response("theirs", { status: 501 });
			},
		},
	);
	const move = async (
		body: string | Uint8Array<ArrayBuffer>,
		video: Record<string, unknown>,
		type = "application/json",
		headers: Record<string, string> = {},
	): Promise<Response> =>
		api.fetch(PATH, {
			method: "POST",
			headers: { ...headers, "content-type": type, authorization: `Bearer ${await token({ video })}` },
			body,
		});
	return { move, commands, forwarded, callStore };
}

const moved = (callStore: MemoryCallStore, room: string, at = Date.now()) =>
	callStore.transitionCall("SCL_1", { from: ["active"], to: "active", at, event: "moved", detail: room, patch: { roomName: room } });

const ADMIN = { roomAdmin: true, room: "lobby", destinationRoom: "desk" };
const request = (over: Record<string, string> = {}): string =>
	JSON.stringify({ room: "lobby", identity: "sip_1", destination_room: "desk", ...over });

describe("RoomService.MoveParticipant of a telephone call", () => {
	it("JSON: the call's node is asked, and the answer is LiveKit's", async () => {
		const { move, commands, forwarded } = await setUp();
		const response = await move(request(), ADMIN);
		expect([response.status, await response.json()]).toEqual([200, {}]);
		expect(commands).toEqual([{ transferId: expect.stringMatching(/^STR_/), destinationRoom: "desk" }]);
		expect(forwarded).toEqual([]);
	});

	it("protobuf, as LiveKit's Go SDK sends it", async () => {
		const { move, commands } = await setUp();
		const body = new MoveParticipantRequest({ room: "lobby", identity: "sip_1", destinationRoom: "desk" }).toBinary();
		const response = await move(Uint8Array.from(body), ADMIN, "application/protobuf");
		expect(response.headers.get("content-type")).toBe("application/protobuf");
		expect(MoveParticipantResponse.fromBinary(new Uint8Array(await response.arrayBuffer()))).toEqual(new MoveParticipantResponse());
		expect(commands).toHaveLength(1);
	});

	it.each([
		["not admin", { ...ADMIN, roomAdmin: false }],
		["admin of another room", { ...ADMIN, room: "other" }],
		["no destination", { roomAdmin: true, room: "lobby" }],
		["another destination", { ...ADMIN, destinationRoom: "other" }],
	])("%s: 401, as LiveKit says it, and nothing moves", async (_, video) => {
		const { move, commands } = await setUp();
		const response = await move(request(), video);
		expect([response.status, await response.json()]).toMatchObject([401, { code: "unauthenticated", msg: "permissions denied" }]);
		expect(commands).toEqual([]);
	});

	it("a participant that is no call of ours, and a body that cannot be read, are for LiveKit's server, whole", async () => {
		const { move, commands, forwarded } = await setUp();
		const other = request({ identity: "browser" });
		expect((await move(other, ADMIN)).status).toBe(501);
		await move("{", ADMIN);
		expect(forwarded).toEqual([other, "{"]);
		expect(commands).toEqual([]);
	});

	it.each([{}, { "x-livekit-request-id": "1" }])("asked again after it was done (%j): done, and it moves once", async (headers) => {
		const { move, commands, forwarded } = await setUp();
		const again = () => move(request(), ADMIN, "application/json", headers);
		expect([(await again()).status, (await again()).status]).toEqual([200, 200]);
		expect(commands).toHaveLength(1);
		expect(forwarded).toEqual([]);
	});

	it("asked again by the same request, when the call has gone on to a third room or is over: done", async () => {
		const { move, commands, callStore } = await setUp();
		const again = () => move(request(), ADMIN, "application/json", { "x-livekit-request-id": "1" });
		expect((await again()).status).toBe(200);
		await moved(callStore, "third");
		expect((await again()).status).toBe(200);
		await callStore.endCall("SCL_1", Date.now(), { by: "peer", reason: "hangup" });
		expect((await again()).status).toBe(200);
		expect(commands).toHaveLength(1);
	});

	it("a participant that was moved there long ago, or was never moved, is not of the room that it is asked for in", async () => {
		const { move, forwarded, callStore } = await setUp();
		await moved(callStore, "desk", Date.now() - 61_000);
		expect((await move(request(), ADMIN)).status).toBe(501);
		expect(forwarded).toHaveLength(1);
	});

	it.each<[TransferOutcome, number, string]>([
		[{ status: "failed", reason: "unspecified", refused: "elsewhere" }, 409, "aborted"],
		[{ status: "failed", reason: "unspecified", refused: "gone" }, 404, "not_found"],
		[{ status: "failed", reason: "unspecified", refused: "joined" }, 412, "failed_precondition"],
		[{ status: "failed", reason: "unspecified", message: "no such server" }, 412, "failed_precondition"],
	])("the node says %j: %i", async (outcome, status, code) => {
		const { move } = await setUp(outcome);
		const response = await move(request(), ADMIN);
		expect([response.status, await response.json()]).toMatchObject([status, { code }]);
	});

	it("a call that only rings, and a move to where it is", async () => {
		const ringing = await setUp(DONE, "ringing");
		expect((await ringing.move(request(), ADMIN)).status).toBe(412);
		const { move } = await setUp();
		const same = { ...ADMIN, destinationRoom: "lobby" };
		expect((await move(request({ destination_room: "lobby" }), same)).status).toBe(400);
		expect(ringing.commands).toEqual([]);
	});
});
