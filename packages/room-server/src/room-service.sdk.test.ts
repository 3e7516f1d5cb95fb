// Every method of RoomServiceClient, through the unmodified SDK, with participants who see what it does. With LIVEKIT_URL (and its key devkey, secret
// "secret") the same table runs against a LiveKit server; what it has not, or answers otherwise, is in `differs`.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { DataPacketKind, DisconnectReason, dispose, type Room, RoomEvent } from "@livekit/rtc-node";
import { DataPacket_Kind, ParticipantInfo_Kind, TrackSource } from "@livekit/protocol";
import { AccessToken, RoomServiceClient, type TwirpError, type VideoGrant } from "livekit-server-sdk";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { join, listen, nextEvent, publishTone, startServer, subscribedTrack, type ToneTrack, until } from "./testing/harness.ts";

const outside = process.env["LIVEKIT_URL"];
const differs = { noMoves: outside !== undefined };

let url = "";
let service: RoomServiceClient;
let close: () => Promise<void> = async () => undefined;
let joined: Room[] = [];
let tones: ToneTrack[] = [];
let number = 0;
let room = "";

beforeAll(async () => {
	if (outside === undefined) {
		const running = await startServer({ departureTimeoutMs: 30 });
		({ url, rooms: service } = running);
		close = () => running.close();
	} else {
		url = outside;
		service = new RoomServiceClient(outside.replace(/^ws/, "http"), "devkey", "secret");
	}
});
afterEach(async () => {
	await Promise.all(joined.map((each) => each.disconnect()));
	await Promise.all(tones.map((tone) => tone.stop()));
	[joined, tones] = [[], []];
});
afterAll(async () => {
	await close();
	await dispose();
});

interface Step {
	/** the method of RoomServiceClient */
	method: string;
	/** does it, and looks at what participants see of it */
	effect(): Promise<void>;
	/** with these grants alone it may be done */
	grant(room: string): VideoGrant;
	/** a request that would do it, for the Twirp route */
	request(room: string): Record<string, unknown>;
	/** about a room or a participant that is not there: answers other than not_found are said here */
	unknown?: "nothing" | "empty";
}

const admin = (of: string): VideoGrant => ({ roomAdmin: true, room: of });
const onlyAt = (of: string): Record<string, unknown> => ({ room: of, identity: "nobody" });

async function enter(identity: string, options: Parameters<typeof join>[2] = {}): Promise<Room> {
	const entered = await join(url, identity, { room, ...options });
	joined.push(entered);
	return entered;
}

async function tone(from: Room, frequency: number): Promise<ToneTrack> {
	const track = await publishTone(from, frequency);
	tones.push(track);
	return track;
}

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const bytes = (words: string): Uint8Array => new TextEncoder().encode(words);

const steps: Step[] = [
	{
		method: "createRoom",
		async effect() {
			const made = await service.createRoom({
				name: room,
				emptyTimeout: 33,
				departureTimeout: 12,
				maxParticipants: 1,
				metadata: "made",
				minPlayoutDelay: 100,
				maxPlayoutDelay: 200,
				syncStreams: true,
			});
			const settings = { name: room, emptyTimeout: 33, departureTimeout: 12, maxParticipants: 1, metadata: "made" };
			expect(made).toMatchObject({ ...settings, sid: expect.stringMatching(/^RM_/), numParticipants: 0 });
			expect(Math.abs(Number(made.creationTimeMs) - Date.now())).toBeLessThan(5_000);
			// once more: it is as it was
			expect(await service.createRoom({ name: room, metadata: "other", maxParticipants: 7 })).toMatchObject({ ...settings, sid: made.sid });
			const alice = await enter("alice");
			expect(alice.metadata).toBe("made");
			await expect(enter("bob")).rejects.toThrow(outside === undefined ? /403 Forbidden - room is full/ : /500/);
		},
		grant: () => ({ roomCreate: true }),
		request: (of) => ({ name: of }),
		unknown: "nothing",
	},
	{
		method: "listRooms",
		async effect() {
			const [first, second] = [room, `${room}-b`];
			await service.createRoom({ name: first });
			await service.createRoom({ name: second });
			const alice = await enter("alice");
			await enter("hidden", { grant: { hidden: true } });
			await enter("agent", { kind: "agent" });
			await tone(alice, 440);
			await until(async () => (await service.listRooms([first]))[0]?.numPublishers === 1);
			const all = (await service.listRooms()).map(({ name }) => name);
			expect(all).toEqual(expect.arrayContaining([first, second]));
			expect((await service.listRooms([second, "nowhere"])).map(({ name }) => name)).toEqual([second]);
			expect((await service.listRooms([first]))[0]).toMatchObject({ numParticipants: 2, numPublishers: 1 });
			await service.deleteRoom(second);
		},
		grant: () => ({ roomList: true }),
		request: () => ({ names: ["nowhere"] }),
		unknown: "empty",
	},
	{
		method: "deleteRoom",
		async effect() {
			const alice = await enter("alice");
			const deleted = nextEvent(alice, RoomEvent.Disconnected);
			await service.deleteRoom(room);
			expect(await deleted).toEqual([DisconnectReason.ROOM_DELETED]);
			await until(async () => (await service.listRooms([room])).length === 0);
		},
		grant: () => ({ roomCreate: true }),
		request: (of) => ({ room: of }),
	},
	{
		method: "updateRoomMetadata",
		async effect() {
			const alice = await enter("alice");
			expect(await service.updateRoomMetadata(room, "new")).toMatchObject({ name: room, metadata: "new" });
			await until(() => alice.metadata === "new");
		},
		grant: admin,
		request: (of) => ({ room: of, metadata: "m" }),
	},
	{
		method: "listParticipants",
		async effect() {
			await enter("alice", { name: "Alice", metadata: "m", attributes: { a: "1" } });
			await enter("agent", { kind: "agent" });
			await until(async () => (await service.listParticipants(room)).every(({ state }) => state === 2));
			const listed = (await service.listParticipants(room)).sort((a, b) => a.identity.localeCompare(b.identity));
			expect(listed).toMatchObject([
				{ identity: "agent", kind: ParticipantInfo_Kind.AGENT },
				{ identity: "alice", name: "Alice", metadata: "m", attributes: { a: "1" }, kind: ParticipantInfo_Kind.STANDARD },
			]);
		},
		grant: admin,
		request: (of) => ({ room: of }),
		unknown: "empty",
	},
	{
		method: "getParticipant",
		async effect() {
			const alice = await enter("alice");
			const { publication } = await tone(alice, 440);
			const info = await until(async () => {
				const found = await service.getParticipant(room, "alice");
				return found.tracks.length === 1 && found;
			});
			expect(info).toMatchObject({
				sid: alice.localParticipant?.sid,
				isPublisher: true,
				permission: { canPublish: true, canSubscribe: true, canPublishData: true, hidden: false },
				tracks: [{ sid: publication.sid, source: TrackSource.MICROPHONE, muted: false, name: "tone" }],
			});
		},
		grant: admin,
		request: onlyAt,
	},
	{
		method: "removeParticipant",
		async effect() {
			const [alice, bob] = [await enter("alice"), await enter("bob")];
			const removed = nextEvent(alice, RoomEvent.Disconnected);
			const left = nextEvent(bob, RoomEvent.ParticipantDisconnected);
			await service.removeParticipant(room, "alice", { revokeTokenTs: 0n });
			expect(await removed).toEqual([DisconnectReason.PARTICIPANT_REMOVED]);
			expect((await left)[0]).toMatchObject({ identity: "alice" });
		},
		grant: admin,
		request: onlyAt,
	},
	{
		method: "forwardParticipant",
		async effect() {
			await enter("alice");
			// as LiveKit's own server, which has a code of its own for that
			await expect(service.forwardParticipant(room, "alice", `${room}-b`)).rejects.toMatchObject({
				code: expect.stringMatching(/^(unimplemented|unknown)$/),
				message: expect.stringMatching(/not implemented/),
			});
			await expect(service.forwardParticipant(room, "alice", room)).rejects.toMatchObject({ code: "invalid_argument" });
		},
		grant: (of) => ({ ...admin(of), destinationRoom: "d" }),
		request: (of) => ({ ...onlyAt(of), destination_room: "d" }),
	},
	{
		method: "moveParticipant",
		async effect() {
			const other = `${room}-b`;
			await expect(service.moveParticipant(room, "alice", room)).rejects.toMatchObject({ code: "invalid_argument" });
			if (differs.noMoves) {
				await enter("alice");
				await expect(service.moveParticipant(room, "alice", other)).rejects.toMatchObject({
					code: "unknown",
					message: expect.stringMatching(/not implemented/),
				});
				return;
			}
			const [alice, bob, carol] = [await enter("alice"), await enter("bob"), await enter("carol", { room: other })];
			await Promise.all([tone(alice, 440), tone(bob, 600), tone(carol, 900)]);
			expect(Math.round((await listen(await subscribedTrack(alice, "bob"))).frequency / 20)).toBe(30);
			const [moved, left] = [nextEvent(alice, RoomEvent.Moved), nextEvent(bob, RoomEvent.ParticipantDisconnected)];
			await service.moveParticipant(room, "alice", other);
			await moved;
			expect((await left)[0]).toMatchObject({ identity: "alice" });
			expect((await service.listParticipants(room)).map(({ identity }) => identity)).toEqual(["bob"]);
			const [atAlice, atCarol] = await Promise.all([
				subscribedTrack(alice, "carol").then((track) => listen(track)),
				subscribedTrack(carol, "alice").then((track) => listen(track)),
			]);
			expect([Math.round(atAlice.frequency / 20), Math.round(atCarol.frequency / 20)]).toEqual([45, 22]);
			expect([...alice.remoteParticipants.keys()]).toEqual(["carol"]);
			// and back
			await service.moveParticipant(other, "alice", room);
			expect(Math.round((await listen(await subscribedTrack(bob, "alice"))).frequency / 20)).toBe(22);
			await until(() => !carol.remoteParticipants.has("alice"));
		},
		grant: (of) => ({ ...admin(of), destinationRoom: "d" }),
		request: (of) => ({ ...onlyAt(of), destination_room: "d" }),
	},
	{
		method: "mutePublishedTrack",
		async effect() {
			const [alice, bob] = [await enter("alice"), await enter("bob")];
			const { publication } = await tone(alice, 440);
			const remote = await subscribedTrack(bob, "alice");
			expect((await listen(remote)).rms).toBeGreaterThan(5000);
			const muted = nextEvent(bob, RoomEvent.TrackMuted);
			const sid = publication.sid ?? "";
			expect(await service.mutePublishedTrack(room, "alice", sid, true)).toMatchObject({ sid, muted: true });
			await muted;
			expect((await listen(remote)).rms).toBeLessThan(300);
			await expect(service.mutePublishedTrack(room, "alice", sid, false)).rejects.toMatchObject({ code: "failed_precondition" });
			expect(await service.mutePublishedTrack(room, "alice", "TR_unknown", true)).toBeUndefined();
		},
		grant: admin,
		request: (of) => ({ ...onlyAt(of), track_sid: "TR_unknown", muted: true }),
	},
	{
		method: "updateParticipant",
		async effect() {
			const alice = await enter("alice", { attributes: { gone: "1", kept: "2" } });
			const bob = await enter("bob");
			const info = await service.updateParticipant(room, "alice", {
				metadata: "m",
				name: "Alicia",
				attributes: { gone: "", new: "3" },
				permission: { canPublish: false, canSubscribe: true, canPublishData: true },
			});
			const changed = { metadata: "m", name: "Alicia", attributes: { kept: "2", new: "3" } };
			expect(info).toMatchObject({ ...changed, permission: { canPublish: false, canPublishData: true } });
			const seen = bob.remoteParticipants.get("alice");
			await until(() => seen?.metadata === "m" && seen.name === "Alicia" && seen.attributes["new"] === "3");
			expect(seen?.attributes).toEqual(changed.attributes);
			await until(() => alice.localParticipant?.metadata === "m");
			// what it does not say stays; the older form of the call
			await service.updateParticipant(room, "alice", "n");
			await until(() => seen?.metadata === "n");
			expect([seen?.name, seen?.attributes]).toEqual(["Alicia", changed.attributes]);
		},
		grant: admin,
		request: onlyAt,
	},
	{
		method: "updateSubscriptions",
		async effect() {
			const [alice, bob] = [await enter("alice"), await enter("bob")];
			const { publication } = await tone(alice, 440);
			const remote = await subscribedTrack(bob, "alice");
			expect((await listen(remote)).rms).toBeGreaterThan(5000);
			// of what the server does rtc-node tells nothing until the next track is there: there is just no more sound
			await service.updateSubscriptions(room, "bob", [publication.sid ?? ""], false);
			expect(await Promise.race([listen(remote, 1_000), new Promise((resolve) => setTimeout(resolve, 2_500, "nothing"))])).toBe("nothing");
			const again = nextEvent(bob, RoomEvent.TrackSubscribed);
			await service.updateSubscriptions(room, "bob", [publication.sid ?? "", "TR_unknown"], true);
			await again;
			expect(Math.round((await listen(await subscribedTrack(bob, "alice"))).frequency / 20)).toBe(22);
		},
		grant: admin,
		request: onlyAt,
	},
	{
		method: "sendData",
		async effect() {
			const [alice, bob] = [await enter("alice"), await enter("bob")];
			const received: string[] = [];
			for (const [name, who] of Object.entries({ alice, bob })) {
				who.on(RoomEvent.DataReceived, (payload, from, kind, topic) =>
					received.push(
						`${name}: ${text(payload)} from ${from?.identity} ${kind === DataPacketKind.KIND_RELIABLE ? "reliably" : "perhaps"} about ${topic}`,
					),
				);
			}
			await service.sendData(room, bytes("all"), DataPacket_Kind.RELIABLE, { topic: "t" });
			await service.sendData(room, bytes("one"), DataPacket_Kind.RELIABLE, { topic: "t", destinationIdentities: ["bob"] });
			const [sid] = (await service.listParticipants(room)).flatMap((each) => (each.identity === "alice" ? [each.sid] : []));
			await service.sendData(room, bytes("sid"), DataPacket_Kind.RELIABLE, [sid ?? ""]);
			// lossy packets go once their channel is up
			await until(async () => {
				await service.sendData(room, bytes("lossy"), DataPacket_Kind.LOSSY, { topic: "l" });
				return received.filter((line) => line.includes("lossy")).length >= 2;
			});
			await until(() => received.filter((line) => !line.includes("lossy")).length === 4);
			expect(received.filter((line) => !line.includes("lossy")).sort()).toEqual([
				"alice: all from undefined reliably about t",
				expect.stringMatching(/^alice: sid from undefined reliably/),
				"bob: all from undefined reliably about t",
				"bob: one from undefined reliably about t",
			]);
			expect(received.find((line) => line.includes("lossy"))).toMatch(/perhaps about l$/);
			// a request that came twice, as its nonce tells
			const nonce = Buffer.alloc(16, 7).toString("base64");
			const twice = { room, data: Buffer.from("twice").toString("base64"), kind: "RELIABLE", nonce };
			expect((await post("SendData", twice, admin(room))).status).toBe(200);
			expect((await post("SendData", twice, admin(room))).status).toBe(200);
			await service.sendData(room, bytes("end"), DataPacket_Kind.RELIABLE, {});
			await until(() => received.filter((line) => line.includes(": end ")).length === 2);
			expect(received.filter((line) => line.includes("twice")).length).toBe(2);
		},
		grant: admin,
		request: (of) => ({ room: of, data: "AAAA" }),
	},
	{
		// not in this version of the SDK
		method: "performRpc",
		async effect() {
			const alice = await enter("alice");
			alice.localParticipant?.registerRpcMethod("greet", async ({ payload }) => `hello ${payload}`);
			const call = async (method: string, more = {}): Promise<{ status: number; body: Record<string, unknown> }> => {
				const answer = await post("PerformRpc", { room, destination_identity: "alice", method, payload: "you", ...more }, admin(room));
				return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
			};
			expect(await call("greet")).toEqual({ status: 200, body: { payload: "hello you" } });
			const [unknown, tooLong] = [await call("unknown"), await call("greet", { payload: "x".repeat(16_000) })];
			// LiveKit's server loses an answer that comes without an acknowledgement
			if (outside === undefined)
				expect(unknown).toMatchObject({ status: 400, body: { code: "invalid_argument", msg: expect.stringMatching(/1400/) } });
			expect([tooLong.status, tooLong.body["msg"]]).toEqual([400, expect.stringMatching(/1402/)]);

			expect(await call("greet", { destination_identity: "" })).toMatchObject({ status: 400, body: { code: "invalid_argument" } });
		},
		grant: admin,
		request: (of) => ({ room: of, destination_identity: "nobody", method: "m" }),
	},
];

async function post(method: string, body: unknown, grant: VideoGrant | undefined, secret = "secret"): Promise<Response> {
	const token = new AccessToken("devkey", secret, { identity: "api" });
	if (grant !== undefined) token.addGrant(grant);
	const authorization = grant === undefined ? {} : { authorization: `Bearer ${await token.toJwt()}` };
	return fetch(`${url.replace(/^ws/, "http")}/twirp/livekit.RoomService/${method}`, {
		method: "POST",
		headers: { "content-type": "application/json", ...authorization },
		body: JSON.stringify(body),
	});
}

const twirpName = (method: string): string => (method[0] ?? "").toUpperCase() + method.slice(1);

it("the table has every method of the SDK's client", () => {
	const declared = readFileSync(
		createRequire(import.meta.url)
			.resolve("livekit-server-sdk")
			.replace(/index\.\w+$/, "RoomServiceClient.d.ts"),
	);
	const methods = new Set([...declared.toString().matchAll(/^ {4}(\w+)\(.*\): Promise/gm)].map(([, name]) => name));
	expect(methods.size).toBeGreaterThan(10);
	expect(steps.map(({ method }) => method)).toEqual(expect.arrayContaining([...methods]));
});

describe.each(steps)("$method", ({ method, effect, grant, request, unknown }) => {
	it("does what it says, as participants see it", async () => {
		expect.hasAssertions();
		room = `service-${++number}-${method}`;
		await effect();
	});

	it("needs its grant, for its room", async () => {
		const at = `grants-${method}`;
		for (const wrong of [undefined, { roomJoin: true, room: at }, admin("another"), withoutOne(grant(at))]) {
			const refused = await post(twirpName(method), request(at), wrong);
			expect([refused.status, await refused.json()]).toMatchObject([401, { code: "unauthenticated", msg: "permissions denied" }]);
		}
		const forged = await post(twirpName(method), request(at), grant(at), "another secret");
		expect([forged.status, await forged.text()]).toEqual([401, expect.stringMatching(/invalid token/)]);
	});

	it("of what is not there, says so", async () => {
		const at = `nowhere-${method}`;
		const answer = await post(twirpName(method), request(at), grant(at));
		const body = (await answer.json()) as Partial<TwirpError>;
		if (unknown === "nothing") expect(answer.status).toBe(200);
		else if (unknown === "empty") expect([answer.status, Object.values(body)]).toEqual([200, [[]]]);
		// a LiveKit server finds nobody to ask, and says `unavailable` of some
		else if (outside !== undefined) expect(body.code).toMatch(/^(not_found|unavailable)$/);
		else expect([answer.status, body]).toMatchObject([404, { code: "not_found" }]);
	});
});

/** The grants but the last of them: enough for something else. */
function withoutOne(grant: VideoGrant): VideoGrant {
	return Object.fromEntries(Object.entries(grant).slice(0, -1));
}
