// Makes an inbound and an outbound trunk and names their provider, with LiveKit's server SDK and one request that its protocol has no place for.
//
//   npm run example examples/provider.mjs <provider> <your number> <address of the provider>
//   npm run example examples/provider.mjs twilio +15550124 acme.pstn.twilio.com
//
// LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET name Trunkline's API; without them it is the one of `npm start`.
import { AccessToken, SipClient } from "livekit-server-sdk";

const { LIVEKIT_URL = "http://127.0.0.1:7880", LIVEKIT_API_KEY = "devkey", LIVEKIT_API_SECRET = "secret" } = process.env;
const [provider, number, address] = process.argv.slice(2);
if (provider === undefined || number === undefined || address === undefined) {
	console.error("usage: npm run example examples/provider.mjs <provider> <your number> <address of the provider>");
	process.exit(2);
}

const url = LIVEKIT_URL.replace(/^ws/, "http");
const sip = new SipClient(url, LIVEKIT_API_KEY, LIVEKIT_API_SECRET);
const token = new AccessToken(LIVEKIT_API_KEY, LIVEKIT_API_SECRET, { ttl: "10m" });
token.addSIPGrant({ admin: true });
const authorization = `Bearer ${await token.toJwt()}`;

const outbound = await sip.createSipOutboundTrunk(`${provider} out`, address, [number]);
const before = await settings("GET", outbound.sipTrunkId);
if (before.suggestedProvider !== undefined) console.log(`${address} is a host of ${before.suggestedProvider}`);
const inbound = await sip.createSipInboundTrunk(`${provider} in`, [number]).catch(async ({ message }) => {
	await sip.deleteSipTrunk(outbound.sipTrunkId);
	console.error(`no inbound trunk for ${number}: ${message}`);
	process.exit(1);
});
for (const { sipTrunkId, name } of [outbound, inbound]) {
	const { effective, accepts, warnings } = await settings("PUT", sipTrunkId, { provider });
	console.log(`${sipTrunkId} (${name}): numbers ${effective.uri.numbers}, transfers to ${effective.refer.host}`);
	if (accepts !== undefined)
		console.log(`  accepts calls from ${accepts.networks.length === 0 ? "anywhere" : accepts.networks.join(", ")}`);
	for (const warning of warnings) console.log(`  ${warning}`);
}
console.log(`\ncurl ${url}/v1/trunks/${inbound.sipTrunkId}/settings -H "Authorization: ${authorization}"`);

async function settings(method, trunkId, body) {
	const response = await fetch(`${url}/v1/trunks/${trunkId}/settings`, {
		method,
		headers: { authorization },
		...(body === undefined ? {} : { body: JSON.stringify(body) }),
	});
	const answer = await response.json();
	if (response.ok) return answer;
	await sip.deleteSipTrunk(trunkId);
	console.error(`${provider} cannot be the provider of ${trunkId}: ${answer.message}`);
	process.exit(1);
}
