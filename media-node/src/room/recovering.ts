import { RoomJoinError, type RoomCloseReason } from "../call/ports.ts";
import { type Failure, type Recovery, type RecoveryStep, type Return } from "./recovery.ts";
import { ResumeRefused } from "./room-connection.ts";
import { SignalOpenError } from "./signalling.ts";

export interface RecoveringOptions {
	recovery: Recovery;
	/** Rejects when it did not do. */
	attempt(how: Return, attempt: number, signal: AbortSignal): Promise<void>;
	restored(how: Return, afterMs: number): void;
	giveUp(reason: RoomCloseReason, message: string): void;
}

/** No attempt takes longer: a server that takes a WebSocket and says nothing is no server. */
const ATTEMPT_MS = 12_000;

/** Carries out what `Recovery` says, with Node's clock. */
export class Recovering {
	readonly #options: RecoveringOptions;
	#timer: NodeJS.Timeout | undefined;
	#running: AbortController | undefined;
	#stopped = false;

	constructor(options: RecoveringOptions) {
		this.#options = options;
	}

	get isUnderWay(): boolean {
		return this.#options.recovery.isUnderWay;
	}

	/** True: it was not gone before. */
	lost(how: Return, reason: RoomCloseReason, message: string): boolean {
		if (this.#stopped) return false;
		const isNews = this.#options.recovery.lost(how, reason, message, performance.now());
		if (isNews) this.#schedule();
		return isNews;
	}

	/** Nothing is tried any more. */
	stop(): void {
		this.#stopped = true;
		clearTimeout(this.#timer);
		this.#running?.abort(new Error("the room session is closed"));
	}

	#schedule(): void {
		clearTimeout(this.#timer);
		const at = this.#options.recovery.nextAt;
		if (at === undefined || this.#stopped) return;
		this.#timer = setTimeout(() => this.#run(), Math.max(0, Math.ceil(at - performance.now())));
	}

	#run(): void {
		const step = this.#options.recovery.due(performance.now());
		if (step === undefined) this.#schedule();
		else this.#take(step);
	}

	#take(step: RecoveryStep): void {
		if (step.do === "give-up") this.#options.giveUp(step.reason, step.message);
		else void this.#attempt(step.do, step.attempt);
	}

	async #attempt(how: Return, attempt: number): Promise<void> {
		const { recovery } = this.#options;
		const running = new AbortController();
		this.#running = running;
		const withinMs = Math.min(ATTEMPT_MS, recovery.remaining(performance.now()));
		const timer = setTimeout(() => running.abort(new Error(`it took longer than ${Math.round(withinMs)} ms`)), withinMs);
		try {
			await this.#options.attempt(how, attempt, running.signal);
			if (this.#stopped) return;
			this.#options.restored(how, recovery.restored(performance.now()));
		} catch (error) {
			if (this.#stopped) return;
			const { failure, reason, message } = failureOf(error);
			const end = recovery.failed(failure, reason, message, performance.now());
			if (end !== undefined) this.#take(end);
			else this.#schedule();
		} finally {
			clearTimeout(timer);
		}
	}
}

/** What ends a participant for good: nobody who was put out comes back by itself. */
export function isFinal(reason: RoomCloseReason): boolean {
	return reason !== "connection-lost" && reason !== "server-shutdown" && reason !== "join-failed";
}

function failureOf(error: unknown): { failure: Failure; reason?: RoomCloseReason; message: string } {
	const message = error instanceof Error ? error.message : String(error);
	if (error instanceof ResumeRefused) return { failure: "refused", message };
	if (error instanceof RoomJoinError && error.closeReason !== undefined && isFinal(error.closeReason))
		return { failure: "hopeless", reason: error.closeReason, message };
	if (!(error instanceof SignalOpenError)) return { failure: "unreachable", message };
	// LiveKit answers 404 where rooms are not made by themselves and this one is gone
	if (error.status === 404) return { failure: "hopeless", reason: "room-closed", message: `the room is not there any more: ${message}` };
	if (error.status === 401 || error.status === 403)
		return { failure: "hopeless", message: `the room server did not accept the token: ${message}` };
	return { failure: "unreachable", message };
}
