import { BackToBack } from "../call/back-to-back.ts";
import type { AudioUplink, MediaEvent, MediaSession, RemoteAudioTrack, RoomConnector, RoomEvent, RoomSession } from "../call/ports.ts";
import { RoomRpcError } from "../call/ports.ts";
import {
	type FromWorker,
	isPlace,
	type JoinedRoom,
	type OpenedSession,
	type PairSide,
	type Place,
	type RoomQuestion,
	type ToWorker,
	type WireRoomEvent,
	wireError,
} from "./protocol.ts";

export interface WorkerSideOptions {
	post(message: FromWorker): void;
	/** Binds that port. Rejects with PortTakenError when another program has it. */
	open(port: number, family: 4 | 6 | undefined, onEvent: (event: MediaEvent) => void, onClose: () => void): Promise<MediaSession>;
	rooms: RoomConnector;
}

interface Session {
	media: MediaSession;
	/** what goes on until it is stopped */
	playing: Map<number, () => void>;
}

interface Room {
	joining: AbortController;
	session: RoomSession | undefined;
	tracks: Map<string, RemoteAudioTrack>;
}

/**
 * The worker's end: carries out what the main thread says on the sessions and rooms that live here, and plugs them into each other. What is told to
 * something that has ended meanwhile is passed over: the main thread hears of the end in the same channel.
 */
export class WorkerSide {
	readonly #options: WorkerSideOptions;
	readonly #sessions = new Map<number, Session>();
	readonly #rooms = new Map<number, Room>();
	readonly #pairs = new Map<number, BackToBack>();
	readonly #questions = new Map<number, PromiseWithResolvers<string>>();
	#lastQuestion = 0;

	constructor(options: WorkerSideOptions) {
		this.#options = options;
	}

	receive(message: ToWorker): void {
		switch (message.to) {
			case "open":
				return this.#answer(message.request, this.#open(message));
			case "tell":
				return void this.#call(message.session, message.call);
			case "ask":
				return this.#answer(message.request, Promise.resolve(this.#call(message.session, message.call)));
			case "play":
				return this.#play(message);
			case "stop":
				return this.#stop(message.session, message.playing);
			case "join":
				return this.#answer(message.request, this.#join(message));
			case "abort-join":
				return this.#rooms.get(message.room)?.joining.abort();
			case "set-attributes":
				return this.#answer(message.request, this.#joined(message.room).setAttributes(message.attributes));
			case "dtmf":
				return this.#rooms.get(message.room)?.session?.sendDtmf(message.code, message.digit);
			case "leave":
				return this.#answer(message.request, this.#leave(message.room));
			case "answer":
				return this.#answered(message);
			case "forget-pair":
				this.#pairs.delete(message.pair);
				return;
			case "close":
			// the thread's own business
		}
	}

	/** Closes every session and leaves every room. */
	async close(): Promise<void> {
		for (const { media } of this.#sessions.values()) media.close();
		this.#sessions.clear();
		for (const room of this.#rooms.values()) room.joining.abort();
		await Promise.allSettled([...this.#rooms.keys()].map((room) => this.#leave(room)));
	}

	async #open({ session, port, family }: Extract<ToWorker, { to: "open" }>): Promise<OpenedSession> {
		const { post } = this.#options;
		const media = await this.#options.open(
			port,
			family,
			(event) => post({ from: "media", session, event }),
			() => {
				this.#sessions.delete(session);
				post({ from: "closed", session });
			},
		);
		this.#sessions.set(session, { media, playing: new Map() });
		return { localAddress: media.localAddress, localPort: media.localPort, dtlsFingerprint: media.dtlsFingerprint };
	}

	/** A call that throws is one call's fault: it ends, the others go on. */
	#call(session: number, { method, args }: { method: keyof MediaSession; args: readonly unknown[] }): unknown {
		const media = this.#sessions.get(session)?.media;
		const ends = media === undefined ? undefined : this.#ends(args);
		if (media === undefined || ends === undefined) return undefined;
		try {
			const implementation = media[method] as ((...given: unknown[]) => unknown) | undefined;
			return implementation?.apply(media, ends);
		} catch (error) {
			const message = `${method}: ${error instanceof Error ? error.message : String(error)}`;
			this.#options.post({ from: "log", level: "error", fields: { err: error }, message: `a media session failed in ${method}` });
			this.#options.post({ from: "media", session, event: { type: "media-lost", message } });
			return undefined;
		}
	}

	/** What the places among the arguments stand for; undefined: one of them has gone. */
	#ends(args: readonly unknown[]): unknown[] | undefined {
		const ends = args.map((argument) => (isPlace(argument) ? this.#at(argument) : argument));
		return ends.some((end, i) => end === undefined && isPlace(args[i])) ? undefined : ends;
	}

	#at({ room, trackSid }: Place): AudioUplink | RemoteAudioTrack | undefined {
		const known = this.#rooms.get(room);
		return trackSid === undefined ? known?.session?.uplink : known?.tracks.get(trackSid);
	}

	#play({ session, playing, call }: Extract<ToWorker, { to: "play" }>): void {
		const stop = this.#call(session, call);
		if (typeof stop === "function") this.#sessions.get(session)?.playing.set(playing, () => void stop());
	}

	#stop(session: number, playing: number): void {
		const known = this.#sessions.get(session)?.playing;
		known?.get(playing)?.();
		known?.delete(playing);
	}

	async #join({ room, options, pair }: Extract<ToWorker, { to: "join" }>): Promise<JoinedRoom> {
		const entry: Room = { joining: new AbortController(), session: undefined, tracks: new Map() };
		this.#rooms.set(room, entry);
		const { post, rooms } = this.#options;
		const { renews, answersRpc } = options;
		try {
			const session = await (pair === undefined ? rooms : this.#side(pair)).join(
				{
					...options,
					onEvent: (event) => this.#onRoom(room, entry, event),
					onAttributes: (attributes) => post({ from: "attributes", room, attributes }),
					...(renews ? { renewToken: () => this.#ask(room, { ask: "token" }) } : {}),
					...(answersRpc
						? {
								onRpc: (method: string, payload: string, callerIdentity: string) =>
									this.#ask(room, { ask: "rpc", method, payload, callerIdentity }),
							}
						: {}),
				},
				entry.joining.signal,
			);
			entry.session = session;
			const { participantSid, roomSid, uplink } = session;
			const { codec, takesG711 } = uplink;
			return { participantSid, roomSid, codec, takesG711, participants: session.participants(), attributes: session.attributes() };
		} catch (error) {
			this.#rooms.delete(room);
			throw error;
		}
	}

	/** Asks the main thread, which answers whatever becomes of it. */
	#ask(room: number, what: RoomQuestion): Promise<string> {
		const question = ++this.#lastQuestion;
		const pending = Promise.withResolvers<string>();
		this.#questions.set(question, pending);
		this.#options.post({ from: "asks", room, question, what });
		return pending.promise;
	}

	#answered({ question, answer }: Extract<ToWorker, { to: "answer" }>): void {
		const pending = this.#questions.get(question);
		this.#questions.delete(question);
		if ("value" in answer) pending?.resolve(answer.value);
		else pending?.reject(answer.code === undefined ? new Error(answer.message) : new RoomRpcError(answer.code, answer.message));
	}

	#side({ pair, side }: PairSide): RoomConnector {
		let both = this.#pairs.get(pair);
		if (both === undefined) {
			both = new BackToBack();
			this.#pairs.set(pair, both);
		}
		return both[side];
	}

	#onRoom(room: number, entry: Room, event: RoomEvent): void {
		if (event.type === "track-subscribed") entry.tracks.set(event.track.trackSid, event.track);
		if (event.type === "track-unsubscribed") entry.tracks.delete(event.trackSid);
		this.#options.post({ from: "room", room, event: wireEvent(event) });
		if (event.type === "closed") this.#rooms.delete(room);
	}

	#joined(room: number): Pick<RoomSession, "setAttributes"> {
		return this.#rooms.get(room)?.session ?? { setAttributes: () => Promise.reject(new Error("the room session is closed")) };
	}

	async #leave(room: number): Promise<void> {
		const session = this.#rooms.get(room)?.session;
		this.#rooms.delete(room);
		await session?.close();
	}

	#answer(request: number, work: Promise<unknown>): void {
		const { post } = this.#options;
		work.then(
			(value) => post({ from: "done", request, value }),
			(error: unknown) => post({ from: "failed", request, error: wireError(error) }),
		);
	}
}

function wireEvent(event: RoomEvent): WireRoomEvent {
	if (event.type !== "track-subscribed") return event;
	const { trackSid, participantIdentity } = event.track;
	return { type: "track-subscribed", trackSid, participantIdentity };
}
