import {
	AddTrackRequest,
	JoinRequest,
	RequestResponse_Reason,
	SignalResponse,
	TrackSource,
	TrackType,
	WrappedJoinRequest,
} from "@livekit/protocol";
import { dispose, RoomEvent } from "@livekit/rtc-node";
import { afterAll, afterEach, beforeEach, expect, it } from "vitest";
import { WebSocket } from "ws";
import { join, nextEvent, publishTone, type RunningServer, startServer, subscribedTrack, token, until } from "./testing/harness.ts";
import { verifyToken } from "./tokens.ts";

let running: RunningServer;
beforeEach(async () => {
	running = await startServer();
});
afterEach(() => running.close());
afterAll(() => dispose());

const all = { canPublish: true, canSubscribe: true, canPublishData: true };

it("UpdateParticipant changes what somebody may do at once: tracks end, and what may be heard is heard", async () => {
	const alice = await join(running.url, "alice");
	const bob = await join(running.url, "bob", { grant: { canSubscribe: false } });
	const tone = await publishTone(alice, 440);
	await until(() => bob.remoteParticipants.get("alice")?.trackPublications.size === 1);
	await running.rooms.updateParticipant("lobby", "bob", { permission: all });
	await subscribedTrack(bob, "alice");
	const gone = nextEvent(bob, RoomEvent.TrackUnpublished);
	await running.rooms.updateParticipant("lobby", "alice", { permission: { ...all, canPublishSources: [TrackSource.CAMERA] } });
	await gone;
	await until(() => running.server.stats().tracks === 0);
	const left = nextEvent(bob, RoomEvent.ParticipantDisconnected);
	await running.rooms.updateParticipant("lobby", "alice", { permission: { ...all, hidden: true } });
	await left;
	expect((await running.rooms.listParticipants("lobby")).map(({ identity, permission }) => [identity, permission?.hidden])).toEqual(
		expect.arrayContaining([
			["alice", true],
			["bob", false],
		]),
	);
	await tone.stop();
	await Promise.all([alice.disconnect(), bob.disconnect()]);
});

/** What the server says first to a client that joins with this request. */
async function firstWords(jwt: string, request: JoinRequest, enough: (heard: SignalResponse["message"][]) => boolean) {
	const wrapped = Buffer.from(new WrappedJoinRequest({ joinRequest: request.toBinary() }).toBinary()).toString("base64url");
	const socket = new WebSocket(`${running.url}/rtc/v1?access_token=${jwt}&join_request=${wrapped}`);
	const heard: SignalResponse["message"][] = [];
	socket.on("message", (data) => heard.push(SignalResponse.fromBinary(data as Buffer).message));
	await until(() => enough(heard));
	socket.close();
	return heard;
}

it("a token with sources allows those alone", async () => {
	const jwt = await token("alice", { grant: { canPublishSources: [TrackSource.CAMERA] } });
	const request = new JoinRequest({
		addTrackRequests: [
			new AddTrackRequest({ cid: "voice", type: TrackType.AUDIO, source: TrackSource.MICROPHONE }),
			new AddTrackRequest({ cid: "face", type: TrackType.VIDEO, source: TrackSource.CAMERA }),
		],
	});
	const heard = await firstWords(jwt, request, (all) => all.some((message) => message.case === "trackPublished"));
	expect(heard.flatMap((message) => (message.case === "requestResponse" ? [message.value.reason] : []))).toEqual([
		RequestResponse_Reason.NOT_ALLOWED,
	]);
	expect(heard.flatMap((message) => (message.case === "trackPublished" ? [message.value.cid] : []))).toEqual(["face"]);
});

it("a client is given a new token with the same grants before its own expires", async () => {
	const jwt = await token("alice", { ttlSeconds: 5, metadata: "m", grant: { canPublishSources: [TrackSource.MICROPHONE], hidden: true } });
	const request = new JoinRequest({ connectionSettings: { autoSubscribe: true } });
	const heard = await firstWords(jwt, request, (all) => all.some((message) => message.case === "refreshToken"));
	const [refreshed = ""] = heard.flatMap((message) => (message.case === "refreshToken" ? [message.value] : []));
	const [before, after] = [await verifyToken(jwt, { devkey: "secret" }), await verifyToken(refreshed, { devkey: "secret" })];
	expect(after).toEqual({ ...before, expiresAt: expect.any(Number) });
	expect(after).toMatchObject({ ok: true, grants: { canPublishSources: [TrackSource.MICROPHONE], hidden: true, metadata: "m" } });
});
