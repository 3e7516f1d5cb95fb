import { DisconnectReason, dispose, type Room, RoomEvent } from "@livekit/rtc-node";
import { TrackSource } from "@livekit/protocol";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import {
	join,
	listen,
	nextEvent,
	publishTone,
	type RunningServer,
	startServer,
	subscribedTrack,
	token,
	type ToneTrack,
	until,
} from "./testing/harness.ts";

// once for the whole file: the SDK does not start again after it
afterAll(() => dispose());

describe.each([
	["on one connection (/rtc/v1)", false],
	["on two connections (/rtc)", true],
])("unmodified rtc-node %s", (_path, twoConnections) => {
	let running: RunningServer;
	let joined: Room[] = [];
	let tones: ToneTrack[] = [];
	let roomNumber = 0;
	let room = "";

	beforeAll(async () => {
		running = await startServer({ departureTimeoutMs: 30 }, { onlyTwoConnections: twoConnections });
	});

	afterEach(async () => {
		await Promise.all(joined.map((each) => each.disconnect()));
		await Promise.all(tones.map((tone) => tone.stop()));
		joined = [];
		tones = [];
		await until(() => Object.values(running.server.stats()).every((count) => count === 0));
	});

	afterAll(() => running.close());

	async function enter(identity: string, options: Parameters<typeof join>[2] = {}): Promise<Room> {
		const entered = await join(running.url, identity, { room, ...options });
		joined.push(entered);
		return entered;
	}

	async function tone(from: Room, frequency: number): Promise<ToneTrack> {
		const track = await publishTone(from, frequency);
		tones.push(track);
		return track;
	}

	function newRoom(): void {
		room = `room-${++roomNumber}`;
	}

	it("joins in well under a second and two participants hear each other's tones at full level", async () => {
		newRoom();
		const started = performance.now();
		const alice = await enter("alice");
		expect(performance.now() - started).toBeLessThan(1_000);
		await tone(alice, 440);
		// bob comes when alice's track is there already; alice hears of bob's afterwards
		const bob = await enter("bob");
		await tone(bob, 900);
		const [atBob, atAlice] = await Promise.all([
			subscribedTrack(bob, "alice").then((track) => listen(track)),
			subscribedTrack(alice, "bob").then((track) => listen(track)),
		]);
		expect(atBob.frequency).toBeGreaterThan(434);
		expect(atBob.frequency).toBeLessThan(446);
		expect(atAlice.frequency).toBeGreaterThan(890);
		expect(atAlice.frequency).toBeLessThan(910);
		// amplitude 8000 is an rms of 5657; Opus keeps it within 1 dB
		for (const { rms } of [atBob, atAlice]) {
			expect(rms).toBeGreaterThan(5657 * 0.89);
			expect(rms).toBeLessThan(5657 * 1.12);
		}
		expect(running.server.stats()).toEqual({ rooms: 1, participants: 2, peerConnections: 2, tracks: 2 });
	});

	it("carries five participants' tracks to a sixth, more than the first offer has places for", async () => {
		newRoom();
		const listener = await enter("listener");
		const frequencies = [300, 500, 700, 900, 1100];
		const speakers = await Promise.all(frequencies.map((frequency) => enter(`speaker-${frequency}`)));
		await Promise.all(speakers.map((speaker, i) => tone(speaker, frequencies[i] ?? 0)));
		const heard = await Promise.all(
			frequencies.map((frequency) => subscribedTrack(listener, `speaker-${frequency}`).then((track) => listen(track))),
		);
		heard.forEach(({ frequency, rms }, i) => {
			expect(Math.abs(frequency - (frequencies[i] ?? 0))).toBeLessThan(10);
			expect(rms).toBeGreaterThan(5000);
		});
		expect(running.server.stats()).toEqual({ rooms: 1, participants: 6, peerConnections: 6, tracks: 5 });
	});

	it("ends a track for listeners when it is unpublished and gives its place to the next one", async () => {
		newRoom();
		const alice = await enter("alice");
		const bob = await enter("bob");
		const first = await tone(alice, 440);
		await subscribedTrack(bob, "alice");
		const unsubscribed = nextEvent(bob, RoomEvent.TrackUnsubscribed);
		await alice.localParticipant?.unpublishTrack(first.publication.sid ?? "");
		await unsubscribed;
		await until(() => running.server.stats().tracks === 0);
		await tone(alice, 660);
		const heard = await listen(await subscribedTrack(bob, "alice"));
		expect(Math.abs(heard.frequency - 660)).toBeLessThan(8);
	});

	it("is silent for listeners once the server has muted a track, and does not open it again", async () => {
		newRoom();
		const alice = await enter("alice");
		const bob = await enter("bob");
		const { publication, track } = await tone(alice, 440);
		const remote = await subscribedTrack(bob, "alice");
		expect((await listen(remote)).rms).toBeGreaterThan(5000);
		const muted = nextEvent(bob, RoomEvent.TrackMuted);
		await running.rooms.mutePublishedTrack(room, "alice", publication.sid ?? "", true);
		await muted;
		expect((await listen(remote)).rms).toBeLessThan(300);
		await until(() => track.muted);
		await expect(running.rooms.mutePublishedTrack(room, "alice", publication.sid ?? "", false)).rejects.toMatchObject({
			code: "failed_precondition",
		});
	});

	it("shows names, metadata, attributes and kind, and their changes", async () => {
		newRoom();
		const alice = await enter("alice", {
			name: "Alice",
			metadata: "first",
			attributes: { language: "en" },
			kind: "agent",
			grant: { canUpdateOwnMetadata: true },
		});
		const bob = await enter("bob");
		const seen = bob.remoteParticipants.get("alice");
		expect([seen?.name, seen?.metadata, seen?.attributes, seen?.kind]).toEqual(["Alice", "first", { language: "en" }, 4]);
		await alice.localParticipant?.setAttributes({ language: "", mood: "good" });
		await alice.localParticipant?.updateMetadata("second");
		await alice.localParticipant?.updateName("Alicia");
		// rtc-node tells of each kind of change on its own, in no order between them
		await until(() => seen?.name === "Alicia" && seen.metadata === "second" && seen.attributes["mood"] === "good");
		expect([seen?.metadata, seen?.attributes]).toEqual(["second", { mood: "good" }]);
		// without the grant the server says no; this SDK's call resolves all the same
		await bob.localParticipant?.updateMetadata("mine");
		expect((await running.rooms.getParticipant(room, "bob")).metadata).toBe("");
	});

	it("carries data packets and DTMF, to all or to those named, under the sender's own name", async () => {
		newRoom();
		const [alice, bob, carol] = [await enter("alice"), await enter("bob"), await enter("carol")];
		const received: string[] = [];
		for (const [name, who] of [
			["bob", bob],
			["carol", carol],
		] as const) {
			who.on(RoomEvent.DataReceived, (payload, participant, _kind, topic) =>
				received.push(`${name}: ${new TextDecoder().decode(payload)} from ${participant?.identity} about ${topic}`),
			);
			who.on(RoomEvent.DtmfReceived, (code, digit, participant) => received.push(`${name}: ${digit} ${code} from ${participant.identity}`));
		}
		const text = new TextEncoder();
		await alice.localParticipant?.publishData(text.encode("one"), { reliable: true, topic: "greeting" });
		await alice.localParticipant?.publishData(text.encode("two"), { reliable: true, topic: "secret", destination_identities: ["bob"] });
		await alice.localParticipant?.publishDtmf(11, "#");
		await until(() => received.length === 5);
		expect(received.sort()).toEqual([
			"bob: # 11 from alice",
			"bob: one from alice about greeting",
			"bob: two from alice about secret",
			"carol: # 11 from alice",
			"carol: one from alice about greeting",
		]);
		received.length = 0;
		await alice.localParticipant?.publishData(text.encode("three"), { reliable: false });
		await until(() => received.length === 2);
	});

	it("sends no data from a participant that may not", async () => {
		newRoom();
		const alice = await enter("alice", { grant: { canPublishData: false } });
		const bob = await enter("bob");
		const received: unknown[] = [];
		bob.on(RoomEvent.DataReceived, (payload) => received.push(payload));
		await alice.localParticipant?.publishData(new TextEncoder().encode("x"), { reliable: true });
		await running.rooms.sendData(room, new TextEncoder().encode("marker"), 0, { topic: "t" });
		await until(() => received.length > 0);
		expect(received.map((payload) => new TextDecoder().decode(payload as Uint8Array))).toEqual(["marker"]);
	});

	it("puts the older participant of an identity out when the identity joins again", async () => {
		newRoom();
		const witness = await enter("witness");
		const older = await enter("alice");
		const ended = nextEvent(older, RoomEvent.Disconnected);
		const newer = await enter("alice");
		expect(await ended).toEqual([DisconnectReason.DUPLICATE_IDENTITY]);
		expect(newer.isConnected).toBe(true);
		await until(() => witness.remoteParticipants.get("alice")?.sid === newer.localParticipant?.sid);
		expect(running.server.stats().participants).toBe(2);
	});

	it("tells who speaks", async () => {
		newRoom();
		const [alice, bob] = [await enter("alice"), await enter("bob")];
		const speaking = nextEvent(bob, RoomEvent.ActiveSpeakersChanged);
		await tone(alice, 440);
		const [speakers] = (await speaking) as [{ identity: string }[]];
		expect(speakers.map((speaker) => speaker.identity)).toEqual(["alice"]);
	});

	it.each([
		["a wrong secret", { secret: "another" }, /401|invalid token/],
		["an expired token", { ttlSeconds: -3600 }, /401|expired/],
		["no roomJoin", { grant: { roomJoin: false } }, /401|permission/],
	])("refuses %s", async (_what, options, message) => {
		newRoom();
		await expect(enter("alice", options)).rejects.toThrow(message);
		const validated = await fetch(`${running.httpUrl}/rtc/validate?access_token=${await token("alice", { room, ...options })}`);
		expect(validated.status).toBe(401);
		expect(running.server.stats().rooms).toBe(0);
	});

	it("RoomService lists, changes, mutes, removes and deletes", async () => {
		newRoom();
		const service = running.rooms;
		const created = await service.createRoom({ name: room, metadata: "made", emptyTimeout: 60 });
		expect([created.name, created.metadata, created.emptyTimeout]).toEqual([room, "made", 60]);
		const [alice, bob] = [await enter("alice"), await enter("bob")];
		const tones = await tone(alice, 440);
		const remote = await subscribedTrack(bob, "alice");
		const [listed] = await service.listRooms([room]);
		expect([listed?.sid, listed?.numParticipants, listed?.numPublishers]).toEqual([created.sid, 2, 1]);
		const participants = await service.listParticipants(room);
		expect(participants.map((each) => each.identity).sort()).toEqual(["alice", "bob"]);
		const info = await service.getParticipant(room, "alice");
		expect(info.tracks.map((track) => [track.sid, track.mimeType, track.source])).toEqual([
			[tones.publication.sid, "audio/opus", TrackSource.MICROPHONE],
		]);

		await service.updateParticipant(room, "alice", { metadata: "changed", attributes: { a: "1" } });
		await until(
			() => bob.remoteParticipants.get("alice")?.metadata === "changed" && bob.remoteParticipants.get("alice")?.attributes["a"] === "1",
		);
		await service.updateRoomMetadata(room, "new");
		await until(() => bob.metadata === "new");
		await service.mutePublishedTrack(room, "alice", tones.publication.sid ?? "", true);
		await until(() => bob.remoteParticipants.get("alice")?.trackPublications.get(remote.sid ?? "")?.muted);

		const removed = nextEvent(alice, RoomEvent.Disconnected);
		const left = nextEvent(bob, RoomEvent.ParticipantDisconnected);
		await service.removeParticipant(room, "alice");
		expect(await removed).toEqual([DisconnectReason.PARTICIPANT_REMOVED]);
		expect((await left)[0]).toMatchObject({ identity: "alice" });
		await expect(service.getParticipant(room, "alice")).rejects.toMatchObject({ code: "not_found", message: "participant does not exist" });

		const deleted = nextEvent(bob, RoomEvent.Disconnected);
		await service.deleteRoom(room);
		expect(await deleted).toEqual([DisconnectReason.ROOM_DELETED]);
		await expect(service.deleteRoom(room)).rejects.toMatchObject({ code: "not_found" });
	});
});
