import { describe, expect, test } from "vitest";
import { checkHeaderMaps, checkHeaders, mergeHeaders, tokenProblem } from "./headers.ts";

const problem = (run: () => void): string | undefined => {
	try {
		run();
		return undefined;
	} catch (error) {
		return (error as Error).message;
	}
};

describe("checkHeaders", () => {
	test.each<[string, string, string | undefined]>([
		["X-A", "value\twith tab and ünïcode 📞", undefined],
		["X-A", "", undefined],
		["Route", "<sip:a>", undefined],
		["To", "x", undefined],
		["Via", "x", undefined],
		["X A", "x", "invalid header name: header name X A contains invalid characters: char 32 not allowed"],
		["Xé", "x", "invalid header name: header name Xé contains invalid characters: char 233 out of range"],
		["", "x", "invalid header name: header name cannot be empty"],
		["X".repeat(256), "x", "invalid header name: header name too long (max 255 characters)"],
		["X".repeat(255), "x", undefined],
		["From", "x", "invalid header name: header name From not supported"],
		["X-A", "a\r\nBcc: b", "invalid header value for X-A: header X-A: value: char 13 not allowed"],
		["X-A", "a\x7f", "invalid header value for X-A: header X-A: value: char 127 not allowed"],
		["X-A", "v".repeat(1025), "invalid header value for X-A: header X-A: value too long (max 1024 characters)"],
		["X-A", "v".repeat(1024), undefined],
	])("%s: %s", (name, value, expected) => expect(problem(() => checkHeaders({ [name]: value }))).toBe(expected));

	const forbidden =
		"accept accept-encoding accept-language allow allow-events call-id contact content-encoding content-length content-type cseq event expires from max-forwards record-route refer-to reply-to k l m o r t u v";
	test.each(forbidden.split(" ").flatMap((name) => [name, name.toUpperCase()]))("%s is not supported", (name) => {
		expect(problem(() => checkHeaders({ [name]: "x" }))).toBe(`invalid header name: header name ${name} not supported`);
	});

	test("not more than 64", () => {
		const headers = Object.fromEntries(Array.from({ length: 65 }, (_, index) => [`X-${index}`, ""]));
		expect(problem(() => checkHeaders(headers))).toBe("headers has 65 entries, at most 64 are allowed");
	});
});

test("maps may read and write any token", () => {
	expect(problem(() => checkHeaderMaps({ headersToAttributes: { From: "from" }, attributesToHeaders: { x: "Contact" } }))).toBeUndefined();
	expect(problem(() => checkHeaderMaps({ headersToAttributes: { "X Y": "a" }, attributesToHeaders: {} }))).toMatch(/char 32 not allowed/);
	expect(problem(() => checkHeaderMaps({ headersToAttributes: {}, attributesToHeaders: { "any key": "X:Y" } }))).toMatch(
		/char 58 not allowed/,
	);
});

test("request headers replace trunk headers whatever their case", () => {
	expect(mergeHeaders({ "X-A": "trunk", "X-B": "trunk" }, { "x-a": "request", "X-C": "request" })).toEqual({
		"x-a": "request",
		"X-B": "trunk",
		"X-C": "request",
	});
});

test.each([
	["abc-.!%*_+`'~09", undefined],
	["a b", "char 32 not allowed"],
	["a;b", "char 59 not allowed"],
	["aü", "char 252 out of range"],
])("tokenProblem(%j) is %s", (text, expected) => expect(tokenProblem(text)).toBe(expected));
