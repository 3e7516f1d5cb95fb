import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { getRequestListener } from "@hono/node-server";
import { portProblem } from "./ports.ts";

/** A stranger who sends its request slower than this is not worth a socket. */
const HEADERS_WITHIN_MS = 5_000;
const REQUEST_WITHIN_MS = 30_000;
const CHECK_EVERY_MS = 1_000;
/** sockets at a time: rooms take one each, API requests one for a moment */
const MAX_CONNECTIONS = 4_000;
/** A peer whose upgrade was refused, or whose WebSocket is closed, has this long to close its half of the connection. */
const HALF_OPEN_MS = 3_000;

const PAGE = `Trunkline: telephone calls in LiveKit rooms. It is running.

  /twirp/livekit.SIP/...            trunks, dispatch rules, calls: POST, with any LiveKit server SDK
  /twirp/livekit.RoomService/...    rooms and participants, the same way
  /rtc                              rooms: WebSocket, with any LiveKit client
  /console                          calls, trunks, rules and a telephone, in the browser
  /healthz                          {"status":"ok"} while it serves

How to make a first call: README.md of the repository, or the terminal that this was started in.
`;

/** What has a share in the port beside the API. */
interface Rooms {
	handleHttp(request: IncomingMessage, response: ServerResponse): boolean;
	handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): boolean;
}

/** The one HTTP port: page, API and rooms. */
export class HttpServer {
	readonly port: number;
	readonly #server: Server;
	readonly #sockets = new Set<Duplex>();

	/** Rejects with a line for the terminal when the port cannot be had. What comes before `serve` is told to try again. */
	static async listen(host: string, port: number): Promise<HttpServer> {
		const server = createServer({
			headersTimeout: HEADERS_WITHIN_MS,
			requestTimeout: REQUEST_WITHIN_MS,
			connectionsCheckingInterval: CHECK_EVERY_MS,
			// Others, such as h2c, are offers that a server may ignore (RFC 9110 §7.8).
			shouldUpgradeCallback: (request) => request.headers.upgrade?.toLowerCase() === "websocket",
		});
		server.maxConnections = MAX_CONNECTIONS;
		server.on("request", answerStarting);
		server.on("upgrade", (_request, socket) => refuseUpgrade(socket, "503 Service Unavailable"));
		try {
			await new Promise<void>((resolve, reject) => {
				server.once("error", reject);
				server.listen(port, host, () => {
					server.off("error", reject);
					resolve();
				});
			});
		} catch (error) {
			throw portProblem(error, "PORT", host, port, "TCP");
		}
		return new HttpServer(server);
	}

	private constructor(server: Server) {
		const address = server.address();
		if (address === null || typeof address === "string") throw new Error("the HTTP server has no port");
		this.port = address.port;
		this.#server = server;
		server.on("connection", (socket) => {
			this.#sockets.add(socket);
			socket.once("close", () => this.#sockets.delete(socket));
		});
	}

	/** `refuses`: why a request is not served; undefined when it is */
	serve(
		app: { fetch: Parameters<typeof getRequestListener>[0] },
		rooms: Rooms | undefined,
		refuses: (request: IncomingMessage) => string | undefined = () => undefined,
	): void {
		const listener = getRequestListener(app.fetch);
		this.#server.removeAllListeners("request").on("request", (request, response) => {
			const refusal = refuses(request);
			if (refusal !== undefined) return answerRefused(response, refusal);
			if (isPage(request)) return sendPage(request, response);
			if (!isMove(request) && rooms?.handleHttp(request, response) === true) return;
			void listener(request, response);
		});
		this.#server.removeAllListeners("upgrade").on("upgrade", (request, socket, head) => {
			// The HTTP server has let go of this socket, its error listener included.
			socket.on("error", () => socket.destroy());
			socket.once("finish", () => closeWithin(socket, HALF_OPEN_MS));
			if (refuses(request) !== undefined) return refuseUpgrade(socket, "403 Forbidden");
			if (rooms?.handleUpgrade(request, socket, head) !== true) refuseUpgrade(socket, "404 Not Found");
		});
	}

	/** Cuts every connection, WebSockets included. */
	async close(): Promise<void> {
		const closed = new Promise((resolve) => this.#server.close(resolve));
		for (const socket of this.#sockets) socket.destroy();
		await closed;
	}
}

/** The API moves participants that are telephone calls, and asks the embedded room server to move any other. */
const isMove = ({ url = "" }: IncomingMessage): boolean => url.split("?", 1)[0] === "/twirp/livekit.RoomService/MoveParticipant";

function isPage({ method, url }: IncomingMessage): boolean {
	return (method === "GET" || method === "HEAD") && (url === "/" || url?.startsWith("/?") === true);
}

function sendPage({ method }: IncomingMessage, response: ServerResponse): void {
	response.writeHead(200, { "content-type": "text/plain; charset=utf-8", "content-length": Buffer.byteLength(PAGE) });
	response.end(method === "HEAD" ? undefined : PAGE);
}

function answerStarting(_request: IncomingMessage, response: ServerResponse): void {
	response.writeHead(503, { "content-type": "text/plain; charset=utf-8", "retry-after": "1", connection: "close" });
	response.end("Trunkline is starting.\n");
}

function answerRefused(response: ServerResponse, why: string): void {
	response.writeHead(403, { "content-type": "text/plain; charset=utf-8", connection: "close" });
	response.end(`${why}; set LIVEKIT_API_KEY and LIVEKIT_API_SECRET to keys of your own\n`);
}

function refuseUpgrade(socket: Duplex, status: string): void {
	socket.on("error", () => socket.destroy());
	socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
	closeWithin(socket, HALF_OPEN_MS);
}

function closeWithin(socket: Duplex, ms: number): void {
	const timer = setTimeout(() => socket.destroy(), ms);
	socket.once("close", () => clearTimeout(timer));
}
