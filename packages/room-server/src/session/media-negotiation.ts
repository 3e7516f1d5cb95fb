import { newSsrc } from "../ids.ts";
import { limits } from "../limits.ts";
import type { AudioCodec } from "../media/audio-codec.ts";
import { AudioSink, type RtpOutput } from "../media/audio-sink.ts";
import type { AudioSourceFormat } from "../media/audio-source.ts";
import type { PublishedTrack } from "../room/participant.ts";
import { AUDIO_LEVEL, type LocalSection, MID } from "../sdp/local-description.ts";
import type { MediaSection, OfferedCodec } from "../sdp/offer.ts";

/** A track on its way to this connection's client; `mid` once a media section carries it. */
export interface Subscription {
	readonly track: PublishedTrack;
	readonly sink: AudioSink;
	mid: string | undefined;
}

export function newSubscription(track: PublishedTrack, output: RtpOutput): Subscription {
	return { track, sink: new AudioSink(output, newSsrc()), mid: undefined };
}

/** Lets packets flow into a section whose formats are settled. */
export function startForwarding({ track, sink }: Subscription, section: MediaSection): void {
	const codecs = payloadTypes(section.codecs);
	sink.configure({ payloadTypes: codecs, levelExtension: section.extensions.get(AUDIO_LEVEL) ?? 0 });
	track.source.addSink(sink);
}

/** A section in which the client sends. */
export interface PublishedSection {
	mid: string;
	trackId: string | undefined;
	ssrcs: readonly number[];
	format: AudioSourceFormat;
	/** codec the client will send: the first one that is left */
	codec: AudioCodec;
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
	/** by track sid */
	readonly #subscriptions = new Map<string, Subscription>();
	/** mids in which the client would hear something but nothing is sent */
	#freeSections = 0;

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
		subscription.track.source.removeSink(subscription.sink);
		return subscription;
	}

	pause(trackSid: string, paused: boolean): void {
		const subscription = this.#subscriptions.get(trackSid);
		if (subscription !== undefined) subscription.sink.paused = paused;
	}

	/** How many more audio sections the client must offer. */
	missingSections(): number {
		return Math.max(0, this.waiting().length - this.#freeSections);
	}

	/** Subscriptions that no section carries yet. */
	waiting(): Subscription[] {
		return [...this.#subscriptions.values()].filter((subscription) => subscription.mid === undefined);
	}

	subscriptions(): Subscription[] {
		return [...this.#subscriptions.values()];
	}

	/** Answers an offer, section by section, and starts forwarding into the sections that got a track. */
	answer(offered: readonly MediaSection[]): NegotiatedAnswer {
		const answer: NegotiatedAnswer = { sections: [], midToTrackId: {}, published: [] };
		this.#freeSections = 0;
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
		if (section.kind === "audio") return this.#answerAudio(section, answer);
		// no video is forwarded: the section stays open (a rejected one would break the bundle) and idle
		const [codec] = section.codecs;
		return section.kind === "video" && codec !== undefined ? media(section, "inactive", [codec]) : rejected(section);
	}

	#answerAudio(section: MediaSection, answer: NegotiatedAnswer): LocalSection {
		// RED, comfort noise and telephone-event are left out: what comes in must be what every listener can take
		const codecs = section.codecs.filter((codec) => codec.audio !== undefined);
		const [first] = codecs;
		if (first?.audio === undefined) return rejected(section);
		if (section.direction === "sendonly" || section.direction === "sendrecv") {
			answer.published.push(publishedSection(section, codecs, first.audio));
			return media(section, "recvonly", codecs);
		}
		const subscription = section.direction === "recvonly" ? this.#fill(section) : undefined;
		if (subscription === undefined) {
			if (section.direction === "recvonly") this.#freeSections++;
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
	#fill(section: MediaSection): Subscription | undefined {
		const all = this.subscriptions();
		const subscription = all.find((each) => each.mid === section.mid) ?? all.find((each) => each.mid === undefined);
		if (subscription !== undefined) subscription.mid = section.mid;
		return subscription;
	}
}

/** payload type of each forwarded codec in a section; the first when a codec is there twice */
function payloadTypes(codecs: readonly OfferedCodec[]): Map<AudioCodec, number> {
	const types = new Map<AudioCodec, number>();
	for (const codec of codecs) if (codec.audio !== undefined && !types.has(codec.audio)) types.set(codec.audio, codec.payloadType);
	return types;
}

function publishedSection(section: MediaSection, codecs: readonly OfferedCodec[], codec: AudioCodec): PublishedSection {
	const byPayloadType = new Map<number, AudioCodec>();
	for (const each of codecs) if (each.audio !== undefined) byPayloadType.set(each.payloadType, each.audio);
	return {
		mid: section.mid,
		trackId: section.trackId,
		ssrcs: section.ssrcs,
		format: { codecs: byPayloadType, levelExtension: section.extensions.get(AUDIO_LEVEL) ?? 0 },
		codec,
		midExtension: section.extensions.get(MID) ?? 0,
	};
}

function media(
	section: MediaSection,
	direction: "recvonly" | "sendonly" | "inactive",
	codecs: readonly OfferedCodec[],
): Extract<LocalSection, { kind: "media" }> {
	const extensions = [AUDIO_LEVEL, MID].flatMap((uri) => {
		const id = section.extensions.get(uri);
		return id === undefined ? [] : [{ id, uri }];
	});
	return { kind: "media", mid: section.mid, media: section.kind, direction, codecs, extensions, sent: undefined };
}

function rejected(section: MediaSection): LocalSection {
	return { kind: "rejected", mid: section.mid, media: section.kind, protocol: section.protocol, formats: section.formats };
}
