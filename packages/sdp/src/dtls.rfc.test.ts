import { describe, expect, it } from "vitest";
import { answerOffer, createOffer, readAnswer } from "./offer-answer.ts";
import type { LocalMedia, Negotiated } from "./types.ts";

const SHA256 = Array.from({ length: 32 }, (_, i) => (i + 16).toString(16).toUpperCase()).join(":");
const OURS = SHA256.replaceAll("1", "A");
const KEY = { suite: "AES_CM_128_HMAC_SHA1_80", key: new Uint8Array(30).fill(7) } as const;
const base: LocalMedia = { address: "192.0.2.9", port: 9000, codecs: ["PCMU"], sessionId: 1, sessionVersion: 1, rtcpMux: true };
const dtls = { required: false, fingerprint: OURS };
const crypto = { required: false, keys: [KEY] };
const ALLOW: LocalMedia = { ...base, crypto, dtls };
const REQUIRE: LocalMedia = { ...base, crypto: { ...crypto, required: true }, dtls: { ...dtls, required: true } };

const describeSection = (protocol: string, ...lines: string[]): string =>
	["v=0", "o=- 1 1 IN IP4 192.0.2.1", "s=-", "c=IN IP4 192.0.2.1", "t=0 0", `m=audio 4000 ${protocol} 0`, ...lines, ""].join("\r\n");
const PRINT = `a=fingerprint:sha-256 ${SHA256}`;
const CRYPTO = `a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:${Buffer.alloc(30, 9).toString("base64")}`;

function outcome(offer: string, local: LocalMedia): string {
	const answer = answerOffer(offer, local);
	if (!answer.ok) return `${answer.code}: ${answer.reason}`;
	const { srtp, dtls: agreed } = answer.negotiated;
	const setup = /a=setup:(\w+)/.exec(answer.answerSdp)?.[1];
	const protocol = /m=audio \d+ (\S+)/.exec(answer.answerSdp)?.[1];
	return `${protocol} ${agreed ? `dtls ${agreed.role} ${setup}` : srtp ? "sdes" : "clear"}`;
}

describe("RFC 5763 §5: an offer with DTLS-SRTP", () => {
	it.each([
		// a=setup of the offer, our role and a=setup
		["actpass", "dtls server passive"],
		["active", "dtls server passive"],
		["passive", "dtls client active"],
		// RFC 4145 §4
		[undefined, "dtls server passive"],
	])("a=setup:%s → %s", (setup, expected) => {
		const lines = setup === undefined ? [PRINT] : [PRINT, `a=setup:${setup}`];
		expect(outcome(describeSection("UDP/TLS/RTP/SAVP", ...lines), ALLOW)).toBe(`UDP/TLS/RTP/SAVP ${expected}`);
		expect(outcome(describeSection("UDP/TLS/RTP/SAVPF", ...lines), REQUIRE)).toBe(`UDP/TLS/RTP/SAVPF ${expected}`);
	});

	it("our answer has our fingerprint, the peer's is read, of the session part too", () => {
		const offer = describeSection("UDP/TLS/RTP/SAVP", "a=setup:actpass").replace(
			"t=0 0",
			`t=0 0\r\n${PRINT.toLowerCase()}\r\na=tls-id:abc`,
		);
		const answer = answerOffer(offer, ALLOW);
		if (!answer.ok) throw new Error(answer.reason);
		expect(answer.answerSdp).toContain(`\r\na=fingerprint:sha-256 ${OURS}\r\n`);
		expect(answer.negotiated.dtls).toEqual({ role: "server", fingerprints: [{ algorithm: "sha-256", value: SHA256 }], tlsId: "abc" });
		expect(answer.negotiated.srtp).toBeUndefined();
	});

	it("a role that there is stays (RFC 8842 §5.3)", () => {
		const local = { ...ALLOW, dtls: { ...dtls, role: "client" as const } };
		expect(outcome(describeSection("UDP/TLS/RTP/SAVP", PRINT, "a=setup:actpass"), local)).toBe("UDP/TLS/RTP/SAVP dtls client active");
		expect(outcome(describeSection("UDP/TLS/RTP/SAVP", PRINT, "a=setup:active"), local)).toBe("UDP/TLS/RTP/SAVP dtls server passive");
	});

	it.each([
		[
			"UDP/TLS/RTP/SAVP",
			[PRINT],
			base,
			"unsupported-transport: encrypted audio (DTLS-SRTP) is offered only, and encryption is disabled here",
		],
		["UDP/TLS/RTP/SAVP", [], ALLOW, "no-crypto: encrypted audio (DTLS-SRTP) is offered, but there is no a=fingerprint line"],
		["UDP/TLS/RTP/SAVP", [CRYPTO], ALLOW, "no-crypto: encrypted audio (DTLS-SRTP) is offered, but there is no a=fingerprint line"],
		["UDP/TLS/RTP/SAVP", [`a=fingerprint:sha-1 ${SHA256.slice(0, 59)}`], ALLOW, "none has a hash that is known and strong"],
		["UDP/TLS/RTP/SAVP", [`a=fingerprint:sha-256 ${SHA256.slice(0, 59)}`], ALLOW, "none has a hash that is known and strong"],
		["UDP/TLS/RTP/SAVP", [PRINT, "a=setup:holdconn"], ALLOW, "a=setup leaves no role for us"],
		// a name that every object has is no role
		["UDP/TLS/RTP/SAVP", [PRINT, "a=setup:constructor"], ALLOW, "a=setup leaves no role for us"],
		["RTP/AVP", [], REQUIRE, "no-crypto: encrypted audio (SRTP) is required"],
		["RTP/AVP", [PRINT, "a=setup:holdconn"], REQUIRE, "no-crypto: encrypted audio (SRTP) is required, but a=setup leaves no role for us"],
		// RFC 8643: encrypt if you can
		["RTP/AVP", [PRINT, "a=setup:actpass"], ALLOW, "RTP/AVP dtls server passive"],
		["RTP/AVP", [PRINT, "a=setup:actpass"], base, "RTP/AVP clear"],
		// both ways to keys: the transport tells which one counts
		["RTP/SAVP", [CRYPTO, PRINT, "a=setup:actpass"], ALLOW, "RTP/SAVP sdes"],
		["UDP/TLS/RTP/SAVP", [CRYPTO, PRINT, "a=setup:actpass"], ALLOW, "UDP/TLS/RTP/SAVP dtls server passive"],
		["RTP/SAVP", [PRINT, "a=setup:actpass"], REQUIRE, "RTP/SAVP dtls server passive"],
	])("%s %j", (protocol, lines, local, expected) => {
		expect(outcome(describeSection(protocol, ...lines), local)).toContain(expected);
	});

	it("a plain section and one with DTLS-SRTP: the encrypted one", () => {
		const offer = `${describeSection("RTP/AVP")}m=audio 4002 UDP/TLS/RTP/SAVP 0\r\n${PRINT}\r\na=setup:actpass\r\n`;
		const answer = answerOffer(offer, ALLOW);
		expect(answer.ok && answer.answerSdp.match(/m=audio \d+/g)).toEqual(["m=audio 0", "m=audio 9000"]);
	});
});

describe("an offer of ours", () => {
	const DTLS_ONLY: LocalMedia = { ...base, dtls };
	it("leaves the role open (RFC 5763 §5), and with SDES beside it is one that older peers can read", () => {
		expect(createOffer(DTLS_ONLY)).toContain(`m=audio 9000 UDP/TLS/RTP/SAVP 0 101\r\na=fingerprint:sha-256 ${OURS}\r\na=setup:actpass\r\n`);
		expect(createOffer(ALLOW)).toMatch(/m=audio 9000 RTP\/SAVP 0 101\r\na=crypto:1 .*\r\na=fingerprint:sha-256 .*\r\na=setup:actpass/);
	});

	const agreed = (answer: string, local: LocalMedia): Negotiated | string => {
		const result = readAnswer(answer, local);
		return result.ok ? result.negotiated : `${result.code}: ${result.reason}`;
	};
	it.each([
		["active", "server"],
		["passive", "client"],
		[undefined, "client"],
	])("answered with a=setup:%s: we are %s", (setup, role) => {
		const answer = describeSection("UDP/TLS/RTP/SAVP", PRINT, ...(setup === undefined ? [] : [`a=setup:${setup}`]));
		expect(agreed(answer, DTLS_ONLY)).toMatchObject({ dtls: { role, fingerprints: [{ algorithm: "sha-256", value: SHA256 }] } });
	});

	it.each([
		["no answer to the role", ["UDP/TLS/RTP/SAVP", PRINT, "a=setup:actpass"], DTLS_ONLY, "a=setup leaves no role"],
		["keys in the SDP, which were not offered", ["RTP/SAVP", CRYPTO], DTLS_ONLY, "there is no a=fingerprint line"],
		[
			"in the clear where that is not allowed",
			["RTP/AVP"],
			{ ...base, dtls: { ...dtls, required: true } },
			"is required, but in the answer",
		],
		["DTLS, which was not offered", ["UDP/TLS/RTP/SAVP", PRINT, "a=setup:active"], { ...base, crypto }, "was offered, but in the answer"],
		["DTLS, where nothing was offered", ["UDP/TLS/RTP/SAVP", PRINT, "a=setup:active"], base, "unsupported-transport"],
	] as const)("%s: no call", (_name, [protocol, ...lines], local, expected) => {
		expect(agreed(describeSection(protocol, ...lines), local)).toContain(expected);
	});

	it("in the clear where that is allowed; with either way to keys where both were offered", () => {
		expect(agreed(describeSection("RTP/AVP"), DTLS_ONLY)).not.toHaveProperty("dtls");
		expect(agreed(describeSection("RTP/SAVP", CRYPTO), ALLOW)).toMatchObject({ srtp: { suite: KEY.suite } });
		expect(agreed(describeSection("RTP/SAVP", PRINT, "a=setup:active"), ALLOW)).toMatchObject({ dtls: { role: "server" } });
	});

	it("two of ours agree", () => {
		const answer = answerOffer(createOffer(DTLS_ONLY), { ...REQUIRE, port: 9002 });
		if (!answer.ok) throw new Error(answer.reason);
		expect(answer.negotiated.dtls?.role).toBe("server");
		expect(agreed(answer.answerSdp, DTLS_ONLY)).toMatchObject({ dtls: { role: "client" } });
	});
});
