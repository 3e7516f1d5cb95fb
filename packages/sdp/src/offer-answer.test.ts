import { describe, expect, it } from "vitest";
import { answerDirection, answerOffer, createOffer, readAnswer } from "./offer-answer.ts";
import type { Direction, LocalMedia, Negotiated } from "./types.ts";

const local: LocalMedia = { address: "192.0.2.1", port: 4000, codecs: ["PCMU", "PCMA"], sessionId: 42, sessionVersion: 1 };
const sdp = (...lines: string[]): string => `${["v=0", "o=- 1 1 IN IP4 198.51.100.7", "s=-", ...lines].join("\r\n")}\r\n`;
const CONNECTION = "c=IN IP4 198.51.100.7";

function answered(offer: string, ours: LocalMedia = local): { answer: string[]; negotiated: Negotiated } {
	const result = answerOffer(offer, ours);
	if (!result.ok) throw new Error(`${result.code}: ${result.reason}`);
	return { answer: result.answerSdp.split("\r\n"), negotiated: result.negotiated };
}

describe("createOffer", () => {
	it("writes these lines", () => {
		expect(createOffer(local)).toBe(
			[
				"v=0",
				"o=- 42 1 IN IP4 192.0.2.1",
				"s=-",
				"c=IN IP4 192.0.2.1",
				"t=0 0",
				"m=audio 4000 RTP/AVP 0 8 101",
				"a=rtpmap:0 PCMU/8000",
				"a=rtpmap:8 PCMA/8000",
				"a=rtpmap:101 telephone-event/8000",
				"a=fmtp:101 0-16",
				"a=ptime:20",
				"a=sendrecv",
				"",
			].join("\r\n"),
		);
	});

	it("IPv6, one codec, no digits, hold", () => {
		const offer = createOffer({
			...local,
			address: "2001:db8::1",
			codecs: ["PCMA"],
			telephoneEvent: false,
			direction: "sendonly",
			sessionVersion: 2,
		});
		expect(offer).toContain("o=- 42 2 IN IP6 2001:db8::1\r\n");
		expect(offer).toContain("c=IN IP6 2001:db8::1\r\n");
		expect(offer).toContain("m=audio 4000 RTP/AVP 8\r\n");
		expect(offer).toContain("a=sendonly\r\n");
		expect(offer).not.toContain("telephone-event");
	});

	it("without a codec it is our own mistake", () => {
		expect(() => createOffer({ ...local, codecs: [] })).toThrow(RangeError);
	});
});

describe("answerOffer", () => {
	it("mirrors the offer's telephone-event number and takes its first codec", () => {
		const { answer, negotiated } = answered(
			sdp(
				CONNECTION,
				"t=0 0",
				"m=audio 5004 RTP/AVP 18 8 0 96",
				"a=rtpmap:18 G729/8000",
				"a=rtpmap:8 PCMA/8000",
				"a=rtpmap:0 PCMU/8000",
				"a=rtpmap:96 telephone-event/8000",
				"a=ptime:30",
			),
		);
		expect(negotiated).toEqual({
			codec: { name: "PCMA", payloadType: 8, receivePayloadType: 8, clockRate: 8000 },
			telephoneEvent: { name: "telephone-event", payloadType: 96, receivePayloadType: 96, clockRate: 8000 },
			remote: { address: "198.51.100.7", port: 5004 },
			rtcp: { mux: false, address: "198.51.100.7", port: 5005 },
			direction: "sendrecv",
			onHold: false,
			ptimeMs: 30,
		});
		expect(answer.slice(5)).toEqual([
			"m=audio 4000 RTP/AVP 8 96",
			"a=rtpmap:8 PCMA/8000",
			"a=rtpmap:96 telephone-event/8000",
			"a=fmtp:96 0-16",
			"a=ptime:20",
			"a=sendrecv",
			"",
		]);
	});

	it("our own order when asked for", () => {
		const result = answerOffer(sdp(CONNECTION, "m=audio 5004 RTP/AVP 8 0"), local, { prefer: "local" });
		expect(result.ok && result.negotiated.codec.name).toBe("PCMU");
	});

	it("static payload types need no rtpmap; names compare without case; a dynamic number for PCMU is kept", () => {
		expect(answered(sdp(CONNECTION, "m=audio 5004 RTP/AVP 0")).negotiated.codec.name).toBe("PCMU");
		const odd = answered(sdp(CONNECTION, "m=audio 5004 RTP/AVP 99", "a=rtpmap:99 pcmu/8000"));
		expect(odd.negotiated.codec).toMatchObject({ name: "PCMU", payloadType: 99 });
		expect(odd.answer).toContain("m=audio 4000 RTP/AVP 99");
	});

	it("a static number that is declared to be something else is something else", () => {
		expect(answerOffer(sdp(CONNECTION, "m=audio 5004 RTP/AVP 0", "a=rtpmap:0 iLBC/8000"), local)).toMatchObject({
			ok: false,
			code: "no-common-codec",
		});
	});

	it("refuses video and a second audio in their places (RFC 3264 §6)", () => {
		const { answer } = answered(
			sdp(
				CONNECTION,
				"m=video 6000 RTP/AVP 96 97",
				"a=rtpmap:96 H264/90000",
				"m=audio 5004 RTP/AVP 0",
				"m=audio 5006 RTP/AVP 8",
				"m=image 7000 udptl t38",
				"a=T38FaxVersion:0",
			),
		);
		expect(answer.filter((line) => line.startsWith("m="))).toEqual([
			"m=video 0 RTP/AVP 96 97",
			"m=audio 4000 RTP/AVP 0",
			"m=audio 0 RTP/AVP 8",
			"m=image 0 udptl t38",
		]);
	});

	it("takes the plain audio when a secure one stands before it", () => {
		const { answer, negotiated } = answered(sdp(CONNECTION, "m=audio 5004 RTP/SAVP 0", "m=audio 5008 RTP/AVP 0"));
		expect(negotiated.remote.port).toBe(5008);
		expect(answer.filter((line) => line.startsWith("m="))).toEqual(["m=audio 0 RTP/SAVP 0", "m=audio 4000 RTP/AVP 0"]);
	});

	it("the section's own address stands before the session's; IPv6 too", () => {
		expect(answered(sdp(CONNECTION, "m=audio 5004 RTP/AVP 0", "c=IN IP4 203.0.113.9")).negotiated.remote.address).toBe("203.0.113.9");
		const ipv6 = { ...local, address: "2001:db8::1" };
		expect(answered(sdp("m=audio 5004 RTP/AVP 0", "c=IN IP6 2001:db8::9"), ipv6).negotiated.remote.address).toBe("2001:db8::9");
		expect(answered(sdp("m=audio 5004 RTP/AVP 0", "c=IN IP6 ::ffff:192.0.2.1"), ipv6).negotiated.remote.address).toBe("::ffff:192.0.2.1");
	});

	it.each<[Direction, Direction, boolean]>([
		["sendrecv", "sendrecv", false],
		["sendonly", "recvonly", true],
		["recvonly", "sendonly", false],
		["inactive", "inactive", true],
	])("offer %s: we are %s (RFC 3264 §6.1)", (offered, ours, onHold) => {
		const { answer, negotiated } = answered(sdp(CONNECTION, "m=audio 5004 RTP/AVP 0", `a=${offered}`));
		expect(negotiated).toMatchObject({ direction: ours, onHold });
		expect(answer).toContain(`a=${ours}`);
	});

	it("a direction at session level counts when the section has none", () => {
		expect(answered(sdp(CONNECTION, "a=sendonly", "m=audio 5004 RTP/AVP 0")).negotiated.direction).toBe("recvonly");
		expect(answered(sdp(CONNECTION, "a=sendonly", "m=audio 5004 RTP/AVP 0", "a=sendrecv")).negotiated.direction).toBe("sendrecv");
	});

	it("0.0.0.0 is the hold of old: we send nothing (RFC 3264 §8.4)", () => {
		const { answer, negotiated } = answered(sdp("c=IN IP4 0.0.0.0", "m=audio 5004 RTP/AVP 0"));
		expect(negotiated).toMatchObject({ direction: "recvonly", onHold: true });
		expect(answer).toContain("a=sendrecv");
	});

	it("no more than we want ourselves", () => {
		expect(answerDirection("sendrecv", "sendonly")).toBe("sendonly");
		expect(answerDirection("sendonly", "sendonly")).toBe("inactive");
	});

	it("rtcp-mux and other attributes are passed over; line feeds alone are read", () => {
		expect(
			answered("v=0\no=- 1 1 IN IP4 1.2.3.4\ns= \nc=IN IP4 1.2.3.4\nt=0 0\nm=audio 9 RTP/AVP 0\na=rtcp-mux\na=x-y:z\n").answer.join(),
		).not.toContain("mux");
	});

	it.each([
		["a=ptime:5", 20],
		["a=ptime:40", 40],
		["a=ptime:200", 20],
		["a=ptime:nonsense", 20],
		["a=maxptime:10", 10],
	])("%s gives %d ms", (line, expected) => {
		expect(answered(sdp(CONNECTION, "m=audio 5004 RTP/AVP 0", line)).negotiated.ptimeMs).toBe(expected);
	});

	it("telephone-event of another clock does not belong to this audio", () => {
		const both = answered(
			sdp(CONNECTION, "m=audio 5004 RTP/AVP 0 100 101", "a=rtpmap:100 telephone-event/48000", "a=rtpmap:101 telephone-event/8000"),
		);
		expect(both.negotiated.telephoneEvent?.payloadType).toBe(101);
		expect(
			answered(sdp(CONNECTION, "m=audio 5004 RTP/AVP 0 100", "a=rtpmap:100 telephone-event/48000")).negotiated.telephoneEvent,
		).toBeUndefined();
	});

	it.each([
		["nothing", "", "malformed"],
		["no SDP", "hello", "malformed"],
		["no audio", sdp(CONNECTION, "m=video 6000 RTP/AVP 96"), "no-audio"],
		["audio refused", sdp(CONNECTION, "m=audio 0 RTP/AVP 0"), "no-audio"],
		["a broken m= line", sdp(CONNECTION, "m=audio x RTP/AVP 0"), "malformed"],
		["secure audio only", sdp(CONNECTION, "m=audio 5004 RTP/SAVP 0"), "unsupported-transport"],
		["a browser's", sdp(CONNECTION, "m=audio 9 UDP/TLS/RTP/SAVPF 0"), "unsupported-transport"],
		["other codecs", sdp(CONNECTION, "m=audio 5004 RTP/AVP 18 9"), "no-common-codec"],
		["no address", sdp("m=audio 5004 RTP/AVP 0"), "no-address"],
		["a name for an address", sdp("c=IN IP4 media.example.com", "m=audio 5004 RTP/AVP 0"), "no-address"],
		["a wrong address", sdp("c=IN IP4 1.2.3.256", "m=audio 5004 RTP/AVP 0"), "no-address"],
		["a wrong IPv6 address", sdp("c=IN IP6 1:2:3:4:5:6:7", "m=audio 5004 RTP/AVP 0"), "no-address"],
		["a multicast address", sdp("c=IN IP4 224.0.0.1", "m=audio 5004 RTP/AVP 0"), "no-address"],
		["a multicast address with its ttl", sdp("c=IN IP4 239.1.2.3/127", "m=audio 5004 RTP/AVP 0"), "no-address"],
		["everybody's address", sdp("c=IN IP4 255.255.255.255", "m=audio 5004 RTP/AVP 0"), "no-address"],
		["an IPv6 group", sdp("c=IN IP6 ff02::1", "m=audio 5004 RTP/AVP 0"), "no-address"],
		["a group within IPv6", sdp("c=IN IP6 ::ffff:224.0.0.1", "m=audio 5004 RTP/AVP 0"), "no-address"],
		["a port that does not exist", sdp(CONNECTION, "m=audio 65536 RTP/AVP 0"), "malformed"],
		["too many sections", sdp(CONNECTION, ...Array.from({ length: 17 }, () => "m=audio 5004 RTP/AVP 0")), "too-large"],
		["too many lines", sdp(CONNECTION, "m=audio 5004 RTP/AVP 0", ...Array.from({ length: 400 }, () => "a=x")), "too-large"],
		["too long a line", sdp(CONNECTION, "m=audio 5004 RTP/AVP 0", `a=${"x".repeat(3000)}`), "too-large"],
		["too long", "v=0\r\n".padEnd(20_000, "x"), "too-large"],
	])("%s: a result that says why", (_what, offer, code) => {
		expect(answerOffer(offer, local)).toMatchObject({ ok: false, code });
	});
});

describe("readAnswer", () => {
	it("two of ours agree", () => {
		const callee: LocalMedia = { ...local, address: "192.0.2.2", port: 6000, codecs: ["PCMA"], sessionId: 7 };
		const { answer } = answered(createOffer(local), callee);
		const result = readAnswer(answer.join("\r\n"), local);
		expect(result.ok && result.negotiated).toEqual({
			codec: { name: "PCMA", payloadType: 8, receivePayloadType: 8, clockRate: 8000 },
			telephoneEvent: { name: "telephone-event", payloadType: 101, receivePayloadType: 101, clockRate: 8000 },
			remote: { address: "192.0.2.2", port: 6000 },
			rtcp: { mux: false, address: "192.0.2.2", port: 6001 },
			direction: "sendrecv",
			onHold: false,
			ptimeMs: 20,
		});
	});

	it("an answer with another number for digits: theirs to send, ours to receive", () => {
		const result = readAnswer(sdp(CONNECTION, "m=audio 5004 RTP/AVP 0 97", "a=rtpmap:97 telephone-event/8000"), local);
		expect(result.ok && result.negotiated.telephoneEvent).toMatchObject({ payloadType: 97, receivePayloadType: 101 });
	});

	it("directions: the peer's recvonly lets us send only", () => {
		const result = readAnswer(sdp(CONNECTION, "m=audio 5004 RTP/AVP 0", "a=recvonly"), local);
		expect(result.ok && result.negotiated).toMatchObject({ direction: "sendonly", onHold: false });
	});

	it.each([
		["refused audio", sdp(CONNECTION, "m=audio 0 RTP/AVP 0"), "no-audio"],
		["a codec that was not offered", sdp(CONNECTION, "m=audio 5004 RTP/AVP 9"), "no-common-codec"],
		["another transport", sdp(CONNECTION, "m=audio 5004 RTP/SAVP 0"), "unsupported-transport"],
		["no media", sdp(CONNECTION), "no-audio"],
	])("%s is a problem", (_what, answer, code) => {
		expect(readAnswer(answer, local)).toMatchObject({ ok: false, code });
	});
});
