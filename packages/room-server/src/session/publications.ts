import { type AddTrackRequest, SimulcastCodecInfo, TrackInfo, TrackType } from "@livekit/protocol";
import { newSid } from "../ids.ts";
import { limits } from "../limits.ts";
import { AudioSource } from "../media/audio-source.ts";
import type { MediaSource } from "../media/forwarding.ts";
import { findExtension } from "../media/rtp-header.ts";
import { VideoSource } from "../media/video-source.ts";
import type { Participant, PublishedTrack } from "../room/participant.ts";
import type { PublishedSection } from "./media-negotiation.ts";

/** most SSRC → track entries remembered on one connection */
const MAX_SSRCS = 64;
const MAX_LAYERS = 8;

interface Announced {
	cid: string;
	info: TrackInfo;
}

/**
 * What a client publishes: AddTrack announces a track (`cid` = the track id of its `a=msid`), an offer brings its media section, and the two may
 * come in either order.
 */
export class Publications {
	readonly #participant: Participant;
	readonly #sendRtcp: (packet: Buffer) => void;
	#announced: Announced[] = [];
	/** sections of the latest offer that carry a track, by mid */
	readonly #byMid = new Map<string, PublishedTrack>();
	readonly #bySsrc = new Map<number, MediaSource>();
	/** codec that the client means to send, in lower case, by cid */
	readonly #preferred = new Map<string, string>();
	#sections: readonly PublishedSection[] = [];

	/** `sendRtcp`: to the client, about what it sends */
	constructor(participant: Participant, sendRtcp: (packet: Buffer) => void) {
		this.#participant = participant;
		this.#sendRtcp = sendRtcp;
	}

	/** The new track's info; a string says why it may not be published. */
	announce(request: AddTrackRequest): TrackInfo | "unsupported" | "too many" {
		if (request.type !== TrackType.AUDIO && request.type !== TrackType.VIDEO) return "unsupported";
		if (this.#announced.length + this.#byMid.size >= limits.tracksPerParticipant) return "too many";
		const info = new TrackInfo({
			sid: newSid("TR"),
			type: request.type,
			name: request.name,
			muted: request.muted,
			source: request.source,
			disableDtx: request.disableDtx,
			disableRed: true,
			stereo: request.stereo,
			stream: request.stream,
			width: request.width,
			height: request.height,
			layers: request.layers.slice(0, MAX_LAYERS),
			encryption: request.encryption,
			audioFeatures: request.audioFeatures,
		});
		this.#announced.push({ cid: request.cid, info });
		const preferred = request.simulcastCodecs[0]?.codec.toLowerCase();
		if (preferred !== undefined && preferred !== "" && this.#preferred.size < MAX_SSRCS) this.#preferred.set(request.cid, preferred);
		return info;
	}

	/** What AddTrack said of the codec of the track with this `cid`; the codec that comes first in an answer is what is sent. */
	preferredCodec(cid: string | undefined): string | undefined {
		return cid === undefined ? undefined : this.#preferred.get(cid);
	}

	/** The sections of a new offer. Tracks whose section sends no more are over. */
	negotiated(sections: readonly PublishedSection[]): { ended: PublishedTrack[] } {
		this.#sections = sections;
		const ended: PublishedTrack[] = [];
		for (const [mid, track] of this.#byMid) {
			if (sections.some((section) => section.mid === mid)) continue;
			this.#byMid.delete(mid);
			for (const { cid } of track.info.codecs) this.#preferred.delete(cid);
			this.#forgetSource(track.source);
			ended.push(track);
		}
		for (const section of sections) {
			const track = this.#byMid.get(section.mid);
			if (track !== undefined) this.#apply(section, track);
		}
		return { ended };
	}

	/** Brings announced tracks and sections together; the tracks that are new. */
	claim(): PublishedTrack[] {
		const started: PublishedTrack[] = [];
		for (const section of this.#sections) {
			if (this.#byMid.has(section.mid)) continue;
			// a section without a=msid takes what was announced first
			const type = section.media.kind === "audio" ? TrackType.AUDIO : TrackType.VIDEO;
			const sameKind = this.#announced.filter(({ info }) => info.type === type);
			const announced = section.trackId === undefined ? sameKind[0] : sameKind.find((each) => each.cid === section.trackId);
			if (announced === undefined) continue;
			this.#announced = this.#announced.filter((each) => each !== announced);
			const { info } = announced;
			info.mid = section.mid;
			info.mimeType = section.media.mimeType;
			info.codecs = [new SimulcastCodecInfo({ mimeType: info.mimeType, mid: section.mid, cid: announced.cid, layers: info.layers })];
			const track: PublishedTrack = { info, publisher: this.#participant, source: this.#newSource(section), subscribedOnce: false };
			track.source.muted = info.muted;
			this.#byMid.set(section.mid, track);
			this.#apply(section, track);
			started.push(track);
		}
		return started;
	}

	/** One packet from the client, to the track it belongs to. */
	write(packet: Buffer, headerLength: number, payload: Buffer): void {
		const source = this.#bySsrc.get(packet.readUInt32BE(8)) ?? this.#sourceByMid(packet, headerLength);
		source?.write(packet, headerLength, payload);
	}

	findAnnounced(trackSid: string): TrackInfo | undefined {
		return this.#announced.find((each) => each.info.sid === trackSid)?.info;
	}

	tracks(): PublishedTrack[] {
		return [...this.#byMid.values()];
	}

	#newSource({ media }: PublishedSection): MediaSource {
		return media.kind === "audio" ? new AudioSource() : new VideoSource(this.#sendRtcp, () => performance.now());
	}

	#apply({ media, ssrcs }: PublishedSection, track: PublishedTrack): void {
		if (media.kind === "audio" && track.source.kind === "audio") track.source.configure(media.format);
		if (media.kind === "video" && track.source.kind === "video") track.source.configure(media.codecs);
		for (const ssrc of ssrcs) if (this.#bySsrc.size < MAX_SSRCS) this.#bySsrc.set(ssrc, track.source);
	}

	/** RFC 9143 §9.2: a packet of an SSRC that no description named says its section in the MID extension. */
	#sourceByMid(packet: Buffer, headerLength: number): MediaSource | undefined {
		const id = this.#sections.find((section) => section.midExtension !== 0)?.midExtension ?? 0;
		const at = findExtension(packet, headerLength, id);
		if (at === -1) return this.#byMid.size === 1 ? this.tracks()[0]?.source : undefined;
		const mid = packet.toString("latin1", at, at + ((packet[at - 1] ?? 0) & 0x0f) + 1);
		const source = this.#byMid.get(mid)?.source;
		if (source !== undefined && this.#bySsrc.size < MAX_SSRCS) this.#bySsrc.set(packet.readUInt32BE(8), source);
		return source;
	}

	#forgetSource(source: MediaSource): void {
		for (const [ssrc, owner] of this.#bySsrc) if (owner === source) this.#bySsrc.delete(ssrc);
	}
}
