/** Who else is in the room and which audio tracks they have: LiveKit's ParticipantInfo updates in, changes out. Pure. */
import type { ParticipantInfo } from "@livekit/protocol";
import type { RoomParticipant } from "../call/ports.ts";
import { hasLeft, isAudio, isEncrypted, roomParticipant } from "./protocol-map.ts";

export type RosterChange =
	| { type: "joined"; participant: RoomParticipant }
	| { type: "left"; participant: RoomParticipant }
	| { type: "track-added"; trackSid: string; participant: RoomParticipant }
	| { type: "track-removed"; trackSid: string }
	| { type: "track-muted"; trackSid: string; muted: boolean }
	/** audio that a telephone cannot understand; it is no track otherwise */
	| { type: "track-encrypted"; trackSid: string; participant: RoomParticipant };

interface Entry {
	participant: RoomParticipant;
	version: number;
	/** audio tracks: SID → muted */
	tracks: Map<string, boolean>;
	/** SIDs of audio tracks that are encrypted from end to end */
	encrypted: Set<string>;
}

export class Roster {
	readonly #ownIdentity: string;
	readonly #bySid = new Map<string, Entry>();
	#hasHadTracks = false;

	constructor(ownIdentity: string) {
		this.#ownIdentity = ownIdentity;
	}

	participants(): readonly RoomParticipant[] {
		return [...this.#bySid.values()].map((entry) => entry.participant);
	}

	/** The owner of an audio track of somebody else. */
	ownerOf(trackSid: string): RoomParticipant | undefined {
		for (const entry of this.#bySid.values()) if (entry.tracks.has(trackSid)) return entry.participant;
		return undefined;
	}

	isMuted(trackSid: string): boolean {
		for (const entry of this.#bySid.values()) if (entry.tracks.get(trackSid) === true) return true;
		return false;
	}

	/** There is audio, all of it is encrypted from end to end, and there never was other. */
	get isSealed(): boolean {
		return !this.#hasHadTracks && [...this.#bySid.values()].some(({ encrypted }) => encrypted.size > 0);
	}

	/** All who are there now, of a new join: whoever is not among them has left. */
	replace(infos: readonly ParticipantInfo[]): readonly RosterChange[] {
		const present = new Set(infos.map(({ sid }) => sid));
		const gone = [...this.#bySid].filter(([sid]) => !present.has(sid)).flatMap(([, entry]) => this.#remove(entry));
		// of another server their versions begin anew
		for (const entry of this.#bySid.values()) entry.version = 0;
		return [...gone, ...this.apply(infos)];
	}

	apply(infos: readonly ParticipantInfo[]): readonly RosterChange[] {
		return infos.filter((info) => info.identity !== this.#ownIdentity && info.sid !== "").flatMap((info) => this.#applyOne(info));
	}

	#applyOne(info: ParticipantInfo): RosterChange[] {
		const known = this.#bySid.get(info.sid);
		if (hasLeft(info)) return known === undefined ? [] : this.#remove(known);
		// updates of one participant may overtake each other inside a server
		if (known !== undefined && info.version < known.version) return [];
		const changes: RosterChange[] = [];
		const entry = known ?? this.#add(info, changes);
		entry.version = info.version;
		const audio = info.tracks.filter(isAudio);
		const now = new Map(audio.filter((track) => !isEncrypted(track)).map((track) => [track.sid, track.muted]));
		const encrypted = new Set(audio.filter(isEncrypted).map(({ sid }) => sid));
		for (const trackSid of entry.tracks.keys()) if (!now.has(trackSid)) changes.push({ type: "track-removed", trackSid });
		for (const [trackSid, muted] of now) {
			const before = entry.tracks.get(trackSid);
			if (before === undefined) changes.push({ type: "track-added", trackSid, participant: entry.participant });
			else if (before !== muted) changes.push({ type: "track-muted", trackSid, muted });
		}
		for (const trackSid of encrypted)
			if (!entry.encrypted.has(trackSid)) changes.push({ type: "track-encrypted", trackSid, participant: entry.participant });
		entry.tracks = now;
		entry.encrypted = encrypted;
		this.#hasHadTracks ||= now.size > 0;
		return changes;
	}

	#add(info: ParticipantInfo, changes: RosterChange[]): Entry {
		// The same identity under a new SID is the same person joined again; the server may not have told that the old one left.
		for (const other of this.#bySid.values()) if (other.participant.identity === info.identity) changes.push(...this.#remove(other));
		const entry: Entry = { participant: roomParticipant(info), version: info.version, tracks: new Map(), encrypted: new Set() };
		this.#bySid.set(info.sid, entry);
		changes.push({ type: "joined", participant: entry.participant });
		return entry;
	}

	#remove(entry: Entry): RosterChange[] {
		this.#bySid.delete(entry.participant.sid);
		const tracks = [...entry.tracks.keys()].map((trackSid): RosterChange => ({ type: "track-removed", trackSid }));
		return [...tracks, { type: "left", participant: entry.participant }];
	}
}
