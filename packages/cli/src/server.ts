import { AccessToken, SipClient, TwirpError } from "livekit-server-sdk";
import type { ServerAccess } from "./config.ts";
import { CliError, EXIT, RefusedError } from "./errors.ts";

const WITHIN_MS = 15_000;

/** The API: LiveKit's part by LiveKit's own client, /v1 by fetch. */
export class Server {
	readonly access: ServerAccess;
	readonly sip: SipClient;

	readonly #waiting: () => () => void;

	/** `waiting`: a request begins; what it gives is called when the request is over. */
	constructor(access: ServerAccess, waiting: () => () => void) {
		this.access = access;
		this.#waiting = waiting;
		this.sip = watched(new SipClient(access.url, access.apiKey, access.apiSecret), waiting);
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
		const done = this.#waiting();
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
		} finally {
			done();
		}
		if (response.ok) return response;
		const said = saidBy(await response.text(), url, response.status);
		throw response.status === 401 ? new CliError(refusedKey(url, said), EXIT.server) : new RefusedError(said, response.status);
	}

	async #token(): Promise<string> {
		const token = new AccessToken(this.access.apiKey, this.access.apiSecret, { ttl: 60 });
		token.addSIPGrant({ admin: true, call: true });
		return token.toJwt();
	}
}

/** Each of its requests is waited for. */
function watched(client: SipClient, waiting: () => () => void): SipClient {
	return new Proxy(client, {
		get: (target, name) => {
			const member: unknown = Reflect.get(target, name);
			if (typeof member !== "function") return member;
			return async (...parameters: unknown[]): Promise<unknown> => {
				const done = waiting();
				try {
					return await Reflect.apply(member, target, parameters);
				} finally {
					done();
				}
			};
		},
	});
}

function saidBy(text: string, url: string, status: number): string {
	try {
		const { message, msg } = JSON.parse(text) as { message?: string; msg?: string };
		const said = message ?? msg;
		if (said !== undefined) return said;
	} catch {
		// Something else than the API answers there.
	}
	return `${url} answered HTTP ${status}, as no such server does: look at --url or TRUNKLINE_URL`;
}

const refusedKey = (url: string, said: string): string =>
	`${url} does not accept the API key: ${said}. TRUNKLINE_API_KEY and TRUNKLINE_API_SECRET must be the server's`;

/** Whatever a command threw, for its user. Rethrows what is a fault of ours. */
export function asCliError(error: unknown, url: string): CliError {
	if (error instanceof CliError) return error;
	if (error instanceof TwirpError) {
		if (error.status === 401) return new CliError(refusedKey(url, error.message), EXIT.server, { cause: error });
		return new RefusedError(error.message.replace(/^twirp error \w+: /, ""), error.status, { cause: error });
	}
	if (error instanceof TypeError && error.message.includes("fetch failed")) return unreachable(url, error);
	if (error instanceof Error && error.name === "TimeoutError") return unreachable(url, error);
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
