/** The codecs that are forwarded, by their RTP encoding names (RFC 7587, RFC 3551). */
export type AudioCodec = "opus" | "PCMU" | "PCMA";

export const audioCodecs: readonly AudioCodec[] = ["opus", "PCMU", "PCMA"];

const clockRates = [48_000, 8_000, 8_000] as const;

/** packets are 20 ms in every codec here, unless the publisher says otherwise; only used to join two streams */
export const FRAMES_PER_SECOND = 50;

/** position in `audioCodecs`: what the 20 ms path uses in place of the name */
export function codecIndex(codec: AudioCodec): number {
	return audioCodecs.indexOf(codec);
}

/** Hz of the RTP timestamp */
export function clockRate(index: number): number {
	return clockRates[index] ?? 48_000;
}

/** The codec an `a=rtpmap` names; encoding names are case-insensitive (RFC 8866 §6.6). Undefined for RED, comfort noise and all else. */
export function audioCodecOf(encodingName: string, rate: number): AudioCodec | undefined {
	const codec = audioCodecs.find((name) => name.toLowerCase() === encodingName.toLowerCase());
	return codec !== undefined && clockRate(codecIndex(codec)) === rate ? codec : undefined;
}
