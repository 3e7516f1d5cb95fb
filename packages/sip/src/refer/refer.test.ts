import { describe, expect, it } from "vitest";
import { utf8DecodeLossy, utf8Encode } from "../grammar/text.ts";
import { field } from "../message/headers.ts";
import type { SipRequest } from "../message/message.ts";
import { readReferNotify } from "./notify.ts";
import { parseSipfrag, sipfragBody } from "./sipfrag.ts";

const parse = (text: string) => parseSipfrag(utf8Encode(text));

describe("message/sipfrag of a NOTIFY (RFC 3515 §2.4.5)", () => {
	it.each([
		["SIP/2.0 200 OK\r\n", { status: 200, reason: "OK" }],
		["SIP/2.0 200 OK", { status: 200, reason: "OK" }],
		["SIP/2.0 100 Trying\n", { status: 100, reason: "Trying" }],
		["SIP/2.0 603 Decline\r\nTo: <sip:a@b>\r\nContent-Length: 0\r\n\r\n", { status: 603, reason: "Decline" }],
		["SIP/2.0 486\r\n", { status: 486, reason: "" }],
		["SIP/2.0 503 Überlast\r\n", { status: 503, reason: "Überlast" }],
		["sip/2.0  180\tRinging\r\n", { status: 180, reason: "Ringing" }],
	])("%j", (text, status) => expect(parse(text)).toEqual(status));

	it.each([
		"",
		"\r\nSIP/2.0 200 OK",
		"200 OK",
		"SIP/1.0 200 OK",
		"SIP/2.0 20 OK",
		"SIP/2.0 2000 OK",
		"SIP/2.0 700 No",
		"SIP/2.0 099 No",
		"INVITE sip:a@b SIP/2.0",
	])("nothing from %j", (text) => expect(parse(text)).toBeUndefined());

	it("a first line of a kilobyte is none, and a long reason is cut", () => {
		expect(parse(`SIP/2.0 200 ${"x".repeat(1024)}`)).toBeUndefined();
		expect(parse(`SIP/2.0 200 ${"x".repeat(400)}\r\n`)?.reason).toHaveLength(128);
	});

	it("written, then read", () => {
		const { contentType, bytes } = sipfragBody({ status: 603, reason: "No\r\nX: y" });
		expect(contentType).toBe("message/sipfrag;version=2.0");
		expect(utf8DecodeLossy(bytes)).toBe("SIP/2.0 603 NoX: y\r\n");
		expect(parseSipfrag(bytes)).toEqual({ status: 603, reason: "NoX: y" });
	});
});

describe("NOTIFY of a REFER", () => {
	const notify = (headers: Record<string, string>, body = "SIP/2.0 200 OK\r\n"): SipRequest => ({
		kind: "request",
		method: "NOTIFY",
		uri: "sip:a@b",
		headers: Object.entries(headers).map(([name, value]) => field(name, value)),
		body: utf8Encode(body),
	});
	const FRAG = { "Content-Type": "message/sipfrag" };

	it("final, with the REFER's number (RFC 3515 §2.4.6)", () => {
		const read = readReferNotify(
			notify({
				Event: "refer;id=93809824",
				"Subscription-State": "terminated;reason=noresource",
				"Content-Type": "Message/Sipfrag;version=2.0",
			}),
		);
		expect(read).toEqual({ id: 93_809_824, terminated: true, progress: { status: 200, reason: "OK" } });
	});

	it("under way, short forms, no number", () => {
		const read = readReferNotify(
			notify({ o: "Refer", "Subscription-State": "active;expires=60", c: "message/sipfrag" }, "SIP/2.0 100 Trying\r\n"),
		);
		expect(read).toEqual({ terminated: false, progress: { status: 100, reason: "Trying" } });
	});

	it.each([["presence"], ["refer.winfo"], [""]])("not of the event %j", (event) => {
		expect(readReferNotify(notify({ Event: event, ...FRAG }))).toBeUndefined();
	});

	it("no Event is none of ours", () => expect(readReferNotify(notify(FRAG))).toBeUndefined());

	it("a body of another type, a number that is none, a missing state", () => {
		expect(readReferNotify(notify({ Event: "refer;id=-1", "Content-Type": "text/plain" }))).toEqual({ terminated: false });
		expect(readReferNotify(notify({ Event: 'refer;id="7', ...FRAG }))).toMatchObject({ terminated: false, progress: { status: 200 } });
	});
});

it("a line separator of Unicode ends no line of SIP", () => {
	expect(parseSipfrag(new TextEncoder().encode("SIP/2.0 100 a\u2028b\r\n"))).toEqual({ status: 100, reason: "a\u2028b" });
});
