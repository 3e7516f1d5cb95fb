/** The subscribed tracks: received RTP packets sorted by SSRC and handed on as frames. */
import type { RtpPacket } from "@trunkline/rtp";
import type { EncodedFrame, RemoteAudioTrack, RoomCodec } from "../call/ports.ts";
import { ReceptionStatistics } from "./reception.ts";
import type { MediaSection } from "./sdp-sections.ts";
import { CLOCK_RATE } from "./uplink.ts";

/** A section in which the server sends us a track. */
export interface ReceivingSection {
	trackSid: string;
	section: MediaSection;
}

/** The sections of a remote description in which a known audio track is sent to us. `midToTrackId` comes with every description of a newer server. */
export function receivingSections(
	sections: readonly MediaSection[],
	midToTrackId: Readonly<Record<string, string>>,
): readonly ReceivingSection[] {
	return sections.flatMap((section) => {
		if (section.kind !== "audio" || section.port === 0) return [];
		if (section.direction !== "sendonly" && section.direction !== "sendrecv") return [];
		const trackSid = midToTrackId[section.mid] ?? section.trackId;
		return trackSid === undefined || trackSid === "" || section.ssrcs.length === 0 ? [] : [{ trackSid, section }];
	});
}

export class RemoteTrack implements RemoteAudioTrack {
	readonly trackSid: string;
	readonly participantIdentity: string;
	#listener: ((frame: EncodedFrame) => void) | undefined;

	constructor(trackSid: string, participantIdentity: string) {
		this.trackSid = trackSid;
		this.participantIdentity = participantIdentity;
	}

	onFrame(listener: (frame: EncodedFrame) => void): void {
		this.#listener = listener;
	}

	deliver(frame: EncodedFrame): void {
		this.#listener?.(frame);
	}
}

interface Source {
	track: RemoteTrack;
	codecs: ReadonlyMap<number, RoomCodec>;
	statistics: ReceptionStatistics;
}

/** Decides who owns a track; undefined = not (yet) known, so nothing of it is delivered. */
export type OwnerOf = (trackSid: string) => string | undefined;

export class Downlink {
	readonly #tracks = new Map<string, RemoteTrack>();
	readonly #bySsrc = new Map<number, Source>();
	#sections: readonly ReceivingSection[] = [];

	/** Of another connection: SSRCs and payload types mean nothing any more. */
	clear(): void {
		this.#sections = [];
		this.#bySsrc.clear();
	}

	/** Takes the newest description's sections. */
	setSections(sections: readonly ReceivingSection[]): void {
		this.#sections = sections;
	}

	/** Compares what the server sends with what we deliver; tells what was added and removed. */
	reconcile(ownerOf: OwnerOf): { added: readonly RemoteTrack[]; removed: readonly string[] } {
		const added: RemoteTrack[] = [];
		const present = new Set<string>();
		const ssrcs = new Set<number>();
		for (const { trackSid, section } of this.#sections) {
			const owner = ownerOf(trackSid);
			if (owner === undefined) continue;
			present.add(trackSid);
			let track = this.#tracks.get(trackSid);
			if (track === undefined) {
				track = new RemoteTrack(trackSid, owner);
				this.#tracks.set(trackSid, track);
				added.push(track);
			}
			for (const ssrc of section.ssrcs) {
				ssrcs.add(ssrc);
				this.#setSource(ssrc, track, section.codecs);
			}
		}
		for (const ssrc of this.#bySsrc.keys()) if (!ssrcs.has(ssrc)) this.#bySsrc.delete(ssrc);
		const removed = [...this.#tracks.keys()].filter((trackSid) => !present.has(trackSid));
		for (const trackSid of removed) this.#tracks.delete(trackSid);
		return { added, removed };
	}

	/** The 20 ms path: one look-up, no copy. Packets of unknown streams and padding-only packets end here. */
	receive({ ssrc, payloadType, sequence, timestamp, marker, payload }: RtpPacket, now: number): void {
		const source = this.#bySsrc.get(ssrc);
		if (source === undefined) return;
		const codec = source.codecs.get(payloadType);
		if (codec === undefined) return;
		source.statistics.receive(sequence, timestamp, CLOCK_RATE[codec], now);
		if (payload.length === 0) return;
		source.track.deliver({ codec, payload, timestamp, sequence, marker });
	}

	statistics(): Iterable<[number, ReceptionStatistics]> {
		return [...this.#bySsrc].map(([ssrc, source]) => [ssrc, source.statistics]);
	}

	statisticsOf(ssrc: number): ReceptionStatistics | undefined {
		return this.#bySsrc.get(ssrc)?.statistics;
	}

	#setSource(ssrc: number, track: RemoteTrack, codecs: ReadonlyMap<number, RoomCodec>): void {
		const source = this.#bySsrc.get(ssrc);
		if (source === undefined || source.track !== track) this.#bySsrc.set(ssrc, { track, codecs, statistics: new ReceptionStatistics() });
		else source.codecs = codecs;
	}
}
