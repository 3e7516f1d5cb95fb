import { limits } from "../limits.ts";
import type { AudioCodec } from "../media/audio-codec.ts";
import type { RtpOutput } from "../media/audio-sink.ts";
import type { AudioSourceFormat } from "../media/audio-source.ts";
import { connect, disconnect, type MediaSink, newSink, videoCodecs } from "../media/forwarding.ts";
import type { VideoCodec } from "../media/video-codec.ts";
import type { PublishedTrack } from "../room/participant.ts";
import { AUDIO_LEVEL, type LocalSection, MID, RID } from "../sdp/local-description.ts";
import type { MediaSection, OfferedCodec } from "../sdp/offer.ts";

/** A track on its way to this connection's client; `mid` once a media section carries it. */
export interface Subscription {
	readonly track: PublishedTrack;
	readonly sink: MediaSink;
	mid: string | undefined;
}

export function newSubscription(track: PublishedTrack, output: RtpOutput): Subscription {
	return { track, sink: newSink(track.source, output), mid: undefined };
}

/** Lets packets flow into a section whose formats are settled. */
export function startForwarding({ track, sink }: Subscription, section: MediaSection): void {
	connect(track.source, sink, section);
}

export function stopForwarding({ track, sink }: Subscription): void {
	disconnect(track.source, sink);
}

/** A section in which the client sends. */
export interface PublishedSection {
	mid: string;
	trackId: string | undefined;
	ssrcs: readonly number[];
	/** what may come; the first codec that is left is what the client will send */
	media:
		| { kind: "audio"; format: AudioSourceFormat; mimeType: string }
		| { kind: "video"; codecs: ReadonlyMap<number, VideoCodec>; mimeType: string };
	/** id of the MID header extension, 0 when not negotiated */
	midExtension: number;
}

export interface NegotiatedAnswer {
	sections: LocalSection[];
	midToTrackId: Record<string, string>;
	published: PublishedSection[];
}

/**
 * Which media section of a connection carries what. In the single-connection scheme only the client offers: its `recvonly` sections are
 * places to fill, and when there are too few the client is asked for more.
 */
export class MediaNegotiation {
	readonly #output: RtpOutput;
	#preferredCodec: (trackId: string | undefined) => string | undefined = () => undefined;
	/** by track sid */
	readonly #subscriptions = new Map<string, Subscription>();
	/** sections in which the client would hear or see something but nothing is sent */
	#freeSections = { audio: 0, video: 0 };

	constructor(output: RtpOutput) {
		this.#output = output;
	}

	/** Takes a track in; packets flow once a section carries it. */
	subscribe(track: PublishedTrack): void {
		if (this.#subscriptions.has(track.info.sid)) return;
		this.#subscriptions.set(track.info.sid, newSubscription(track, this.#output));
	}

	/** Ends a subscription at once; its section is free in the next answer. The ended one, if there was one. */
	unsubscribe(trackSid: string): Subscription | undefined {
		const subscription = this.#subscriptions.get(trackSid);
		if (subscription === undefined) return undefined;
		this.#subscriptions.delete(trackSid);
		stopForwarding(subscription);
		return subscription;
	}

	pause(trackSid: string, paused: boolean): void {
		const subscription = this.#subscriptions.get(trackSid);
		if (subscription !== undefined) subscription.sink.paused = paused;
	}

	/** How many more sections of each kind the client must offer. */
	missingSections(): { audio: number; video: number } {
		const waiting = (kind: "audio" | "video"): number => this.waiting().filter(({ sink }) => sink.kind === kind).length;
		return {
			audio: Math.max(0, waiting("audio") - this.#freeSections.audio),
			video: Math.max(0, waiting("video") - this.#freeSections.video),
		};
	}

	/** Subscriptions that no section carries yet. */
	waiting(): Subscription[] {
		return [...this.#subscriptions.values()].filter((subscription) => subscription.mid === undefined);
	}

	subscriptions(): Subscription[] {
		return [...this.#subscriptions.values()];
	}

	sinks(): MediaSink[] {
		return this.subscriptions().map(({ sink }) => sink);
	}

	/** Answers an offer, section by section, and starts forwarding into the sections that got a track. */
	answer(
		offered: readonly MediaSection[],
		preferredCodec: (trackId: string | undefined) => string | undefined = () => undefined,
	): NegotiatedAnswer {
		this.#preferredCodec = preferredCodec;
		const answer: NegotiatedAnswer = { sections: [], midToTrackId: {}, published: [] };
		this.#freeSections = { audio: 0, video: 0 };
		for (const section of offered) answer.sections.push(this.#answerSection(section, answer));
		return answer;
	}

	close(): void {
		for (const trackSid of this.#subscriptions.keys()) this.unsubscribe(trackSid);
	}

	#answerSection(section: MediaSection, answer: NegotiatedAnswer): LocalSection {
		if (section.port === 0 && section.kind !== "application") return rejected(section);
		if (section.kind === "application") {
			return section.sctpPort === undefined
				? rejected(section)
				: { kind: "data", mid: section.mid, maxMessageSize: limits.dataPacketBytes };
		}
		return section.kind === "audio" || section.kind === "video" ? this.#answerMedia(section, section.kind, answer) : rejected(section);
	}

	#answerMedia(section: MediaSection, kind: "audio" | "video", answer: NegotiatedAnswer): LocalSection {
		// RED, RTX, FEC, comfort noise and telephone-event are left out: what comes in must be what every listener can take
		const codecs = preferring(
			section.codecs.filter((codec) => codec[kind] !== undefined),
			this.#preferredCodec(section.trackId),
		);
		if (codecs.length === 0) return rejected(section);
		if (section.direction === "sendonly" || section.direction === "sendrecv") {
			answer.published.push(publishedSection(section, kind, codecs));
			return { ...media(section, "recvonly", codecs), rid: bestLayer(section.rids) };
		}
		const subscription = section.direction === "recvonly" ? this.#fill(section, kind) : undefined;
		if (subscription === undefined) {
			if (section.direction === "recvonly") this.#freeSections[kind]++;
			return media(section, "inactive", codecs);
		}
		const { track, sink } = subscription;
		answer.midToTrackId[section.mid] = track.info.sid;
		startForwarding(subscription, section);
		return {
			...media(section, "sendonly", codecs),
			sent: { participantSid: track.publisher.sid, trackSid: track.info.sid, ssrc: sink.ssrc },
		};
	}

	/** The subscription that a section carries already, else one that waits. */
	#fill(section: MediaSection, kind: "audio" | "video"): Subscription | undefined {
		const all = this.subscriptions().filter(({ sink }) => sink.kind === kind);
		const subscription = all.find((each) => each.mid === section.mid) ?? all.find((each) => each.mid === undefined);
		if (subscription !== undefined) subscription.mid = section.mid;
		return subscription;
	}
}

/** The codecs of that name first, the others as they were. */
function preferring(codecs: readonly OfferedCodec[], name: string | undefined): OfferedCodec[] {
	const preferred = codecs.filter(({ video }) => video !== undefined && video.name.toLowerCase() === name);
	return [...preferred, ...codecs.filter((codec) => !preferred.includes(codec))];
}

/** The layer of most pixels, as LiveKit's clients name them; all listeners get this one. */
function bestLayer(rids: readonly string[]): string | undefined {
	return ["f", "h", "q"].find((rid) => rids.includes(rid)) ?? rids.at(-1);
}

function publishedSection(section: MediaSection, kind: "audio" | "video", codecs: readonly OfferedCodec[]): PublishedSection {
	const { mid, trackId, ssrcs, extensions } = section;
	const mimeType = `${kind}/${kind === "audio" ? codecs[0]?.audio : codecs[0]?.video?.name}`;
	const format = { codecs: audioCodecs(codecs), levelExtension: extensions.get(AUDIO_LEVEL) ?? 0 };
	return {
		mid,
		trackId,
		ssrcs,
		media: kind === "audio" ? { kind, format, mimeType } : { kind, codecs: videoCodecs(codecs), mimeType },
		midExtension: extensions.get(MID) ?? 0,
	};
}

/** payload type → codec */
function audioCodecs(codecs: readonly OfferedCodec[]): Map<number, AudioCodec> {
	return new Map(codecs.flatMap(({ payloadType, audio }) => (audio === undefined ? [] : [[payloadType, audio] as const])));
}

function media(
	section: MediaSection,
	direction: "recvonly" | "sendonly" | "inactive",
	codecs: readonly OfferedCodec[],
): Extract<LocalSection, { kind: "media" }> {
	const extensions = [AUDIO_LEVEL, MID, RID].flatMap((uri) => {
		const id = section.extensions.get(uri);
		return id === undefined ? [] : [{ id, uri }];
	});
	return { kind: "media", mid: section.mid, media: section.kind, direction, codecs, extensions, sent: undefined, rid: undefined };
}

function rejected(section: MediaSection): LocalSection {
	return { kind: "rejected", mid: section.mid, media: section.kind, protocol: section.protocol, formats: section.formats };
}
