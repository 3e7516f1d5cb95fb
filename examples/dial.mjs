// Calls a telephone from a room, with nothing but LiveKit's server SDK.
//
//   npm run example examples/dial.mjs <number> <host:port> [room]        (room: hello)
//
// For a telephone to call:  npm run phone -- --listen 5070 --answer
// and then:                 npm run example examples/dial.mjs +15550199 127.0.0.1:5070
//
// LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET name Trunkline's API; without them it is the one of `npm start`.
import { setTimeout as sleep } from "node:timers/promises";
import { RoomServiceClient, SipClient } from "livekit-server-sdk";

const { LIVEKIT_URL = "http://127.0.0.1:7880", LIVEKIT_API_KEY = "devkey", LIVEKIT_API_SECRET = "secret" } = process.env;
const [number, address, room = "hello"] = process.argv.slice(2);
if (number === undefined || address === undefined) {
	console.error("usage: npm run example examples/dial.mjs <number> <host:port> [room]");
	process.exit(2);
}

const url = LIVEKIT_URL.replace(/^ws/, "http");
const sip = new SipClient(url, LIVEKIT_API_KEY, LIVEKIT_API_SECRET);
const rooms = new RoomServiceClient(url, LIVEKIT_API_KEY, LIVEKIT_API_SECRET);
const identity = `sip_${number}`;

// A real program creates its trunk once and keeps the id.
const trunk = await sip.createSipOutboundTrunk("examples/dial", address, ["+15550100"]);
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => void hangUp());
try {
	console.log(`calling ${number} at ${address} …`);
	const call = await sip.createSipParticipant(trunk.sipTrunkId, number, room, {
		participantIdentity: identity,
		waitUntilAnswered: true,
		ringingTimeout: 30,
	});
	console.log(`answered: ${call.participantIdentity} is in the room "${room}", call ${call.sipCallId}. Ctrl-C hangs up.`);
	while (await isThere()) await sleep(500);
	console.log("the call is over");
} catch (error) {
	// What the telephone network said: SipCallError carries the SIP status, such as 486 Busy Here.
	console.error(`no call: ${error.message}`);
	if (error.sipStatusCode === 408) console.error(`nobody answered within 30 s; is a telephone listening at ${address}?`);
	process.exitCode = 1;
} finally {
	await sip.deleteSipTrunk(trunk.sipTrunkId);
}

async function isThere() {
	const participants = await rooms.listParticipants(room).catch(() => []); // an empty room is soon no room
	return participants.some((participant) => participant.identity === identity);
}

/** Removing the participant sends the BYE, or takes the call back while it rings. */
async function hangUp() {
	await rooms.removeParticipant(room, identity).catch(() => {});
}
