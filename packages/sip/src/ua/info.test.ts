import { describe, expect, it } from "vitest";
import { utf8Encode } from "../grammar/text.ts";
import { field } from "../message/headers.ts";
import type { SipRequest } from "../message/message.ts";
import { dtmfRelay, readInfo } from "./info.ts";

const info = (type: string | undefined, body: string, ...extra: [string, string][]): SipRequest => ({
	kind: "request",
	method: "INFO",
	uri: "sip:us@192.0.2.1",
	headers: [...(type === undefined ? [] : [field("Content-Type", type)]), ...extra.map(([name, value]) => field(name, value))],
	body: utf8Encode(body),
});

describe("INFO in a call (RFC 6086)", () => {
	it.each([
		["application/dtmf-relay", "Signal=5\r\nDuration=160\r\n", { kind: "digits", digits: "5", durationMs: 160 }],
		["application/dtmf-relay;charset=utf-8", "Signal= *\nDuration= 250", { kind: "digits", digits: "*", durationMs: 250 }],
		["Application/DTMF-Relay", "signal=11\r\n", { kind: "digits", digits: "#" }],
		["application/dtmf", "7", { kind: "digits", digits: "7" }],
		["application/dtmf", "d\r\n", { kind: "digits", digits: "D" }],
		["application/dtmf", "10", { kind: "digits", digits: "*" }],
	])("%s %j", (type, body, read) => expect(readInfo(info(type, body))).toEqual(read));

	it("a package that was not negotiated → 469 with Recv-Info", () => {
		expect(readInfo(info("application/x", "a", ["Info-Package", "foo"]))).toEqual({
			kind: "refused",
			status: 469,
			headers: [["Recv-Info", ""]],
		});
	});

	it("another body → 415 with what is taken", () => {
		expect(readInfo(info("application/media_control+xml", "<media_control/>"))).toEqual({
			kind: "refused",
			status: 415,
			headers: [["Accept", "application/dtmf-relay, application/dtmf"]],
		});
	});

	it("no body is a question whether we are there", () => expect(readInfo(info(undefined, ""))).toEqual({ kind: "nothing" }));

	it.each(["", "Signal=\r\n", "Signal=!", "Signal=12X", `Signal=${"1".repeat(33)}`, "Duration=100"])("no digit in %j → 400", (body) => {
		expect(readInfo(info("application/dtmf-relay", body === "" ? " " : body))).toMatchObject({ kind: "refused", status: 400 });
	});

	it("what we write is what we read", () => {
		expect(readInfo(info("application/dtmf-relay", dtmfRelay("#", 250)))).toEqual({ kind: "digits", digits: "#", durationMs: 250 });
	});
});
