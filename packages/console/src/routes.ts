import { Hono } from "hono";
import type { ConsoleFile } from "./files.ts";

export interface ConsoleOptions {
	files: ReadonlyMap<string, ConsoleFile>;
	/** The API has the keys of a first start, which everybody knows: whoever opens the page is signed in with them. */
	wellKnownKeys?: { apiKey: string; apiSecret: string };
	/** the address that rooms are joined at; unset: the one that the page came from */
	roomUrl?: string;
	/** the built-in telephone can call a number here, so that one person alone hears it work */
	callMe?: boolean;
}

/** Rooms may be anywhere, and LiveKit's client asks over HTTPS why a WebSocket failed; nothing else of the page comes from elsewhere. */
const POLICY = [
	"default-src 'none'",
	"script-src 'self'",
	"style-src 'self' 'unsafe-inline'",
	"img-src 'self' data:",
	"connect-src 'self' ws: wss: http: https:",
	"media-src 'self' blob:",
	"worker-src 'self' blob:",
	"base-uri 'none'",
	"form-action 'none'",
	"frame-ancestors 'none'",
].join("; ");

const HEADERS = {
	"content-security-policy": POLICY,
	"x-content-type-options": "nosniff",
	"referrer-policy": "no-referrer",
	"permissions-policy": "microphone=(self), camera=(), geolocation=()",
	// Files change with a deployment; the browser asks each time and is told 304.
	"cache-control": "no-cache",
};

/** The page at /console. It has no secrets: all that it shows comes from the API, with the token of whoever uses it. */
export function consoleRoutes(options: ConsoleOptions): Hono {
	const app = new Hono();
	app.get("/console", (context) => context.redirect("/console/"));
	app.get("/console/config.json", (context) =>
		context.json(
			{
				...(options.wellKnownKeys === undefined ? {} : { keys: options.wellKnownKeys }),
				...(options.roomUrl === undefined ? {} : { roomUrl: options.roomUrl }),
				callMe: options.callMe === true,
			},
			200,
			HEADERS,
		),
	);
	app.get("/console/*", (context) => {
		const { pathname } = new URL(context.req.url);
		const path = pathname === "/console/" ? "index.html" : pathname.slice("/console/".length);
		const file = options.files.get(path);
		if (file === undefined) return context.text("there is no such file\n", 404);
		const headers = { ...HEADERS, etag: file.etag };
		if (context.req.header("if-none-match") === file.etag) return context.body(null, 304, headers);
		return context.body(file.body, 200, { ...headers, "content-type": file.type });
	});
	return app;
}
