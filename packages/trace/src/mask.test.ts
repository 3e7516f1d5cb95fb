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

	it.each<[string, string[], string, string]>([
		[
			"credentials behind line breaks that come first (RFC 3261 §7.5)",
			["", "", "REGISTER sip:a SIP/2.0", "Authorization: Bearer hunter2"],
			"",
			"hunter2",
		],
		["credentials in the place of the first line", ["Authorization: Bearer hunter2"], "", "hunter2"],
		["a password behind parameters of the user", ["INVITE sip:+15;phone-context=x:hunter2@b SIP/2.0"], "", "hunter2"],
		["a long password", ["REGISTER sip:a SIP/2.0", `Contact: <sip:bob:${"hunter2".repeat(60)}@b>`], "", "hunter2"],
		[
			"a response with a space before it",
			["REGISTER sip:a SIP/2.0", 'Authorization: Digest username="b", response=" hunter2"'],
			"",
			"hunter2",
		],
		["a token in a field of the caller's own", ["INVITE sip:a@b SIP/2.0", "X-Auth-Token: hunter2"], "", "hunter2"],
		["a key of an API, folded", ["INVITE sip:a@b SIP/2.0", "X-Api-Key:", " hunter2"], "", "hunter2"],
		["a secret with a name that begins with nothing", ["INVITE sip:a@b SIP/2.0", "x-customer-password : hunter2"], "", "hunter2"],
		[
			"credentials in a URI's header fields",
			["REFER sip:a@b SIP/2.0", "Refer-To: <sip:c@d?Replaces=1&Authorization=Digest%20hunter2>"],
			"",
			"hunter2",
		],
		[
			"credentials in a message about a message",
			["NOTIFY sip:a@b SIP/2.0", "c: message/sipfrag"],
			"INVITE sip:a SIP/2.0\r\nAuthorization: Basic hunter2\r\n",
			"hunter2",
		],
		["a text for people", ["MESSAGE sip:a@b SIP/2.0", "Content-Type: text/plain"], "my PIN is hunter2", "hunter2"],
		["digits as XML", ["NOTIFY sip:a@b SIP/2.0", "Content-Type: application/kpml-response+xml"], '<kpml-response digits="4711"/>', "4711"],
		[
			"digits of another vendor",
			["INFO sip:a@b SIP/2.0", "Content-Type: application/vnd.nortelnetworks.digits"],
			"p=Digit-Collection\r\nd=4711\r\n",
			"4711",
		],
		["a body of no type", ["INFO sip:a@b SIP/2.0"], "4711", "4711"],
		["a body whose type is on the next line", ["INFO sip:a@b SIP/2.0", "Content-Type:", " application/dtmf"], "4711", "4711"],
		["a compressed body", ["INFO sip:a@b SIP/2.0", "c: application/sdp", "e: gzip"], "4711", "4711"],
		[
			"digits in a part",
			["INFO sip:a@b SIP/2.0", 'Content-Type: multipart/mixed;boundary="b"'],
			"--b\r\nContent-Type: application/dtmf\r\n\r\n4711\r\n--b--\r\n",
			"4711",
		],
		["a part without an end", ["INFO sip:a@b SIP/2.0", "Content-Type: multipart/mixed"], "--b\r\n4711", "4711"],
		[
			"a key behind a tab",
			["INVITE sip:a@b SIP/2.0", "c: application/sdp"],
			"v=0\r\na=crypto:1\tAES_CM_128_HMAC_SHA1_80\tinline:hunter2|2^20\r\n",
			"hunter2",
		],
		["a password of ICE behind spaces", ["INVITE sip:a@b SIP/2.0", "c: application/sdp"], "v=0\r\n a=ice-pwd: hunter2\r\n", "hunter2"],
		[
			"a password of ICE in a fragment (RFC 8840)",
			["INFO sip:a@b SIP/2.0", "c: application/trickle-ice-sdpfrag"],
			"a=ice-pwd:hunter2\r\n",
			"hunter2",
		],
	])("crosses out %s", (_name, head, body, secret) => {
		const shown = masked(message(head, body));
		expect(shown).not.toContain(secret);
		expect(shown).toContain("xxxx");
	});

	it("shows what is no secret: a challenge, SDP in a part, how a transfer goes", () => {
		const parts = "--b\r\nContent-Type: application/sdp\r\n\r\nv=0\r\nm=audio 4000 RTP/AVP 0\r\n--b--\r\n";
		for (const text of [
			message(["SIP/2.0 401 Unauthorized", 'WWW-Authenticate: Digest realm="a", nonce="n"', "Proxy-Authenticate: Digest realm=b"]),
			message(["INVITE sip:a@b SIP/2.0", "Content-Type: multipart/mixed; boundary=b"], parts),
			message(["NOTIFY sip:a@b SIP/2.0", "Content-Type: message/sipfrag;version=2.0"], "SIP/2.0 180 Ringing\r\n"),
			message(["REFER sip:a@b SIP/2.0", "Refer-To: <sip:c@d?Replaces=1%3Bto-tag%3D2>", "X-Author: Bob", "X-Keyword: a"]),
		])
			expect(masked(text)).toBe(text);
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
