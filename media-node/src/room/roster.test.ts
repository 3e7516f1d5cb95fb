import {
	DisconnectReason,
	LeaveRequest,
	ParticipantInfo,
	ParticipantInfo_Kind,
	ParticipantInfo_State,
	TrackInfo,
	TrackType,
} from "@livekit/protocol";
import { describe, expect, it } from "vitest";
import { closeReason, participantKind } from "./protocol-map.ts";
import { Roster } from "./roster.ts";

const track = (sid: string, muted = false, type = TrackType.AUDIO) => new TrackInfo({ sid, muted, type });
const info = (sid: string, identity: string, fields: ConstructorParameters<typeof ParticipantInfo>[0] = {}) =>
	new ParticipantInfo({ sid, identity, state: ParticipantInfo_State.ACTIVE, version: 1, ...fields });
const alice = { sid: "PA_1", identity: "alice", kind: "standard" } as const;

describe("the roster", () => {
	it("tells of others and their audio tracks, not of ourselves and not of video", () => {
		const roster = new Roster("me");
		const tracks = [track("TR_a"), track("TR_v", false, TrackType.VIDEO)];
		expect(roster.apply([info("PA_0", "me", { tracks: [track("TR_me")] }), info("PA_1", "alice", { tracks })])).toEqual([
			{ type: "joined", participant: alice },
			{ type: "track-added", trackSid: "TR_a", participant: alice },
		]);
		expect(roster.participants()).toEqual([alice]);
		expect(roster.ownerOf("TR_a")).toEqual(alice);
		expect(roster.ownerOf("TR_me")).toBeUndefined();
		expect(roster.ownerOf("TR_v")).toBeUndefined();
	});

	it("tells mutes, removed tracks and who left once", () => {
		const roster = new Roster("me");
		roster.apply([info("PA_1", "alice", { tracks: [track("TR_a"), track("TR_b")] })]);
		expect(roster.apply([info("PA_1", "alice", { version: 2, tracks: [track("TR_a", true)] })])).toEqual([
			{ type: "track-removed", trackSid: "TR_b" },
			{ type: "track-muted", trackSid: "TR_a", muted: true },
		]);
		expect(roster.isMuted("TR_a")).toBe(true);
		const left = info("PA_1", "alice", { version: 3, state: ParticipantInfo_State.DISCONNECTED });
		expect(roster.apply([left])).toEqual([
			{ type: "track-removed", trackSid: "TR_a" },
			{ type: "left", participant: alice },
		]);
		expect(roster.apply([left])).toEqual([]);
		expect(roster.participants()).toEqual([]);
	});

	it("ignores an update that is older than what is known", () => {
		const roster = new Roster("me");
		roster.apply([info("PA_1", "alice", { version: 5, tracks: [track("TR_a")] })]);
		expect(roster.apply([info("PA_1", "alice", { version: 4, tracks: [] })])).toEqual([]);
		expect(roster.ownerOf("TR_a")).toEqual(alice);
	});

	it("takes the same identity under a new SID for somebody who left and came again", () => {
		const roster = new Roster("me");
		roster.apply([info("PA_1", "alice")]);
		expect(roster.apply([info("PA_2", "alice")])).toEqual([
			{ type: "left", participant: alice },
			{ type: "joined", participant: { ...alice, sid: "PA_2" } },
		]);
		// the old one's departure, told late, is no news
		expect(roster.apply([info("PA_1", "alice", { version: 9, state: ParticipantInfo_State.DISCONNECTED })])).toEqual([]);
	});
});

it.each([
	[DisconnectReason.PARTICIPANT_REMOVED, "removed"],
	[DisconnectReason.ROOM_DELETED, "room-deleted"],
	[DisconnectReason.ROOM_CLOSED, "room-closed"],
	[DisconnectReason.DUPLICATE_IDENTITY, "duplicate-identity"],
	[DisconnectReason.SERVER_SHUTDOWN, "server-shutdown"],
	[DisconnectReason.JOIN_FAILURE, "join-failed"],
	[DisconnectReason.CLIENT_INITIATED, "client"],
	[DisconnectReason.STATE_MISMATCH, "connection-lost"],
	[DisconnectReason.UNKNOWN_REASON, "connection-lost"],
] as const)("leave reason %s is %s", (reason, expected) => {
	expect(closeReason(new LeaveRequest({ reason }))).toBe(expected);
});

it.each([
	[ParticipantInfo_Kind.STANDARD, "standard"],
	[ParticipantInfo_Kind.INGRESS, "ingress"],
	[ParticipantInfo_Kind.EGRESS, "egress"],
	[ParticipantInfo_Kind.SIP, "sip"],
	[ParticipantInfo_Kind.AGENT, "agent"],
	[ParticipantInfo_Kind.CONNECTOR, "other"],
	[99 as ParticipantInfo_Kind, "other"],
] as const)("participant kind %s is %s", (kind, expected) => {
	expect(participantKind(kind)).toBe(expected);
});
