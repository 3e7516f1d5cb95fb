import { AccessToken } from "livekit-server-sdk";
import type { LocalConfig } from "./config.ts";

/** The start waits for no server longer than this. */
const ANSWER_WITHIN_MS = 3_000;

/**
 * Asks the outside LiveKit server for its rooms. Undefined when it answers, or when the embedded one is used; else a line for the terminal.
 * It is a warning, not an error: the server may come up after us, and until then each call is refused for that reason.
 */
export async function livekitProblem(
	{ livekitUrl, apiKey, apiSecret }: Pick<LocalConfig, "livekitUrl" | "apiKey" | "apiSecret">,
	withinMs = ANSWER_WITHIN_MS,
): Promise<string | undefined> {
	if (livekitUrl === undefined) return undefined;
	const token = new AccessToken(apiKey, apiSecret, { ttl: 60 });
	token.addGrant({ roomList: true });
	const base = livekitUrl.replace(/^ws/, "http").replace(/\/$/, "");
	try {
		const answer = await fetch(`${base}/twirp/livekit.RoomService/ListRooms`, {
			method: "POST",
			headers: { "content-type": "application/json", authorization: `Bearer ${await token.toJwt()}` },
			body: "{}",
			redirect: "manual",
			signal: AbortSignal.timeout(withinMs),
		});
		await answer.body?.cancel();
		return problemOf(answer.status, livekitUrl);
	} catch (error) {
		return `LIVEKIT_URL=${livekitUrl} cannot be reached (${reasonOf(error, withinMs)}); calls fail until it can be`;
	}
}

function problemOf(status: number, url: string): string | undefined {
	if (status === 200) return undefined;
	if (status === 401 || status === 403)
		return `the LiveKit server at ${url} does not accept LIVEKIT_API_KEY and LIVEKIT_API_SECRET; calls fail until they are right`;
	return `LIVEKIT_URL=${url} answers with HTTP ${status}, as no LiveKit server does; calls will probably fail`;
}

function reasonOf(error: unknown, withinMs: number): string {
	if (!(error instanceof Error)) return String(error);
	if (error.name === "TimeoutError") return `no answer within ${withinMs / 1000} s`;
	const { cause } = error;
	const code = cause instanceof Error && "code" in cause && typeof cause.code === "string" ? cause.code : "";
	const words: Record<string, string> = {
		ECONNREFUSED: "nothing listens there",
		ENOTFOUND: "no such host",
		EAI_AGAIN: "its name cannot be looked up",
		EHOSTUNREACH: "no route to it",
		ENETUNREACH: "no route to it",
	};
	return words[code] ?? (cause instanceof Error ? cause.message : error.message);
}
