import type { DialRequest, TrunkSettings } from "@trunkline/contracts";
import { describe, expect, test } from "vitest";
import { dialRequest } from "../samples.ts";
import { judgeDestination } from "../policy/destination.ts";
import { dialledUsers, inviteTarget } from "./invite-target.ts";

const target = (over: Parameters<typeof dialRequest>[0] = {}) => inviteTarget(dialRequest(over), "203.0.113.7");

describe("inviteTarget", () => {
	test("without overrides", () => {
		expect(target()).toEqual({
			address: "sip.example.com",
			transport: "AUTO",
			requestUri: "sip:+15559999@sip.example.com",
			from: { uri: "sip:+15550001@203.0.113.7", displayName: "+15550001" },
			to: { uri: "sip:+15559999@sip.example.com" },
			identity: [],
		});
	});

	test("the user of To alone", () => {
		expect(target({ toUserOverride: "anna" })).toMatchObject({
			requestUri: "sip:+15559999@sip.example.com",
			to: { uri: "sip:anna@sip.example.com" },
		});
	});

	test("another request URI goes to the trunk all the same", () => {
		const raw = "<sip:+15557777@pbx.example:5070;transport=tcp>";
		expect(target({ requestUri: { raw } })).toMatchObject({
			address: "sip.example.com",
			requestUri: "sip:+15557777@pbx.example:5070;transport=tcp",
			to: { uri: "sip:+15559999@sip.example.com" },
		});
		expect(dialledUsers(dialRequest({ requestUri: { raw } }))).toEqual(["+15559999", "+15557777"]);
		expect(dialledUsers(dialRequest({ requestUri: { raw: "sip:%2B15557777@a" } }))).toEqual(["+15559999", "+15557777"]);
		expect(dialledUsers(dialRequest({ toUserOverride: "anna" }))).toEqual(["+15559999", "anna"]);
		expect(dialledUsers(dialRequest())).toEqual(["+15559999"]);
	});
	test("a trunk's prefix makes no number of an extension behind the policy's back; before a number it is the carrier's own", () => {
		const users = (callTo: string, prefix: string) => dialledUsers({ ...dialRequest(), callTo, settings: { uri: { prefix } } });
		expect(users("4567", "1900222")).toEqual(["4567", "19002224567"]);
		expect(users("+15559999", "99887")).toEqual(["+15559999"]);
		expect(users("anna", "9")).toEqual(["anna"]);
		const policy = { allowedPrefixes: ["+1"], blockedPrefixes: [] };
		expect(users("4567", "1900222").map((user) => judgeDestination(policy, user).allowed)).toEqual([true, false]);
	});

	test.each([
		[{ displayName: "Anna" }, undefined, { uri: "sip:+15550001@203.0.113.7", displayName: "Anna" }],
		[{ displayName: "" }, undefined, { uri: "sip:+15550001@203.0.113.7" }],
		[{}, { displayName: "Front desk" }, { uri: "sip:desk@a.example", displayName: "Front desk" }],
		[{}, { displayName: "" }, { uri: "sip:desk@a.example" }],
		[{ displayName: "Anna" }, { displayName: "Front desk" }, { uri: "sip:desk@a.example", displayName: "Anna" }],
	])("From with %j and a header %j", (over, header, from) => {
		const fromHeader = header && { uri: { raw: "sip:desk@a.example" }, ...header };
		expect(target({ ...over, ...(fromHeader ? { fromHeader } : {}) }).from).toEqual(from);
	});

	test("star and number sign: one may stand in a user part, the other is escaped", () => {
		expect(target({ callTo: "*21#" }).requestUri).toBe("sip:*21%23@sip.example.com");
		expect(target({ callTo: "jürgen" }).requestUri).toBe("sip:j%C3%BCrgen@sip.example.com");
	});
});

describe("the trunk's settings", () => {
	const caller = "sip:+15550001@203.0.113.7";
	const target = (over: Partial<DialRequest>) => inviteTarget({ ...dialRequest(), ...over }, "203.0.113.7");
	test.each<[string, TrunkSettings, object]>([
		[
			"user=phone on numbers",
			{ uri: { userPhone: true } },
			{
				requestUri: "sip:+15559999@sip.example.com;user=phone",
				from: { uri: `${caller};user=phone`, displayName: "+15550001" },
				to: { uri: "sip:+15559999@sip.example.com;user=phone" },
			},
		],
		[
			"numbers without plus",
			{ uri: { numbers: "without-plus" } },
			{
				requestUri: "sip:15559999@sip.example.com",
				from: { uri: "sip:15550001@203.0.113.7", displayName: "+15550001" },
			},
		],
		[
			"a technical prefix before the number",
			{ uri: { prefix: "99#" } },
			{
				requestUri: "sip:99%2315559999@sip.example.com",
				from: { uri: caller, displayName: "+15550001" },
			},
		],
		[
			"the account in From",
			{ identity: { fromUser: "acme" } },
			{ from: { uri: "sip:acme@203.0.113.7", displayName: "+15550001" }, identity: [] },
		],
		[
			"the number asserted",
			{ identity: { fromUser: "acme", assertedIdentity: "number" } },
			{
				from: { uri: "sip:acme@203.0.113.7", displayName: "+15550001" },
				identity: [{ name: "P-Asserted-Identity", value: `<${caller}>` }],
			},
		],
		[
			"a URI asserted",
			{ identity: { assertedIdentity: "tel:+1555" } },
			{ identity: [{ name: "P-Asserted-Identity", value: "<tel:+1555>" }] },
		],
		[
			"RFC 3323 §4.1: an anonymous From; RFC 3325 §9.1: Privacy: id, and the number for the carrier alone",
			{ identity: { anonymous: true } },
			{
				from: { uri: "sip:anonymous@anonymous.invalid", displayName: "Anonymous" },
				identity: [
					{ name: "P-Asserted-Identity", value: `<${caller}>` },
					{ name: "Privacy", value: "id" },
				],
			},
		],
	])("%s", (_, settings, expected) => expect(target({ settings })).toMatchObject(expected));

	test("e164: a plus before what can be a number with its country code, and before nothing else", () => {
		const dialled = (callTo: string) => target({ callTo, settings: { uri: { numbers: "e164" } } }).requestUri;
		expect(["15559999", "+15559999", "0301234567", "112", "anna"].map(dialled).map((uri) => uri.slice(4, uri.indexOf("@")))).toEqual([
			"+15559999",
			"+15559999",
			"0301234567",
			"112",
			"anna",
		]);
	});

	test("transport= where the trunk has one, unless it does not want that", () => {
		expect(target({ transport: "TCP" }).requestUri).toBe("sip:+15559999@sip.example.com;transport=tcp");
		expect(target({ transport: "UDP" }).requestUri).toBe("sip:+15559999@sip.example.com");
		expect(target({ transport: "TLS", settings: { uri: { transportParameter: false } } }).requestUri).toBe("sip:+15559999@sip.example.com");
	});
});

describe("a URI in parts", () => {
	const parts = { user: "", host: "", ip: "", port: 0, transport: "AUTO" } as const;
	test.each([
		[{ ...parts, user: "+1", host: "a.example", port: 5070, transport: "TCP" } as const, "sip:+1@a.example:5070;transport=tcp"],
		[{ ...parts, ip: "2001:db8::1", port: 5060 }, "sip:[2001:db8::1]:5060"],
		[{ ...parts, user: "a#b", ip: "192.0.2.1" }, "sip:a%23b@192.0.2.1"],
	])("%j", (uri, text) => expect(target({ requestUri: { parts: uri } }).requestUri).toBe(text));

	test.each([
		[{ ...parts, user: "a" }, "sip_request_uri has no host"],
		[{ ...parts, host: "a", port: 70_000 }, "port of sip_request_uri must be from 1 to 65535"],
		[{ ...parts, host: "a b" }, "sip_request_uri"],
		[{ ...parts, host: "a>;x" }, "sip_request_uri"],
	])("%j is refused", (uri, message) => expect(() => target({ requestUri: { parts: uri } })).toThrow(message));
});

test.each([
	"",
	"tel:+1",
	"sip:",
	"sip:a@",
	"+15550100",
	"sip:a@b>\r\nX: y",
	"sip:a@b?X=y",
	"sip:a@b@c",
	"sip:a b@c",
	"<sip:a@b",
	'sip:a@b;x="y"',
	"sip:a@b:99999",
])("%j is no request URI", (raw) => {
	expect(() => target({ requestUri: { raw } })).toThrow(
		expect.objectContaining({ code: "invalid_argument", message: expect.stringContaining("sip_request_uri") }),
	);
});
