import { Codec } from "@livekit/protocol";
import { audioCodecs } from "../media/audio-codec.ts";
import { videoCodecNames } from "../media/video-codec.ts";

/** What clients may publish, by MIME type; forwarded as it is, so listeners must take it too (WebRTC requires all three, RFC 7874 §3). */
export function publishCodecs(): Codec[] {
	return [...audioCodecs.map((codec) => `audio/${codec}`), ...videoCodecNames.map((name) => `video/${name}`)].map(
		(mime) => new Codec({ mime }),
	);
}
