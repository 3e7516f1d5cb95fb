// The far side for somebody alone with a telephone: joins the room, greets each caller with a few notes, then repeats what the caller says a
// second later, and prints digits and what is known about the call. The client is LiveKit's own; nothing here knows about telephony.
//
//   npm run example examples/greeter.mjs [room]        (room: hello)
//
// LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET name the server; without them it is the one of `npm start`.
import {
	AudioFrame,
	AudioSource,
	AudioStream,
	dispose,
	LocalAudioTrack,
	ParticipantKind,
	Room,
	RoomEvent,
	TrackPublishOptions,
	TrackSource,
} from "@livekit/rtc-node";
import { AccessToken } from "livekit-server-sdk";

const { LIVEKIT_URL = "ws://127.0.0.1:7880", LIVEKIT_API_KEY = "devkey", LIVEKIT_API_SECRET = "secret" } = process.env;
const roomName = process.argv[2] ?? "hello";

const RATE = 48_000;
const FRAME = RATE / 100; // 10 ms
const ECHO_DELAY = RATE; // 1 s
const MELODY = notes([523.25, 659.25, 783.99, 1046.5], 0.22);

/** For each caller the samples that are still to be heard by the room: first the melody, then the caller's own voice. */
const waiting = new Map();
/** Fulfilled when the last samples are handed over. */
let speaking;

const room = new Room();
room.on(RoomEvent.ParticipantConnected, (participant) => tell(participant, "is calling", participant.attributes));
room.on(RoomEvent.ParticipantAttributesChanged, (changed, participant) => tell(participant, "changed", changed));
room.on(RoomEvent.DtmfReceived, (_code, digit, participant) => tell(participant, `pressed ${digit}`));
room.on(RoomEvent.ParticipantDisconnected, (participant) => {
	waiting.delete(participant.identity);
	tell(participant, "hung up");
});
room.on(RoomEvent.TrackSubscribed, (track, _publication, participant) => {
	if (participant.kind === ParticipantKind.SIP) void listen(track, participant.identity);
});
room.on(RoomEvent.Disconnected, () => {
	console.log("the room is gone");
	void leave(1);
});

const token = new AccessToken(LIVEKIT_API_KEY, LIVEKIT_API_SECRET, { identity: "greeter", name: "Greeter" });
token.addGrant({ roomJoin: true, room: roomName });
try {
	await room.connect(LIVEKIT_URL, await token.toJwt(), { autoSubscribe: true, dynacast: false });
} catch (error) {
	console.error(`cannot join the room "${roomName}" at ${LIVEKIT_URL}: ${error.message}. Is "npm start" running?`);
	process.exit(1);
}
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => void leave(0));
for (const participant of room.remoteParticipants.values()) tell(participant, "is here", participant.attributes);
console.log(`in the room "${roomName}"; waiting for calls. Ctrl-C leaves.`);
speaking = speak();
await speaking;

/** Queues what a caller says, after the melody and a second of silence. */
async function listen(track, identity) {
	const queue = [...MELODY, ...new Int16Array(ECHO_DELAY)];
	waiting.set(identity, queue);
	for await (const frame of new AudioStream(track, RATE, 1)) queue.push(...frame.data);
}

/** Publishes one track and feeds it, 10 ms at a time, with the sum of what is waiting; `captureFrame` keeps the pace. */
async function speak() {
	const source = new AudioSource(RATE, 1, 100);
	const track = LocalAudioTrack.createAudioTrack("greeter", source);
	const options = new TrackPublishOptions();
	options.source = TrackSource.SOURCE_MICROPHONE;
	await room.localParticipant.publishTrack(track, options);
	while (room.isConnected) {
		const mixed = new Int32Array(FRAME);
		for (const queue of waiting.values()) queue.splice(0, FRAME).forEach((sample, i) => (mixed[i] += sample));
		const data = Int16Array.from(mixed, (sample) => Math.max(-32_768, Math.min(32_767, sample)));
		await source.captureFrame(new AudioFrame(data, RATE, 1, FRAME)).catch(() => {});
	}
}

/** Each note rises and falls softly, like a syllable. */
function notes(frequencies, seconds) {
	const length = Math.round(seconds * RATE);
	return frequencies.flatMap((hz) =>
		Array.from({ length }, (_, i) => 8_000 * Math.sin((Math.PI * i) / length) * Math.sin((2 * Math.PI * hz * i) / RATE)),
	);
}

function tell({ identity, kind }, what, attributes = {}) {
	const details = Object.entries(attributes).map(([name, value]) => `\n    ${name} = ${value}`);
	console.log(`${identity}${kind === ParticipantKind.SIP ? "" : " (no telephone)"} ${what}${details.join("")}`);
}

async function leave(exitCode) {
	room.removeAllListeners(RoomEvent.Disconnected);
	await room.disconnect();
	await speaking; // a frame on its way when the client closes is reported as an error
	await dispose();
	process.exit(exitCode);
}
