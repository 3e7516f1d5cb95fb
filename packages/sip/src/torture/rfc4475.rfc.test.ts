import { readdirSync, readFileSync } from "node:fs";
import { SimClock, SimNet, simEndpoint } from "@trunkline/testkit";
import { describe, expect, it } from "vitest";
import type { Address } from "../endpoint-types.ts";
import { header } from "../message/headers.ts";
import type { SipResponse } from "../message/message.ts";
import { parseMessage } from "../message/parse.ts";

const REMOTE: Address = { host: "192.0.2.2", port: 5060, transport: "UDP" };

/** The message of that name, bit for bit (RFC 4475 appendix A). */
const bytesOf = (name: string): Uint8Array => new Uint8Array(readFileSync(new URL(`${name}.dat`, import.meta.url)));

/** What a user agent that is no registrar makes of one datagram: its answers, and what it tells its driver. */
function receive(bytes: Uint8Array) {
	const net = new SimNet(new SimClock());
	const host = simEndpoint(new SimClock(), net, { host: "192.0.2.1", port: 5060, transport: "UDP" }, { answerOptions: true });
	host.handle({ kind: "received", bytes, remote: REMOTE });
	const answers = net.sent.flatMap((packet): SipResponse[] => {
		const parsed = parseMessage(packet.bytes);
		if (!parsed.ok || parsed.message.kind !== "response") throw new Error("what we sent is no response");
		return [parsed.message];
	});
	return { host, answers };
}

/** [file, section and title, status of our answer (undefined = silence), why it may be that] */
const TABLE: readonly [string, string, number | undefined, string][] = [
	["wsinv", "3.1.1.1 a short tortuous INVITE", 481, "well formed; its To tag names a dialog that we do not have"],
	["intmeth", "3.1.1.2 wide range of valid characters", 405, "well formed; no such method"],
	["esc01", "3.1.1.3 valid use of the % escaping mechanism", 100, "well formed"],
	["escnull", "3.1.1.4 escaped nulls in URIs", 405, "well formed; we are no registrar"],
	["esc02", "3.1.1.5 use of % when it is not an escape", 405, "the method is RE%47IST%45R and not REGISTER"],
	["lwsdisp", "3.1.1.6 message with no LWS between display name and <", 200, "well formed"],
	["longreq", "3.1.1.7 long values in header fields", 100, "well formed"],
	["dblreq", "3.1.1.8 extra trailing octets in a UDP datagram", 405, "the REGISTER alone is answered, the INVITE behind it is discarded"],
	["semiuri", "3.1.1.9 semicolon-separated parameters in URI user part", 200, "well formed"],
	["transports", "3.1.1.10 varied and unknown transport types", 200, "well formed"],
	["mpart01", "3.1.1.11 multipart MIME message", 405, "well formed; MESSAGE is not served"],
	["unreason", "3.1.1.12 unusual reason phrase", undefined, "well formed; answers nothing that we sent"],
	["noreason", "3.1.1.13 empty reason phrase", undefined, "well formed; answers nothing that we sent"],
	["badinv01", "3.1.2.1 extraneous header field separators", 400, "Via"],
	["clerr", "3.1.2.2 Content-Length larger than message", 400, ""],
	["ncl", "3.1.2.3 negative Content-Length", 400, ""],
	["scalar02", "3.1.2.4 request scalar fields with overlarge values", 400, "CSeq"],
	["scalarlg", "3.1.2.5 response scalar fields with overlarge values", undefined, "discarded"],
	["quotbal", "3.1.2.6 unterminated quoted string in display name", 400, "To"],
	["ltgtruri", "3.1.2.7 <> enclosing Request-URI", 400, ""],
	["lwsruri", "3.1.2.8 malformed SIP Request-URI (embedded LWS)", 400, ""],
	["lwsstart", "3.1.2.9 multiple SP separating Request-Line elements", 400, ""],
	["trws", "3.1.2.10 SP characters at end of Request-Line", 200, "taken all the same, as the RFC allows"],
	["escruri", "3.1.2.11 escaped headers in SIP Request-URI", 100, "taken, the headers ignored, as the RFC allows"],
	["baddate", "3.1.2.12 invalid time zone in Date", 100, "Date is not looked at, as the RFC allows"],
	["regbadct", "3.1.2.13 failure to enclose name-addr URI in <>", 405, "we are no registrar"],
	["badaspec", "3.1.2.14 spaces within addr-spec", 200, "taken all the same, as the RFC allows"],
	["baddn", "3.1.2.15 non-token characters in display name", 400, "From"],
	["badvers", "3.1.2.16 unknown protocol version", 505, ""],
	["mismatch01", "3.1.2.17 start line and CSeq method mismatch", 400, ""],
	["mismatch02", "3.1.2.18 unknown method with CSeq method mismatch", 400, "501 would do too"],
	["bigcode", "3.1.2.19 overlarge response code", undefined, "discarded"],
	["badbranch", "3.2.1 missing transaction identifier", 200, "matched as RFC 2543 does"],
	["insuf", "3.3.1 missing required header fields", 400, ""],
	["unkscm", "3.3.2 Request-URI with unknown scheme", 416, ""],
	["novelsc", "3.3.3 Request-URI with known but atypical scheme", 416, ""],
	["unksm2", "3.3.4 unknown URI schemes in header fields", 405, "we are no registrar"],
	["bext01", "3.3.5 Proxy-Require and Require", 420, "Proxy-Require is for proxies"],
	["invut", "3.3.6 unknown Content-Type", 415, ""],
	["regaut01", "3.3.7 unknown authorization scheme", 405, "we are no registrar"],
	["multi01", "3.3.8 multiple values in single value required fields", 400, ""],
	["mcl01", "3.3.9 multiple Content-Length values", 400, ""],
	["bcast", "3.3.10 200 OK response with broadcast Via header field value", undefined, "discarded, and sent nowhere"],
	["zeromf", "3.3.11 Max-Forwards of zero", 200, "we are the target, not a proxy"],
	["cparam01", "3.3.12 REGISTER with a contact header parameter", 405, "we are no registrar"],
	["cparam02", "3.3.13 REGISTER with a url parameter", 405, "we are no registrar"],
	["regescrt", "3.3.14 REGISTER with a URL escaped header", 405, "we are no registrar"],
	["sdp01", "3.3.15 unacceptable Accept offering", 406, ""],
	["inv2543", "3.4.1 INVITE with RFC 2543 syntax", 400, "without From tag and Contact there is no dialog that we could end"],
];

describe("RFC 4475: all 49 messages and the answer of each", () => {
	it("none is missing", () => {
		const files = readdirSync(new URL(".", import.meta.url)).filter((name) => name.endsWith(".dat"));
		expect(TABLE.map(([name]) => `${name}.dat`).toSorted()).toEqual(files.toSorted());
		expect(files).toHaveLength(49);
	});

	it.each(TABLE)("%s: §%s → %s", (name, _title, status) => {
		const { answers, host } = receive(bytesOf(name));
		expect(answers.map((answer) => answer.status)).toEqual(status === undefined ? [] : [status]);
		expect(host.of("incoming")).toHaveLength(status === 100 ? 1 : 0);
	});

	it.each(TABLE)("%s cut off anywhere, or with one byte changed, throws nothing", (name) => {
		const bytes = bytesOf(name);
		const broken = [...Array(Math.ceil(bytes.length / 7)).keys()].map((index) => bytes.subarray(0, index * 7));
		for (let at = 0; at < bytes.length; at += 11) broken.push(bytes.map((byte, index) => (index === at ? byte ^ 0x21 : byte)));
		for (const message of broken) expect(() => receive(message)).not.toThrow();
	});

	it("refusals say what would do: Unsupported of 420, Accept of 415, Allow of 405", () => {
		const said = (name: string, field: string) => header(receive(bytesOf(name)).answers[0] ?? emptyResponse, field);
		expect(said("bext01", "Unsupported")).toBe("nothingSupportsThis, nothingSupportsThisEither");
		expect(said("invut", "Accept")).toBe("application/sdp");
		expect(said("mpart01", "Allow")).toContain("INVITE");
	});
});

const emptyResponse: SipResponse = { kind: "response", status: 0, reason: "", headers: [], body: new Uint8Array() };
