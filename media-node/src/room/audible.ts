/** Which of a room's audio tracks a telephone hears: all of a small room; of a large one agents, telephones and whoever speaks. Pure. */
import type { RoomParticipant } from "../call/ports.ts";

/** Tracks that are heard at a time. More voices at once nobody understands, and each is a stream to receive and a section in every SDP. */
export const PLACES = 16;
/** Whoever has been silent for so long gives the place to somebody who speaks. */
const SILENT_MS = 3_000;

interface Track {
	owner: RoomParticipant;
	muted: boolean;
	speaks: boolean;
	/** when that was said last, ms; -Infinity = not since we are there */
	spokeAt: number;
	heard: boolean;
}

/** Track SIDs; a track is in one of them at most. */
export interface AudibleChange {
	subscribe: string[];
	unsubscribe: string[];
}

/** Each method tells what changes by it. */
export class Audible {
	readonly #tracks = new Map<string, Track>();
	#heard = 0;

	/** All that are heard. */
	trackSids(): string[] {
		return [...this.#tracks].flatMap(([sid, { heard }]) => (heard ? [sid] : []));
	}

	added(sid: string, owner: RoomParticipant, muted: boolean, nowMs: number): AudibleChange {
		if (this.#tracks.has(sid)) return none();
		const track: Track = { owner, muted, speaks: false, spokeAt: Number.NEGATIVE_INFINITY, heard: false };
		this.#tracks.set(sid, track);
		return this.#admit(sid, track, nowMs);
	}

	/** The server unsubscribes us from what is gone. Its place goes to whoever spoke last. */
	removed(sid: string): AudibleChange {
		const track = this.#tracks.get(sid);
		this.#tracks.delete(sid);
		if (track?.heard !== true) return none();
		this.#heard -= 1;
		const [next] = [...this.#tracks]
			.filter(([, { heard }]) => !heard)
			.sort(([, a], [, b]) => Number(a.muted) - Number(b.muted) || byTime(b.spokeAt, a.spokeAt));
		return next === undefined ? none() : this.#hear(next[0], next[1]);
	}

	muted(sid: string, muted: boolean, nowMs: number): AudibleChange {
		const track = this.#tracks.get(sid);
		if (track === undefined) return none();
		track.muted = muted;
		return muted ? none() : this.#admit(sid, track, nowMs);
	}

	/** Who begins to speak or ends; of a participant with several tracks all of them. */
	spoke(participantSid: string, speaks: boolean, nowMs: number): AudibleChange {
		const change = none();
		for (const [sid, track] of this.#tracks) {
			if (track.owner.sid !== participantSid) continue;
			track.speaks = speaks;
			track.spokeAt = nowMs;
			const { subscribe, unsubscribe } = speaks ? this.#admit(sid, track, nowMs) : none();
			change.subscribe.push(...subscribe);
			change.unsubscribe.push(...unsubscribe);
		}
		return change;
	}

	#admit(sid: string, track: Track, nowMs: number): AudibleChange {
		if (track.heard) return none();
		if (this.#heard < PLACES) return this.#hear(sid, track);
		if (track.muted) return none();
		const other = this.#whoMakesRoom(track, nowMs);
		if (other === undefined) return none();
		const [otherSid, makesRoom] = other;
		makesRoom.heard = false;
		this.#heard -= 1;
		return { ...this.#hear(sid, track), unsubscribe: [otherSid] };
	}

	#hear(sid: string, track: Track): AudibleChange {
		track.heard = true;
		this.#heard += 1;
		return { subscribe: [sid], unsubscribe: [] };
	}

	/** A muted one first; then who has been silent the longest, for one who speaks, or who is always heard. */
	#whoMakesRoom(track: Track, nowMs: number): [string, Track] | undefined {
		const [first] = [...this.#tracks]
			.filter(([, other]) => other.heard && (other.muted || !(isAlwaysHeard(other) || other.speaks)))
			.sort(([, a], [, b]) => Number(b.muted) - Number(a.muted) || byTime(a.spokeAt, b.spokeAt));
		if (first === undefined) return undefined;
		const [, { muted, spokeAt }] = first;
		const isWanted = muted || ((track.speaks || isAlwaysHeard(track)) && nowMs - spokeAt >= SILENT_MS);
		return isWanted ? first : undefined;
	}
}

/** Whom a caller is there for. */
const isAlwaysHeard = ({ owner: { kind } }: Track): boolean => kind === "agent" || kind === "sip";

const none = (): AudibleChange => ({ subscribe: [], unsubscribe: [] });

/** Also of -Infinity. */
const byTime = (a: number, b: number): number => (a === b ? 0 : a < b ? -1 : 1);
