import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isHeaderValue } from "../grammar/tokens.ts";
import { utf8Encode } from "../grammar/text.ts";
import { field, header } from "./headers.ts";
import { parseMessage } from "./parse.ts";
import { parseReasons, writeReason } from "./reason-header.ts";
import { writeMessage } from "./write.ts";

describe("Reason (RFC 3326 §2)", () => {
	it.each([
		['SIP ;cause=200 ;text="Call completed elsewhere"', [{ protocol: "SIP", cause: 200, text: "Call completed elsewhere" }]],
		['Q.850 ;cause=16 ;text="Terminated"', [{ protocol: "Q.850", cause: 16, text: "Terminated" }]],
		[
			'SIP;cause=600;text="Busy, everywhere", q.850;cause=17',
			[
				{ protocol: "SIP", cause: 600, text: "Busy, everywhere" },
				{ protocol: "Q.850", cause: 17 },
			],
		],
		["X.INT;reasoncode=0x00000000;add-info=0501", [{ protocol: "X.INT" }]],
		["SIP;cause=99999", [{ protocol: "SIP" }]],
		['SIP;text="open', []],
		["", []],
	])("%s", (value, read) => expect(parseReasons([value])).toEqual(read));

	it("what is written is one header line, and reads as it was", () => {
		fc.assert(
			fc.property(fc.string({ unit: "binary", maxLength: 200 }), fc.integer({ min: 0, max: 999 }), (text, cause) => {
				const value = writeReason({ protocol: "Q.850", cause, text });
				expect(isHeaderValue(value)).toBe(true);
				const parsed = parseMessage(
					writeMessage({
						kind: "request",
						method: "BYE",
						uri: "sip:a@b.test",
						headers: [field("Via", "SIP/2.0/UDP a.test;branch=z9hG4bK1"), field("Reason", value), field("Call-ID", "1")],
						body: utf8Encode(""),
					}),
				);
				if (!parsed.ok) throw new Error(parsed.detail);
				expect(parsed.message.headers.map(({ name }) => name)).toEqual(["Via", "Reason", "Call-ID", "Content-Length"]);
				expect(parseReasons([header(parsed.message, "reason") ?? ""])[0]).toMatchObject({ protocol: "Q.850", cause });
			}),
		);
	});
});
