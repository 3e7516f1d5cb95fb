/** One joining of a room: a WebSocket and peer connections, from the join request on. A session outlives it. */
import { ClientConfigSetting, SyncState, UpdateSubscription } from "@livekit/protocol";
import type { JoinResponse, ReconnectResponse, TrackPublishedResponse } from "@livekit/protocol";
import type { RtpPacket } from "@trunkline/rtp";
import { type RoomCodec, RoomJoinError } from "../call/ports.ts";
import type { ReceivingSection } from "./downlink.ts";
import { DualConnection } from "./dual-connection.ts";
import { dualConnectionUrl, resumeDualUrl, resumeSingleUrl, singleConnectionUrl } from "./join-url.ts";
import type { MediaConnection, MediaHost, PublishedTrack } from "./media-connection.ts";
import { closeReason, describeLeave, mayPublish } from "./protocol-map.ts";
import { SignalConnection, type SignalRequestMessage, type SignalResponseMessage } from "./signalling.ts";
import { SingleConnection } from "./single-connection.ts";
import { type RelaySettings, turnServers } from "./webrtc/ice-servers.ts";

/** Who is told what comes by a connection. */
export interface ConnectionSink {
	message(message: SignalResponseMessage): void;
	/** "signal": the peer connections may still be there; "stalled": they may be, after a restart of ICE; "media": they are not */
	lost(what: "signal" | "stalled" | "media", message: string): void;
	sections(sections: readonly ReceivingSection[]): void;
	rtp(packet: RtpPacket): void;
	rtcp(compound: Uint8Array): void;
	data(bytes: Uint8Array): void;
}

export interface ConnectionOptions {
	url: string;
	token: string;
	publishCodecs: readonly RoomCodec[];
	trackName: string;
	/** the server has muted the track before, in another joining; unset: no */
	muted?: boolean;
	/** default "auto"; a server that forces relays has its way */
	relays?: RelaySettings["policy"];
}

/** The server is there, and does not know the participant (any more), or wants it to join anew. */
export class ResumeRefused extends Error {
	override readonly name = "ResumeRefused";
}

/** how long peer connections may take to come back after a resume */
const MEDIA_RETURN_MS = 8_000;
const MAX_EARLY_MESSAGES = 1_000;

export class RoomConnection {
	readonly path: "single" | "dual";
	readonly #options: ConnectionOptions;
	readonly #joined = Promise.withResolvers<JoinResponse>();
	readonly #failed = Promise.withResolvers<never>();
	readonly #early: SignalResponseMessage[] = [];
	readonly #published = new Map<string, TrackPublishedResponse>();
	#sink: ConnectionSink | undefined;
	#socket: SignalConnection | undefined;
	#media: MediaConnection | undefined;
	#join: JoinResponse | undefined;
	#resumed: PromiseWithResolvers<ReconnectResponse> | undefined;
	#closed: Promise<void> | undefined;

	constructor(path: "single" | "dual", options: ConnectionOptions) {
		this.path = path;
		this.#options = options;
		this.#failed.promise.catch(() => undefined);
		this.#joined.promise.catch(() => undefined);
	}

	/** Joins; resolves with the server's answer, when the peer connections are not up yet (`ready`). Closes itself when it fails. */
	async open(signal: AbortSignal): Promise<JoinResponse> {
		const onAbort = () => this.#failed.reject(signal.reason);
		signal.addEventListener("abort", onAbort, { once: true });
		try {
			const opening = this.path === "single" ? this.#openSingle(signal) : this.#openDual(signal);
			this.#join = await Promise.race([opening, this.#failed.promise]);
			return this.#join;
		} catch (error) {
			await this.close();
			throw error;
		} finally {
			signal.removeEventListener("abort", onAbort);
		}
	}

	/** From now on; what has come meanwhile comes first. */
	attach(sink: ConnectionSink): void {
		this.#sink = sink;
		for (const message of this.#early.splice(0)) this.#onMessage(message);
		this.#startPings();
	}

	/** Resolves when the peer connections are up and our track is accepted. */
	async ready(signal: AbortSignal): Promise<PublishedTrack> {
		const { promise, reject } = Promise.withResolvers<never>();
		const onAbort = () => reject(signal.reason);
		signal.addEventListener("abort", onAbort, { once: true });
		promise.catch(() => undefined);
		try {
			signal.throwIfAborted();
			return await Promise.race([this.#mediaOrThrow().ready, promise, this.#failed.promise]);
		} finally {
			signal.removeEventListener("abort", onAbort);
		}
	}

	get join(): JoinResponse {
		if (this.#join === undefined) throw new Error("the room is not joined");
		return this.#join;
	}

	get media(): MediaConnection {
		return this.#mediaOrThrow();
	}

	/** False: there is no WebSocket for it now. */
	send(message: SignalRequestMessage): boolean {
		return this.#socket?.send(message) ?? false;
	}

	/**
	 * A new WebSocket for the participant that is there, and peer connections that answer, by a restart of ICE where they do not. Rejects with ResumeRefused when
	 * the server does not know the participant, with SignalOpenError when it is not there.
	 */
	async resume(token: string, subscribed: readonly string[], signal: AbortSignal): Promise<void> {
		const media = this.#mediaOrThrow();
		await this.#socket?.close();
		this.#resumed = Promise.withResolvers();
		this.#resumed.promise.catch(() => undefined);
		const sid = this.join.participant?.sid ?? "";
		const url = this.path === "single" ? resumeSingleUrl(this.#options.url, sid) : resumeDualUrl(this.#options.url, sid);
		const onAbort = () => this.#resumed?.reject(signal.reason);
		signal.addEventListener("abort", onAbort, { once: true });
		try {
			await this.#connect(url, token, signal);
			await this.#resumed.promise;
			this.#startPings();
			this.send({ case: "syncState", value: this.#syncState(subscribed) });
			if (!(await media.resume(MEDIA_RETURN_MS, signal))) throw new ResumeRefused("the peer connection did not come back");
		} catch (error) {
			signal.throwIfAborted();
			throw error;
		} finally {
			this.#resumed = undefined;
			signal.removeEventListener("abort", onAbort);
		}
	}

	/** Idempotent; resolves when sockets are closed. */
	close(): Promise<void> {
		this.#closed ??= Promise.allSettled([this.#socket?.close(), this.#media?.close()]).then(() => undefined);
		return this.#closed;
	}

	async #openSingle(signal: AbortSignal): Promise<JoinResponse> {
		const { url, token, publishCodecs, trackName: name, muted = false } = this.#options;
		const media = new SingleConnection(publishCodecs, url, this.#host());
		this.#media = media;
		const { track, offer } = await media.start({ name, muted });
		await this.#connect(singleConnectionUrl(url, [track], offer), token, signal);
		return this.#joined.promise;
	}

	async #openDual(signal: AbortSignal): Promise<JoinResponse> {
		const { url, token, publishCodecs, trackName: name, muted = false } = this.#options;
		await this.#connect(dualConnectionUrl(url), token, signal);
		const join = await this.#joined.promise;
		const codec = publishCodecs.find((candidate) => mayPublish(join.enabledPublishCodecs, candidate));
		if (codec === undefined) throw new RoomJoinError("media", "the room server allows none of our codecs");
		const media = new DualConnection([codec], url, this.#host(), join.subscriberPrimary);
		this.#media = media;
		media.useRelays(this.#relaysOf(join));
		// the attempt has failed meanwhile, and what was there by then is closed already
		if (this.#closed !== undefined) await media.close();
		else media.start({ name, muted });
		return join;
	}

	async #connect(url: URL, token: string, signal: AbortSignal): Promise<void> {
		let socket: SignalConnection | undefined;
		const events = {
			message: (message: SignalResponseMessage) => this.#onMessage(message),
			// an older WebSocket says nothing any more
			closed: (text: string) => {
				if (socket === undefined || this.#socket === socket) this.#onLost("signal", text);
			},
		};
		socket = await SignalConnection.open(url, token, events, signal);
		this.#socket = socket;
		if (this.#closed !== undefined) await socket.close();
	}

	#startPings(): void {
		const { pingInterval, pingTimeout } = this.join;
		if (pingInterval <= 0 || pingTimeout <= 0) return;
		this.#socket?.startPings(pingInterval * 1000, pingTimeout * 1000, () => this.#onLost("signal", "the room server answers no ping"));
	}

	#onMessage(message: SignalResponseMessage): void {
		// before the answer that comes after it, which begins everything
		if (message.case === "join" || message.case === "reconnect") this.#media?.useRelays(this.#relaysOf(message.value));
		if (message.case === "trackPublished") this.#published.set(message.value.cid, message.value);
		if (this.#resumed !== undefined && this.#onResume(message, this.#resumed)) return;
		if (this.#sink !== undefined) this.#sink.message(message);
		else if (message.case === "join") this.#joined.resolve(message.value);
		else if (message.case === "leave") {
			const reason = this.#join === undefined ? {} : { closeReason: closeReason(message.value) };
			const told = new RoomJoinError("refused", `the room server refused the join: ${describeLeave(message.value)}`, reason);
			this.#failed.reject(told);
		} else if (this.#early.length < MAX_EARLY_MESSAGES) this.#early.push(message);
	}

	/** True: it was the answer to a resume. Some servers answer one that they do not know with a new join. */
	#onResume(message: SignalResponseMessage, resumed: PromiseWithResolvers<ReconnectResponse>): boolean {
		if (message.case === "reconnect") resumed.resolve(message.value);
		else if (message.case === "join") resumed.reject(new ResumeRefused("the room server knows the participant no more"));
		else if (message.case === "leave") {
			resumed.reject(new ResumeRefused(describeLeave(message.value)));
			// what ends the participant for good is for the session to know
			return false;
		} else return false;
		return true;
	}

	#onLost(what: "signal" | "stalled" | "media", message: string): void {
		if (this.#closed !== undefined) return;
		if (this.#resumed !== undefined) {
			if (what === "media") this.#resumed.reject(new ResumeRefused(message));
			else if (what === "signal") this.#resumed.reject(new Error(message));
		}
		this.#failed.reject(new RoomJoinError(what === "media" ? "media" : "refused", message));
		this.#sink?.lost(what, message);
	}

	#relaysOf({ iceServers, clientConfiguration }: JoinResponse | ReconnectResponse): RelaySettings {
		const isForced = clientConfiguration?.forceRelay === ClientConfigSetting.ENABLED;
		return { servers: turnServers(iceServers), policy: isForced ? "only" : (this.#options.relays ?? "auto") };
	}

	#syncState(subscribed: readonly string[]): SyncState {
		return new SyncState({
			...this.#mediaOrThrow().descriptions(),
			subscription: new UpdateSubscription({ trackSids: [...subscribed], subscribe: true }),
			publishTracks: [...this.#published.values()],
		});
	}

	#mediaOrThrow(): MediaConnection {
		if (this.#media === undefined) throw new Error("the room is not joined");
		return this.#media;
	}

	#host(): MediaHost {
		return {
			send: (message) => void this.#socket?.send(message),
			sections: (sections) => this.#sink?.sections(sections),
			rtp: (packet) => this.#sink?.rtp(packet),
			rtcp: (compound) => this.#sink?.rtcp(compound),
			data: (bytes) => this.#sink?.data(bytes),
			stalled: (message) => this.#onLost("stalled", message),
			failed: (message) => this.#onLost("media", message),
		};
	}
}
