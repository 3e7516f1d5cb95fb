import { describe, expect, it } from "vitest";
import { parseMediaSections } from "../sdp-sections.ts";
import { parseCandidate } from "./candidate.ts";
import { type LocalDescription, writeDescription } from "./local-description.ts";
import { parseRemoteTransport } from "./remote-transport.ts";

/** As livekit-server 1.13.3 answers. */
const LIVEKIT = [
	"v=0",
	"o=- 8540932130881382670 1795391225 IN IP4 0.0.0.0",
	"s=-",
	"t=0 0",
	"a=msid-semantic:WMS *",
	"a=fingerprint:sha-256 2F:45:3B",
	"a=fingerprint:sha-1 AA:BB",
	"a=group:BUNDLE 0 1",
	"m=audio 9 UDP/TLS/RTP/SAVPF 0 8 111",
	"c=IN IP4 0.0.0.0",
	"a=setup:active",
	"a=mid:0",
	"a=ice-ufrag:FAWdEytLNWpxAQRZ",
	"a=ice-pwd:jXEwUSHAkNmYphIgqstIcbIdYeiDGLoa",
	"a=candidate:2878742611 1 udp 2130706431 127.0.0.1 51612 typ host ufrag FAWdEytLNWpxAQRZ",
	"a=candidate:2878742611 2 udp 2130706431 127.0.0.1 51612 typ host ufrag FAWdEytLNWpxAQRZ",
	"a=candidate:375738803 1 tcp 1671430143 127.0.0.1 17991 typ host tcptype passive ufrag FAWdEytLNWpxAQRZ",
	"a=end-of-candidates",
	"m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
	"a=mid:1",
	"a=sctp-port:5001",
	"a=max-message-size:65535",
	"",
].join("\r\n");

describe("a server's transport", () => {
	it("is read wherever in the description it stands, and only what is of use", () => {
		expect(parseRemoteTransport(LIVEKIT)).toEqual({
			...{ ufrag: "FAWdEytLNWpxAQRZ", password: "jXEwUSHAkNmYphIgqstIcbIdYeiDGLoa", isLite: false, setup: "active" },
			fingerprints: [{ algorithm: "sha-256", value: "2F:45:3B" }],
			candidates: [
				{ address: "127.0.0.1", port: 51_612, priority: 2_130_706_431 },
				{ address: "127.0.0.1", port: 17_991, priority: 1_671_430_143, transport: "tcp" },
			],
			sctp: { port: 5001, maxMessageSize: 65_535 },
		});
		expect(parseRemoteTransport(LIVEKIT.replace("a=group", "a=ice-lite\r\na=group"))?.isLite).toBe(true);
		expect(parseRemoteTransport(LIVEKIT.replace("m=application 9", "m=application 0"))?.sctp).toBeUndefined();
		expect(parseRemoteTransport("v=0\r\n")).toBeUndefined();
	});

	it.each([
		["candidate:1 1 UDP 1 2001:db8::1 4000 typ host", { address: "2001:db8::1", port: 4000, priority: 1 }],
		["candidate:1 1 udp 1 host.example 4000 typ host", undefined],
		["candidate:1 1 udp 1 192.0.2.1 0 typ host", undefined],
		["candidate:1 1 udp 1 192.0.2.1 65536 typ host", undefined],
		["candidate:1 1 udp x 192.0.2.1 4000 typ host", undefined],
		["candidate:1 1 tcp 1 192.0.2.1 4000 typ host tcptype passive", { address: "192.0.2.1", port: 4000, priority: 1, transport: "tcp" }],
		["candidate:1 1 tcp 1 192.0.2.1 9 typ host tcptype active", undefined],
		["candidate:1 1 tcp 1 192.0.2.1 4000 typ host", undefined],
		["", undefined],
	])("%s", (text, expected) => expect(parseCandidate(text)).toEqual(expected));
});

describe("our description", () => {
	const description: LocalDescription = {
		...{ sessionId: 5, version: 2, setup: "actpass", cname: "c" },
		transport: { ufrag: "ours", password: "p".repeat(24), fingerprint: "AB:CD", address: "192.0.2.1", port: 4000 },
		sections: [
			{
				...{ kind: "audio", mid: "0", direction: "sendonly", audioLevelId: 1, sent: { cid: "track", ssrc: 77 } },
				codecs: new Map([
					[0, "PCMU"],
					[111, "opus"],
				]),
			},
			{ kind: "rejected", mid: "1", media: "video" },
			{ kind: "data", mid: "2" },
		],
	};

	it("is read as it was meant", () => {
		const sdp = writeDescription(description);
		expect(parseRemoteTransport(sdp)).toEqual({
			...{ ufrag: "ours", password: "p".repeat(24), isLite: false, setup: "actpass" },
			fingerprints: [{ algorithm: "sha-256", value: "AB:CD" }],
			candidates: [{ address: "192.0.2.1", port: 4000, priority: 2_130_706_431 }],
			sctp: { port: 5000, maxMessageSize: 65_536 },
		});
		const [audio, video, data] = parseMediaSections(sdp);
		expect(audio).toMatchObject({ mid: "0", kind: "audio", port: 9, direction: "sendonly", trackId: "track", ssrcs: [77] });
		expect([...(audio?.codecs ?? [])]).toEqual([
			[0, "PCMU"],
			[111, "opus"],
		]);
		expect(video).toMatchObject({ kind: "video", port: 0, mid: "1" });
		expect(data).toMatchObject({ kind: "application", port: 9, mid: "2" });
		// RFC 9143 §7.3: what is rejected is in no bundle
		expect(sdp).toContain("a=group:BUNDLE 0 2\r\n");
		expect(sdp.match(/a=candidate/g)).toHaveLength(1);
	});
});
