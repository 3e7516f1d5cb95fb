import { TrackInfo } from "@livekit/protocol";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AudioSource } from "../media/audio-source.ts";
import type { Participant, PublishedTrack } from "../room/participant.ts";
import { type LocalTransport, writeDescription } from "../sdp/local-description.ts";
import { parseDescription, type RemoteDescription } from "../sdp/offer.ts";
import { MediaNegotiation } from "./media-negotiation.ts";

const transport: LocalTransport = {
	ufrag: "ours",
	password: "secret",
	fingerprint: "AA:BB",
	candidate: "candidate:1 1 udp 1 127.0.0.1 9999 typ host",
};

/** As a LiveKit client offers: places for three audio and three video tracks, data, then its own track. */
function clientOffer(options: { audioPlaces: number; publish: boolean }): string {
	const session = ["v=0", "o=- 1 2 IN IP4 127.0.0.1", "s=-", "t=0 0", "a=group:BUNDLE 0", "a=fingerprint:sha-256 12:34", "a=setup:actpass"];
	const audio = [
		"a=rtpmap:111 opus/48000/2",
		"a=fmtp:111 minptime=10;useinbandfec=1",
		"a=rtpmap:63 red/48000/2",
		"a=fmtp:63 111/111",
		"a=rtpmap:0 PCMU/8000",
		"a=rtpmap:8 PCMA/8000",
		"a=rtpmap:13 CN/8000",
		"a=rtpmap:126 telephone-event/8000",
		"a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level",
		"a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
		"a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid",
	];
	const sections: string[] = [];
	let mid = 0;
	for (let i = 0; i < options.audioPlaces; i++)
		sections.push("m=audio 9 UDP/TLS/RTP/SAVPF 111 63 0 8 13 126", `a=mid:${mid++}`, "a=recvonly", ...audio);
	for (let i = 0; i < 3; i++)
		sections.push("m=video 9 UDP/TLS/RTP/SAVPF 96 97", `a=mid:${mid++}`, "a=recvonly", "a=rtpmap:96 VP8/90000", "a=rtpmap:97 rtx/90000");
	sections.push("m=application 9 UDP/DTLS/SCTP webrtc-datachannel", `a=mid:${mid++}`, "a=sctp-port:5000", "a=max-message-size:262144");
	if (options.publish)
		sections.push(
			"m=audio 9 UDP/TLS/RTP/SAVPF 111 63 0 8",
			`a=mid:${mid}`,
			"a=msid:- my-track",
			"a=sendonly",
			...audio,
			"a=ssrc:77 cname:x",
			"a=ssrc:77 msid:- my-track",
		);
	return `${[...session, ...sections].join("\r\n")}\r\n`;
}

function parsed(sdp: string): RemoteDescription {
	const description = parseDescription(sdp);
	if (typeof description === "string") throw new Error(description);
	return description;
}

function track(sid: string): PublishedTrack {
	return { info: new TrackInfo({ sid }), publisher: { sid: "PA_1" } as Participant, source: new AudioSource(), subscribedOnce: false };
}

function negotiation(): MediaNegotiation {
	return new MediaNegotiation({ rtpOverhead: undefined, sendRtp: () => undefined, resend: () => undefined });
}

describe("answers", () => {
	it("fill places with waiting tracks, leave the others open, and take the client's own track without RED", () => {
		const media = negotiation();
		media.subscribe(track("TR_a"));
		const answer = media.answer(parsed(clientOffer({ audioPlaces: 3, publish: true })).sections);
		const sdp = writeDescription({ sessionId: "1", version: 1, setup: "passive", transport, sections: answer.sections });
		const sections = sdp.split("m=").slice(1);
		expect(answer.midToTrackId).toEqual({ 0: "TR_a" });
		expect(sections.map((section) => section.split("\r\n", 1)[0])).toEqual([
			"audio 9 UDP/TLS/RTP/SAVPF 111 0 8",
			"audio 9 UDP/TLS/RTP/SAVPF 111 0 8",
			"audio 9 UDP/TLS/RTP/SAVPF 111 0 8",
			"video 9 UDP/TLS/RTP/SAVPF 96",
			"video 9 UDP/TLS/RTP/SAVPF 96",
			"video 9 UDP/TLS/RTP/SAVPF 96",
			"application 9 UDP/DTLS/SCTP webrtc-datachannel",
			"audio 9 UDP/TLS/RTP/SAVPF 111 0 8",
		]);
		const directions = sections.map((section) => /a=(sendonly|recvonly|inactive)/.exec(section)?.[1]);
		expect(directions).toEqual(["sendonly", "inactive", "inactive", "inactive", "inactive", "inactive", undefined, "recvonly"]);
		expect(sections[0]).toContain("a=msid:PA_1|TR_a TR_a\r\n");
		expect(sections[0]).toMatch(/a=ssrc:\d+ cname:PA_1\r\n/);
		expect(sdp).toContain("a=group:BUNDLE 0 1 2 3 4 5 6 7\r\n");
		expect(sdp.match(/a=candidate/g)).toHaveLength(1);
		expect(sdp).toContain("a=ice-lite\r\n");
		expect(sdp).not.toContain("transport-wide-cc");
		expect(answer.published).toEqual([
			{
				mid: "7",
				trackId: "my-track",
				ssrcs: [77],
				midExtension: 4,
				media: {
					kind: "audio",
					mimeType: "audio/opus",
					format: {
						codecs: new Map([
							[111, "opus"],
							[0, "PCMU"],
							[8, "PCMA"],
						]),
						levelExtension: 1,
					},
				},
			},
		]);
	});

	it("ask for as many more places as are missing, and reuse the place of an ended track", () => {
		const media = negotiation();
		for (const sid of ["TR_a", "TR_b", "TR_c", "TR_d", "TR_e"]) media.subscribe(track(sid));
		const first = media.answer(parsed(clientOffer({ audioPlaces: 3, publish: false })).sections);
		expect(first.midToTrackId).toEqual({ 0: "TR_a", 1: "TR_b", 2: "TR_c" });
		expect(media.missingSections()).toEqual({ audio: 2, video: 0 });
		media.unsubscribe("TR_b");
		const second = media.answer(parsed(clientOffer({ audioPlaces: 3, publish: false })).sections);
		expect(second.midToTrackId).toEqual({ 0: "TR_a", 1: "TR_d", 2: "TR_c" });
		expect(media.missingSections()).toEqual({ audio: 1, video: 0 });
		media.unsubscribe("TR_e");
		media.unsubscribe("TR_a");
		media.answer(parsed(clientOffer({ audioPlaces: 3, publish: false })).sections);
		expect(media.missingSections()).toEqual({ audio: 0, video: 0 });
		media.subscribe(track("TR_f"));
		expect(media.missingSections()).toEqual({ audio: 0, video: 0 });
		media.subscribe(track("TR_g"));
		expect(media.missingSections()).toEqual({ audio: 1, video: 0 });
	});

	it("stop forwarding at once when a track is unsubscribed", () => {
		const media = negotiation();
		const heard = track("TR_a");
		media.subscribe(heard);
		media.answer(parsed(clientOffer({ audioPlaces: 1, publish: false })).sections);
		expect(heard.source.sinkCount).toBe(1);
		media.unsubscribe("TR_a");
		expect(heard.source.sinkCount).toBe(0);
	});

	it("reject what has no common codec with port 0, and only that", () => {
		const sdp = clientOffer({ audioPlaces: 1, publish: false }).replace(/a=rtpmap:(111|0|8) .*\r\n/g, "");
		const { sections } = negotiation().answer(parsed(sdp).sections);
		expect(sections.map((section) => section.kind)).toEqual(["rejected", "media", "media", "media", "data"]);
		const answer = writeDescription({ sessionId: "1", version: 1, setup: "passive", transport, sections });
		expect(answer).toContain("m=audio 0 UDP/TLS/RTP/SAVPF 111 63 0 8 13 126\r\n");
		expect(answer).toContain("a=group:BUNDLE 1 2 3 4\r\n");
	});
});

describe("parseDescription", () => {
	it("says what is missing", () => {
		expect(parseDescription("v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=fingerprint:sha-256 1\r\n")).toBe("a media section has no a=mid");
		expect(parseDescription("v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\na=fingerprint:sha-1 1\r\n")).toBe(
			"no SHA-256 a=fingerprint",
		);
		expect(parseDescription("m=audio x y z\r\n")).toBe("broken m-line");
	});

	it("survives any change of an offer", () => {
		const offer = clientOffer({ audioPlaces: 2, publish: true });
		fc.assert(
			fc.property(fc.nat(offer.length), fc.nat(60), fc.string({ unit: "binary", maxLength: 20 }), (at, cut, inserted) => {
				const description = parseDescription(offer.slice(0, at) + inserted + offer.slice(at + cut));
				if (typeof description === "string") return;
				const { sections } = negotiation().answer(description.sections);
				expect(sections).toHaveLength(description.sections.length);
				expect(writeDescription({ sessionId: "1", version: 1, setup: "passive", transport, sections })).toContain("a=ice-lite");
			}),
			{ numRuns: 500 },
		);
	});
});
