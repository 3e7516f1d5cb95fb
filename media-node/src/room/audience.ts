/** Which tracks of a room a telephone subscribes to: all of a small room, what can be heard in a large one. Pure. */
import type { RoomParticipant } from "../call/ports.ts";

export interface AudibleTrack {
	trackSid: string;
	muted: boolean;
	owner: RoomParticipant;
}

export interface SubscriptionChange {
	subscribe: readonly string[];
	unsubscribe: readonly string[];
}

/** So many are subscribed to whether muted or not: nobody's first word is lost to the exchange of descriptions that a subscription takes. */
const AT_ALL_TIMES = 32;
/** Nobody makes more out of more voices; each costs a decoder's time and a section in every description. */
const AT_MOST = 64;
/** above every count */
const AGENTS_FIRST = 2 ** 52;

/**
 * The muted are left out where there are many tracks. Where even too many are not muted, agents and who has spoken, or begun to, last are heard. The server
 * tells who speaks only of those who are subscribed to.
 */
export class Audience {
	#subscribed = new Set<string>();
	readonly #muted = new Map<string, boolean>();
	/** track → when it was published, unmuted or spoken on last; a count, not a time */
	readonly #activity = new Map<string, number>();
	#count = 0;

	/** what the server has been asked for */
	get trackSids(): string[] {
		return [...this.#subscribed];
	}

	/** Of another connection: nothing is subscribed to there. */
	clear(): void {
		this.#subscribed.clear();
	}

	/** These participants (SIDs) speak. */
	spoke(participantSids: ReadonlySet<string>, tracks: readonly AudibleTrack[]): void {
		for (const { trackSid, owner } of tracks) if (participantSids.has(owner.sid)) this.#touch(trackSid);
	}

	/** What is to be asked of the server, when these are the tracks of the room. */
	choose(tracks: readonly AudibleTrack[]): SubscriptionChange {
		this.#note(tracks);
		const wanted = this.#wanted(tracks);
		const subscribe = [...wanted].filter((trackSid) => !this.#subscribed.has(trackSid));
		const unsubscribe = tracks.flatMap(({ trackSid }) => (this.#subscribed.has(trackSid) && !wanted.has(trackSid) ? [trackSid] : []));
		this.#subscribed = wanted;
		return { subscribe, unsubscribe };
	}

	#note(tracks: readonly AudibleTrack[]): void {
		const present = new Set(tracks.map(({ trackSid }) => trackSid));
		for (const trackSid of this.#muted.keys()) {
			if (present.has(trackSid)) continue;
			this.#muted.delete(trackSid);
			this.#activity.delete(trackSid);
		}
		for (const { trackSid, muted } of tracks) {
			if (!muted && this.#muted.get(trackSid) !== false) this.#touch(trackSid);
			this.#muted.set(trackSid, muted);
		}
	}

	#wanted(tracks: readonly AudibleTrack[]): Set<string> {
		if (tracks.length <= AT_ALL_TIMES) return new Set(tracks.map(({ trackSid }) => trackSid));
		const open = tracks.filter(({ muted }) => !muted).toSorted((a, b) => this.#rank(b) - this.#rank(a));
		const wanted = open.slice(0, AT_MOST);
		// those that are there already first: a mute changes nothing while there is room
		const muted = tracks
			.filter((track) => track.muted)
			.toSorted((a, b) => Number(this.#subscribed.has(b.trackSid)) - Number(this.#subscribed.has(a.trackSid)));
		wanted.push(...muted.slice(0, Math.max(0, AT_ALL_TIMES - wanted.length)));
		return new Set(wanted.map(({ trackSid }) => trackSid));
	}

	#rank({ trackSid, owner }: AudibleTrack): number {
		return (this.#activity.get(trackSid) ?? 0) + (owner.kind === "agent" ? AGENTS_FIRST : 0);
	}

	#touch(trackSid: string): void {
		this.#activity.set(trackSid, ++this.#count);
	}
}
