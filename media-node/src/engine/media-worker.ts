import type { CallLog } from "../call/call-deps.ts";
import { type JoinOptions, type MediaEvent, MediaUnavailableError, RoomJoinError } from "../call/ports.ts";
import { errorOf, type FromWorker, type JoinedRoom, type OpenedSession, type PairSide, type ToWorker } from "./protocol.ts";
import { RoomHandle } from "./room-handle.ts";
import { SessionHandle } from "./session-handle.ts";
import type { WorkerLine } from "./worker-line.ts";

/** A thread, or what stands for one in tests. */
export interface Thread {
	post(message: ToWorker): void;
	/** Ends it at once; `onGone` follows. Idempotent. */
	terminate(): void;
}

export type StartThread = (events: {
	onMessage(message: FromWorker): void;
	/** last event; `why` for people */
	onGone(why: string): void;
}) => Thread;

export interface MediaWorkerOptions {
	name: string;
	start: StartThread;
	now(): number;
	log: CallLog;
	/** last event; not told when the end was asked for */
	onGone(why: string): void;
	/** nobody caught it; told each time */
	onFault(): void;
}

interface Request {
	resolve(value: unknown): void;
	reject(error: Error): void;
	/** what the request fails with when the worker has gone */
	gone(message: string): Error;
}

/** A closed session's last words (a recording that is complete) come by then. */
const LAST_WORDS_MS = 60_000;

/** One media worker as the main thread knows it: its handles, what is asked of it, how it does. */
export class MediaWorker implements WorkerLine {
	readonly name: string;
	readonly #options: MediaWorkerOptions;
	readonly #thread: Thread;
	readonly #requests = new Map<number, Request>();
	readonly #sessions = new Map<number, SessionHandle>();
	/** closed ones that may still have something to say */
	readonly #closedSessions = new Map<number, SessionHandle>();
	readonly #rooms = new Map<number, RoomHandle>();
	#lastNumber = 0;
	#state: "starting" | "ready" | "retired" | "gone" = "starting";
	#beatAt: number;
	/** its end is wanted */
	#isClosing = false;
	/** of the last two seconds */
	#late: readonly [number, number] = [0, 0];
	/** since it began */
	lateFrames = 0;
	readonly #ready = Promise.withResolvers<void>();
	readonly #ended = Promise.withResolvers<void>();

	constructor(options: MediaWorkerOptions) {
		this.#options = options;
		this.name = options.name;
		this.#beatAt = options.now();
		this.#ready.promise.catch(() => undefined);
		this.#thread = options.start({
			onMessage: (message) => this.#onMessage(message),
			onGone: (why) => this.#onGone(why),
		});
	}

	get state(): "starting" | "ready" | "retired" | "gone" {
		return this.#state;
	}

	/** Resolves when it can take calls; rejects when it has gone before. */
	get ready(): Promise<void> {
		return this.#ready.promise;
	}

	/** Resolves when the thread has gone. */
	get ended(): Promise<void> {
		return this.#ended.promise;
	}

	/** ms since it last said that it is alive */
	get silentMs(): number {
		return this.#options.now() - this.#beatAt;
	}

	/** ms that its clock was late in both of the last two seconds: one pause is no overload */
	get lateMs(): number {
		return Math.min(...this.#late);
	}

	/** Sessions and rooms that are open. */
	get size(): number {
		return this.#sessions.size + this.#rooms.size;
	}

	/** Takes no new calls; those that it has go on. */
	retire(): void {
		if (this.#state !== "gone") this.#state = "retired";
	}

	/** Ends the thread at once, and with it its calls. */
	terminate(why: string): void {
		this.#onGone(why);
		this.#thread.terminate();
	}

	/** Asks the thread to close everything and end; `onGone` tells nobody then. Idempotent. */
	close(): void {
		this.retire();
		this.#isClosing = true;
		this.post({ to: "close" });
	}

	post(message: ToWorker): void {
		if (this.#state !== "gone") this.#thread.post(message);
	}

	number(): number {
		return ++this.#lastNumber;
	}

	/** The promise of an answer; `message` gets the request's number. */
	ask<T>(message: (request: number) => ToWorker, gone: (message: string) => Error = (text) => new Error(text)): Promise<T> {
		if (this.#state === "gone") return Promise.reject(gone(`${this.name} has stopped`));
		const request = this.number();
		return new Promise<T>((resolve, reject) => {
			this.#requests.set(request, { resolve: (value) => resolve(value as T), reject, gone });
			this.#thread.post(message(request));
		});
	}

	/** Rejects with PortTakenError, or MediaUnavailableError when the worker has gone. `onClosed`: the port is free again. */
	async open(port: number, family: 4 | 6 | undefined, onEvent: (event: MediaEvent) => void, onClosed: () => void): Promise<SessionHandle> {
		const session = this.number();
		// Events may come before the answer is seen.
		const handle = new SessionHandle(this, session, onEvent, onClosed);
		this.#sessions.set(session, handle);
		try {
			handle.opened(await this.ask<OpenedSession>((request) => ({ to: "open", request, session, port, family }), unavailable));
			return handle;
		} catch (error) {
			this.#sessions.delete(session);
			throw error;
		}
	}

	/** Rejects with RoomJoinError. `onClosed` is called once, when nothing is left of the session, or when the join has failed. */
	async join(options: JoinOptions, signal: AbortSignal | undefined, pair: PairSide | undefined, onClosed: () => void): Promise<RoomHandle> {
		const room = this.number();
		const { url, token, publishCodecs, trackName } = options;
		const wire = {
			url,
			token,
			publishCodecs,
			trackName,
			renews: options.renewToken !== undefined,
			answersRpc: options.onRpc !== undefined,
		};
		const handle = new RoomHandle(this, room, options, () => {
			this.#rooms.delete(room);
			onClosed();
		});
		this.#rooms.set(room, handle);
		const onAbort = (): void => this.post({ to: "abort-join", room });
		signal?.addEventListener("abort", onAbort, { once: true });
		try {
			const joined = await this.ask<JoinedRoom>((request) => ({ to: "join", request, room, options: wire, pair }), joinFailed);
			handle.joined(joined);
			return handle;
		} catch (error) {
			handle.failed();
			throw error;
		} finally {
			signal?.removeEventListener("abort", onAbort);
		}
	}

	#onMessage(message: FromWorker): void {
		switch (message.from) {
			case "ready":
				if (this.#state === "starting") this.#state = "ready";
				this.#beatAt = this.#options.now();
				return this.#ready.resolve();
			case "beat":
				this.#beatAt = this.#options.now();
				this.#late = [this.#late[1], message.lateMs];
				this.lateFrames = message.lateFrames;
				return;
			case "done":
				return this.#settle(message.request)?.resolve(message.value);
			case "failed":
				return this.#settle(message.request)?.reject(errorOf(message.error));
			case "media":
				return (this.#sessions.get(message.session) ?? this.#closedSessions.get(message.session))?.tell(message.event);
			case "closed":
				return this.#sessionClosed(message.session);
			case "room":
				return this.#rooms.get(message.room)?.tell(message.event);
			case "attributes":
				return this.#rooms.get(message.room)?.sawAttributes(message.attributes);
			case "asks":
				return this.#rooms.get(message.room)?.asked(message.question, message.what);
			case "log":
				return this.#options.log[message.level]({ worker: this.name, ...message.fields }, message.message);
			case "fault":
				this.#options.log.error({ worker: this.name, err: message.error }, "a fault in a media worker that nobody caught");
				return this.#options.onFault();
		}
	}

	#settle(request: number): Request | undefined {
		const known = this.#requests.get(request);
		this.#requests.delete(request);
		return known;
	}

	#sessionClosed(session: number): void {
		const handle = this.#sessions.get(session);
		if (handle === undefined) return;
		this.#sessions.delete(session);
		this.#closedSessions.set(session, handle);
		setTimeout(() => this.#closedSessions.delete(session), LAST_WORDS_MS).unref();
		handle.closed();
	}

	#onGone(why: string): void {
		if (this.#state === "gone") return;
		this.#state = "gone";
		const message = `${this.name} has stopped: ${why}`;
		// First, so that a call hears of its audio before it hears of its room, and says that in its end.
		for (const session of [...this.#sessions.values(), ...this.#closedSessions.values()]) session.lost(message);
		this.#sessions.clear();
		this.#closedSessions.clear();
		for (const room of [...this.#rooms.values()]) room.lost(message);
		this.#rooms.clear();
		for (const request of [...this.#requests.values()]) request.reject(request.gone(message));
		this.#requests.clear();
		this.#ready.reject(new Error(message));
		this.#ended.resolve();
		if (!this.#isClosing) this.#options.onGone(why);
	}
}

const unavailable = (message: string): Error => new MediaUnavailableError(message);
const joinFailed = (message: string): Error => new RoomJoinError("media", message);
