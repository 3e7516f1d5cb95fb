import { describe, expect, it } from "vitest";
import { answerOffer, createOffer, readAnswer } from "./offer-answer.ts";
import { readOpusParameters, writeOpusParameters } from "./opus.ts";
import type { LocalMedia } from "./types.ts";

const local: LocalMedia = { address: "192.0.2.1", port: 4000, codecs: ["opus", "PCMU"], sessionId: 42, sessionVersion: 1 };
const sdp = (...lines: string[]): string =>
	`${["v=0", "o=- 1 1 IN IP4 198.51.100.7", "s=-", "c=IN IP4 198.51.100.7", "t=0 0", ...lines].join("\r\n")}\r\n`;

function answered(offer: string, ours: LocalMedia = local) {
	const result = answerOffer(offer, ours);
	if (!result.ok) throw new Error(`${result.code}: ${result.reason}`);
	return result;
}

describe("RFC 7587 §6.1 parameters", () => {
	it.each([
		[undefined, {}],
		["", {}],
		["useinbandfec=1", { useInbandFec: true }],
		[
			"maxplaybackrate=16000; sprop-maxcapturerate=16000; maxaveragebitrate=20000; stereo=1; useinbandfec=1; usedtx=0; cbr=1",
			{
				maxPlaybackRate: 16_000,
				maxAverageBitrate: 20_000,
				stereo: true,
				useInbandFec: true,
				cbr: true,
			},
		],
		["MaxPlaybackRate=8000;USEDTX=1", { maxPlaybackRate: 8_000, useDtx: true }],
		// out of the RFC's range, or no number: as if absent
		["maxplaybackrate=4000;maxaveragebitrate=5999", {}],
		["maxplaybackrate=96000;maxaveragebitrate=510001;useinbandfec=2", {}],
		["maxplaybackrate=-1;maxaveragebitrate=1e5;usedtx;=;;", {}],
	])("%s", (text, expected) => {
		expect(readOpusParameters(text)).toEqual({
			maxPlaybackRate: 48_000,
			useInbandFec: false,
			useDtx: false,
			stereo: false,
			cbr: false,
			...expected,
		});
	});

	it("ours: error correction, mono", () => {
		expect(writeOpusParameters()).toBe("stereo=0;sprop-stereo=0;useinbandfec=1;usedtx=0");
		expect(writeOpusParameters({ maxPlaybackRate: 16_000, maxAverageBitrate: 24_000, useDtx: true, cbr: true })).toBe(
			"maxplaybackrate=16000;maxaveragebitrate=24000;stereo=0;sprop-stereo=0;useinbandfec=1;usedtx=1;cbr=1",
		);
	});
});

describe("RFC 7587 §7 offers", () => {
	it("opus/48000/2 with its parameters, and telephone-event at both clocks (RFC 4733 §2.1)", () => {
		expect(createOffer(local).split("\r\n").slice(5)).toEqual([
			"m=audio 4000 RTP/AVP 111 0 101 110",
			"a=rtpmap:111 opus/48000/2",
			"a=fmtp:111 stereo=0;sprop-stereo=0;useinbandfec=1;usedtx=0",
			"a=rtpmap:0 PCMU/8000",
			"a=rtpmap:101 telephone-event/8000",
			"a=fmtp:101 0-16",
			"a=rtpmap:110 telephone-event/48000",
			"a=fmtp:110 0-16",
			"a=ptime:20",
			"a=sendrecv",
			"",
		]);
	});

	it("without Opus nothing of it is offered", () => {
		expect(createOffer({ ...local, codecs: ["PCMU"] })).not.toMatch(/48000|opus/);
	});
});

describe("RFC 7587 §7 answers", () => {
	const offer = sdp(
		"m=audio 5004 RTP/AVP 96 0 97 98",
		"a=rtpmap:96 OPUS/48000/2",
		"a=fmtp:96 maxplaybackrate=16000;useinbandfec=1",
		"a=rtpmap:97 telephone-event/8000",
		"a=rtpmap:98 telephone-event/48000",
	);

	it("the offer's number, our parameters, events at the clock of the audio; what the peer would like is told", () => {
		const { answerSdp, negotiated } = answered(offer);
		expect(negotiated.codec).toEqual({ name: "opus", payloadType: 96, receivePayloadType: 96, clockRate: 48_000 });
		expect(negotiated.telephoneEvent).toEqual({ name: "telephone-event", payloadType: 98, receivePayloadType: 98, clockRate: 48_000 });
		expect(negotiated.opus).toEqual({ maxPlaybackRate: 16_000, useInbandFec: true, useDtx: false, stereo: false, cbr: false });
		expect(answerSdp.split("\r\n").filter((line) => /^(m=|a=(rtpmap|fmtp))/.test(line))).toEqual([
			"m=audio 4000 RTP/AVP 96 98",
			"a=rtpmap:96 opus/48000/2",
			"a=fmtp:96 stereo=0;sprop-stereo=0;useinbandfec=1;usedtx=0",
			"a=rtpmap:98 telephone-event/48000",
			"a=fmtp:98 0-16",
		]);
	});

	it.each([
		["G.711 first here", ["PCMU", "opus"], "local", "PCMU", 97],
		["Opus first here", ["opus", "PCMU"], "local", "opus", 98],
		["the offer's order", ["PCMU", "opus"], "offer", "opus", 98],
		["no Opus here", ["PCMA", "PCMU"], "offer", "PCMU", 97],
	] as const)("%s", (_, codecs, prefer, name, event) => {
		const result = answerOffer(offer, { ...local, codecs }, { prefer });
		expect(result.ok && [result.negotiated.codec.name, result.negotiated.telephoneEvent?.payloadType]).toEqual([name, event]);
	});

	it("a peer that has events at 8000 Hz only keeps them", () => {
		const { negotiated } = answered(sdp("m=audio 5004 RTP/AVP 111 101", "a=rtpmap:111 opus/48000/2", "a=rtpmap:101 telephone-event/8000"));
		expect(negotiated.telephoneEvent).toMatchObject({ payloadType: 101, clockRate: 8_000 });
	});

	it("another clock than 48000 is no Opus that anybody speaks", () => {
		const result = answerOffer(sdp("m=audio 5004 RTP/AVP 96", "a=rtpmap:96 opus/16000/2"), local);
		expect(result.ok ? "" : result.code).toBe("no-common-codec");
	});

	it("an answer to our offer is read with our numbers for what we receive", () => {
		const result = readAnswer(
			sdp("m=audio 5004 RTP/AVP 120 121", "a=rtpmap:120 opus/48000/2", "a=fmtp:120 usedtx=1", "a=rtpmap:121 telephone-event/48000"),
			local,
		);
		expect(result.ok && result.negotiated).toMatchObject({
			codec: { name: "opus", payloadType: 120, receivePayloadType: 111, clockRate: 48_000 },
			telephoneEvent: { payloadType: 121, receivePayloadType: 110, clockRate: 48_000 },
			opus: { useDtx: true },
		});
	});
});
