import { createHash } from "node:crypto";
import { Agent as HttpAgent, request as httpRequest } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { SignJWT } from "jose";
import type { Outcome } from "./webhook-queue.ts";

const TOKEN_SECONDS = 300;
/** Nobody needs the answer; a receiver that sends more is not listened to. */
const MAX_ANSWER_BYTES = 64 * 1024;

export interface Receiver {
	post(body: string): Promise<Outcome>;
	close(): void;
}

/**
 * A receiver as LiveKit's server talks to it: `application/webhook+json`, a JWT of the key in `Authorization` whose claim `sha256` is the body's.
 * Redirects are not followed: what is signed for one receiver is not handed to another.
 */
export function receiverAt(url: URL, { apiKey, secret }: { apiKey: string; secret: string }, timeoutMs: number): Receiver {
	const secure = url.protocol === "https:";
	const agent = secure ? new HttpsAgent({ keepAlive: true }) : new HttpAgent({ keepAlive: true });
	const post = async (body: string): Promise<Outcome> => {
		const bytes = Buffer.from(body);
		const authorization = await signed(bytes, apiKey, secret);
		const headers = { "content-type": "application/webhook+json", "content-length": bytes.length, authorization };
		return new Promise((resolve) => {
			const signal = AbortSignal.timeout(timeoutMs);
			const request = (secure ? httpsRequest : httpRequest)(url, { method: "POST", agent, headers, signal }, (response) => {
				let received = 0;
				response.on("data", (chunk: Buffer) => {
					received += chunk.length;
					if (received > MAX_ANSWER_BYTES) response.destroy();
				});
				response.on("error", () => undefined);
				response.on("close", () => resolve(outcomeOf(response.statusCode ?? 0)));
			});
			request.on("error", (error) => resolve({ kind: "again", why: signal.aborted ? "no answer in time" : reasonOf(error) }));
			request.end(bytes);
		});
	};
	return { post, close: () => agent.destroy() };
}

/** As LiveKit's: what a receiver itself is at fault for is tried again, what it does not want is not. */
function outcomeOf(status: number): Outcome {
	if (status >= 200 && status < 300) return { kind: "taken" };
	return { kind: status >= 500 || status === 429 ? "again" : "refused", why: `answered ${status}` };
}

function signed(body: Buffer, apiKey: string, secret: string): Promise<string> {
	return new SignJWT({ sha256: createHash("sha256").update(body).digest("base64") })
		.setProtectedHeader({ alg: "HS256", typ: "JWT" })
		.setIssuer(apiKey)
		.setNotBefore("-10s")
		.setExpirationTime(`${TOKEN_SECONDS}s`)
		.sign(Buffer.from(secret, "utf8"));
}

function reasonOf(error: Error): string {
	const code = "code" in error && typeof error.code === "string" ? error.code : "";
	return error.message === "" ? code : error.message;
}
