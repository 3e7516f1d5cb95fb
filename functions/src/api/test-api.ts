// An API with simulated time for tests: `sleep` moves the clock and lets a node do something.
import type { CallStore, ConfigStore, DialQueue } from "@trunkline/domain";
import type { Log } from "@trunkline/observability";
import { SignJWT } from "jose";
import { createApp } from "./app.ts";
import type { ApiDeps } from "./deps.ts";

export const KEY = "devkey";
export const SECRET = "a secret of sufficient length for HS256";
const PROJECT = "p_test";

export interface TestStores {
	configStore: ConfigStore;
	callStore: (now: () => number) => CallStore;
	dialQueue: DialQueue;
	log: Log;
}

export interface TestApi {
	deps: ApiDeps;
	/** ms since the API was made */
	elapsed(): number;
	/** called after each sleep */
	onTick(tick: (now: number) => Promise<void>): void;
	/** a Twirp request in JSON with all grants unless said otherwise */
	call(
		method: string,
		body: unknown,
		options?: { headers?: Record<string, string>; grants?: Record<string, boolean> },
	): Promise<TwirpReply>;
	fetch(path: string, init?: RequestInit): Promise<Response>;
}

export interface TwirpReply {
	status: number;
	contentType: string | null;
	body: Record<string, unknown>;
}

export function testApi(stores: TestStores, over: Partial<ApiDeps> = {}): TestApi {
	const start = Date.now();
	let now = start;
	let counter = 0;
	let tick = async (_now: number): Promise<void> => {};
	const deps: ApiDeps = {
		configStore: stores.configStore,
		callStore: stores.callStore(() => now),
		dialQueue: () => stores.dialQueue,
		keys: { lookup: (apiKey) => (apiKey === KEY ? { secret: SECRET, projectId: PROJECT } : undefined) },
		regions: ["local", "far"],
		clock: () => now,
		sleep: async (ms, signal) => {
			if (signal?.aborted === true) throw new Error("a sleep that returns at once, over and over, is a busy loop");
			now += ms;
			await tick(now);
		},
		random: (length) => Uint8Array.from({ length }, () => (counter = (counter * 31 + 7) % 229)),
		roomService: async (request) => new Response(`room service: ${new URL(request.url).pathname}`),
		log: stores.log,
		...over,
	};
	const app = createApp(deps);
	const fetch = async (path: string, init?: RequestInit) => app.request(path, init);
	return {
		deps,
		elapsed: () => now - start,
		onTick: (next) => {
			tick = next;
		},
		fetch,
		call: async (method, body, { headers = {}, grants = { admin: true, call: true } } = {}) => {
			const authorization = `Bearer ${await token({ sip: grants })}`;
			const response = await fetch(`/twirp/livekit.SIP/${method}`, {
				method: "POST",
				headers: { "content-type": "application/json", authorization, ...headers },
				body: typeof body === "string" ? body : JSON.stringify(body),
			});
			return {
				status: response.status,
				contentType: response.headers.get("content-type"),
				body: (await response.json()) as Record<string, unknown>,
			};
		},
	};
}

export function token(claims: Record<string, unknown>, { key = KEY, secret = SECRET, expires = "5 minutes" } = {}): Promise<string> {
	return new SignJWT(claims)
		.setProtectedHeader({ alg: "HS256" })
		.setIssuer(key)
		.setExpirationTime(expires)
		.sign(new TextEncoder().encode(secret));
}
