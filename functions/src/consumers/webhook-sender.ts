import { createHash } from "node:crypto";
import { lookup as systemLookup } from "node:dns/promises";
import { request as httpRequest } from "node:http";
import { request as httpsRequest, type RequestOptions } from "node:https";
import { SignJWT } from "jose";
import { addressProblem, type TargetPolicy, targetProblem } from "./webhook-target.ts";

/** A pair that LiveKit's SDKs sign and verify with. */
export interface SigningKey {
	apiKey: string;
	secret: string;
}

export interface WebhookSenderOptions {
	targets: TargetPolicy;
	/** ms for the whole exchange */
	timeoutMs?: number;
	/** all addresses of a name; the system's resolver unless said */
	lookup?: (host: string) => Promise<{ address: string; family: number }[]>;
	/** ms since the epoch */
	clock?: () => number;
}

const TIMEOUT_MS = 10_000;
const TOKEN_SECONDS = 300;
/** Nobody needs the answer; a receiver that sends more is not listened to. */
const MAX_ANSWER_BYTES = 64 * 1024;

/** The receiver did not take an event. The message is for the log of whoever runs this. */
export class WebhookError extends Error {
	override readonly name = "WebhookError";
}

/**
 * Sends a body as LiveKit sends its webhooks: a JWT of the project's key in `Authorization`, whose claim `sha256` is the body's. The address is
 * looked up and judged for each request, and that very address is connected to; redirects are not followed.
 */
export class WebhookSender {
	readonly #options: WebhookSenderOptions;

	constructor(options: WebhookSenderOptions) {
		this.#options = options;
	}

	/** Resolves when it was answered with 2xx in time. Throws WebhookError otherwise. */
	async send(target: string, body: string, key: SigningKey): Promise<void> {
		const url = new URL(target);
		const problem = targetProblem(url, this.#options.targets);
		if (problem !== undefined) throw new WebhookError(problem);
		const bytes = Buffer.from(body);
		const headers = {
			"content-type": "application/webhook+json",
			"content-length": String(bytes.length),
			"user-agent": "Trunkline",
			authorization: await this.#sign(bytes, key),
		};
		const status = await this.#post(url, bytes, headers);
		if (status < 200 || status > 299) throw new WebhookError(`answered ${status}`);
	}

	async #sign(body: Buffer, { apiKey, secret }: SigningKey): Promise<string> {
		const now = Math.floor((this.#options.clock ?? Date.now)() / 1000);
		return new SignJWT({ sha256: createHash("sha256").update(body).digest("base64") })
			.setProtectedHeader({ alg: "HS256", typ: "JWT" })
			.setIssuer(apiKey)
			.setNotBefore(now - 10)
			.setExpirationTime(now + TOKEN_SECONDS)
			.sign(new TextEncoder().encode(secret));
	}

	#post(url: URL, body: Buffer, headers: Record<string, string>): Promise<number> {
		return new Promise((resolve, reject) => {
			const send = url.protocol === "https:" ? httpsRequest : httpRequest;
			const signal = AbortSignal.timeout(this.#options.timeoutMs ?? TIMEOUT_MS);
			const fail = (error: Error): void =>
				reject(new WebhookError(signal.aborted ? "no answer in time" : reasonOf(error), { cause: error }));
			const request = send(url, { method: "POST", headers, agent: false, signal, lookup: this.#judgedLookup() }, (response) => {
				let received = 0;
				response.on("data", (chunk: Buffer) => {
					received += chunk.length;
					// The status is there already; the rest does not matter.
					if (received > MAX_ANSWER_BYTES) response.destroy();
				});
				response.on("close", () => resolve(response.statusCode ?? 0));
				response.on("error", () => {});
			});
			request.on("error", fail);
			request.end(body);
		});
	}

	/** Node asks for names only; addresses in URLs were judged before. */
	#judgedLookup(): NonNullable<RequestOptions["lookup"]> {
		const { targets, lookup = (host) => systemLookup(host, { all: true }) } = this.#options;
		return (host, options, done) => {
			lookup(host).then(
				(addresses) => {
					const [first] = addresses;
					const problem = addresses.map(({ address }) => addressProblem(address, targets)).find((one) => one !== undefined);
					if (first === undefined || problem !== undefined) done(new Error(problem ?? "the name has no address"), "", 4);
					else if (options.all === true) done(null, addresses);
					else done(null, first.address, first.family);
				},
				(error: unknown) => done(error instanceof Error ? error : new Error(String(error)), "", 4),
			);
		};
	}
}

function reasonOf(error: Error): string {
	const code = "code" in error && typeof error.code === "string" ? error.code : "";
	return error.message === "" ? code : error.message;
}
