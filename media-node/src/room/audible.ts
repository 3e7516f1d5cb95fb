/**
 * Which of a room's audio tracks a telephone hears: all of a small room; of a large one agents, telephones and whoever speaks. Pure.
 *
 * It subscribes to more than it hears: a LiveKit server tells who speaks only of those who are subscribed to.
 */
import type { RoomParticipant } from "../call/ports.ts";

/** Tracks that are heard at a time. More voices at once nobody understands, and each is a stream to decode and to mix. */
export const PLACES = 16;
/** Tracks that are subscribed to, heard or open and not heard yet: packets to receive, and a section in every SDP. */
export const MOST_SUBSCRIBED = 64;
/** Whoever has been silent for so long gives the place to somebody who speaks. */
const SILENT_MS = 3_000;

interface Track {
	owner: RoomParticipant;
	muted: boolean;
	speaks: boolean;
	/** when that was said last, ms; -Infinity = not since we are there */
	spokeAt: number;
	/** when it was published or unmuted last, ms; -Infinity: never */
	openedAt: number;
	heard: boolean;
}

/** Track SIDs to ask the server for; a track is in one of them at most. */
export interface AudibleChange {
	subscribe: string[];
	unsubscribe: string[];
}

/** Each method tells what changes in the subscriptions by it. */
export class Audible {
	readonly #tracks = new Map<string, Track>();
	#subscribed: ReadonlySet<string> = new Set();
	#heard = 0;

	/** All that are subscribed to. */
	trackSids(): string[] {
		return [...this.#subscribed];
	}

	hears(sid: string): boolean {
		return this.#tracks.get(sid)?.heard === true;
	}

	added(sid: string, owner: RoomParticipant, muted: boolean, nowMs: number): AudibleChange {
		if (this.#tracks.has(sid)) return { subscribe: [], unsubscribe: [] };
		const never = Number.NEGATIVE_INFINITY;
		const track: Track = { owner, muted, speaks: false, spokeAt: never, openedAt: muted ? never : nowMs, heard: false };
		this.#tracks.set(sid, track);
		this.#admit(track, nowMs);
		return this.#change();
	}

	/** The server unsubscribes us from what is gone. Its place goes to whoever spoke last. */
	removed(sid: string): AudibleChange {
		const track = this.#tracks.get(sid);
		this.#tracks.delete(sid);
		if (track?.heard === true) {
			this.#heard -= 1;
			const [next] = [...this.#tracks.values()]
				.filter(({ heard }) => !heard)
				.sort((a, b) => Number(a.muted) - Number(b.muted) || byTime(b.spokeAt, a.spokeAt));
			if (next !== undefined) this.#hear(next);
		}
		return this.#change();
	}

	muted(sid: string, muted: boolean, nowMs: number): AudibleChange {
		const track = this.#tracks.get(sid);
		if (track === undefined) return { subscribe: [], unsubscribe: [] };
		track.muted = muted;
		if (!muted) {
			track.openedAt = nowMs;
			this.#admit(track, nowMs);
		}
		return this.#change();
	}

	/** Who begins to speak or ends; of a participant with several tracks all of them. */
	spoke(participantSid: string, speaks: boolean, nowMs: number): AudibleChange {
		for (const track of this.#tracks.values()) {
			if (track.owner.sid !== participantSid) continue;
			track.speaks = speaks;
			track.spokeAt = nowMs;
			if (speaks) this.#admit(track, nowMs);
		}
		return this.#change();
	}

	#admit(track: Track, nowMs: number): void {
		if (track.heard) return;
		if (this.#heard < PLACES) return this.#hear(track);
		if (track.muted) return;
		const makesRoom = this.#whoMakesRoom(track, nowMs);
		if (makesRoom === undefined) return;
		makesRoom.heard = false;
		this.#heard -= 1;
		this.#hear(track);
	}

	#hear(track: Track): void {
		track.heard = true;
		this.#heard += 1;
	}

	#change(): AudibleChange {
		const before = this.#subscribed;
		const wanted = new Set([...this.#tracks].flatMap(([sid, { heard }]) => (heard ? [sid] : [])));
		const open = [...this.#tracks]
			.filter(([, { heard, muted }]) => !heard && !muted)
			.sort(([, a], [, b]) => byTime(Math.max(b.spokeAt, b.openedAt), Math.max(a.spokeAt, a.openedAt)));
		for (const [sid] of open.slice(0, MOST_SUBSCRIBED - wanted.size)) wanted.add(sid);
		this.#subscribed = wanted;
		return {
			subscribe: [...wanted].filter((sid) => !before.has(sid)),
			unsubscribe: [...before].filter((sid) => !wanted.has(sid) && this.#tracks.has(sid)),
		};
	}

	/** A muted one first; then who has been silent the longest, for one who speaks, or who is always heard. */
	#whoMakesRoom(track: Track, nowMs: number): Track | undefined {
		const [first] = [...this.#tracks.values()]
			.filter((other) => other.heard && (other.muted || !(isAlwaysHeard(other) || other.speaks)))
			.sort((a, b) => Number(b.muted) - Number(a.muted) || byTime(a.spokeAt, b.spokeAt));
		if (first === undefined) return undefined;
		const isWanted = first.muted || ((track.speaks || isAlwaysHeard(track)) && nowMs - first.spokeAt >= SILENT_MS);
		return isWanted ? first : undefined;
	}
}

/** Whom a caller is there for. */
const isAlwaysHeard = ({ owner: { kind } }: Track): boolean => kind === "agent" || kind === "sip";

/** Also of -Infinity. */
const byTime = (a: number, b: number): number => (a === b ? 0 : a < b ? -1 : 1);
