import { CliError, EXIT } from "./errors.ts";

/** Where the API is, and who asks. */
export interface ServerAccess {
	url: string;
	apiKey: string;
	apiSecret: string;
}

/** The environment of this process: read here and nowhere else. */
export const environment = (): Readonly<Record<string, string | undefined>> => process.env;

const DEFAULT_URL = "http://127.0.0.1:7880";

/**
 * The server that a command is for: `--url`, TRUNKLINE_URL, or the one that `npm start` starts. Keys are TRUNKLINE_API_KEY and _SECRET, or LiveKit's names
 * of them. Those of `npm start` are used on this machine alone: another server must not be sent tokens of a key that everybody knows.
 */
export function serverAccess(option: string | undefined, env: Readonly<Record<string, string | undefined>>): ServerAccess {
	const url = serverUrl(option, env);
	if (!isOrigin(url)) {
		const field = option === undefined ? "TRUNKLINE_URL" : "--url";
		throw new CliError(`${field}: ${JSON.stringify(url)} is no URL of a server, such as ${DEFAULT_URL}`, EXIT.usage);
	}
	const apiKey = env["TRUNKLINE_API_KEY"] || env["LIVEKIT_API_KEY"];
	const apiSecret = env["TRUNKLINE_API_SECRET"] || env["LIVEKIT_API_SECRET"];
	if (apiKey !== undefined && apiSecret !== undefined) return { url, apiKey, apiSecret };
	if (apiKey !== undefined || apiSecret !== undefined)
		throw new CliError("the API key or its secret is missing: set both TRUNKLINE_API_KEY and TRUNKLINE_API_SECRET", EXIT.usage);
	if (!isLoopback(new URL(url).hostname))
		throw new CliError(`for ${url} the variables TRUNKLINE_API_KEY and TRUNKLINE_API_SECRET must be set`, EXIT.usage);
	return { url, apiKey: "devkey", apiSecret: "secret" };
}

/** Without what it needs to be used. */
export function serverUrl(option: string | undefined, env: Readonly<Record<string, string | undefined>>): string {
	return (option ?? (env["TRUNKLINE_URL"] || DEFAULT_URL)).replace(/^ws/, "http").replace(/\/+$/, "");
}

/** The API is at the root of its host; keys are not told in URLs. */
function isOrigin(url: string): boolean {
	if (!/^https?:\/\//.test(url) || !URL.canParse(url)) return false;
	const { username, password, pathname, search, hash } = new URL(url);
	return username + password + search + hash === "" && pathname === "/";
}

function isLoopback(host: string): boolean {
	return host === "localhost" || host === "[::1]" || /^127(?:\.\d{1,3}){3}$/.test(host);
}
