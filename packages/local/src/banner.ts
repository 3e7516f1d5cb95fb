import type { LocalConfig } from "./config.ts";

export interface Running {
	httpPort: number;
	sipPort: number;
	seeded: boolean;
}

/** What a person sees after the start. */
export function banner(config: LocalConfig, running: Running): string {
	const shown = config.host === "0.0.0.0" || config.host === "::" ? config.advertisedAddress : config.host;
	const url = `http://${bracketed(shown)}:${running.httpPort}`;
	const sip = `${bracketed(config.advertisedAddress)}${running.sipPort === 5060 ? "" : `:${running.sipPort}`}`;
	const rooms = config.livekitUrl === undefined ? `${url.replace("http", "ws")}  (embedded room server)` : config.livekitUrl;
	const lines = [
		"",
		"  Trunkline is running.",
		"",
		`  API      ${url}    key ${config.apiKey}  secret ${config.livekitUrl === undefined ? config.apiSecret : "(yours)"}`,
		`  Rooms    ${rooms}`,
		`  SIP      sip:${sip} (UDP), audio on UDP ports ${config.rtpPortRange.join("-")}`,
		`  Data     ${config.dataDir}`,
		"",
		`  Call     sip:+15550100@${sip}  from any SIP phone; you reach the room "${DEMO_ROOM}"${running.seeded ? "" : " unless you changed the first trunk or rule"}`,
		`           no phone at hand?  npm run phone -- "sip:+15550100@${sip}"`,
		"  Stop     Ctrl-C",
		"",
	];
	if (!isLoopback(config.host) && config.apiSecret === "secret") {
		lines.push(`  Note     everyone who can reach ${bracketed(shown)} can use this API: the key and secret are the well-known ones.`, "");
	}
	return lines.join("\n");
}

export const DEMO_ROOM = "hello";

const isLoopback = (host: string): boolean => host.startsWith("127.") || host === "::1";

const bracketed = (host: string): string => (host.includes(":") ? `[${host}]` : host);
