// Warm transfer, with nothing but LiveKit's server SDK: the caller waits with music, the agent talks to a supervisor in a consult room, and then
// the supervisor's telephone joins the caller's room.
//
//   npm run phone -- sip:+15550100@127.0.0.1 --from +15551111                                               the caller
//   npm run phone -- --listen 5070 --answer                                                                  the supervisor
//   npm run example examples/greeter.mjs                                                                     the agent
//   npm run example examples/warm-transfer.mjs <room> <caller identity> <supervisor's number> <host:port>   such as
//   npm run example examples/warm-transfer.mjs hello sip_+15551111 +15550199 127.0.0.1:5070
//
// LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET name Trunkline's API; without them it is the one of `npm start`.
import { once } from "node:events";
import { AccessToken, RoomServiceClient, SipClient } from "livekit-server-sdk";

const { LIVEKIT_URL = "http://127.0.0.1:7880", LIVEKIT_API_KEY = "devkey", LIVEKIT_API_SECRET = "secret" } = process.env;
const [room, caller, number, address] = process.argv.slice(2);
if (room === undefined || caller === undefined || number === undefined || address === undefined) {
	console.error("usage: npm run example examples/warm-transfer.mjs <room> <caller identity> <supervisor's number> <host:port>");
	process.exit(2);
}

const url = LIVEKIT_URL.replace(/^ws/, "http");
const sip = new SipClient(url, LIVEKIT_API_KEY, LIVEKIT_API_SECRET);
const rooms = new RoomServiceClient(url, LIVEKIT_API_KEY, LIVEKIT_API_SECRET);
const consultRoom = `${room}-consult`;
const supervisor = `sip_${number}`;

// A real program creates its trunk once and keeps the id.
const trunk = await sip.createSipOutboundTrunk("examples/warm-transfer", address, ["+15550100"]);
try {
	// 1. The caller waits: he hears music, and nobody in his room hears him.
	const { attributes } = await rooms.getParticipant(room, caller);
	await hold(attributes["sip.callID"], true);
	console.log(`${caller} waits with music`);

	// 2. The supervisor is called into a room of its own, where the agent tells what it is about.
	await sip.createSipParticipant(trunk.sipTrunkId, number, consultRoom, {
		participantIdentity: supervisor,
		waitUntilAnswered: true,
		ringingTimeout: 30,
	});
	console.log(`${supervisor} is in "${consultRoom}"; join that room to talk, then press Enter`);
	// Without a keyboard (its end is seen at once) nobody has to be asked.
	await Promise.race([once(process.stdin.resume(), "data"), once(process.stdin, "end")]);

	// 3. The supervisor's telephone goes over to the caller's room, and the caller comes back.
	await rooms.moveParticipant(consultRoom, supervisor, room);
	await hold(attributes["sip.callID"], false);
	console.log(`${supervisor} and ${caller} are in "${room}" together`);
} catch (error) {
	console.error(`no transfer: ${error.message}`);
	process.exitCode = 1;
} finally {
	process.stdin.pause();
	await sip.deleteSipTrunk(trunk.sipTrunkId);
}

async function hold(callId, on) {
	const token = new AccessToken(LIVEKIT_API_KEY, LIVEKIT_API_SECRET, { ttl: 60 });
	token.addSIPGrant({ call: true });
	const response = await fetch(`${url}/v1/calls/${callId}/hold`, {
		method: "POST",
		headers: { authorization: `Bearer ${await token.toJwt()}`, "content-type": "application/json" },
		body: JSON.stringify({ on, music: "tune" }),
	});
	if (!response.ok) throw new Error((await response.json()).message);
}
