import { SimClock, SimNet, simEndpoint } from "@trunkline/testkit";
import { describe, expect, it } from "vitest";
import type { Address } from "./endpoint-types.ts";
import { parseNameAddr } from "./grammar/name-addr.ts";
import { utf8Encode } from "./grammar/text.ts";
import { parseUri } from "./grammar/uri.ts";
import { readEnvelope } from "./message/envelope.ts";
import { header, headerList } from "./message/headers.ts";
import { parseMessage } from "./message/parse.ts";

const crlf = (text: string): Uint8Array => utf8Encode(text.replaceAll("\n", "\r\n"));
const REMOTE: Address = { host: "192.0.2.2", port: 5060, transport: "UDP" };

function receive(bytes: Uint8Array) {
	const net = new SimNet(new SimClock());
	const host = simEndpoint(new SimClock(), net, { host: "192.0.2.1", port: 5060, transport: "UDP" });
	host.handle({ kind: "received", bytes, remote: REMOTE });
	const answers = net.sent.map((packet) => {
		const parsed = parseMessage(packet.bytes);
		return parsed.ok && parsed.message.kind === "response" ? parsed.message.status : "?";
	});
	return { answers, host };
}

/** What the cases of RFC 4475 have in common, with one thing in each made hard. */
const request = (parts: { line?: string; via?: string; to?: string; from?: string; cseq?: string; more?: string }): Uint8Array =>
	crlf(`${parts.line ?? "INVITE sip:user@example.com SIP/2.0"}
Via: ${parts.via ?? "SIP/2.0/UDP 192.0.2.2;branch=z9hG4bKkdjuw"}
Max-Forwards: 70
To: ${parts.to ?? "sip:j.user@example.com"}
From: ${parts.from ?? "sip:caller@example.net;tag=93942939o2"}
Call-ID: torture.9asdjf@192.0.2.2
CSeq: ${parts.cseq ?? "8 INVITE"}
Contact: <sip:caller@host5.example.net>
${parts.more ?? ""}
`);

describe("RFC 4475 §3.1.1 valid messages", () => {
	it("§3.1.1.1 a short tortuous INVITE", () => {
		const parsed = parseMessage(
			crlf(`INVITE sip:vivekg@chair-dnrc.example.com;unknownparam SIP/2.0
TO :
 sip:vivekg@chair-dnrc.example.com ;   tag    = 1918181833n
from   : "J Rosenberg \\\\\\""       <sip:jdrosen@example.com>
  ;
  tag = 98asjd8
MaX-fOrWaRdS: 0068
Call-ID: wsinv.ndaksdj@192.0.2.1
Content-Length   : 3
cseq: 0009
  INVITE
Via  : SIP  /   2.0
 /UDP
    192.0.2.2;branch=390skdjuw
s :
NewFangledHeader:   newfangled value
 continued newfangled value
UnknownHeaderWithUnusualValue: ;;,,;;,;
Content-Type: application/sdp
Route:
 <sip:services.example.com;lr;unknownwith=value;unknown-no-value>
v:  SIP  / 2.0  / TCP     spindle.example.com   ;
  branch  =   z9hG4bK9ikj8  ,
 SIP  /    2.0   / UDP  192.168.255.111   ; branch=
 z9hG4bK30239
m:"Quoted string \\"\\"" <sip:jdrosen@example.com> ; newparam =
      newvalue ;
  secondparam ; q = 0.33

v=0`),
		);
		if (!parsed.ok) throw new Error(parsed.detail);
		const read = readEnvelope(parsed.message);
		if (!read.ok) throw new Error(read.detail);
		expect(read.envelope).toMatchObject({
			...{ viaCount: 3, toTag: "1918181833n", fromTag: "98asjd8", callId: "wsinv.ndaksdj@192.0.2.1", cseq: 9, cseqMethod: "INVITE" },
			...{ via: { transport: "UDP", host: "192.0.2.2", branch: "390skdjuw" }, from: { displayName: 'J Rosenberg \\"' } },
		});
		expect(header(parsed.message, "newfangledheader")).toBe("newfangled value continued newfangled value");
		expect(header(parsed.message, "Subject")).toBe("");
		expect(headerList(parsed.message, "via")[2]).toContain("192.168.255.111");
		expect(parseNameAddr(header(parsed.message, "Contact") ?? "")).toMatchObject({
			displayName: 'Quoted string ""',
			uri: "sip:jdrosen@example.com",
		});
		expect(parsed.message.body).toEqual(utf8Encode("v=0"));
	});

	it("§3.1.1.2 wide range of valid characters", () => {
		const uri = "sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@example.com";
		expect(parseUri(uri)).toMatchObject({
			user: "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*",
			password: "&it+has=1,weird!*pas$wo~d_too.(doesn't-it)",
		});
		const method = "!interesting-Method0123456789_*+`.%indeed'~";
		expect(receive(request({ line: `${method} ${uri} SIP/2.0`, cseq: `139122385 ${method}` })).answers).toEqual([405]);
	});

	it("§3.1.1.8 extra bytes after the body are discarded", () => {
		const { host, answers } = receive(request({ more: "Content-Length: 3\n\nabcINVITE sip:other@example.com SIP/2.0\n" }));
		expect(answers).toEqual([100]);
		expect(host.of("incoming")[0]?.request.body).toEqual(utf8Encode("abc"));
	});

	it("§3.1.1.9 semicolon-separated parameters in the user part, §3.1.1.6 no space between display name and <", () => {
		expect(parseUri("sip:user;par=u%40example.net@example.com")).toMatchObject({ user: "user;par=u@example.net", params: [] });
		expect(parseNameAddr("caller<sip:caller@example.com>;tag=323")).toMatchObject({ displayName: "caller", uri: "sip:caller@example.com" });
	});

	it("§3.1.1.12 an unusual reason phrase, §3.1.1.13 an empty one", () => {
		const rest = "\nVia: SIP/2.0/UDP 192.0.2.105;branch=z9hG4bKx\n\n";
		expect(parseMessage(crlf(`SIP/2.0 200 = 2**3 * 5**2 но сто девяносто девять - простое${rest}`))).toMatchObject({
			message: { status: 200, reason: "= 2**3 * 5**2 но сто девяносто девять - простое" },
		});
		expect(parseMessage(crlf(`SIP/2.0 100 ${rest}`))).toMatchObject({ message: { status: 100, reason: "" } });
	});
});

describe("RFC 4475 §3.1.2 invalid messages, §3.2, §3.3 what the application must see", () => {
	it.each<[string, number | undefined, Parameters<typeof request>[0]]>([
		["§3.1.2.1 extraneous header field separators", 400, { via: "SIP/2.0/UDP 192.0.2.15;;,;,," }],
		["§3.1.2.2 Content-Length larger than the message", 400, { more: "Content-Length: 9999\n" }],
		["§3.1.2.3 negative Content-Length", 400, { more: "Content-Length: -999\n" }],
		["§3.1.2.4 request scalars that overflow", 400, { cseq: "36893488147419103232 INVITE" }],
		["§3.1.2.6 unterminated quoted string in a display name", 400, { to: '"Mr. J. User <sip:j.user@example.com>' }],
		["§3.1.2.7 <> around the Request-URI", 400, { line: "INVITE <sip:user@example.com> SIP/2.0" }],
		["§3.1.2.8 LWS in the Request-URI", 400, { line: "INVITE sip:user@example.com; lr SIP/2.0" }],
		["§3.1.2.9 multiple SP between the elements of the request line", 400, { line: "INVITE  sip:user@example.com  SIP/2.0" }],
		["§3.1.2.10 trailing SP on the request line, ignored", 100, { line: "INVITE sip:user@example.com SIP/2.0  " }],
		["§3.1.2.15 commas in an unquoted display name", 400, { from: "Bell, Alexander <sip:a.g.bell@example.com>;tag=43" }],
		["§3.1.2.16 unknown protocol version", 505, { line: "INVITE sip:user@example.com SIP/7.0" }],
		["§3.1.2.17 start line and CSeq method differ", 400, { cseq: "8 OPTIONS" }],
		["§3.3.2 unknown Request-URI scheme", 416, { line: "INVITE nobodyKnowsThisScheme:totallyopaquecontent SIP/2.0" }],
		["§3.3.5 unknown extension in Require", 420, { more: "Require: nothingSupportsThis, nothingSupportsThisEither\n" }],
		["§3.3.8 two values where one is allowed", 400, { more: "CSeq: 9 INVITE\n" }],
		["§3.3.9 two Content-Length values", 400, { more: "Content-Length: 0\nContent-Length: 244\n" }],
	])("%s → %s", (_, status, parts) => {
		expect(receive(request(parts)).answers).toEqual(status === undefined ? [] : [status]);
	});

	it("§3.1.2.19 a status that overflows is dropped; §3.2.1 a branch that is the bare cookie matches as in RFC 2543", () => {
		expect(parseMessage(crlf("SIP/2.0 4294967301 better not break the receiver\nVia: x\n\n"))).toMatchObject({
			ok: false,
			code: "start-line",
		});
		const net = new SimNet(new SimClock());
		const host = simEndpoint(new SimClock(), net, { host: "192.0.2.1", port: 5060, transport: "UDP" });
		for (const cseq of ["8 INVITE", "9 INVITE", "8 INVITE"]) {
			host.handle({ kind: "received", bytes: request({ via: "SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK", cseq }), remote: REMOTE });
		}
		expect(host.of("incoming")).toHaveLength(2);
	});
});
