import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { receivingSections } from "./downlink.ts";
import { AUDIO_LEVEL_URI, parseMediaSections } from "./sdp-sections.ts";

/** as a LiveKit 1.13 server answers, shortened */
const ANSWER = [
	"v=0",
	"o=- 2592007435995386458 1795367950 IN IP4 0.0.0.0",
	"s=-",
	"t=0 0",
	"a=group:BUNDLE 0 1 2 3",
	"m=audio 9 UDP/TLS/RTP/SAVPF 0 8 98",
	"a=setup:active",
	"a=mid:0",
	"a=rtpmap:0 PCMU/8000",
	"a=rtpmap:8 PCMA/8000",
	"a=rtpmap:98 opus/48000/2",
	`a=extmap:1 ${AUDIO_LEVEL_URI}`,
	"a=recvonly",
	"m=audio 9 UDP/TLS/RTP/SAVPF 98 63",
	"a=mid:1",
	"a=rtpmap:98 opus/48000/2",
	"a=rtpmap:63 red/48000/2",
	"a=ssrc:87312895 cname:PA_a|TR_b",
	"a=ssrc:87312895 msid:PA_a|TR_b TR_b",
	"a=msid:PA_a|TR_b TR_b",
	"a=sendonly",
	"m=audio 9 UDP/TLS/RTP/SAVPF 0",
	"a=mid:2",
	"a=inactive",
	"m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
	"a=mid:3",
	"",
].join("\r\n");

describe("media sections", () => {
	it("are read with codec, direction, extension, stream and SSRC; RED is not one of ours", () => {
		const [own, remote, unused, data] = parseMediaSections(ANSWER);
		expect(own).toMatchObject({ mid: "0", kind: "audio", port: 9, direction: "recvonly", trackId: undefined, ssrcs: [] });
		expect([...(own?.codecs ?? [])]).toEqual([
			[0, "PCMU"],
			[8, "PCMA"],
			[98, "opus"],
		]);
		expect(own?.extensions.get(AUDIO_LEVEL_URI)).toBe(1);
		expect(remote).toMatchObject({ mid: "1", direction: "sendonly", streamId: "PA_a|TR_b", trackId: "TR_b", ssrcs: [87_312_895] });
		expect([...(remote?.codecs ?? [])]).toEqual([[98, "opus"]]);
		expect(unused?.direction).toBe("inactive");
		expect(data).toMatchObject({ kind: "application", mid: "3" });
		expect(data?.codecs.size).toBe(0);
	});

	it("that send us a track are those with a track and an SSRC; the server's map goes before msid", () => {
		const sections = parseMediaSections(ANSWER);
		expect(receivingSections(sections, {}).map(({ trackSid, section }) => [trackSid, section.mid])).toEqual([["TR_b", "1"]]);
		expect(receivingSections(sections, { 1: "TR_c" }).map(({ trackSid }) => trackSid)).toEqual(["TR_c"]);
	});

	it("of any text are read without a throw", () => {
		const line = fc.oneof(
			fc.constantFrom("m=audio 9 RTP/AVP 0", "m=", "a=mid", "a=ssrc:x", "a=rtpmap:", "a=extmap:1", "a=msid:", "a=sendonly", "v=0"),
			fc.string(),
		);
		fc.assert(
			fc.property(fc.array(line), (lines) => {
				const sections = parseMediaSections(lines.join("\n"));
				expect(sections.length).toBeLessThanOrEqual(lines.join("\n").split("m=").length - 1);
				receivingSections(sections, {});
			}),
		);
	});
});
