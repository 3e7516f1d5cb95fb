import { errorResponse } from "./errors.ts";

const ANSWER_WITHIN_MS = 15_000;

/** Of the connection, not of the request (RFC 9110 §7.6.1); lengths and encodings are written anew. */
const NOT_FORWARDED =
	"connection host content-length keep-alive proxy-connection te trailer transfer-encoding upgrade accept-encoding".split(" ");
const NOT_RETURNED = "connection content-length content-encoding keep-alive transfer-encoding".split(" ");

/**
 * `ApiDeps.roomService` that passes requests on to a LiveKit server as they are, token included. `serverUrl`: http(s) or ws(s), as in LIVEKIT_URL. A server
 * that cannot be reached is a Twirp `unavailable`.
 */
export function forwardTo(serverUrl: string): (request: Request) => Promise<Response> {
	const base = new URL(serverUrl.replace(/^ws/, "http"));
	return async (request) => {
		const { pathname, search } = new URL(request.url);
		const target = new URL(base);
		target.pathname = `${base.pathname.replace(/\/$/, "")}${pathname}`;
		target.search = search;
		const headers = without(request.headers, NOT_FORWARDED);
		const body = request.body === null ? {} : { body: request.body, duplex: "half" };
		const init = { method: request.method, headers, ...body, redirect: "manual", signal: AbortSignal.timeout(ANSWER_WITHIN_MS) };
		try {
			const answer = await fetch(target, init as RequestInit);
			return new Response(answer.body, { status: answer.status, headers: without(answer.headers, NOT_RETURNED) });
		} catch {
			return errorResponse("unavailable", "the LiveKit server cannot be reached");
		}
	};
}

function without(headers: Headers, names: readonly string[]): Headers {
	const kept = new Headers(headers);
	for (const name of names) kept.delete(name);
	return kept;
}
