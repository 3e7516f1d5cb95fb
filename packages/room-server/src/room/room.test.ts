import {
	DataPacket,
	DisconnectReason,
	ParticipantInfo_State,
	SipDTMF,
	SubscriptionPermission,
	TrackInfo,
	UserPacket,
} from "@livekit/protocol";
import { describe, expect, it } from "vitest";
import { AudioSource } from "../media/audio-source.ts";
import type { Grants } from "../tokens.ts";
import { Participant, type ParticipantLink, type PublishedTrack, type SignalMessage } from "./participant.ts";
import { Room } from "./room.ts";
import { Rooms } from "./rooms.ts";

/** Writes down what the room does to a participant. */
class RecordingLink implements ParticipantLink {
	readonly messages: SignalMessage[] = [];
	readonly log: string[] = [];
	readonly data: DataPacket[] = [];
	newTokens = 0;

	send(message: SignalMessage): void {
		this.messages.push(message);
	}
	subscribe(track: PublishedTrack): void {
		this.log.push(`+${track.info.sid}`);
	}
	unsubscribe(trackSid: string): void {
		this.log.push(`-${trackSid}`);
	}
	sendData(kind: string, packet: Uint8Array): void {
		this.log.push(kind);
		this.data.push(DataPacket.fromBinary(packet));
	}
	disconnect(reason: DisconnectReason): void {
		this.log.push(`out: ${DisconnectReason[reason]}`);
	}
	claimsChanged(): void {
		this.newTokens++;
	}
	moved(room: string, token: string): void {
		this.log.push(`moved: ${room} with ${token}`);
	}
	async tokenFor(room: string): Promise<string> {
		return `token for ${room}`;
	}
	performRpc(): Promise<string> {
		throw new Error("not here");
	}

	/** + and - with the track, of each word about what this participant may subscribe to */
	allowed(): string[] {
		return this.messages.flatMap((message) =>
			message.case === "subscriptionPermissionUpdate" ? [`${message.value.allowed ? "+" : "-"}${message.value.trackSid}`] : [],
		);
	}

	/** identity:state:number of tracks, of every participant update */
	updates(): string[] {
		return this.messages.flatMap((message) =>
			message.case === "update"
				? message.value.participants.map((info) => `${info.identity}:${ParticipantInfo_State[info.state]}:${info.tracks.length}`)
				: [],
		);
	}
}

const everything: Grants = {
	identity: "",
	name: "",
	metadata: "",
	attributes: {},
	kind: "standard",
	room: "lobby",
	roomJoin: true,
	roomCreate: false,
	roomList: false,
	roomAdmin: false,
	canPublish: true,
	canSubscribe: true,
	canPublishData: true,
	canPublishSources: [],
	canUpdateOwnMetadata: false,
	hidden: false,
	destinationRoom: "",
};

function newRoom(maxParticipants = 0): Room {
	return new Room({ name: "lobby", maxParticipants, emptyTimeoutMs: 1000, departureTimeoutMs: 1000, createdAt: 1_700_000_000_123 });
}

function enter(
	room: Room,
	identity: string,
	options: { grants?: Partial<Grants>; autoSubscribe?: boolean; active?: boolean } = {},
): { participant: Participant; link: RecordingLink } {
	const link = new RecordingLink();
	const grants = { ...everything, identity, ...options.grants };
	const participant = new Participant({
		grants,
		link,
		joinedAt: 1_700_000_000_000,
		autoSubscribe: options.autoSubscribe ?? true,
		clientProtocol: 0,
	});
	room.join(participant);
	room.subscribeToExisting(participant);
	if (options.active !== false) room.activate(participant);
	return { participant, link };
}

function publish(room: Room, publisher: Participant, sid: string): PublishedTrack {
	const track: PublishedTrack = { info: new TrackInfo({ sid }), publisher, source: new AudioSource(), subscribedOnce: false };
	room.publish(track);
	return track;
}

describe("who sees and hears whom", () => {
	it("others see and hear a participant from the moment it is connected, not before", () => {
		const room = newRoom();
		const alice = enter(room, "alice");
		const bob = enter(room, "bob", { active: false });
		publish(room, bob.participant, "TR_b");
		expect(alice.link.updates()).toEqual(["alice:ACTIVE:0"]);
		expect(alice.link.log).toEqual([]);
		expect(room.othersSeenBy(alice.participant)).toEqual([]);
		room.activate(bob.participant);
		expect(alice.link.updates()).toEqual(["alice:ACTIVE:0", "bob:ACTIVE:1"]);
		expect(alice.link.log).toEqual(["+TR_b"]);
		expect(bob.link.messages.filter((message) => message.case === "trackSubscribed")).toHaveLength(1);
	});

	it("a newcomer hears what is there, and a leaver is gone for all", () => {
		const room = newRoom();
		const alice = enter(room, "alice");
		publish(room, alice.participant, "TR_a");
		const bob = enter(room, "bob");
		const carol = enter(room, "carol", { autoSubscribe: false });
		expect(bob.link.log).toEqual(["+TR_a"]);
		room.setSubscribed(carol.participant, ["TR_a", "TR_unknown"], true);
		expect(carol.link.log).toEqual(["+TR_a"]);
		room.leave(alice.participant, DisconnectReason.CLIENT_INITIATED);
		room.leave(alice.participant, DisconnectReason.CLIENT_INITIATED);
		expect(bob.link.log).toEqual(["+TR_a", "-TR_a"]);
		expect(carol.link.log).toEqual(["+TR_a", "-TR_a"]);
		expect(bob.link.updates().filter((update) => update.startsWith("alice"))).toEqual(["alice:DISCONNECTED:0"]);
		expect([room.size, room.trackCount]).toEqual([2, 0]);
		// the publisher is told of the first subscription only
		expect(alice.link.messages.filter((message) => message.case === "trackSubscribed")).toHaveLength(1);
	});

	it("a publisher that says who may subscribe is obeyed at once, by those who come later, and in what it publishes later", () => {
		const room = newRoom();
		const alice = enter(room, "alice");
		publish(room, alice.participant, "TR_1");
		const [bob, carol] = [enter(room, "bob"), enter(room, "carol")];
		const recorder = enter(room, "recorder", { grants: { kind: "egress" } });
		const only = (...trackPermissions: { participantIdentity: string; allTracks?: boolean; trackSids?: string[] }[]): void =>
			room.setSubscribers(alice.participant, new SubscriptionPermission({ trackPermissions }));
		only({ participantIdentity: "bob", trackSids: ["TR_1"] });
		const dan = enter(room, "dan");
		publish(room, alice.participant, "TR_2");
		room.setSubscribed(carol.participant, ["TR_1", "TR_2"], true);
		expect([bob, carol, dan, recorder].map(({ link }) => link.log)).toEqual([["+TR_1"], ["+TR_1", "-TR_1"], [], ["+TR_1", "+TR_2"]]);
		expect([bob, carol, dan].map(({ link }) => link.allowed())).toEqual([["-TR_2"], ["-TR_1", "-TR_2"], ["-TR_1", "-TR_2"]]);
		// Who has said meanwhile that it does not want a track is not given it.
		room.setSubscribed(dan.participant, ["TR_2"], false);
		only({ participantIdentity: "carol", allTracks: true }, { participantIdentity: "dan", allTracks: true });
		expect([bob, carol, dan].map(({ link }) => link.log)).toEqual([["+TR_1", "-TR_1"], ["+TR_1", "-TR_1", "+TR_1", "+TR_2"], ["+TR_1"]]);
		room.setSubscribers(alice.participant, new SubscriptionPermission({ allParticipants: true }));
		expect(bob.link.log).toEqual(["+TR_1", "-TR_1", "+TR_1", "+TR_2"]);
		// What is not understood changes nothing.
		room.setSubscribers(alice.participant, new SubscriptionPermission({ trackPermissions: [{ allTracks: true }] }));
		expect(bob.participant.subscriptions).toEqual(new Set(["TR_1", "TR_2"]));
		only();
		room.leave(alice.participant, DisconnectReason.CLIENT_INITIATED);
		expect([bob, carol, dan].map(({ participant }) => [participant.subscriptions.size, participant.withheld.size])).toEqual([
			[0, 0],
			[0, 0],
			[0, 0],
		]);
	});

	it("who may not subscribe hears nothing; who is hidden is not seen", () => {
		const room = newRoom();
		const deaf = enter(room, "deaf", { grants: { canSubscribe: false } });
		const spy = enter(room, "spy", { grants: { hidden: true } });
		const alice = enter(room, "alice");
		publish(room, alice.participant, "TR_a");
		expect(deaf.link.log).toEqual([]);
		expect(spy.link.log).toEqual(["+TR_a"]);
		expect(room.othersSeenBy(alice.participant).map((other) => other.identity)).toEqual(["deaf"]);
		room.leave(spy.participant, DisconnectReason.CLIENT_INITIATED);
		expect([...alice.link.updates(), ...deaf.link.updates()].filter((update) => update.startsWith("spy"))).toEqual([]);
		enter(room, "agent", { grants: { kind: "agent" } });
		expect(room.toInfo().numParticipants).toBe(2);
	});

	it("the same identity again puts the older one out, also in a full room", () => {
		const room = newRoom(2);
		const older = enter(room, "alice");
		const bob = enter(room, "bob");
		expect([room.hasPlaceFor("carol"), room.hasPlaceFor("alice")]).toEqual([false, true]);
		const newer = enter(room, "alice");
		expect(older.link.log).toEqual(["out: DUPLICATE_IDENTITY"]);
		expect(room.participant("alice")).toBe(newer.participant);
		expect(bob.link.updates().slice(-2)).toEqual(["alice:DISCONNECTED:0", "alice:ACTIVE:0"]);
		// the older connection ends late: it must not take the newer one along
		room.leave(older.participant, DisconnectReason.SIGNAL_CLOSE);
		expect(room.size).toBe(2);
	});

	it("closing puts everybody out with the reason", () => {
		const room = newRoom();
		const [alice, bob] = [enter(room, "alice"), enter(room, "bob")];
		room.close(DisconnectReason.ROOM_DELETED);
		expect([alice.link.log, bob.link.log, room.size]).toEqual([["out: ROOM_DELETED"], ["out: ROOM_DELETED"], 0]);
	});
});

describe("data", () => {
	it("goes to all others or to those named, in the sender's name whatever the packet says", () => {
		const room = newRoom();
		const [alice, bob, carol] = [enter(room, "alice"), enter(room, "bob"), enter(room, "carol")];
		const waiting = enter(room, "waiting", { active: false });
		const forged = new DataPacket({
			participantIdentity: "bob",
			participantSid: "PA_x",
			sequence: 7,
			value: { case: "sipDtmf", value: new SipDTMF({ code: 5, digit: "5" }) },
		});
		room.relayData(alice.participant, forged, "reliable");
		expect([alice.link.log, bob.link.log, carol.link.log, waiting.link.log]).toEqual([[], ["reliable"], ["reliable"], []]);
		expect(bob.link.data[0]).toMatchObject({
			participantIdentity: "alice",
			participantSid: alice.participant.sid,
			sequence: 7,
			value: { case: "sipDtmf", value: { code: 5, digit: "5" } },
		});

		room.relayData(
			alice.participant,
			new DataPacket({ destinationIdentities: ["carol"], value: { case: "user", value: new UserPacket({ topic: "t" }) } }),
			"lossy",
		);
		expect([bob.link.log.length, carol.link.log]).toEqual([1, ["reliable", "lossy"]]);
		expect(carol.link.data[1]?.value.value).toMatchObject({ participantIdentity: "alice", topic: "t" });

		room.relayData(
			undefined,
			new DataPacket({ value: { case: "user", value: new UserPacket({ destinationSids: [bob.participant.sid] }) } }),
			"reliable",
		);
		expect([alice.link.log.length, bob.link.log.length, carol.link.log.length]).toEqual([0, 2, 2]);
	});
});

describe("the name on a data packet", () => {
	const header = (participantIdentity: string): DataPacket =>
		new DataPacket({
			participantIdentity,
			value: { case: "streamHeader", value: { contentHeader: { case: "textHeader", value: {} } } },
		});

	it("is an agent's to choose for what it writes down, and nobody else's; who is hidden has none", () => {
		const room = newRoom();
		const [bob, agent] = [enter(room, "bob"), enter(room, "agent", { grants: { kind: "agent" } })];
		const [alice, hidden] = [enter(room, "alice"), enter(room, "hidden", { grants: { hidden: true } })];
		room.relayData(agent.participant, header("alice"), "reliable");
		room.relayData(agent.participant, header(""), "reliable");
		room.relayData(alice.participant, header("agent"), "reliable");
		room.relayData(hidden.participant, header("hidden"), "reliable");
		const dtmf = new DataPacket({ participantIdentity: "alice", value: { case: "sipDtmf", value: new SipDTMF({ digit: "5" }) } });
		room.relayData(agent.participant, dtmf, "reliable");
		expect(bob.link.data.map(({ participantIdentity }) => participantIdentity)).toEqual(["alice", "agent", "alice", "", "agent"]);
		const headers = bob.link.data.flatMap(({ value }) => (value.case === "streamHeader" ? [value.value.contentHeader.value] : []));
		expect(headers.map((each) => each !== undefined && "generated" in each && each.generated)).toEqual([true, false, false, false]);
	});
});

describe("changes", () => {
	it("of a participant reach everybody with a higher version", () => {
		const room = newRoom();
		const [alice, bob] = [enter(room, "alice", { grants: { attributes: { a: "1", b: "2" } } }), enter(room, "bob")];
		const before = alice.participant.toInfo().version;
		room.updateParticipant(alice.participant, { name: "A", metadata: "", attributes: { a: "", c: "3" } });
		for (const { link } of [alice, bob]) {
			const last = link.messages.at(-1);
			expect(last?.case === "update" && last.value.participants[0]).toMatchObject({
				identity: "alice",
				name: "A",
				attributes: { b: "2", c: "3" },
				version: before + 1,
			});
		}
	});

	it("of a track by the server reach the publisher, too", () => {
		const room = newRoom();
		const [alice, bob] = [enter(room, "alice"), enter(room, "bob")];
		const track = publish(room, alice.participant, "TR_a");
		room.setMuted(track, true, true);
		expect(track.source.muted).toBe(true);
		expect(alice.link.messages.some((message) => message.case === "mute" && message.value.muted && message.value.sid === "TR_a")).toBe(
			true,
		);
		const last = bob.link.messages.at(-1);
		expect(last?.case === "update" && last.value.participants[0]?.tracks[0]?.muted).toBe(true);
	});
});

describe("a move", () => {
	it("ends what is heard in the first room and takes along what is published", () => {
		const told: string[] = [];
		const rooms = new Rooms({
			emptyTimeoutMs: 60_000,
			departureTimeoutMs: 60_000,
			now: () => 0,
			onEvent: ({ event, room, participant }) => told.push(`${event} ${room.name} ${participant?.identity ?? ""}`.trim()),
		});
		const [first, second] = [rooms.getOrCreate({ name: "first" }), rooms.getOrCreate({ name: "second" })];
		const [alice, bob] = [enter(first, "alice"), enter(first, "bob")];
		const [carol, older] = [enter(second, "carol"), enter(second, "alice")];
		publish(first, alice.participant, "TR_a");
		publish(first, bob.participant, "TR_b");
		publish(second, carol.participant, "TR_c");
		const before = [alice.link.log.length, bob.link.log.length, carol.link.log.length];
		told.length = 0;
		rooms.move(alice.participant, first, second, "token");
		expect(alice.link.log.slice(before[0])).toEqual(["-TR_b", "moved: second with token", "+TR_c"]);
		expect(bob.link.log.slice(before[1])).toEqual(["-TR_a"]);
		expect(carol.link.log.slice(before[2])).toEqual(["+TR_a"]);
		expect(older.link.log).toContain("out: DUPLICATE_IDENTITY");
		expect([first.participants(), second.participants()].map((all) => all.map(({ identity }) => identity))).toEqual([
			["bob"],
			["carol", "alice"],
		]);
		expect([...alice.participant.subscriptions, alice.participant.claims().room]).toEqual(["TR_c", "second"]);
		expect(told).toEqual([
			"track_unpublished first alice",
			"participant_left first alice",
			"participant_left second alice",
			"participant_joined second alice",
			"track_published second alice",
		]);
		rooms.close(DisconnectReason.SERVER_SHUTDOWN);
	});
});
