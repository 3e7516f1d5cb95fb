import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import {
	DisconnectReason,
	LeaveRequest,
	LeaveRequest_Action,
	type Room as RoomInfo,
	ServerInfo,
	ServerInfo_Edition,
} from "@livekit/protocol";
import { type DtlsCertificate, processCertificate } from "@trunkline/dtls";
import { type WebSocket, WebSocketServer } from "ws";
import { answer, handleRequest, readBody, type ServiceContext } from "./http/handle-request.ts";
import { newSid } from "./ids.ts";
import { attributesTooLarge, limits } from "./limits.ts";
import { Rooms } from "./room/rooms.ts";
import { type JoinParameters, readJoinParameters } from "./session/join-request.ts";
import { Session } from "./session/session.ts";
import { SignalSocket } from "./session/signal-socket.ts";
import { type Grants, refreshedToken, tokenOf, verifyToken } from "./tokens.ts";
import { UdpEndpoint } from "./transport/udp-endpoint.ts";
import { RoomWebhooks, type WebhookOptions } from "./webhooks/room-webhooks.ts";

/** ms between two looks at who speaks; LiveKit's default is 500 */
const SPEAKER_INTERVAL_MS = 400;
/** ms between two looks for silent connections; one that two looks find silent is given up (RFC 7675 §5.1 lets consent last 30 s) */
const SILENCE_CHECK_MS = 15_000;
/** sockets that connections are spread over, so that a burst to many does not overflow one buffer */
const MAX_ENDPOINTS = 4;

export interface RoomServerOptions {
	/** API key → secret */
	apiKeys: Record<string, string>;
	/** IP address in the ICE candidates; loopback is also what the sockets bind to. Default 127.0.0.1 */
	advertisedAddress?: string;
	/** UDP ports to take (inclusive), at most 4 of them; any free ones when unset */
	udpPortRange?: [number, number];
	log?: (message: string, fields: Record<string, unknown>) => void;
	/** ms until a room nobody has joined closes; default 300 000 */
	emptyTimeoutMs?: number;
	/** ms until a room that everybody has left closes; default 20 000 */
	departureTimeoutMs?: number;
	/** ms that a participant whose WebSocket broke is kept for its client to come back; default 15 000 */
	resumeGraceMs?: number;
	/** who is told of rooms, participants and tracks; nobody unless it is set */
	webhooks?: WebhookOptions;
}

export interface RoomServerStats {
	rooms: number;
	participants: number;
	peerConnections: number;
	tracks: number;
}

/** What `/rtc` and `/rtc/v1/validate` find out about a request. */
type Admission =
	| { ok: true; grants: Grants; apiKey: string; expiresAt: number; join: JoinParameters }
	| { ok: false; status: number; message: string };

/** A LiveKit-compatible room server inside this process. It opens no HTTP port: the host passes upgrades and requests on. */
export class RoomServer {
	readonly #options: RoomServerOptions;
	readonly #rooms: Rooms;
	readonly #webhooks: RoomWebhooks | undefined;
	readonly #sessions = new Set<Session>();
	readonly #webSockets = new WebSocketServer({ noServer: true, maxPayload: limits.signalMessageBytes, perMessageDeflate: false });
	readonly #serverInfo = new ServerInfo({
		edition: ServerInfo_Edition.Standard,
		version: "1.9.0",
		protocol: 16,
		nodeId: newSid("ND"),
		region: "",
	});
	readonly #endpoints: Promise<UdpEndpoint>[] = [];
	readonly #timers: NodeJS.Timeout[];
	#closed = false;

	constructor(options: RoomServerOptions) {
		this.#options = options;
		this.#webhooks = webhooksOf(options, (message, fields) => this.#log(message, fields));
		this.#rooms = new Rooms({
			emptyTimeoutMs: options.emptyTimeoutMs ?? 300_000,
			departureTimeoutMs: options.departureTimeoutMs ?? 20_000,
			now: Date.now,
			...(this.#webhooks === undefined ? {} : { onEvent: (event) => this.#webhooks?.notify(event) }),
		});
		// made now, so that the first participant does not wait for it; a failure comes up at the join
		processCertificate().catch(() => undefined);
		this.#timers = [
			setInterval(() => this.#rooms.updateSpeakers(), SPEAKER_INTERVAL_MS).unref(),
			setInterval(() => this.#dropSilent(), SILENCE_CHECK_MS).unref(),
		];
	}

	/** Takes a WebSocket upgrade when its path is /rtc or /rtc/v1; false leaves the socket to the caller. */
	handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): boolean {
		const url = urlOf(request);
		if (url.pathname !== "/rtc" && url.pathname !== "/rtc/v1") return false;
		socket.on("error", () => undefined);
		if (this.#closed) {
			refuseUpgrade(socket, 503, "the server is shutting down");
			return true;
		}
		this.#upgrade(request, url, socket, head).catch((error: unknown) => {
			this.#log("join failed", { err: error });
			refuseUpgrade(socket, 500, "internal error");
		});
		return true;
	}

	/** Answers /rtc/validate, /rtc/v1/validate and /twirp/livekit.RoomService/*; false leaves the request to the caller. */
	handleHttp(request: IncomingMessage, response: ServerResponse): boolean {
		const url = urlOf(request);
		return handleRequest(request, response, url, this.#serviceContext(request.headers.authorization, url));
	}

	/** Answers the same as `handleHttp` to a request of the process's own; undefined for any other path. */
	fetch(request: Request): Promise<Response> | undefined {
		const url = new URL(request.url);
		const authorization = request.headers.get("authorization") ?? undefined;
		const reply = answer(url, this.#serviceContext(authorization, url), {
			verb: request.method,
			contentType: request.headers.get("content-type") ?? "",
			authorization,
			body: async () => (request.body === null ? Buffer.alloc(0) : readBody(request.body)),
		});
		return reply?.then(
			({ status, contentType, body }) => new Response(Buffer.from(body as string), { status, headers: { "content-type": contentType } }),
		);
	}

	rooms(): RoomInfo[] {
		return this.#rooms.all().map((room) => room.toInfo());
	}

	stats(): RoomServerStats {
		const rooms = this.#rooms.all();
		return {
			rooms: rooms.length,
			participants: rooms.reduce((sum, room) => sum + room.size, 0),
			peerConnections: this.#sessions.size,
			tracks: rooms.reduce((sum, room) => sum + room.trackCount, 0),
		};
	}

	/** Puts everybody out and frees all sockets and timers; idempotent. */
	async close(): Promise<void> {
		if (this.#closed) return;
		this.#closed = true;
		for (const timer of this.#timers) clearInterval(timer);
		this.#rooms.close(DisconnectReason.SERVER_SHUTDOWN);
		for (const client of this.#webSockets.clients) client.close(1001);
		this.#webSockets.close();
		await this.#webhooks?.close();
		// the last words (SCTP ABORT) of the connections leave before their sockets go
		await new Promise((resolve) => setImmediate(resolve));
		for (const endpoint of await Promise.allSettled(this.#endpoints)) if (endpoint.status === "fulfilled") endpoint.value.close();
	}

	async #upgrade(request: IncomingMessage, url: URL, socket: Duplex, head: Buffer): Promise<void> {
		const admission = await this.#admit(request.headers.authorization, url);
		if (!admission.ok) {
			refuseUpgrade(socket, admission.status, admission.message);
			return;
		}
		const [certificate, endpoint] = await Promise.all([processCertificate(), this.#endpoint()]);
		this.#webSockets.handleUpgrade(request, socket, head, (client) => {
			if (this.#closed) client.close(1001);
			else if (admission.join.request.reconnect) this.#resume(client, admission);
			else this.#startSession(client, admission, certificate, endpoint);
		});
	}

	/** The same participant goes on where it is still known; else the client is to join anew. */
	#resume(client: WebSocket, { grants, join }: Extract<Admission, { ok: true }>): void {
		const link = this.#rooms.get(grants.room)?.participant(grants.identity)?.link;
		const session = [...this.#sessions].find((each) => each === link);
		const sid = join.request.participantSid;
		if (session === undefined || (sid !== "" && session.participant.sid !== sid)) demandRejoin(client);
		else session.resume(client);
	}

	#startSession(client: WebSocket, admission: Extract<Admission, { ok: true }>, certificate: DtlsCertificate, endpoint: UdpEndpoint): void {
		const room = this.#rooms.getOrCreate({ name: admission.grants.room });
		const session = new Session({
			socket: client,
			room,
			findRoom: (name) => this.#rooms.get(name),
			grants: admission.grants,
			join: admission.join,
			endpoint,
			certificate,
			serverInfo: this.#serverInfo,
			now: Date.now,
			refreshedToken: (grants) => {
				const { apiKey, expiresAt } = admission;
				return refreshedToken(grants, { apiKey, secret: this.#options.apiKeys[apiKey] ?? "", expiresAt });
			},
			resumeGraceMs: this.#options.resumeGraceMs ?? 15_000,
			log: (message, fields) => this.#log(message, fields),
			onClosed: (closed) => {
				this.#sessions.delete(closed);
				this.#rooms.onDeparture(closed.room);
			},
		});
		this.#sessions.add(session);
		session.start();
	}

	#serviceContext(authorization: string | undefined, url: URL): ServiceContext {
		return {
			apiKeys: this.#options.apiKeys,
			rooms: this.#rooms,
			validate: async () => {
				const admission = await this.#admit(authorization, url);
				return admission.ok ? { status: 200, message: "success" } : admission;
			},
			log: (message, fields) => this.#log(message, fields),
		};
	}

	/** Token, grants, join request and limits, in LiveKit's order and with its status codes. */
	async #admit(authorization: string | undefined, url: URL): Promise<Admission> {
		const verified = await verifyToken(tokenOf(authorization, url.searchParams), this.#options.apiKeys);
		if (!verified.ok) return { ok: false, status: 401, message: verified.message };
		const { grants } = verified;
		if (!grants.roomJoin) return { ok: false, status: 401, message: "no permissions to access the room" };
		if (grants.identity === "") return { ok: false, status: 400, message: "identity cannot be empty" };
		if (grants.room === "") return { ok: false, status: 400, message: "room name cannot be empty" };
		if ([grants.identity, grants.room, grants.name].some((name) => name.length > limits.nameLength))
			return { ok: false, status: 400, message: "identity, name or room name is too long" };
		const join = readJoinParameters(url.pathname, url.searchParams);
		if (typeof join === "string") return { ok: false, status: 400, message: join };
		const refusal = applyOwnMetadata(grants, join);
		if (refusal !== undefined) return { ok: false, status: 400, message: refusal };
		const room = this.#rooms.get(grants.room);
		if (room === undefined && this.#rooms.full) return { ok: false, status: 503, message: "too many rooms" };
		if (room?.hasPlaceFor(grants.identity) === false) return { ok: false, status: 403, message: "room is full" };
		return { ok: true, grants, apiKey: verified.apiKey, expiresAt: verified.expiresAt, join };
	}

	/** Sockets are opened as they are needed and shared in turn. */
	async #endpoint(): Promise<UdpEndpoint> {
		const range = this.#options.udpPortRange;
		const most = range === undefined ? MAX_ENDPOINTS : Math.min(MAX_ENDPOINTS, range[1] - range[0] + 1);
		if (this.#endpoints.length < most) {
			const opening = UdpEndpoint.open(this.#options.advertisedAddress ?? "127.0.0.1", range);
			this.#endpoints.push(opening);
			opening.catch(() => this.#endpoints.splice(this.#endpoints.indexOf(opening), 1));
			return opening;
		}
		const open = await Promise.all(this.#endpoints);
		return open.reduce((least, endpoint) => (endpoint.size < least.size ? endpoint : least));
	}

	#dropSilent(): void {
		for (const session of this.#sessions) if (!session.isAlive()) session.expire();
	}

	#log(message: string, fields: Record<string, unknown>): void {
		this.#options.log?.(message, fields);
	}
}

/** Throws when the key that webhooks are to be signed with is none of the server's, or a URL is none. */
function webhooksOf(
	{ apiKeys, webhooks }: RoomServerOptions,
	log: (message: string, fields: Record<string, unknown>) => void,
): RoomWebhooks | undefined {
	if (webhooks === undefined || webhooks.urls.length === 0) return undefined;
	const secret = Object.hasOwn(apiKeys, webhooks.apiKey) ? apiKeys[webhooks.apiKey] : undefined;
	if (secret === undefined) throw new TypeError(`webhooks are to be signed with ${webhooks.apiKey}, which is no API key of this server`);
	return new RoomWebhooks(webhooks, secret, log);
}

/** Metadata and attributes in a join request count only where the token lets the client set its own. */
function applyOwnMetadata(grants: Grants, join: JoinParameters): string | undefined {
	const { metadata, participantAttributes } = join.request;
	if (!grants.canUpdateOwnMetadata) return undefined;
	if (metadata.length > limits.metadataBytes || attributesTooLarge(grants.attributes, participantAttributes))
		return "metadata or attributes are too large";
	if (metadata !== "") grants.metadata = metadata;
	Object.assign(grants.attributes, participantAttributes);
	return undefined;
}

/** Nothing is kept of a connection that broke: the client is to join anew. */
function demandRejoin(client: WebSocket): void {
	const signal = new SignalSocket(client, { onRequest: () => undefined, onClosed: () => undefined, onBroken: () => undefined });
	signal.send({
		case: "leave",
		value: new LeaveRequest({ reason: DisconnectReason.STATE_MISMATCH, action: LeaveRequest_Action.RECONNECT, canReconnect: true }),
	});
	signal.close();
}

function urlOf(request: IncomingMessage): URL {
	// only path and query count; a request target that is no path (RFC 9112 §3.2) matches nothing
	const target = request.url ?? "/";
	return URL.canParse(target, "http://localhost") ? new URL(target, "http://localhost") : new URL("http://localhost/");
}

function refuseUpgrade(socket: Duplex, status: number, message: string): void {
	const reasons: Record<number, string> = {
		400: "Bad Request",
		401: "Unauthorized",
		403: "Forbidden",
		500: "Internal Server Error",
		503: "Service Unavailable",
	};
	const head = `HTTP/1.1 ${status} ${reasons[status] ?? "Error"}\r\nContent-Type: text/plain; charset=utf-8\r\n`;
	socket.end(`${head}Content-Length: ${Buffer.byteLength(message)}\r\nConnection: close\r\n\r\n${message}`);
}
