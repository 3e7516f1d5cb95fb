// A voice agent that answers telephone calls in a room. The framework and the client are LiveKit's own; nothing here knows about telephony but the
// two tools, which are LiveKit's SIP API.
//
//   npm install                                   once, in this folder
//   node agent.mjs [room]                         (room: hello)
//
// LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET name the server; without them it is the one of `npm start`. TRANSFER_TO is where callers who
// ask for a human go.
import { initializeLogger, llm, voice } from "@livekit/agents";
import { dispose, Room, RoomEvent } from "@livekit/rtc-node";
import { AccessToken, RoomServiceClient, SipClient } from "livekit-server-sdk";
import * as z from "zod";
import { ScriptedEars, ScriptedModel, ScriptedVoice } from "./scripted.mjs";

const {
	LIVEKIT_URL = "ws://127.0.0.1:7880",
	LIVEKIT_API_KEY = "devkey",
	LIVEKIT_API_SECRET = "secret",
	TRANSFER_TO = "tel:+15550199",
} = process.env;
const roomName = process.argv[2] ?? "hello";
const http = LIVEKIT_URL.replace(/^ws/, "http");
const sip = new SipClient(http, LIVEKIT_API_KEY, LIVEKIT_API_SECRET);
const rooms = new RoomServiceClient(http, LIVEKIT_API_KEY, LIVEKIT_API_SECRET);

initializeLogger({ pretty: false, level: "warn" });
const room = new Room();
const say = (text) => console.log(text);

class Receptionist extends voice.Agent {
	constructor() {
		super({
			instructions: "You answer the telephone of a small shop. Be brief.",
			tools: {
				transferToHuman: llm.tool({
					description: "Transfers the caller to a human",
					parameters: z.object({}),
					execute: async () => {
						say(`tool: transfer to ${TRANSFER_TO}`);
						await sip.transferSipParticipant(roomName, caller(), TRANSFER_TO, { playDialtone: true });
						return "transferred";
					},
				}),
				hangUp: llm.tool({
					description: "Ends the call",
					parameters: z.object({}),
					execute: async () => {
						say("tool: hang up");
						await rooms.removeParticipant(roomName, caller());
						return "ended";
					},
				}),
			},
		});
	}

	async onEnter() {
		// The call is answered once there is somebody to hear, which is now; whatever is said before the answer nobody hears.
		await callers(() => telephone()?.attributes["sip.callStatus"] === "active");
		await this.session.say("Hello, this is the shop.");
	}
}

/** The participant that is a telephone. */
function telephone() {
	return [...room.remoteParticipants.values()].find((one) => one.attributes["sip.callID"] !== undefined);
}

function caller() {
	const one = telephone();
	if (one === undefined) throw new Error("nobody is on the telephone");
	return one.identity;
}

/** Resolves when this holds of whoever is in the room. */
function callers(hold) {
	return new Promise((resolve) => {
		const look = () => hold() && resolve();
		for (const event of [RoomEvent.ParticipantConnected, RoomEvent.ParticipantAttributesChanged]) room.on(event, look);
		look();
	});
}

const token = new AccessToken(LIVEKIT_API_KEY, LIVEKIT_API_SECRET, { identity: "receptionist", name: "Receptionist" });
token.kind = "agent";
token.addGrant({ roomJoin: true, room: roomName, canPublish: true, canSubscribe: true });
await room.connect(LIVEKIT_URL, await token.toJwt(), { autoSubscribe: true, dynacast: false });
say(`in the room "${roomName}"; waiting for calls. Ctrl-C leaves.`);

// Scripted, so that no key is needed. With keys: the plugins @livekit/agents-plugin-deepgram, -openai, -cartesia … in their places.
const session = new voice.AgentSession({
	stt: new ScriptedEars(["when do you open", "I want to talk to a human"]),
	llm: new ScriptedModel([
		{ when: /open/, say: "We open at nine." },
		{ when: /human/, call: "transferToHuman" },
		{ when: /goodbye/, call: "hangUp" },
	]),
	tts: new ScriptedVoice(),
	vad: null,
	turnHandling: { turnDetection: "stt", endpointing: { minDelay: 0, maxDelay: 0 } },
});
session.on(voice.AgentSessionEventTypes.UserInputTranscribed, ({ transcript, isFinal }) => isFinal && say(`caller: ${transcript}`));
session.on(
	voice.AgentSessionEventTypes.ConversationItemAdded,
	({ item }) => item.role === "assistant" && say(`agent: ${item.textContent}`),
);

await callers(() => telephone() !== undefined);
await session.start({ agent: new Receptionist(), room, inputOptions: { participantIdentity: caller(), closeOnDisconnect: true } });
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => void leave());
session.on(voice.AgentSessionEventTypes.Close, () => void leave());

async function leave() {
	await session.close();
	await room.disconnect();
	await dispose();
	say("the call is over");
	process.exit(0);
}
