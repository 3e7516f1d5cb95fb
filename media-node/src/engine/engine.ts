import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { CallLog } from "../call/call-deps.ts";
import {
	type JoinOptions,
	type MediaEvent,
	type MediaPort,
	type MediaSession,
	MediaUnavailableError,
	type RoomConnector,
	RoomJoinError,
	type RoomSession,
} from "../call/ports.ts";
import type { MediaPortOptions } from "../media/media-port.ts";
import { PortsPool } from "../media/ports-pool.ts";
import { MediaWorker, type StartThread } from "./media-worker.ts";
import { type PairSide, PortTakenError, type WorkerSettings } from "./protocol.ts";
import { startThreads } from "./start-thread.ts";

export interface MediaEngineOptions {
	/** how many; at least one */
	workers: number;
	media: MediaPortOptions;
	/** how long a room may be gone, ms; unset: the connector's default */
	roomRecoveryMs?: number | undefined;
	/** when rooms are reached by relays; unset: the connector's default */
	roomRelays?: "auto" | "at-once" | "only" | undefined;
	/** A worker whose clock is later than this, ms, takes no new calls; default 20 */
	lateMs?: number;
	/** one that says nothing for so long is ended; default 5,000 */
	silentMs?: number;
	log: CallLog;
	/** for tests: how threads start */
	start?: (name: string) => StartThread;
}

export interface MediaEngineStats {
	/** that take calls now */
	workers: number;
	/** that have stopped by themselves, or were ended because they were silent */
	workersLost: number;
	/** frames of audio that came 20 ms late or more, since the start */
	lateFrames: number;
	/** of the thread that is late the most, as it says itself */
	lateMs: number;
}

const LATE_MS = 20;
const SILENT_MS = 5_000;
const BEAT_MS = 1_000;
/** Compiling takes a second where nothing else runs. */
const READY_WITHIN_MS = 60_000;
const CLOSE_WITHIN_MS = 2_000;
/** before a worker that has gone is replaced; one that has served so long is replaced at once */
const BACK_OFF_MS = [0, 500, 2_000, 10_000, 30_000] as const;
const PROVEN_AFTER_MS = 60_000;
/** A port may be taken by another program; so many others are tried. */
const TRIES = 20;

interface Slot {
	name: string;
	worker: MediaWorker;
	startedAt: number;
	/** replacements in a row that did not last */
	failures: number;
}

/** A call's media and rooms, which have to be in one thread. */
interface Placed {
	worker: MediaWorker;
	/** sessions and rooms that are open, or being opened */
	uses: number;
}

/**
 * Media in worker threads: the main thread knows sessions and rooms by their handles, and never sees a packet. Calls go to the worker with the fewest; a
 * worker that goes takes its own calls along, and another one takes its place.
 */
export class MediaEngine implements MediaPort, RoomConnector {
	readonly #options: MediaEngineOptions;
	readonly #pool: PortsPool;
	readonly #slots: Slot[] = [];
	/** faulty ones whose calls go on */
	readonly #retired = new Set<MediaWorker>();
	readonly #places = new Map<string, Placed>();
	readonly #timers = new Set<NodeJS.Timeout>();
	readonly #watchdog: NodeJS.Timeout;
	#watchedAt = performance.now();
	#started = 0;
	#stopped = 0;
	/** of workers that have gone */
	#lateBefore = 0;
	#pairs = 0;
	#closing: Promise<void> | undefined;

	/** Resolves when every worker runs; rejects when one does not start. */
	static async start(options: MediaEngineOptions): Promise<MediaEngine> {
		const engine = new MediaEngine(options);
		try {
			await engine.#whenReady();
			return engine;
		} catch (error) {
			await engine.close();
			throw error;
		}
	}

	private constructor(options: MediaEngineOptions) {
		this.#options = options;
		const [first, last] = options.media.portRange;
		this.#pool = new PortsPool(first, last, () => randomBytes(4).readUInt32BE() / 2 ** 32);
		for (let i = 0; i < options.workers; i++) this.#slots.push(this.#slot(i));
		this.#watchdog = setInterval(() => this.#watch(), BEAT_MS);
		this.#watchdog.unref();
	}

	get portsInUse(): number {
		return this.#pool.inUse;
	}

	stats(): MediaEngineStats {
		const running = [...this.#slots.map(({ worker }) => worker).filter((worker) => worker.state !== "gone"), ...this.#retired];
		const lateFrames = running.reduce((sum, worker) => sum + worker.lateFrames, this.#lateBefore);
		const lateMs = Math.max(0, ...running.map((worker) => worker.lateMs));
		return { workers: this.#taking().length, workersLost: this.#stopped, lateFrames, lateMs };
	}

	/** No worker can take another call without its calls hearing it. */
	get overloaded(): boolean {
		return this.#taking().every((worker) => this.#isLate(worker));
	}

	async open(onEvent: (event: MediaEvent) => void, family?: 4 | 6, place?: string): Promise<MediaSession> {
		const { worker, release } = this.#place(place) ?? {};
		if (worker === undefined || release === undefined) throw new MediaUnavailableError("no media worker is running");
		try {
			return await this.#openIn(worker, onEvent, family, release);
		} catch (error) {
			release();
			throw error;
		}
	}

	join(options: JoinOptions, signal?: AbortSignal): Promise<RoomSession> {
		return this.#join(options, signal, undefined);
	}

	/** Two telephones that are joined in place. Both have to be at the same `place` of their own accord. */
	backToBack(): { first: RoomConnector; second: RoomConnector } {
		const pair = ++this.#pairs;
		let over: MediaWorker | undefined;
		const side = (side: PairSide["side"]): RoomConnector => ({
			join: async (options, signal) => {
				if (over !== undefined) throw new RoomJoinError("refused", "the other telephone has gone", { closeReason: "other-leg" });
				return this.#join(options, signal, { pair, side }, (worker) => {
					over ??= worker;
					worker.post({ to: "forget-pair", pair });
				});
			},
		});
		return { first: side("first"), second: side("second") };
	}

	/** Ends the threads, and what calls are left. Idempotent. */
	close(): Promise<void> {
		this.#closing ??= this.#close();
		return this.#closing;
	}

	async #openIn(
		worker: MediaWorker,
		onEvent: (event: MediaEvent) => void,
		family: 4 | 6 | undefined,
		release: () => void,
	): Promise<MediaSession> {
		const [first, last] = this.#options.media.portRange;
		let cause: unknown;
		for (let i = 0; i < TRIES; i++) {
			const port = this.#pool.take(performance.now());
			if (port === undefined) break;
			const free = (): void => this.#pool.release(port, performance.now());
			try {
				return await worker.open(port, family, onEvent, () => {
					free();
					release();
				});
			} catch (error) {
				free();
				if (!(error instanceof PortTakenError)) throw error;
				cause = error;
			}
		}
		throw new MediaUnavailableError(`no free RTP port between ${first} and ${last}`, { cause });
	}

	async #join(
		options: JoinOptions,
		signal: AbortSignal | undefined,
		pair: PairSide | undefined,
		onOver: (worker: MediaWorker) => void = () => {},
	): Promise<RoomSession> {
		if (signal?.aborted === true) throw new RoomJoinError("aborted", "the join was aborted before it began");
		const { worker, release } = this.#place(options.place) ?? {};
		if (worker === undefined || release === undefined) throw new RoomJoinError("media", "no media worker is running");
		return worker.join(options, signal, pair, () => {
			release();
			onOver(worker);
		});
	}

	/** The worker that a place has, or gets now; `release` once what is opened there is closed. */
	#place(place: string | undefined): { worker: MediaWorker; release(): void } | undefined {
		const known = place === undefined ? undefined : this.#places.get(place);
		const placed = known?.worker.state === "gone" ? undefined : known;
		const worker = placed?.worker ?? this.#choose();
		if (worker === undefined) return undefined;
		if (place === undefined) return { worker, release: () => {} };
		const entry = placed ?? { worker, uses: 0 };
		entry.uses += 1;
		this.#places.set(place, entry);
		let released = false;
		const release = (): void => {
			if (released) return;
			released = true;
			entry.uses -= 1;
			if (entry.uses === 0 && this.#places.get(place) === entry) this.#places.delete(place);
			this.#endRetired(worker);
		};
		return { worker, release };
	}

	#choose(): MediaWorker | undefined {
		const calls = new Map<MediaWorker, number>();
		for (const { worker } of this.#places.values()) calls.set(worker, (calls.get(worker) ?? 0) + 1);
		const load = (worker: MediaWorker): number => (this.#isLate(worker) ? 1e6 : 0) + (calls.get(worker) ?? 0);
		const [least] = this.#taking().sort((a, b) => load(a) - load(b));
		return least;
	}

	#taking(): MediaWorker[] {
		return this.#slots.flatMap(({ worker }) => (worker.state === "ready" ? [worker] : []));
	}

	#isLate(worker: MediaWorker): boolean {
		return worker.lateMs > (this.#options.lateMs ?? LATE_MS);
	}

	#slot(index: number, failures = 0): Slot {
		const name = `media-${index}.${this.#started++}`;
		const settings: WorkerSettings = {
			...{ media: this.#options.media, beatMs: BEAT_MS },
			...{ roomRecoveryMs: this.#options.roomRecoveryMs, roomRelays: this.#options.roomRelays },
		};
		const slot: Slot = {
			...{ name, failures, startedAt: performance.now() },
			worker: new MediaWorker({
				name,
				start: this.#options.start?.(name) ?? startThreads(settings, name),
				now: () => performance.now(),
				log: this.#options.log,
				onGone: (why) => this.#onGone(index, slot, why),
				onFault: () => this.#onFault(index, slot),
			}),
		};
		return slot;
	}

	#onGone(index: number, slot: Slot, why: string): void {
		this.#retired.delete(slot.worker);
		for (const [place, { worker }] of this.#places) if (worker === slot.worker) this.#places.delete(place);
		this.#stopped += 1;
		this.#lateBefore += slot.worker.lateFrames;
		this.#options.log.error({ worker: slot.name, why }, "a media worker has stopped, and its calls with it");
		if (this.#slots[index] === slot) this.#replace(index, slot);
	}

	/** Its calls go on; it gets no others. */
	#onFault(index: number, slot: Slot): void {
		if (this.#slots[index] !== slot || this.#closing !== undefined) return;
		slot.worker.retire();
		this.#retired.add(slot.worker);
		this.#replace(index, slot);
		this.#endRetired(slot.worker);
	}

	#replace(index: number, slot: Slot): void {
		const failures = performance.now() - slot.startedAt > PROVEN_AFTER_MS ? 0 : slot.failures + 1;
		const wait = BACK_OFF_MS[Math.min(Math.max(0, failures - 1), BACK_OFF_MS.length - 1)] ?? 0;
		const timer = setTimeout(() => {
			this.#timers.delete(timer);
			this.#slots[index] = this.#slot(index, failures);
		}, wait);
		this.#timers.add(timer);
	}

	#endRetired(worker: MediaWorker): void {
		if (!this.#retired.has(worker) || worker.size > 0) return;
		this.#retired.delete(worker);
		this.#lateBefore += worker.lateFrames;
		worker.close();
	}

	#watch(): void {
		const now = performance.now();
		// We were the ones who stood still: what the workers said meanwhile has not been read yet.
		const wasAway = now - this.#watchedAt > 2 * BEAT_MS;
		this.#watchedAt = now;
		if (wasAway) return;
		const limit = this.#options.silentMs ?? SILENT_MS;
		for (const worker of [...this.#slots.map((slot) => slot.worker), ...this.#retired]) {
			const patience = worker.state === "starting" ? READY_WITHIN_MS : limit;
			if (worker.state !== "gone" && worker.silentMs > patience) worker.terminate(`nothing was heard of it for ${patience} ms`);
		}
	}

	async #whenReady(): Promise<void> {
		const late = new AbortController();
		const tooLate = delay(READY_WITHIN_MS, undefined, late).then(() =>
			Promise.reject(new Error("the media workers take too long to start")),
		);
		try {
			await Promise.race([Promise.all(this.#slots.map(({ worker }) => worker.ready)), tooLate]);
		} finally {
			tooLate.catch(() => undefined);
			late.abort();
		}
	}

	async #close(): Promise<void> {
		clearInterval(this.#watchdog);
		for (const timer of this.#timers) clearTimeout(timer);
		const workers = [...this.#slots.map((slot) => slot.worker), ...this.#retired];
		for (const worker of workers) worker.close();
		const ended = Promise.all(workers.map((worker) => worker.ended));
		await Promise.race([ended, delay(CLOSE_WITHIN_MS, undefined, { ref: false })]);
		for (const worker of workers) if (worker.state !== "gone") worker.terminate("the node is closing");
	}
}
