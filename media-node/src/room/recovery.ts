import type { RoomCloseReason } from "../call/ports.ts";

/** How a room is come back to: as the participant that is there, or as a new one. */
export type Return = "resume" | "rejoin";

/** What an attempt has come to: nobody was there, the participant is not known there (any more), or no attempt will ever do. */
export type Failure = "unreachable" | "refused" | "hopeless";

export type RecoveryStep = { do: Return; attempt: number } | { do: "give-up"; reason: RoomCloseReason; message: string };

/** Between attempts, ms, the last one again and again. The first is made at once: most losses are a connection's, not a server's. */
const DELAYS_MS = [0, 250, 500, 1_000, 2_000] as const;
/** A share of the delay: the calls of a node do not all come back in the same moment. */
const SPREAD = 0.3;
/** A connection that is lost again sooner is the same interruption, with its delays and its limit. */
const STABLE_MS = 10_000;

interface Outage {
	how: Return;
	reason: RoomCloseReason;
	message: string;
	since: number;
	attempts: number;
	nextAt: number;
	busy: boolean;
	over: boolean;
}

/**
 * What is done, and when, about a room whose connection was lost while the telephone waits: resume, then rejoin with ever longer pauses, until a limit. No clock:
 * time (ms) and random numbers (0..1) are given. Whoever has it asks at `nextAt` what is due, does it, and says what came of it.
 */
export class Recovery {
	readonly #limitMs: number;
	readonly #random: () => number;
	#outage: Outage | undefined;
	#restoredAt = Number.NEGATIVE_INFINITY;

	/** `limitMs`: how long a room may be gone; 0 = nothing is tried */
	constructor(limitMs: number, random: () => number) {
		this.#limitMs = limitMs;
		this.#random = random;
	}

	get isUnderWay(): boolean {
		return this.#outage !== undefined && !this.#outage.over;
	}

	/** When something is due; undefined: nothing, or an attempt is under way. */
	get nextAt(): number | undefined {
		const outage = this.#outage;
		if (outage === undefined || outage.over || outage.busy) return undefined;
		return Math.min(outage.nextAt, this.#endsAt(outage));
	}

	/** ms that an attempt that begins now may take */
	remaining(now: number): number {
		return this.#outage === undefined ? 0 : Math.max(0, this.#endsAt(this.#outage) - now);
	}

	/** The connection is gone. Says whether that is news: while one is sought it is not, but a rejoin stands for a resume. */
	lost(how: Return, reason: RoomCloseReason, message: string, now: number): boolean {
		const before = this.#outage;
		if (before !== undefined && !before.over) {
			if (how === "rejoin") before.how = how;
			return false;
		}
		const isSame = before !== undefined && now - this.#restoredAt < STABLE_MS;
		const attempts = isSame ? before.attempts : 0;
		this.#outage = { how, reason, message, since: isSame ? before.since : now, attempts, nextAt: now, busy: false, over: false };
		this.#outage.nextAt = now + this.#delay(attempts);
		return true;
	}

	due(now: number): RecoveryStep | undefined {
		const outage = this.#outage;
		const at = this.nextAt;
		if (outage === undefined || at === undefined || now < at) return undefined;
		if (now >= this.#endsAt(outage)) return this.#giveUp(outage, `${outage.message}; it did not come back within ${this.#limitMs} ms`);
		outage.busy = true;
		outage.attempts += 1;
		return { do: outage.how, attempt: outage.attempts };
	}

	/** What came of the attempt; gives what ends everything. */
	failed(failure: Failure, reason: RoomCloseReason | undefined, message: string, now: number): RecoveryStep | undefined {
		const outage = this.#outage;
		if (outage === undefined || outage.over) return undefined;
		outage.busy = false;
		if (reason !== undefined) outage.reason = reason;
		if (failure === "hopeless") return this.#giveUp(outage, message);
		const wasResume = outage.how === "resume";
		if (failure === "refused") outage.how = "rejoin";
		// there is nothing to wait for when a server that is there does not know the participant
		outage.nextAt = failure === "refused" && wasResume ? now : now + this.#delay(outage.attempts);
		return undefined;
	}

	/** The attempt has succeeded; gives how long the connection was gone, ms. */
	restored(now: number): number {
		const outage = this.#outage;
		if (outage === undefined) return 0;
		this.#restoredAt = now;
		outage.over = true;
		return now - outage.since;
	}

	#endsAt(outage: Outage): number {
		return outage.since + this.#limitMs;
	}

	#giveUp(outage: Outage, message: string): RecoveryStep {
		outage.over = true;
		return { do: "give-up", reason: outage.reason, message };
	}

	#delay(attempts: number): number {
		const delay = DELAYS_MS[Math.min(attempts, DELAYS_MS.length - 1)] ?? 0;
		return delay * (1 + SPREAD * (2 * this.#random() - 1));
	}
}
