import fc from "fast-check";
import { expect, it } from "vitest";
import { answerOffer, createOffer, readAnswer } from "./offer-answer.ts";
import type { LocalMedia } from "./types.ts";

const local: LocalMedia = { address: "192.0.2.1", port: 4000, codecs: ["PCMU", "PCMA"], sessionId: 1, sessionVersion: 1 };
const keys = [{ suite: "AES_CM_128_HMAC_SHA1_80", key: new Uint8Array(30) }] as const;

const line = fc.oneof(
	fc.constantFrom(
		"v=0",
		"s=-",
		"t=0 0",
		"c=IN IP4 1.2.3.4",
		"c=IN IP6 ::1",
		"c=IN IP4 0.0.0.0",
		"c=",
		"m=audio 5004 RTP/AVP 0 8 101",
		"m=audio 5004 RTP/AVP",
		"m=audio 99999 RTP/AVP 0",
		"m=video 1 RTP/AVP 96",
		"m=",
		"a=rtpmap:0 PCMU/8000",
		"a=rtpmap:101 telephone-event/8000",
		"a=rtpmap:",
		"a=fmtp:101 0-16",
		"a=ptime:20",
		"a=sendonly",
		"a=inactive",
		"a=crypto:1 X inline:y",
		"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj|2^20",
		"m=audio 5004 RTP/SAVP 0 8 101",
		"a=candidate:",
		"a=__proto__:1",
	),
	fc
		.tuple(fc.constantFrom("v", "o", "s", "c", "t", "m", "a", "b", "z"), fc.string({ maxLength: 60 }))
		.map(([type, text]) => `${type}=${text}`),
	fc.string({ maxLength: 40 }),
);

const text = fc.oneof(
	fc.string({ maxLength: 300 }),
	fc.array(line, { maxLength: 30 }).map((lines) => ["v=0", ...lines].join("\r\n")),
	// a good beginning and anything after it
	fc.array(line, { maxLength: 12 }).map((lines) => ["v=0", "c=IN IP4 1.2.3.4", "m=audio 5004 RTP/AVP 0 8 101", ...lines].join("\r\n")),
);

it("never throws, and what it accepts is usable", () => {
	let accepted = 0;
	fc.assert(
		fc.property(text, fc.constantFrom(undefined, false, true), (offer, required) => {
			const ours = required === undefined ? local : { ...local, crypto: { required, keys } };
			const result = answerOffer(offer, ours);
			readAnswer(offer, ours);
			if (!result.ok) {
				expect(result.reason.length).toBeLessThan(120);
				return;
			}
			accepted += 1;
			const { negotiated, answerSdp } = result;
			if (required === true) expect(negotiated.srtp?.receive).toHaveLength(30);
			if (required === undefined) expect(negotiated.srtp).toBeUndefined();
			expect(/^a=crypto/m.test(answerSdp)).toBe(negotiated.srtp !== undefined);
			expect(negotiated.remote.port).toBeGreaterThan(0);
			expect(negotiated.remote.port).toBeLessThan(65536);
			expect(negotiated.codec.payloadType).toBeLessThan(128);
			expect([10, 20, 30, 40, 50, 60]).toContain(negotiated.ptimeMs);
			// as many sections as the offer has, one of them ours, and no line broken by what the peer wrote
			const sections = answerSdp.split("\r\n").filter((each) => each.startsWith("m="));
			expect(sections.length).toBe(offer.split(/\r\n|\r|\n/).filter((each) => each.startsWith("m=")).length);
			expect(sections.filter((each) => each.startsWith("m=audio 4000 "))).toHaveLength(1);
			expect(answerSdp).toMatch(/^(?:[a-z]=[^\r\n]*\r\n)+$/);
		}),
		{ numRuns: 3000 },
	);
	expect(accepted).toBeGreaterThan(100);
});

it("what we offer we can answer, and both sides agree", () => {
	const codecs = fc.constantFrom<LocalMedia["codecs"][]>(["PCMU"], ["PCMA"], ["PCMU", "PCMA"], ["PCMA", "PCMU"]);
	const direction = fc.constantFrom("sendrecv", "sendonly", "recvonly", "inactive");
	const reverse = { sendrecv: "sendrecv", sendonly: "recvonly", recvonly: "sendonly", inactive: "inactive" } as const;
	fc.assert(
		fc.property(codecs, codecs, direction, direction, fc.boolean(), (ours, theirs, ourDirection, theirDirection, digits) => {
			const caller: LocalMedia = { ...local, codecs: ours, direction: ourDirection };
			const callee: LocalMedia = {
				...local,
				address: "192.0.2.9",
				port: 7000,
				codecs: theirs,
				direction: theirDirection,
				telephoneEvent: digits,
			};
			const answer = answerOffer(createOffer(caller), callee);
			if (!answer.ok) {
				expect(ours.some((codec) => theirs.includes(codec))).toBe(false);
				return;
			}
			const read = readAnswer(answer.answerSdp, caller);
			if (!read.ok) throw new Error(read.reason);
			expect(read.negotiated.codec).toEqual(answer.negotiated.codec);
			expect(read.negotiated.telephoneEvent).toEqual(answer.negotiated.telephoneEvent);
			expect(read.negotiated.telephoneEvent !== undefined).toBe(digits);
			expect(read.negotiated.direction).toBe(reverse[answer.negotiated.direction]);
			expect(read.negotiated.remote).toEqual({ address: "192.0.2.9", port: 7000 });
		}),
	);
});
