// Copies SIP trunks and dispatch rules from one LiveKit-compatible API to another, with nothing but LiveKit's server SDK: from LiveKit SIP to
// Trunkline, or back. What is there already, by name and numbers, is left alone, so it can be run again.
//
//   FROM_URL=https://my.livekit.cloud FROM_API_KEY=… FROM_API_SECRET=… npm run example examples/import-trunks.mjs
//
// LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET name where they go; without them it is the API of `npm start`. No API gives passwords away
// reliably: PASSWORDS is a JSON file {"<trunk id there>": "<password>"} for trunks with a user name.
import { readFileSync } from "node:fs";
import {
	CreateSIPDispatchRuleRequest,
	CreateSIPInboundTrunkRequest,
	CreateSIPOutboundTrunkRequest,
	SIPDispatchRuleInfo,
} from "@livekit/protocol";
import { AccessToken, SipClient } from "livekit-server-sdk";

const { FROM_URL, FROM_API_KEY, FROM_API_SECRET, PASSWORDS } = process.env;
const { LIVEKIT_URL = "http://127.0.0.1:7880", LIVEKIT_API_KEY = "devkey", LIVEKIT_API_SECRET = "secret" } = process.env;
if (FROM_URL === undefined || FROM_API_KEY === undefined || FROM_API_SECRET === undefined) {
	console.error("usage: FROM_URL=… FROM_API_KEY=… FROM_API_SECRET=… npm run example examples/import-trunks.mjs");
	process.exit(2);
}

const http = (url) => url.replace(/^ws/, "http");
const from = new SipClient(http(FROM_URL), FROM_API_KEY, FROM_API_SECRET);
const to = new SipClient(http(LIVEKIT_URL), LIVEKIT_API_KEY, LIVEKIT_API_SECRET);
const passwords = PASSWORDS === undefined ? {} : JSON.parse(readFileSync(PASSWORDS, "utf8"));
/** id there → id here */
const ids = new Map();

await copyTrunks("inbound", await from.listSipInboundTrunk(), await to.listSipInboundTrunk(), CreateSIPInboundTrunkRequest);
await copyTrunks("outbound", await from.listSipOutboundTrunk(), await to.listSipOutboundTrunk(), CreateSIPOutboundTrunkRequest);
await copyRules(await from.listSipDispatchRule(), await to.listSipDispatchRule());

async function copyTrunks(kind, theirs, ours, Request) {
	const key = ({ name, numbers }) => JSON.stringify([name, [...numbers].sort()]);
	const there = new Map(ours.map((trunk) => [key(trunk), trunk.sipTrunkId]));
	for (const trunk of theirs) {
		const known = there.get(key(trunk));
		const id = trunk.sipTrunkId;
		if (known !== undefined) {
			ids.set(id, known);
			console.log(`${kind} trunk ${trunk.name}: is there`);
			continue;
		}
		const copy = trunk.clone();
		copy.sipTrunkId = "";
		copy.authPassword = passwords[id] ?? copy.authPassword;
		if (copy.authUsername !== "" && copy.authPassword === "") {
			console.error(`${kind} trunk ${trunk.name} (${id}): has a user name, and PASSWORDS has no password for it; left out`);
			process.exitCode = 1;
			continue;
		}
		const method = kind === "inbound" ? "CreateSIPInboundTrunk" : "CreateSIPOutboundTrunk";
		const made = await create(method, new Request({ trunk: copy }), `${kind} trunk ${trunk.name}`);
		if (made !== undefined) ids.set(id, made.sipTrunkId);
	}
}

async function copyRules(theirs, ours) {
	const names = new Set(ours.map(({ name }) => name));
	for (const rule of theirs) {
		const missing = rule.trunkIds.filter((id) => !ids.has(id));
		if (rule.name !== "" && names.has(rule.name)) {
			console.log(`rule ${rule.name}: is there`);
			continue;
		}
		if (missing.length > 0) {
			console.error(`rule ${rule.name}: its trunk ${missing.join(", ")} is not here; left out`);
			process.exitCode = 1;
			continue;
		}
		const copy = new SIPDispatchRuleInfo({ ...rule, sipDispatchRuleId: "", trunkIds: rule.trunkIds.map((id) => ids.get(id)) });
		await create("CreateSIPDispatchRule", new CreateSIPDispatchRuleRequest({ dispatchRule: copy }), `rule ${rule.name}`);
	}
}

/** The SDK's methods take some fields only; the requests themselves take all that the other side gave. */
async function create(method, message, what) {
	const token = new AccessToken(LIVEKIT_API_KEY, LIVEKIT_API_SECRET, { ttl: "1m" });
	token.addSIPGrant({ admin: true });
	const response = await fetch(`${http(LIVEKIT_URL)}/twirp/livekit.SIP/${method}`, {
		method: "POST",
		headers: { authorization: `Bearer ${await token.toJwt()}`, "content-type": "application/json" },
		body: message.toJsonString(),
	});
	const answer = await response.json();
	if (!response.ok) {
		console.error(`${what}: ${answer.msg}`);
		process.exitCode = 1;
		return undefined;
	}
	console.log(`${what}: made`);
	return { sipTrunkId: answer.sip_trunk_id ?? answer.sipTrunkId };
}
