/** Joins LiveKit rooms: `/rtc/v1` where the server has it, `/rtc` otherwise. */
import { processCertificate } from "@trunkline/dtls";
import { type JoinOptions, type RoomCodec, type RoomConnector, type RoomEvent, RoomJoinError, type RoomSession } from "../call/ports.ts";
import { JoinTokens } from "./join-tokens.ts";
import type { PublishedTrack } from "./media-connection.ts";
import { hasOnlyEncryptedAudio, mayPublish } from "./protocol-map.ts";
import { type ConnectionOptions, RoomConnection } from "./room-connection.ts";
import { AUDIO_LEVEL_URI } from "./sdp-sections.ts";
import { LiveKitRoomSession, SEALED } from "./session.ts";
import { SignalOpenError } from "./signalling.ts";
import type { UplinkStream } from "./uplink.ts";
import type { RelaySettings } from "./webrtc/ice-servers.ts";

const DEFAULT_JOIN_TIMEOUT_MS = 10_000;
const DEFAULT_RECOVERY_MS = 60_000;

export interface LiveKitRoomConnectorOptions {
	/** how long a join may take, default 10 s */
	joinTimeoutMs?: number;
	/** "auto" (default) tries the single connection first */
	path?: "auto" | "single" | "dual";
	/** how long a room that was joined may be gone before its session ends, ms; default 60 s, 0 = not at all */
	recoveryMs?: number;
	/** TURN servers that a room server names: "auto" (default) where nothing else leads, "at-once" beside everything else, "only" nothing else */
	relays?: RelaySettings["policy"];
}

export class LiveKitRoomConnector implements RoomConnector {
	readonly #joinTimeoutMs: number;
	readonly #path: "auto" | "single" | "dual";
	readonly #recoveryMs: number;
	readonly #relays: RelaySettings["policy"];
	/** servers that answered 404 to `/rtc/v1`: asked once per process */
	readonly #dualOnly = new Set<string>();

	constructor(options: LiveKitRoomConnectorOptions = {}) {
		this.#joinTimeoutMs = options.joinTimeoutMs ?? DEFAULT_JOIN_TIMEOUT_MS;
		this.#path = options.path ?? "auto";
		this.#recoveryMs = options.recoveryMs ?? DEFAULT_RECOVERY_MS;
		this.#relays = options.relays ?? "auto";
		// one for all connections; made now, no call waits for it
		processCertificate().catch(() => undefined);
	}

	async join(options: JoinOptions, signal?: AbortSignal): Promise<RoomSession> {
		if (signal?.aborted === true) throw new RoomJoinError("aborted", "the join was aborted before it began");
		const controller = new AbortController();
		const onAbort = () => controller.abort(new RoomJoinError("aborted", "the join was aborted"));
		signal?.addEventListener("abort", onAbort, { once: true });
		const timer = setTimeout(() => {
			controller.abort(new RoomJoinError("timeout", `the room was not joined within ${this.#joinTimeoutMs} ms`));
		}, this.#joinTimeoutMs);
		try {
			return await this.#join(options, controller.signal);
		} catch (error) {
			throw joinError(error);
		} finally {
			clearTimeout(timer);
			signal?.removeEventListener("abort", onAbort);
		}
	}

	async #join(options: JoinOptions, signal: AbortSignal): Promise<RoomSession> {
		const connection = await this.#connect(options, signal);
		if (hasOnlyEncryptedAudio(connection.join.otherParticipants)) {
			await connection.close();
			throw new RoomJoinError("media", SEALED, { closeReason: "encrypted" });
		}
		// The caller hears nothing before it holds the session that the events are about, and of a join that fails only the error. Who comes while we are
		// joining is among participants() when the caller looks.
		const held: RoomEvent[] = [];
		let phase: "joining" | "joined" | "announced" = "joining";
		const ended = Promise.withResolvers<never>();
		ended.promise.catch(() => undefined);
		const session = new LiveKitRoomSession(connection, {
			...(options.onAttributes === undefined ? {} : { onAttributes: (attributes) => options.onAttributes?.(attributes) }),
			...(options.onRpc === undefined ? {} : { onRpc: (method, payload, caller) => answerOf(options, method, payload, caller) }),
			onEvent: (event) => {
				if (phase === "announced") options.onEvent(event);
				else if (phase === "joining" && event.type === "closed")
					ended.reject(new RoomJoinError("refused", event.message, { closeReason: event.reason }));
				else if (phase === "joined" || event.type !== "participant-joined") held.push(event);
			},
			tokens: new JoinTokens(options.token, options.renewToken === undefined ? undefined : () => renewed(options)),
			recoveryMs: this.#recoveryMs,
			rejoin: ({ codec, token, url = options.url, muted }, during) =>
				this.#connect({ ...options, token, url, muted, publishCodecs: [codec] }, during),
			stream: (joined, track) => streamOf(joined, track, options.publishCodecs),
		});
		try {
			session.published(await Promise.race([connection.ready(signal), ended.promise]));
		} catch (error) {
			await session.close();
			// what the session says is more than that the connection has ended
			throw await Promise.race([ended.promise.catch((told: unknown) => told), Promise.resolve(error)]);
		}
		phase = "joined";
		setImmediate(() => {
			phase = "announced";
			for (const event of held) options.onEvent(event);
		});
		return session;
	}

	async #connect(asked: ConnectionOptions, signal: AbortSignal): Promise<RoomConnection> {
		const options = { ...asked, relays: this.#relays };
		const single = this.#path === "single" || (this.#path === "auto" && !this.#dualOnly.has(options.url));
		if (single) {
			try {
				return await opened(new RoomConnection("single", options), signal);
			} catch (error) {
				if (this.#path === "single" || !(error instanceof SignalOpenError) || error.status !== 404) throw error;
			}
		}
		const connection = await opened(new RoomConnection("dual", options), signal);
		// a 404 may also mean that the room does not exist, so only a join that worked tells what the server has
		if (single) this.#dualOnly.add(options.url);
		return connection;
	}
}

async function opened(connection: RoomConnection, signal: AbortSignal): Promise<RoomConnection> {
	await connection.open(signal);
	return connection;
}

const answerOf = ({ onRpc }: JoinOptions, ...request: Parameters<NonNullable<JoinOptions["onRpc"]>>): Promise<string> =>
	onRpc?.(...request) ?? Promise.reject(new Error("there are no methods"));
const renewed = ({ renewToken, token }: JoinOptions): Promise<string> => renewToken?.() ?? Promise.resolve(token);

function streamOf(
	{ join }: RoomConnection,
	{ ssrc, section }: PublishedTrack,
	codecs: readonly RoomCodec[],
): UplinkStream & { codec: RoomCodec } {
	const chosen = [...section.codecs].find(([, codec]) => codecs.includes(codec) && mayPublish(join.enabledPublishCodecs, codec));
	if (section.port === 0 || chosen === undefined) throw new RoomJoinError("media", "the room server accepts none of our codecs");
	const [payloadType, codec] = chosen;
	return { codec, payloadType, ssrc, audioLevelId: section.extensions.get(AUDIO_LEVEL_URI) };
}

function joinError(error: unknown): unknown {
	if (!(error instanceof SignalOpenError)) {
		if (error instanceof TypeError) return new RoomJoinError("unreachable", error.message, { cause: error });
		return error;
	}
	const { status, message } = error;
	if (status === undefined) return new RoomJoinError("unreachable", `no room server answers: ${message}`, { cause: error });
	if (status === 401 || status === 403) {
		return new RoomJoinError("unauthorized", `the room server did not accept the token: ${message}`, { cause: error });
	}
	return new RoomJoinError("refused", `the room server answered ${status}: ${message}`, { cause: error });
}
