import { expect, it } from "vitest";
import { answerOffer, createOffer, readAnswer } from "./offer-answer.ts";
import type { LocalMedia, Negotiated } from "./types.ts";

const local: LocalMedia = { address: "192.0.2.1", port: 4000, codecs: ["PCMU"], sessionId: 1, sessionVersion: 1, rtcpMux: true };
const offer = (...lines: string[]): string =>
	`${["v=0", "o=- 1 1 IN IP4 198.51.100.7", "s=-", "c=IN IP4 198.51.100.7", "m=audio 5004 RTP/AVP 0", ...lines].join("\r\n")}\r\n`;

function answered(sdp: string, ours = local): { rtcp: Negotiated["rtcp"]; muxed: boolean } {
	const result = answerOffer(sdp, ours);
	if (!result.ok) throw new Error(result.reason);
	return { rtcp: result.negotiated.rtcp, muxed: /^a=rtcp-mux$/m.test(result.answerSdp.replaceAll("\r", "")) };
}

it("rtcp-mux is taken up when it is offered, by whoever can (RFC 5761 §5.1.1)", () => {
	expect(answered(offer("a=rtcp-mux"))).toEqual({ rtcp: { mux: true, address: "198.51.100.7", port: 5004 }, muxed: true });
	expect(answered(offer("a=rtcp-mux"), { ...local, rtcpMux: false })).toMatchObject({ rtcp: { mux: false, port: 5005 }, muxed: false });
	expect(answered(offer())).toMatchObject({ rtcp: { mux: false, port: 5005 }, muxed: false });
});

it.each([
	["a=rtcp:53020", "198.51.100.7", 53_020],
	["a=rtcp:53020 IN IP4 203.0.113.9", "203.0.113.9", 53_020],
	["a=rtcp:53020 IN IP6 2001:db8::1", "198.51.100.7", 53_020],
	["a=rtcp:53020 IN IP4 224.0.0.1", "198.51.100.7", 53_020],
	["a=rtcp:53020 IN IP4 0.0.0.0", "198.51.100.7", 53_020],
	["a=rtcp:0", "198.51.100.7", 5005],
	["a=rtcp:70000", "198.51.100.7", 5005],
	["a=rtcp:x", "198.51.100.7", 5005],
])("%s: RTCP goes to %s:%d (RFC 3605)", (line, address, port) => {
	expect(answered(offer(line)).rtcp).toEqual({ mux: false, address, port });
});

it("an offer of ours says it when it is wanted, and both sides must", () => {
	expect(createOffer(local)).toContain("\r\na=rtcp-mux\r\n");
	expect(createOffer({ ...local, rtcpMux: false })).not.toContain("rtcp-mux");
	const read = (...lines: string[]): unknown => readAnswer(offer(...lines), local);
	expect(read("a=rtcp-mux")).toMatchObject({ negotiated: { rtcp: { mux: true, port: 5004 } } });
	expect(read()).toMatchObject({ negotiated: { rtcp: { mux: false, port: 5005 } } });
});

it.each([
	["a=rtcp-xr:voip-metrics", true],
	["a=rtcp-xr:pkt-loss-rle rcvr-rtt=all:10000 voip-metrics", true],
	["a=rtcp-xr:stat-summary=loss,dup", false],
	["a=rtcp-xr", false],
])("%s (RFC 3611 §5.1): VoIP metrics are asked for: %s", (line, asked) => {
	expect(answered(offer(line)).rtcp.voipMetrics === true).toBe(asked);
	expect(answered(offer("a=rtcp-mux", line)).rtcp.voipMetrics === true).toBe(asked);
});
