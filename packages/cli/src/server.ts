import { AccessToken, SipClient, TwirpError } from "livekit-server-sdk";
import type { ServerAccess } from "./config.ts";
import { CliError, EXIT } from "./errors.ts";

const WITHIN_MS = 15_000;

/** The API: LiveKit's part by LiveKit's own client, /v1 by fetch. */
export class Server {
	readonly access: ServerAccess;
	readonly sip: SipClient;

	constructor(access: ServerAccess) {
		this.access = access;
		this.sip = new SipClient(access.url, access.apiKey, access.apiSecret);
	}

	async get<T>(path: string): Promise<T> {
		return (await (await this.request("GET", path)).json()) as T;
	}

	async send<T>(method: "POST" | "PUT" | "DELETE", path: string, body?: unknown): Promise<T> {
		return (await (await this.request(method, path, body)).json()) as T;
	}

	/** Throws CliError with what the server says. */
	async request(method: string, path: string, body?: unknown): Promise<Response> {
		const { url } = this.access;
		let response: Response;
		try {
			response = await fetch(`${url}${path}`, {
				method,
				headers: { authorization: `Bearer ${await this.#token()}`, ...(body === undefined ? {} : { "content-type": "application/json" }) },
				...(body === undefined ? {} : { body: JSON.stringify(body) }),
				redirect: "error",
				signal: AbortSignal.timeout(WITHIN_MS),
			});
		} catch (error) {
			throw unreachable(url, error);
		}
		if (response.ok) return response;
		const text = await response.text();
		const said = saidBy(text, response.status);
		throw new CliError(response.status === 401 ? refusedKey(url, said) : said, response.status === 401 ? EXIT.server : EXIT.failed);
	}

	async #token(): Promise<string> {
		const token = new AccessToken(this.access.apiKey, this.access.apiSecret, { ttl: 60 });
		token.addSIPGrant({ admin: true, call: true });
		return token.toJwt();
	}
}

function saidBy(text: string, status: number): string {
	try {
		const { message, msg } = JSON.parse(text) as { message?: string; msg?: string };
		const said = message ?? msg;
		if (said !== undefined) return said;
	} catch {
		// Something else than the API answers there.
	}
	return `the server answered HTTP ${status}`;
}

const refusedKey = (url: string, said: string): string => `${url} does not accept the API key: ${said}`;

/** Whatever a command threw, for its user. Rethrows what is a fault of ours. */
export function asCliError(error: unknown, url: string): CliError {
	if (error instanceof CliError) return error;
	if (error instanceof TwirpError) {
		if (error.status === 401) return new CliError(refusedKey(url, error.message), EXIT.server, { cause: error });
		return new CliError(error.message.replace(/^twirp error \w+: /, ""), EXIT.failed, { cause: error });
	}
	if (error instanceof TypeError && error.message.includes("fetch failed")) return unreachable(url, error);
	throw error;
}

function unreachable(url: string, error: unknown): CliError {
	return new CliError(
		`no server answers at ${url} (${reasonOf(error)}). Is "npm start" running? --url or TRUNKLINE_URL name another one`,
		EXIT.server,
		{
			cause: error,
		},
	);
}

/** Why a fetch failed, in words. */
export function reasonOf(error: unknown): string {
	if (!(error instanceof Error)) return String(error);
	if (error.name === "TimeoutError") return "no answer in time";
	const { cause } = error;
	const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
	const words: Record<string, string> = {
		ECONNREFUSED: "nothing listens there",
		ENOTFOUND: "no such host",
		EAI_AGAIN: "its name cannot be looked up",
		EHOSTUNREACH: "no route to it",
		ENETUNREACH: "no route to it",
		ECONNRESET: "it closed the connection",
	};
	return words[code] ?? (cause instanceof Error ? cause.message : error.message);
}
