import { createServer, type IncomingMessage, type ServerResponse } from "node:http";

export interface HealthOptions {
	host: string;
	/** 0 = any free one */
	port: number;
	/** takes new calls */
	ready(): boolean;
	/** told in the answer of /ready, for people; counts only */
	stats(): Record<string, number>;
	/** numbers for /metrics; names in kebab or camel case. Unset = there is no /metrics */
	metrics?(): Record<string, number>;
	/** more lines for /metrics, in Prometheus' text format */
	exposition?(): string;
}

export interface HealthServer {
	readonly port: number;
	close(): Promise<void>;
}

/** Probes take milliseconds; who needs longer holds a socket for nothing. */
const TIMEOUT_MS = 5_000;
const MAX_CONNECTIONS = 64;

/**
 * /healthz: 200 while the process serves at all (a container that fails it is replaced). /ready: 200 while it takes new calls, 503 while it
 * drains (a load balancer stops sending some). /metrics: counters. Rejects with the system's error when the port cannot be had.
 */
export async function startHealthServer(options: HealthOptions): Promise<HealthServer> {
	const server = createServer(
		{ headersTimeout: TIMEOUT_MS, requestTimeout: TIMEOUT_MS, keepAliveTimeout: TIMEOUT_MS, connectionsCheckingInterval: 1_000 },
		(request, response) => answer(options, request, response),
	);
	server.maxConnections = MAX_CONNECTIONS;
	await new Promise<void>((resolve, reject) => {
		server.once("error", reject);
		server.listen(options.port, options.host, () => {
			server.off("error", reject);
			resolve();
		});
	});
	const bound = server.address();
	if (bound === null || typeof bound === "string") throw new Error("the health server has no port");
	let closed: Promise<void> | undefined;
	return {
		port: bound.port,
		close: () => {
			closed ??= new Promise<void>((resolve) => server.close(() => resolve()));
			server.closeAllConnections();
			return closed;
		},
	};
}

function answer(options: HealthOptions, request: IncomingMessage, response: ServerResponse): void {
	const { method, url } = request;
	if (method !== "GET" && method !== "HEAD") return send(response, 405, { status: "method not allowed" }, { allow: "GET, HEAD" });
	switch (url?.split("?")[0]) {
		case "/healthz":
			return send(response, 200, { status: "ok" });
		case "/ready": {
			const ready = options.ready();
			return send(response, ready ? 200 : 503, { status: ready ? "ready" : "draining", ...options.stats() });
		}
		case "/metrics":
			if (options.metrics === undefined) return send(response, 404, { status: "not found" });
			response.writeHead(200, { "content-type": "text/plain; version=0.0.4; charset=utf-8", "cache-control": "no-store" });
			response.end(exposition(options.metrics()) + (options.exposition?.() ?? ""));
			return;
		default:
			return send(response, 404, { status: "not found" });
	}
}

/** Prometheus' text format: one line per number. */
function exposition(numbers: Record<string, number>): string {
	const lines = Object.entries(numbers).map(([name, value]) => {
		const snake = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`).replace(/[^a-z0-9]+/g, "_");
		return `trunkline_${snake} ${value}\n`;
	});
	return lines.join("");
}

function send(response: ServerResponse, status: number, body: Record<string, unknown>, headers: Record<string, string> = {}): void {
	// Node leaves the body out of an answer to HEAD itself.
	response.writeHead(status, { "content-type": "application/json", "cache-control": "no-store", ...headers });
	response.end(`${JSON.stringify(body)}\n`);
}
