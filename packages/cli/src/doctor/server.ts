import { AccessToken } from "livekit-server-sdk";
import type { ServerAccess } from "../config.ts";
import { reasonOf } from "../server.ts";
import { type Finding, ok, warning, wrong } from "./finding.ts";

const WITHIN_MS = 5_000;
/** Tokens say when they were made; servers forgive about a minute. */
const MAX_SKEW_MS = 30_000;

interface Asked {
	status: number;
	/** how much this machine's clock is ahead of the server's, ms; unset = it does not say */
	aheadMs?: number;
}

/** The API: does it answer, does it know the key, is the clock right? `isUp`: no check of free ports makes sense then. */
export async function checkApi(access: ServerAccess): Promise<{ isUp: boolean; findings: Finding[] }> {
	const { url } = access;
	try {
		const asked = await ask(`${url}/v1/calls?limit=1`, { ...access, grant: "sip" });
		const findings = [keyFinding("API", asked.status, url), ...clockFinding("clock", asked, url)];
		return { isUp: true, findings };
	} catch (error) {
		const found = `nothing answers at ${url}: ${reasonOf(error)}`;
		return {
			isUp: false,
			findings: [warning("API", found, 'Start it with "npm start", or name another server with --url or TRUNKLINE_URL.')],
		};
	}
}

/** The LiveKit server of the environment. */
export async function checkLivekit(access: ServerAccess): Promise<Finding[]> {
	const url = access.url.replace(/^ws/, "http").replace(/\/+$/, "");
	try {
		const asked = await ask(`${url}/twirp/livekit.RoomService/ListRooms`, { ...access, grant: "rooms" });
		return [keyFinding("LiveKit", asked.status, url), ...clockFinding("LiveKit's clock", asked, url)];
	} catch (error) {
		const todo = "Check LIVEKIT_URL, that the server runs, and that this machine may reach it by HTTPS.";
		return [wrong("LiveKit", `nothing answers at ${url}: ${reasonOf(error)}`, todo)];
	}
}

async function ask(url: string, { apiKey, apiSecret, grant }: ServerAccess & { grant: "sip" | "rooms" }): Promise<Asked> {
	const token = new AccessToken(apiKey, apiSecret, { ttl: 60 });
	if (grant === "sip") token.addSIPGrant({ admin: true });
	else token.addGrant({ roomList: true });
	const body = grant === "rooms" ? { method: "POST", body: "{}" } : {};
	const headers = { authorization: `Bearer ${await token.toJwt()}`, "content-type": "application/json" };
	const response = await fetch(url, { ...body, headers, redirect: "manual", signal: AbortSignal.timeout(WITHIN_MS) });
	await response.body?.cancel();
	const date = Date.parse(response.headers.get("date") ?? "");
	return { status: response.status, ...(Number.isNaN(date) ? {} : { aheadMs: Date.now() - date }) };
}

function keyFinding(check: string, status: number, url: string): Finding {
	if (status === 200) return ok(check, `${url} answers and knows the key`);
	if (status === 401 || status === 403)
		return wrong(
			check,
			`${url} answers, and does not accept the API key`,
			"Set key and secret to those of that server; a clock that is wrong has the same effect.",
		);
	return wrong(check, `${url} answers with HTTP ${status}, as no such server does`, "Check the URL: something else answers there.");
}

function clockFinding(check: string, { aheadMs }: Asked, url: string): Finding[] {
	if (aheadMs === undefined) return [];
	const seconds = Math.round(Math.abs(aheadMs) / 1000);
	// The header has whole seconds.
	if (Math.abs(aheadMs) <= MAX_SKEW_MS) return [ok(check, `within ${Math.max(1, seconds)} s of ${url}`)];
	const found = `this machine's clock is ${seconds} s ${aheadMs > 0 ? "ahead of" : "behind"} that of ${url}`;
	return [
		wrong(check, found, "Let both set their clocks by NTP: access tokens are refused when they seem to be of the past or the future."),
	];
}
