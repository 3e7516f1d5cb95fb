/** Video codecs that are forwarded, by their RTP encoding names (RFC 7741, RFC 6184, RFC 9628, AV1's own specification). */
const encodingNames = ["VP8", "H264", "VP9", "AV1"] as const;
export type VideoCodecName = (typeof encodingNames)[number];

/** A codec with what a receiver must agree upon, as one word: two sections with the same word mean the same packets. */
export interface VideoCodec {
	name: VideoCodecName;
	key: string;
}

export const videoCodecNames: readonly VideoCodecName[] = encodingNames;

/** Undefined for RTX, RED, FEC and all else. `fmtp` counts for H.264 (RFC 6184 §8.1: profile and packetization mode) and VP9 (profile). */
export function videoCodecOf(encodingName: string, fmtp: string): VideoCodec | undefined {
	const name = encodingNames.find((known) => known === encodingName.toUpperCase());
	if (name === undefined) return undefined;
	if (name === "H264")
		return { name, key: `H264 ${parameter(fmtp, "packetization-mode", "0")} ${parameter(fmtp, "profile-level-id", "42e0").slice(0, 4)}` };
	if (name === "VP9") return { name, key: `VP9 ${parameter(fmtp, "profile-id", "0")}` };
	return { name, key: name };
}

function parameter(fmtp: string, name: string, fallback: string): string {
	for (const each of fmtp.split(";")) {
		const [key = "", value = ""] = each.trim().split("=");
		if (key.toLowerCase() === name) return value.toLowerCase();
	}
	return fallback;
}
