import { newSsrc } from "../ids.ts";
import { AUDIO_LEVEL } from "../sdp/local-description.ts";
import type { MediaSection, OfferedCodec } from "../sdp/offer.ts";
import type { AudioCodec } from "./audio-codec.ts";
import { AudioSink, type RtpOutput } from "./audio-sink.ts";
import type { AudioSource } from "./audio-source.ts";
import { readFeedback } from "./rtcp.ts";
import type { VideoCodec } from "./video-codec.ts";
import { VideoSink } from "./video-sink.ts";
import type { VideoSource } from "./video-source.ts";

export type MediaSource = AudioSource | VideoSource;
export type MediaSink = AudioSink | VideoSink;

export function newSink(source: MediaSource, output: RtpOutput): MediaSink {
	return source.kind === "audio" ? new AudioSink(output, newSsrc()) : new VideoSink(output, newSsrc());
}

/** Lets packets flow into a section whose formats are settled. */
export function connect(source: MediaSource, sink: MediaSink, section: MediaSection): void {
	if (source.kind === "audio" && sink.kind === "audio") {
		sink.configure({ payloadTypes: audioPayloadTypes(section.codecs), levelExtension: section.extensions.get(AUDIO_LEVEL) ?? 0 });
		source.addSink(sink);
	} else if (source.kind === "video" && sink.kind === "video") {
		sink.configure(videoCodecs(section.codecs));
		source.addSink(sink);
	}
}

export function disconnect(source: MediaSource, sink: MediaSink): void {
	if (source.kind === "audio" && sink.kind === "audio") source.removeSink(sink);
	else if (source.kind === "video" && sink.kind === "video") source.removeSink(sink);
}

/** What a subscriber asks for, to the sinks of its connection. */
export function handleFeedback(rtcp: Uint8Array, sinks: Iterable<MediaSink>): void {
	const all = [...sinks];
	for (const feedback of readFeedback(rtcp)) {
		const sink = all.find(({ ssrc }) => ssrc === feedback.ssrc);
		if (sink?.kind !== "video") continue;
		if (feedback.kind === "keyFrame") sink.requestKeyFrame();
		else sink.sendAgain(feedback.sequences);
	}
}

/** payload type → codec */
export function videoCodecs(codecs: readonly OfferedCodec[]): Map<number, VideoCodec> {
	return new Map(codecs.flatMap(({ payloadType, video }) => (video === undefined ? [] : [[payloadType, video] as const])));
}

/** payload type of each forwarded codec in a section; the first when a codec is there twice */
function audioPayloadTypes(codecs: readonly OfferedCodec[]): Map<AudioCodec, number> {
	const types = new Map<AudioCodec, number>();
	for (const codec of codecs) if (codec.audio !== undefined && !types.has(codec.audio)) types.set(codec.audio, codec.payloadType);
	return types;
}
