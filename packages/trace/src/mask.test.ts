import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { maskMessage } from "./mask.ts";

const message = (head: string[], body = ""): string => `${head.join("\r\n")}\r\n\r\n${body}`;
const masked = (text: string, numbers = false): string => {
	const result = maskMessage(text, { numbers });
	expect(result).toHaveLength(text.length);
	return result;
};

describe("maskMessage", () => {
	it.each([
		['Authorization: Digest username="bob", nonce="n", response="6629fae49393a05397450978507c4ef1"', "6629fae49393a05397450978507c4ef1"],
		['Proxy-Authorization: Digest username="bob",\r\n response=6629fae49393a053', "6629fae49393a053"],
		['authentication-info: rspauth="f3a1b2c3d4", qop=auth', "f3a1b2c3d4"],
		["Authorization: Bearer eyJhbGciOi.J9.abc", "eyJhbGciOi.J9.abc"],
		["Proxy-Authorization: Basic Ym9iOnNlY3JldA==", "Ym9iOnNlY3JldA=="],
		["Contact: <sip:bob:hunter2@192.0.2.1>", "hunter2"],
	])("crosses out the secret of %j", (line, secret) => {
		const shown = masked(message(["REGISTER sip:example.com SIP/2.0", line, "CSeq: 1 REGISTER"]));
		expect(shown).not.toContain(secret);
		expect(shown).toContain("x".repeat(secret.replace(/\s/g, "").length));
		expect(shown).toContain("CSeq: 1 REGISTER");
	});

	it.each([
		[
			"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^20|1:4",
			"WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz",
		],
		["a=crypto:2 AES_256_CM_HMAC_SHA1_80 inline:firstKey|2^31;inline:secondKey", "secondKey"],
		["a=ice-pwd:asd88fgpdd777uzjYhagZg", "asd88fgpdd777uzjYhagZg"],
		["a=key-mgmt:mikey AQAFgM0XflABAAAAAAAAAAAAAAsAyONQ6gAAAAA", "AQAFgM0XflABAAAAAAAAAAAAAAsAyONQ6gAAAAA"],
		["k=clear:open sesame", "open sesame"],
	])("crosses out the key of %j", (line, key) => {
		const shown = masked(message(["INVITE sip:a@b SIP/2.0", "Content-Type: application/sdp"], `v=0\r\n${line}\r\na=ptime:20\r\n`));
		expect(shown).not.toContain(key);
		expect(shown).toContain("a=ptime:20");
	});

	it("leaves what checks a certificate and what an address is", () => {
		const body = "a=fingerprint:sha-256 AB:CD\r\na=ice-ufrag:8hhY\r\nc=IN IP4 192.0.2.1\r\n";
		expect(masked(message(["INVITE sip:a@b SIP/2.0", "c: application/sdp"], body))).toContain(body);
	});

	it.each([
		["application/dtmf-relay", "Signal= 5\r\nDuration= 160\r\n", "Signal= x\r\nDuration= 160\r\n"],
		["application/dtmf", "7", "x"],
		["Application/DTMF; charset=utf-8", "1234#", "xxxxx"],
	])("shows no digit of an INFO with %s", (type, body, shown) => {
		expect(masked(message(["INFO sip:a@b SIP/2.0", `Content-Type: ${type}`], body)).endsWith(`\r\n\r\n${shown}`)).toBe(true);
	});

	it("shows telephone numbers unless it is told not to", () => {
		const text = message([
			"INVITE sip:+15550100@192.0.2.7:5060 SIP/2.0",
			"Via: SIP/2.0/UDP 192.0.2.7:5060;branch=z9hG4bK1234567890",
			'From: "+1 (555) 111-1234" <sip:15551111234@carrier.example>;tag=12345678',
			"To: <tel:+4930123456;phone-context=+49>",
			"P-Asserted-Identity: <sip:%2B15551111234@carrier.example>",
			"X-Caller: +15551111234",
			"Call-ID: 1234567890@192.0.2.7",
			"Contact: <sip:192.0.2.7:5060>",
			"Content-Length: 0",
		]);
		expect(masked(text)).toBe(text);
		expect(masked(text, true)).toBe(
			message([
				"INVITE sip:+xxxxxx00@192.0.2.7:5060 SIP/2.0",
				"Via: SIP/2.0/UDP 192.0.2.7:5060;branch=z9hG4bK1234567890",
				'From: "+x (xxx) xxx-xx34" <sip:xxxxxxxxx34@carrier.example>;tag=12345678',
				"To: <tel:+xxxxxxxx56;phone-context=+49>",
				"P-Asserted-Identity: <sip:%2Bxxxxxxxxx34@carrier.example>",
				"X-Caller: +xxxxxxxxx34",
				"Call-ID: 1234567890@192.0.2.7",
				"Contact: <sip:192.0.2.7:5060>",
				"Content-Length: 0",
			]),
		);
	});

	it("takes any text, keeps its length, and masks what is masked already no further", () => {
		const piece = fc.constantFrom(
			"Authorization: Digest ",
			'response="',
			"a=crypto:1 A inline:",
			"sip:",
			"+15551",
			"\r\n",
			"\r\n\r\n",
			" ",
			"<",
			"@",
			"\n",
			":",
		);
		fc.assert(
			fc.property(fc.array(fc.oneof(piece, fc.string({ maxLength: 5 })), { maxLength: 30 }), fc.boolean(), (pieces, numbers) => {
				const once = masked(pieces.join(""), numbers);
				expect(masked(once, numbers)).toBe(once);
			}),
		);
	});
});
