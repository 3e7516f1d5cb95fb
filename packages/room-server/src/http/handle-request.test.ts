import { CreateRoomRequest, ListRoomsResponse, Room as RoomInfo } from "@livekit/protocol";
import { AccessToken, type VideoGrant } from "livekit-server-sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type RunningServer, startServer, token } from "../testing/harness.ts";

let running: RunningServer;
beforeAll(async () => {
	running = await startServer({ emptyTimeoutMs: 60 });
});
afterAll(() => running.close());

async function call(
	method: string,
	body: string | Uint8Array,
	options: { grant?: VideoGrant; contentType?: string; verb?: string; noToken?: boolean } = {},
): Promise<Response> {
	const access = new AccessToken("devkey", "secret", { identity: "api" });
	access.addGrant(options.grant ?? { roomCreate: true, roomList: true });
	return fetch(`${running.httpUrl}/twirp/livekit.RoomService/${method}`, {
		method: options.verb ?? "POST",
		headers: {
			"content-type": options.contentType ?? "application/json",
			...(options.noToken === true ? {} : { authorization: `Bearer ${await access.toJwt()}` }),
		},
		...(options.verb === "GET" ? {} : { body: Buffer.from(body as string) }),
	});
}

describe("livekit.RoomService over Twirp", () => {
	it("speaks JSON with proto field names and protobuf", async () => {
		const json = await call("CreateRoom", '{"name":"json","empty_timeout":7,"maxParticipants":3,"unknown":1}');
		expect([json.status, json.headers.get("content-type")]).toEqual([200, "application/json"]);
		expect(await json.json()).toMatchObject({ name: "json", empty_timeout: 7, max_participants: 3, num_participants: 0 });
		const binary = await call("CreateRoom", new CreateRoomRequest({ name: "binary", metadata: "m", emptyTimeout: 9 }).toBinary(), {
			contentType: "application/protobuf",
		});
		expect(binary.headers.get("content-type")).toBe("application/protobuf");
		expect(RoomInfo.fromBinary(new Uint8Array(await binary.arrayBuffer()))).toMatchObject({ name: "binary", metadata: "m" });
		const listed = await call("ListRooms", new Uint8Array(), { contentType: "application/protobuf" });
		expect(ListRoomsResponse.fromBinary(new Uint8Array(await listed.arrayBuffer())).rooms.map((room) => room.name)).toEqual([
			"json",
			"binary",
		]);
	});

	it.each([
		["no token", "ListRooms", "{}", { noToken: true }, 401, "unauthenticated", /^permissions denied$/],
		["no roomList", "ListRooms", "{}", { grant: { roomJoin: true } }, 401, "unauthenticated", /permissions denied/],
		["no roomCreate", "DeleteRoom", '{"room":"x"}', { grant: { roomList: true } }, 401, "unauthenticated", /permissions denied/],
		[
			"roomAdmin of another room",
			"ListParticipants",
			'{"room":"x"}',
			{ grant: { roomAdmin: true, room: "y" } },
			401,
			"unauthenticated",
			/permissions denied/,
		],
		["an unknown room", "DeleteRoom", '{"room":"x"}', {}, 404, "not_found", /requested room does not exist/],
		[
			"an unknown participant",
			"RemoveParticipant",
			'{"room":"x","identity":"i"}',
			{ grant: { roomAdmin: true, room: "x" } },
			404,
			"not_found",
			/participant does not exist/,
		],
		["no name", "CreateRoom", "{}", {}, 400, "invalid_argument", /room name/],
		["broken JSON", "CreateRoom", "{", {}, 400, "malformed", /./],
		["a method that is not there", "Nothing", "{}", {}, 404, "bad_route", /no handler for path.*Nothing/],
		["a property that is no method", "constructor", "{}", {}, 404, "bad_route", /constructor/],
		["egress", "CreateRoom", '{"name":"e","egress":{"room":{}}}', {}, 501, "unimplemented", /egress/],
		[
			"a nonce that is none",
			"SendData",
			'{"room":"x","nonce":"AAAA"}',
			{ grant: { roomAdmin: true, room: "x" } },
			400,
			"invalid_argument",
			/nonce should be 16-bytes or not present, got: 3 bytes/,
		],
		["another content type", "ListRooms", "{}", { contentType: "text/plain" }, 404, "bad_route", /Content-Type/],
		["GET", "ListRooms", "", { verb: "GET" }, 404, "bad_route", /POST/],
		["a huge body", "CreateRoom", JSON.stringify({ name: "x".repeat(1_100_000) }), {}, 429, "resource_exhausted", /too large/],
	] as const)("refuses %s", async (_what, method, body, options, status, code, message) => {
		const response = await call(method, body, options);
		expect([response.status, response.headers.get("content-type")]).toEqual([status, "application/json"]);
		expect(await response.json()).toEqual({ code, msg: expect.stringMatching(message) });
	});

	it("closes a room that nobody comes to", async () => {
		await call("CreateRoom", '{"name":"empty"}');
		expect(running.server.rooms().map((room) => room.name)).toContain("empty");
		await new Promise((resolve) => setTimeout(resolve, 120));
		expect(running.server.rooms().map((room) => room.name)).not.toContain("empty");
	});
});

describe("/rtc", () => {
	it.each([
		["/rtc/validate", 200, "success"],
		["/rtc/v1/validate", 400, "join_request is required"],
		["/rtc/v1/validate?join_request=AAAA", 400, "cannot decode join request"],
		["/rtc", 404, "not found"],
		["/rtc/v2", 404, "not found"],
	])("GET %s says %i %s", async (path, status, text) => {
		const response = await fetch(running.httpUrl + path, { headers: { authorization: `Bearer ${await token("alice")}` } });
		expect([response.status, await response.text()]).toEqual([status, text]);
	});

	it("leaves other paths to its host", async () => {
		const response = await fetch(`${running.httpUrl}/twirp/livekit.SIP/ListSIPInboundTrunk`, { method: "POST" });
		expect([response.status, await response.text()]).toEqual([404, "not here"]);
	});
});
