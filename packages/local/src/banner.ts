import type { LocalConfig } from "./config.ts";
import { DEMO_NUMBER, DEMO_ROOM } from "./seed.ts";

interface Running {
	httpPort: number;
	sipPort: number;
	/** unset: TLS is off */
	sipTlsPort?: number | undefined;
	/** the trunk and the rule of the first start are there */
	demo: boolean;
}

/** What a person sees after the start. `problem`: what is wrong with the outside LiveKit server. */
export function banner(config: LocalConfig, running: Running, problem?: string): string {
	const isOpen = !isLoopback(config.host);
	const shown = config.host === "0.0.0.0" || config.host === "::" ? config.advertisedAddress : config.host;
	const url = `http://${bracketed(shown)}:${running.httpPort}`;
	const sip = `${bracketed(config.advertisedAddress)}${running.sipPort === 5060 ? "" : `:${running.sipPort}`}`;
	const embedded = config.livekitUrl === undefined;
	const lines = [
		"",
		"  Trunkline is running.",
		"",
		`  API      ${url}    key ${config.apiKey}  secret ${config.apiSecret === "secret" ? "secret" : "(yours)"}`,
		`  Rooms    ${embedded ? `${url.replace("http", "ws")}  (embedded room server)` : config.livekitUrl}`,
		`  SIP      sip:${sip} (${running.sipTlsPort === undefined ? "UDP, TCP" : `UDP, TCP; TLS on port ${running.sipTlsPort}`}), audio on UDP ports ${config.rtpPortRange.join("-")}`,
		`  Data     ${config.dataDir}`,
		"",
		...(running.demo ? firstCall(sip) : [`  Call     sip:<number>@${sip}  from any SIP phone, with a number of one of your trunks`]),
		...(running.demo && embedded ? [`           be in the room   ${greeter(url.replace("http", "ws"))}`] : []),
		"  Stop     Ctrl-C",
		"",
	];
	if (isOpen && config.apiSecret === "secret")
		lines.push(`  Note     everyone who can reach ${bracketed(shown)} can use this API: the key and secret are the well-known ones.`, "");
	if (problem !== undefined) lines.push(`  Warning  ${problem}.`, "");
	return lines.join("\n");
}

function firstCall(sip: string): string[] {
	const uri = `sip:${DEMO_NUMBER}@${sip}`;
	return [
		`  Call     ${uri}  from any SIP phone; it is answered when somebody is in the room "${DEMO_ROOM}"`,
		`           be the caller    npm run phone -- ${quoted(uri)}`,
	];
}

/** The example looks for the server where it is by default. */
function greeter(rooms: string): string {
	const server = rooms === "ws://127.0.0.1:7880" ? "" : `LIVEKIT_URL=${quoted(rooms)} `;
	return `${server}npm run example examples/greeter.mjs`;
}

/** Shells take brackets for a pattern. */
const quoted = (uri: string): string => (uri.includes("[") ? `"${uri}"` : uri);

const isLoopback = (host: string): boolean => host.startsWith("127.") || host === "::1";

const bracketed = (host: string): string => (host.includes(":") ? `[${host}]` : host);
