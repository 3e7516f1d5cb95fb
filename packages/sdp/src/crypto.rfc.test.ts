import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fromBase64, toBase64 } from "./base64.ts";
import { parseCrypto, suiteKeyBytes, writeCrypto } from "./crypto.ts";
import { answerOffer, createOffer, type CryptoSuite, type LocalCrypto, type LocalMedia, readAnswer } from "./index.ts";

const SUITES: CryptoSuite[] = ["AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32", "AEAD_AES_256_GCM", "AES_256_CM_HMAC_SHA1_80"];
const keyOf = (suite: CryptoSuite, first: number): Uint8Array =>
	Uint8Array.from({ length: suiteKeyBytes(suite) }, (_, i) => (first + i) & 0xff);
const cryptoWith = (first: number, required = false, suites = SUITES): LocalCrypto => ({
	required,
	keys: suites.map((suite) => ({ suite, key: keyOf(suite, first) })),
});
const media = (crypto?: LocalCrypto, port = 4000): LocalMedia => ({
	address: "192.0.2.1",
	port,
	codecs: ["PCMU"],
	sessionId: 1,
	sessionVersion: 1,
	...(crypto && { crypto }),
});

const line = (tag: number, suite: CryptoSuite, first: number, rest = ""): string =>
	`a=crypto:${tag} ${suite} inline:${toBase64(keyOf(suite, first))}${rest}`;
const offer = (protocol: string, ...lines: string[]): string =>
	["v=0", "o=- 1 1 IN IP4 192.0.2.9", "s=-", "c=IN IP4 192.0.2.9", "t=0 0", `m=audio 5000 ${protocol} 0`, ...lines, ""].join("\r\n");
const [CM_80, CM_32, GCM_256] = ["AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32", "AEAD_AES_256_GCM"] as const;

function answered(sdp: string, crypto?: LocalCrypto): { suite?: CryptoSuite | undefined; mLine: string; crypto: string[] } | string {
	const result = answerOffer(sdp, media(crypto));
	if (!result.ok) return `${result.code}: ${result.reason}`;
	const lines = result.answerSdp.split("\r\n");
	return {
		suite: result.negotiated.srtp?.suite,
		mLine: lines.find((each) => each.startsWith("m=")) ?? "",
		crypto: lines.filter((each) => each.startsWith("a=crypto")),
	};
}

describe("RFC 4568 §9.1 a=crypto", () => {
	it("§4 the example is read", () => {
		const read = parseCrypto("1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj|2^20");
		expect(read.ok && read.crypto).toEqual({ tag: 1, suite: CM_80, key: Uint8Array.from(Buffer.from("wDfvg&T+)xG7@fb5jU,RaA}\\|p0%*#")) });
	});

	it.each([
		["no tag", " AES_CM_128_HMAC_SHA1_80 inline:", "its tag is no number"],
		["an unknown suite", "1 F8_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj", "its suite is not known here"],
		["a suite named like a member of every object", "1 constructor inline:AAAA", "its suite is not known here"],
		["another key method", "1 AES_CM_128_HMAC_SHA1_80 uri:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj", "its key is not inline"],
		["a short key", "1 AES_CM_128_HMAC_SHA1_80 inline:AAAA", "its key has 3 bytes instead of 30"],
		["the key of a longer suite", `1 AES_CM_128_HMAC_SHA1_80 inline:${"A".repeat(60)}`, "its key has 45 bytes instead of 30"],
		["no base64", `1 AES_CM_128_HMAC_SHA1_80 inline:${"*".repeat(40)}`, "its key is no base64"],
		["§6.1 an MKI", line(1, CM_80, 1, "|2^20|1:4").slice(9), "it has an MKI"],
		["§6.1 an MKI without a lifetime", line(1, CM_80, 1, "|1:4").slice(9), "it has an MKI"],
		["§6.1 several keys", line(1, CM_80, 1, `;inline:${"A".repeat(40)}`).slice(9), "it has several keys"],
		["§6.1 a lifetime beyond 2^48", line(1, CM_80, 1, "|2^49").slice(9), "its lifetime cannot be read"],
		["§6.1 a lifetime of nothing", line(1, CM_80, 1, "|0").slice(9), "its lifetime cannot be read"],
		["§6.3.2 UNENCRYPTED_SRTP", line(1, CM_80, 1, " UNENCRYPTED_SRTP").slice(9), "session parameters"],
		["§6.3.2 UNENCRYPTED_SRTCP", line(1, CM_80, 1, " UNENCRYPTED_SRTCP").slice(9), "session parameters"],
		["§6.3.3 UNAUTHENTICATED_SRTP behind another one", line(1, CM_80, 1, " WSH=64 UNAUTHENTICATED_SRTP").slice(9), "session parameters"],
		["§6.3.1 a key derivation rate", line(1, CM_80, 1, " KDR=4").slice(9), "session parameters"],
		["§6.3.7 a parameter nobody knows", line(1, CM_80, 1, " NEW=1").slice(9), "session parameters"],
	])("%s: the line is not taken", (_name, value, reason) => {
		const read = parseCrypto(value);
		expect(read.ok ? "taken" : read.reason).toContain(reason);
	});

	it.each(["|2^31", "|1048576", " WSH=64", " -EXTENSION=1", " KDR=0", "|2^48 WSH=1024"])("%s changes nothing", (rest) => {
		const read = parseCrypto(line(7, CM_80, 3, rest).slice(9));
		expect(read.ok && read.crypto).toEqual({ tag: 7, suite: CM_80, key: keyOf(CM_80, 3) });
	});

	it("what is written is read, for every suite and key; padding may be missing", () => {
		fc.assert(
			fc.property(
				fc.constantFrom(...SUITES),
				fc.integer({ min: 0, max: 255 }),
				fc.integer({ min: 1, max: 999_999_999 }),
				(suite, first, tag) => {
					const crypto = { tag, suite, key: keyOf(suite, first) };
					const text = writeCrypto(crypto).slice("a=crypto:".length);
					expect(parseCrypto(text)).toEqual({ ok: true, crypto });
					expect(parseCrypto(text.replace(/=+$/, ""))).toEqual({ ok: true, crypto });
				},
			),
		);
	});

	it("whatever it is given, it does not throw; base64 is the same as elsewhere", () => {
		fc.assert(
			fc.property(fc.string({ maxLength: 200 }), (text) => {
				expect(parseCrypto(text).ok).toBe(false);
			}),
		);
		fc.assert(
			fc.property(fc.uint8Array({ maxLength: 70 }), (bytes) => {
				expect(toBase64(bytes)).toBe(Buffer.from(bytes).toString("base64"));
				expect(fromBase64(toBase64(bytes))).toEqual(bytes);
			}),
		);
	});
});

describe("encryption of an offer", () => {
	it.each([
		["disabled", undefined, "unsupported-transport: encrypted audio (SRTP) is offered only, and encryption is disabled here"],
		["allowed", cryptoWith(1), { suite: CM_80, mLine: "m=audio 4000 RTP/SAVP 0", crypto: [line(1, CM_80, 1)] }],
		["required", cryptoWith(1, true), { suite: CM_80, mLine: "m=audio 4000 RTP/SAVP 0", crypto: [line(1, CM_80, 1)] }],
	])("RTP/SAVP with a key, %s", (_name, crypto, expected) => {
		expect(answered(offer("RTP/SAVP", line(1, CM_80, 50)), crypto)).toEqual(expected);
	});

	it.each([
		["disabled", undefined, { suite: undefined, mLine: "m=audio 4000 RTP/AVP 0", crypto: [] }],
		["allowed", cryptoWith(1), { suite: undefined, mLine: "m=audio 4000 RTP/AVP 0", crypto: [] }],
		["required", cryptoWith(1, true), "no-crypto: encrypted audio (SRTP) is required, but there is no a=crypto line"],
	])("RTP/AVP without a key, %s", (_name, crypto, expected) => {
		expect(answered(offer("RTP/AVP"), crypto)).toEqual(expected);
	});

	it.each([
		["disabled: in the clear", undefined, { suite: undefined, mLine: "m=audio 4000 RTP/AVP 0", crypto: [] }],
		["allowed: encrypted", cryptoWith(1), { suite: CM_80, mLine: "m=audio 4000 RTP/AVP 0", crypto: [line(3, CM_80, 1)] }],
		["required: encrypted", cryptoWith(1, true), { suite: CM_80, mLine: "m=audio 4000 RTP/AVP 0", crypto: [line(3, CM_80, 1)] }],
	])("RTP/AVP with a key (encrypt if you can), %s", (_name, crypto, expected) => {
		expect(answered(offer("RTP/AVP", line(3, CM_80, 50)), crypto)).toEqual(expected);
	});

	it("RTP/SAVPF is answered as such (RFC 5124)", () => {
		expect(answered(offer("RTP/SAVPF", line(1, CM_80, 50)), cryptoWith(1))).toMatchObject({ mLine: "m=audio 4000 RTP/SAVPF 0" });
	});

	it("DTLS-SRTP, whose keys are not in the SDP, is not taken for it", () => {
		expect(answered(offer("UDP/TLS/RTP/SAVPF", line(1, CM_80, 50)), cryptoWith(1))).toContain("unsupported-transport");
	});

	it("§5.1.2 the first of the offer's lines that we can do is answered with its tag; the ones before it are passed over", () => {
		const lines = [line(1, CM_80, 50, "|2^31|1:1"), "a=crypto:2 NEW_SUITE inline:AAAA", line(5, GCM_256, 60), line(6, CM_80, 70)];
		const result = answerOffer(offer("RTP/SAVP", ...lines), media(cryptoWith(1)));
		expect(result.ok && result.negotiated.srtp).toEqual({ suite: GCM_256, send: keyOf(GCM_256, 1), receive: keyOf(GCM_256, 60) });
		expect(result.ok && result.answerSdp).toContain(`${line(5, GCM_256, 1)}\r\n`);
	});

	it.each([
		["an MKI", line(1, CM_80, 50, "|2^31|1:1"), "no-crypto: encrypted audio (SRTP) is offered, but a=crypto cannot be used: it has an MKI"],
		["our own key", line(1, CM_80, 1), "no-crypto: encrypted audio (SRTP) is offered, but a=crypto cannot be used: it has our own key"],
		["no line", "a=x-none", "no-crypto: encrypted audio (SRTP) is offered, but there is no a=crypto line"],
	])("only %s: refused in words, not answered in the clear", (_name, text, expected) => {
		expect(answered(offer("RTP/SAVP", text), cryptoWith(1))).toBe(expected);
	});

	it("a key in the session part is none (§9.2)", () => {
		const sdp = offer("RTP/SAVP").replace("t=0 0", `t=0 0\r\n${line(1, CM_80, 50)}`);
		expect(answered(sdp, cryptoWith(1))).toContain("no-crypto");
	});

	it.each([
		["allowed: the encrypted one", cryptoWith(1), "0 RTP/AVP", "4000 RTP/SAVP"],
		["required: the encrypted one", cryptoWith(1, true), "0 RTP/AVP", "4000 RTP/SAVP"],
		["disabled: the plain one", undefined, "4000 RTP/AVP", "0 RTP/SAVP"],
	])("a plain section and an encrypted one, %s", (_name, crypto, first, second) => {
		const sdp = `${offer("RTP/AVP")}m=audio 5002 RTP/SAVP 0\r\n${line(1, CM_80, 50)}\r\n`;
		const result = answerOffer(sdp, media(crypto));
		expect(result.ok && result.answerSdp.match(/m=.*/g)).toEqual([`m=audio ${first} 0`, `m=audio ${second} 0`]);
	});
});

describe("the answer to an offer of ours", () => {
	const ours = (required: boolean): LocalMedia => media(cryptoWith(1, required));

	it("an offer has all keys, in our order", () => {
		const lines = createOffer(ours(false)).split("\r\n");
		expect(lines.filter((each) => each.startsWith("m="))).toEqual(["m=audio 4000 RTP/SAVP 0 101"]);
		expect(lines.filter((each) => each.startsWith("a=crypto"))).toEqual(SUITES.map((suite, i) => line(i + 1, suite, 1)));
	});

	it("two of ours agree, with each other's keys", () => {
		const theirs = media(cryptoWith(90, true, [CM_32, GCM_256]));
		const answer = answerOffer(createOffer(ours(true)), theirs);
		const read = answer.ok ? readAnswer(answer.answerSdp, ours(true)) : answer;
		expect(read.ok && read.negotiated.srtp).toEqual({ suite: CM_32, send: keyOf(CM_32, 1), receive: keyOf(CM_32, 90) });
		expect(answer.ok && answer.negotiated.srtp).toEqual({ suite: CM_32, send: keyOf(CM_32, 90), receive: keyOf(CM_32, 1) });
	});

	it.each([
		["§5.1.3 a tag that was not offered", line(9, CM_80, 50)],
		["§5.1.3 another suite than the tag's", line(2, CM_80, 50)],
		["§5.1.3 a tag of 0", line(0, CM_80, 50)],
		["our own key", line(1, CM_80, 1)],
		["no key", "a=x-none"],
	])("%s: no call in the clear", (_name, text) => {
		for (const required of [true, false]) {
			const read = readAnswer(offer("RTP/SAVP", text), ours(required));
			expect(read.ok ? "agreed" : read.code).toBe("no-crypto");
		}
	});

	it("in the clear: taken when that is allowed, never when encryption is required", () => {
		const allowed = readAnswer(offer("RTP/AVP"), ours(false));
		expect(allowed.ok && allowed.negotiated.srtp).toBeUndefined();
		expect(allowed.ok).toBe(true);
		const required = readAnswer(offer("RTP/AVP"), ours(true));
		expect(required.ok ? "agreed" : required.reason).toBe(
			"encrypted audio (SRTP) is required, but in the answer there is no a=crypto line",
		);
		const unusable = readAnswer(offer("RTP/AVP", line(1, CM_80, 50, "|1:1")), ours(false));
		expect(unusable.ok ? "agreed" : unusable.code).toBe("no-crypto");
	});

	it("encrypted, where we offered none: no", () => {
		const read = readAnswer(offer("RTP/SAVP", line(1, CM_80, 50)), media());
		expect(read.ok ? "agreed" : read.code).toBe("unsupported-transport");
	});
});

describe("address families", () => {
	it.each([
		["192.0.2.1", "IP6 2001:db8::1", "no-address: SDP has an IPv6 address for its audio, and here is only IPv4"],
		["2001:db8::9", "IP4 192.0.2.9", "no-address: SDP has an IPv4 address for its audio, and here is only IPv6"],
	])("%s cannot be answered to %s", (address, connection, expected) => {
		const result = answerOffer(offer("RTP/AVP").replace("c=IN IP4 192.0.2.9", `c=IN ${connection}`), { ...media(), address });
		expect(result.ok ? "answered" : `${result.code}: ${result.reason}`).toBe(expected);
	});

	it("IPv6 to IPv6 agrees", () => {
		const result = answerOffer(offer("RTP/AVP").replace("c=IN IP4 192.0.2.9", "c=IN IP6 2001:db8::1"), {
			...media(),
			address: "2001:db8::9",
		});
		expect(result.ok && result.negotiated.remote).toEqual({ address: "2001:db8::1", port: 5000 });
		expect(result.ok && result.answerSdp).toContain("c=IN IP6 2001:db8::9");
	});
});

describe("G.722 (RFC 3551 §4.5.2)", () => {
	it("has number 9 and a clock that is written as 8000; the number needs no a=rtpmap", () => {
		const ours: LocalMedia = { ...media(), codecs: ["G722", "PCMU"] };
		expect(createOffer(ours)).toContain("m=audio 4000 RTP/AVP 9 0 101\r\na=rtpmap:9 G722/8000\r\n");
		const result = answerOffer(offer("RTP/AVP").replace("RTP/AVP 0", "RTP/AVP 9"), ours);
		expect(result.ok && result.negotiated.codec).toEqual({ name: "G722", payloadType: 9, receivePayloadType: 9, clockRate: 8000 });
	});
});
