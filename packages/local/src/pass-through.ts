const TIMEOUT_MS = 30_000;

/** Other LiveKit services (RoomService, …) are answered by the LiveKit server itself; the caller's own token goes along. */
export function passThrough(livekitUrl: string): (request: Request) => Promise<Response> {
	const base = new URL(livekitUrl.replace(/^ws/, "http"));
	return async (request) => {
		const target = new URL(new URL(request.url).pathname, base);
		const headers = new Headers();
		for (const name of ["authorization", "content-type", "user-agent", "x-livekit-request-id"]) {
			const value = request.headers.get(name);
			if (value !== null) headers.set(name, value);
		}
		try {
			const body = await request.arrayBuffer();
			const response = await fetch(target, {
				method: request.method,
				headers,
				body,
				redirect: "manual",
				signal: AbortSignal.timeout(TIMEOUT_MS),
			});
			const answer = new Headers();
			const type = response.headers.get("content-type");
			if (type !== null) answer.set("content-type", type);
			return new Response(await response.arrayBuffer(), { status: response.status, headers: answer });
		} catch (error) {
			const msg = `the LiveKit server at ${base.origin} does not answer: ${error instanceof Error ? error.message : String(error)}`;
			return new Response(JSON.stringify({ code: "unavailable", msg }), { status: 503, headers: { "content-type": "application/json" } });
		}
	};
}
