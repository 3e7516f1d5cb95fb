/** Wrong PINs from one caller on one trunk, and on a trunk in all, within the window, before nobody is asked any more. */
const PER_CALLER = 9;
const PER_TRUNK = 100;
const WINDOW_MS = 15 * 60_000;
const LOCKED_MS = 15 * 60_000;
/** Callers can be invented: the oldest are forgotten first, and the trunk's own count goes on. */
const MAX_REMEMBERED = 10_000;

interface Failures {
	count: number;
	since: number;
	lockedUntil: number;
}

export interface PinCaller {
	projectId: string;
	/** "" when the call passed no trunk */
	trunkId: string;
	/** the calling number; where there is no trunk that vouches for it, the address that the call came from */
	caller: string;
}

/**
 * Keeps callers from trying PINs until one fits: who enters too many wrong ones is not asked for a while, nor is anybody on a trunk where all callers
 * together do. A node's own memory: a fleet of n nodes gives n times as many tries. Times in ms.
 */
export class PinLocks {
	readonly #callers = new Map<string, Failures>();
	readonly #trunks = new Map<string, Failures>();

	/** Until when the caller is not asked; undefined: he is. */
	lockedUntil(who: PinCaller, now: number): number | undefined {
		const until = Math.max(this.#callers.get(callerKey(who))?.lockedUntil ?? 0, this.#trunks.get(trunkKey(who))?.lockedUntil ?? 0);
		return until > now ? until : undefined;
	}

	/** A wrong PIN. */
	failed(who: PinCaller, now: number): void {
		count(this.#callers, callerKey(who), PER_CALLER, now);
		count(this.#trunks, trunkKey(who), PER_TRUNK, now);
	}

	/** The right one: what the caller got wrong before was a slip. */
	succeeded(who: PinCaller): void {
		this.#callers.delete(callerKey(who));
	}
}

function count(all: Map<string, Failures>, key: string, limit: number, now: number): void {
	const known = all.get(key);
	const failures =
		known === undefined || now - known.since > WINDOW_MS ? { count: 0, since: now, lockedUntil: known?.lockedUntil ?? 0 } : known;
	failures.count += 1;
	if (failures.count >= limit) {
		failures.lockedUntil = now + LOCKED_MS;
		failures.count = 0;
		failures.since = now;
	}
	// Put at the end: the map's order is that of the latest failures.
	all.delete(key);
	all.set(key, failures);
	for (const oldest of all.keys()) {
		if (all.size <= MAX_REMEMBERED) break;
		all.delete(oldest);
	}
}

const callerKey = ({ projectId, trunkId, caller }: PinCaller): string => JSON.stringify([projectId, trunkId, caller]);
const trunkKey = ({ projectId, trunkId }: PinCaller): string => JSON.stringify([projectId, trunkId]);
