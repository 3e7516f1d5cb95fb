/** Joins LiveKit rooms: `/rtc/v1` where the server has it, `/rtc` otherwise. */
import { randomInt } from "node:crypto";
import { DisconnectReason } from "@livekit/protocol";
import type { JoinResponse } from "@livekit/protocol";
import { processCertificate } from "@trunkline/dtls";
import { type JoinOptions, type RoomCodec, type RoomConnector, type RoomEvent, RoomJoinError, type RoomSession } from "../call/ports.ts";
import { DualConnection } from "./dual-connection.ts";
import { dualConnectionUrl, singleConnectionUrl } from "./join-url.ts";
import type { MediaConnection, MediaHost, PublishedTrack } from "./media-connection.ts";
import { mayPublish } from "./protocol-map.ts";
import { AUDIO_LEVEL_URI } from "./sdp-sections.ts";
import { LiveKitRoomSession } from "./session.ts";
import { SignalConnection, SignalOpenError, type SignalResponseMessage } from "./signalling.ts";
import { SingleConnection } from "./single-connection.ts";
import { Uplink } from "./uplink.ts";

const DEFAULT_JOIN_TIMEOUT_MS = 10_000;

export interface LiveKitRoomConnectorOptions {
	/** how long a join may take, default 10 s */
	joinTimeoutMs?: number;
	/** "auto" (default) tries the single connection first */
	path?: "auto" | "single" | "dual";
}

export class LiveKitRoomConnector implements RoomConnector {
	readonly #joinTimeoutMs: number;
	readonly #path: "auto" | "single" | "dual";
	/** servers that answered 404 to `/rtc/v1`: asked once per process */
	readonly #dualOnly = new Set<string>();

	constructor(options: LiveKitRoomConnectorOptions = {}) {
		this.#joinTimeoutMs = options.joinTimeoutMs ?? DEFAULT_JOIN_TIMEOUT_MS;
		this.#path = options.path ?? "auto";
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
			return await this.#joinEither(options, controller.signal);
		} finally {
			clearTimeout(timer);
			signal?.removeEventListener("abort", onAbort);
		}
	}

	async #joinEither(options: JoinOptions, signal: AbortSignal): Promise<RoomSession> {
		const single = this.#path === "single" || (this.#path === "auto" && !this.#dualOnly.has(options.url));
		if (single) {
			try {
				return await new Join(options, signal).overSingleConnection();
			} catch (error) {
				if (this.#path === "single" || !(error instanceof SignalOpenError) || error.status !== 404) throw joinError(error);
			}
		}
		try {
			const session = await new Join(options, signal).overDualConnection();
			// a 404 may also mean that the room does not exist, so only a join that worked tells what the server has
			if (single) this.#dualOnly.add(options.url);
			return session;
		} catch (error) {
			throw joinError(error);
		}
	}
}

/** One attempt: holds what it has opened until it is a session, and closes it when it fails. */
class Join {
	readonly #options: JoinOptions;
	readonly #signal: AbortSignal;
	readonly #joined = Promise.withResolvers<JoinResponse>();
	readonly #failed = Promise.withResolvers<never>();
	#socket: SignalConnection | undefined;
	#media: MediaConnection | undefined;
	#session: LiveKitRoomSession | undefined;
	/** the attempt has failed */
	#over = false;
	/** messages between the join response and the session */
	readonly #early: SignalResponseMessage[] = [];

	constructor(options: JoinOptions, signal: AbortSignal) {
		this.#options = options;
		this.#signal = signal;
		this.#failed.promise.catch(() => undefined);
		this.#joined.promise.catch(() => undefined);
	}

	overSingleConnection(): Promise<RoomSession> {
		return this.#run(async () => {
			const media = new SingleConnection(this.#options.publishCodecs, this.#options.url, this.#host());
			this.#media = media;
			const { track, offer } = await media.start(this.#options.trackName);
			await this.#open(singleConnectionUrl(this.#options.url, [track], offer));
			return this.#complete(await this.#joined.promise, media);
		});
	}

	overDualConnection(): Promise<RoomSession> {
		return this.#run(async () => {
			await this.#open(dualConnectionUrl(this.#options.url));
			const join = await this.#joined.promise;
			const codec = this.#options.publishCodecs.find((candidate) => mayPublish(join.enabledPublishCodecs, candidate));
			if (codec === undefined) throw new RoomJoinError("media", "the room server allows none of our codecs");
			const media = new DualConnection([codec], this.#options.url, this.#host(), join.subscriberPrimary);
			this.#media = media;
			media.start(this.#options.trackName);
			return this.#complete(join, media);
		});
	}

	async #run(attempt: () => Promise<RoomSession>): Promise<RoomSession> {
		const onAbort = () => this.#failed.reject(this.#signal.reason);
		this.#signal.addEventListener("abort", onAbort, { once: true });
		try {
			return await Promise.race([attempt(), this.#failed.promise]);
		} catch (error) {
			this.#over = true;
			await Promise.allSettled([this.#session?.close(), this.#socket?.close(), this.#media?.close()]);
			throw error;
		} finally {
			this.#signal.removeEventListener("abort", onAbort);
		}
	}

	async #open(url: URL): Promise<void> {
		const events = { message: (message: SignalResponseMessage) => this.#onMessage(message), closed: (text: string) => this.#onLost(text) };
		const socket = await SignalConnection.open(url, this.#options.token, events, this.#signal);
		this.#socket = socket;
		// the media may have failed while the WebSocket opened, and what had been opened by then is closed already
		if (this.#over) await socket.close();
	}

	async #complete(join: JoinResponse, media: MediaConnection): Promise<RoomSession> {
		const socket = this.#socket;
		if (socket === undefined) throw new Error("no WebSocket after the join response");
		// The caller hears nothing before it holds the session that the events are about, and of a join that fails only the error. Who comes while we are
		// joining is among participants() when the caller looks.
		const held: RoomEvent[] = [];
		let phase: "joining" | "joined" | "announced" = "joining";
		const onEvent = (event: RoomEvent): void => {
			if (phase === "announced") this.#options.onEvent(event);
			else if (phase === "joining" && event.type === "closed")
				this.#failed.reject(new RoomJoinError("refused", event.message, { closeReason: event.reason }));
			else if (phase === "joined" || event.type !== "participant-joined") held.push(event);
		};
		const session = new LiveKitRoomSession(join, socket, media, onEvent, this.#options.onAttributes);
		this.#session = session;
		session.welcome(join.otherParticipants);
		for (const message of this.#early.splice(0)) session.onSignal(message);
		const track = await media.ready;
		session.published(this.#uplink(join, media, track), track.ssrc);
		phase = "joined";
		setImmediate(() => {
			phase = "announced";
			for (const event of held) this.#options.onEvent(event);
		});
		return session;
	}

	#uplink(join: JoinResponse, media: MediaConnection, { ssrc, section }: PublishedTrack): Uplink {
		const chosen = [...section.codecs].find(([, codec]) => this.#allows(join, codec));
		if (section.port === 0 || chosen === undefined) throw new RoomJoinError("media", "the room server accepts none of our codecs");
		const [payloadType, codec] = chosen;
		return new Uplink({
			codec,
			payloadType,
			ssrc,
			audioLevelId: section.extensions.get(AUDIO_LEVEL_URI),
			sequence: randomInt(0x8000),
			timestamp: randomInt(0x1_0000_0000),
			now: () => performance.now(),
			send: (payload, header) => media.publisher.sendRtp(header, payload),
		});
	}

	#allows(join: JoinResponse, codec: RoomCodec): boolean {
		return this.#options.publishCodecs.includes(codec) && mayPublish(join.enabledPublishCodecs, codec);
	}

	#onMessage(message: SignalResponseMessage): void {
		if (this.#session !== undefined) this.#session.onSignal(message);
		else if (message.case === "join") this.#joined.resolve(message.value);
		else if (message.case === "leave") this.#failed.reject(refusal(message.value.reason));
		else this.#early.push(message);
	}

	#onLost(message: string): void {
		if (this.#session !== undefined) this.#session.lost(message);
		else this.#failed.reject(new RoomJoinError("refused", message));
	}

	#host(): MediaHost {
		return {
			send: (message) => this.#socket?.send(message),
			sections: (sections) => this.#session?.onSections(sections),
			rtp: (packet) => this.#session?.onRtp(packet),
			rtcp: (compound) => this.#session?.onRtcp(compound),
			data: (bytes) => this.#session?.onData(bytes),
			failed: (message) => {
				if (this.#session !== undefined) this.#session.lost(message);
				this.#failed.reject(new RoomJoinError("media", message));
			},
		};
	}
}

function refusal(reason: DisconnectReason): RoomJoinError {
	return new RoomJoinError("refused", `the room server refused the join (${DisconnectReason[reason] ?? String(reason)})`);
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
