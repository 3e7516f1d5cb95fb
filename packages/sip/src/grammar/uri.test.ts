import { describe, expect, it } from "vitest";
import { parseHostPort } from "./host.ts";
import { parseNameAddr, writeNameAddr } from "./name-addr.ts";
import { param } from "./params.ts";
import { isHeaderValue, quote, splitOutside, unquote } from "./tokens.ts";
import { parseUri, writeUri } from "./uri.ts";
import { parseVia, writeVia } from "./via.ts";

describe("SIP URI (RFC 3261 §19.1)", () => {
	it.each([
		["sip:alice@atlanta.com", { scheme: "sip", user: "alice", host: "atlanta.com", params: [] }],
		[
			"sip:alice:secretword@atlanta.com;transport=tcp",
			{ user: "alice", password: "secretword", params: [{ name: "transport", value: "tcp" }] },
		],
		["sips:alice@atlanta.com?subject=project%20x&priority=urgent", { scheme: "sips", headers: "subject=project%20x&priority=urgent" }],
		["sip:+1-212-555-1212:1234@gateway.com;user=phone", { user: "+1-212-555-1212", password: "1234", host: "gateway.com" }],
		["sip:alice@192.0.2.4:5066", { host: "192.0.2.4", port: 5066 }],
		["sip:atlanta.com;method=REGISTER?to=alice%40atlanta.com", { host: "atlanta.com", headers: "to=alice%40atlanta.com" }],
		["sip:alice;day=tuesday@atlanta.com", { user: "alice;day=tuesday" }],
		["SIP:[2001:db8::9:1]:5070;lr", { scheme: "sip", host: "2001:db8::9:1", port: 5070, params: [{ name: "lr" }] }],
		["sip:sip%3Auser%40example.com@company.com;other-param=summit", { user: "sip:user@example.com", host: "company.com" }],
		["sip:%C3%A9ric@example.com", { user: "éric" }],
		["tel:+1-201-555-0123;phone-context=x", { scheme: "tel", user: "+1-201-555-0123", host: "" }],
	])("%s", (text, expected) => {
		expect(parseUri(text)).toMatchObject(expected);
	});

	it.each([
		"",
		"sip:",
		"sip:@host",
		"sip:a b@host",
		"sip:a@",
		"sip:a@ho st",
		"sip:a@host:0",
		"sip:a@host:65536",
		"sip:a@host:x",
		"sip:%4@h",
		"sip:%ff@h",
	])("%j is none", (text) => expect(parseUri(text)).toBeUndefined());

	it.each([
		"mailto:a@b",
		"sip:a@[::1",
		"sip:a@[1.2.3.4]",
		"sip:a@h;=x",
		'sip:a@h;x="',
		"sip:a@h\r\nX: y",
		"sip:a@h>",
		`sip:${"a".repeat(3000)}@h`,
	])("%j is none either", (text) => expect(parseUri(text)).toBeUndefined());

	it("what the user part cannot hold is escaped when written", () => {
		expect(writeUri({ scheme: "sip", user: "a@b c\r\n%é", host: "::1", port: 5, params: [{ name: "lr" }] })).toBe(
			"sip:a%40b%20c%0D%0A%25%C3%A9@[::1]:5;lr",
		);
		for (const text of ["sip:alice;day=tuesday@atlanta.com", "sip:a:b@h:5061;x=y;lr?a=b", "tel:+1;x=y", "sip:h"]) {
			expect(writeUri(parseUri(text) ?? { scheme: "sip", host: "", params: [] })).toBe(text);
		}
	});

	it("IPv6 references", () => {
		for (const good of ["[::]", "[::1]", "[2001:db8::1]:1", "[1:2:3:4:5:6:7:8]", "[::ffff:192.0.2.1]"])
			expect(parseHostPort(good), good).toBeDefined();
		for (const bad of ["[]", "[:::]", "[1:2:3]", "[1::2::3]", "[12345::]", "[1.2.3.4::]", "[::1]x", "[1:2:3:4:5:6:7:8:9]"]) {
			expect(parseHostPort(bad), bad).toBeUndefined();
		}
	});
});

describe("name-addr (RFC 3261 §20.10)", () => {
	it.each([
		['"The Operator" <sip:operator@cs.columbia.edu>;tag=287447', { displayName: "The Operator", uri: "sip:operator@cs.columbia.edu" }],
		["sip:+12125551212@server.phone2net.com;tag=887s", { uri: "sip:+12125551212@server.phone2net.com" }],
		["Anonymous <sip:c8oqz84zk7z@privacy.org>;tag=hyh8", { displayName: "Anonymous" }],
		['"J Rosenberg \\\\\\"" <sip:jdrosen@example.com>', { displayName: 'J Rosenberg \\"' }],
		["<sip:a@b;lr>;x=1", { uri: "sip:a@b;lr", params: [{ name: "x", value: "1" }] }],
		['"a,<b>;c" <sip:a@b>', { displayName: "a,<b>;c" }],
		['"" <sip:a@b>', { uri: "sip:a@b", params: [] }],
	])("%s", (text, expected) => {
		expect(parseNameAddr(text)).toMatchObject(expected);
	});

	it("an addr-spec's parameters are the header's", () => {
		const address = parseNameAddr("sip:a@b;tag=1;lr");
		expect(address?.uri).toBe("sip:a@b");
		expect(param(address?.params ?? [], "tag")).toBe("1");
	});

	it.each(["", "<", "<>", '"a <sip:a@b>', '"a" sip:a@b', "a, b <sip:a@b>", "<sip:a@b> x", "sip:a@b c", "<sip:a@b>;=1"])(
		"%j is none",
		(text) => expect(parseNameAddr(text)).toBeUndefined(),
	);

	it("no display name can leave its quotes", () => {
		const written = writeNameAddr({ displayName: 'x" <sip:evil@e>\r\nTo: y\\', uri: "sip:a@b", params: [{ name: "tag", value: "t" }] });
		expect(written).toBe('"x\\" <sip:evil@e>To: y\\\\" <sip:a@b>;tag=t');
		expect(parseNameAddr(written)).toEqual({
			displayName: 'x" <sip:evil@e>To: y\\',
			uri: "sip:a@b",
			params: [{ name: "tag", value: "t" }],
		});
	});
});

describe("Via (RFC 3261 §20.42)", () => {
	it("with white space wherever the grammar allows it", () => {
		const via = parseVia("SIP / 2.0 / udp first.Example.com : 4000 ;ttl=16 ;maddr=224.2.0.1 ; branch=z9hG4bKa7c6a8dlze.1");
		expect(via).toMatchObject({ transport: "UDP", host: "first.example.com", port: 4000, branch: "z9hG4bKa7c6a8dlze.1" });
		expect(via && writeVia(via)).toBe("SIP/2.0/UDP first.example.com:4000;ttl=16;maddr=224.2.0.1;branch=z9hG4bKa7c6a8dlze.1");
	});
	it.each(["", "SIP/2.0/UDP", "SIP/2.0/UDP ", "SIP/3.0/UDP h", "SIP/2.0/U DP h", "SIP/2.0/UDP h;;", "SIP/2.0/UDP h h"])(
		"%j is none",
		(text) => expect(parseVia(text)).toBeUndefined(),
	);
});

describe("values that users give", () => {
	it("nothing that could begin another header field", () => {
		for (const bad of ["a\r\nX: y", "a\nb", "a\rb", "a\0", "\u007f", "a\u001b[1m", "\ud800", "x".repeat(8193)])
			expect(isHeaderValue(bad), JSON.stringify(bad)).toBe(false);
		for (const good of ["", "a b\tc", "Grüße 😀", "x".repeat(8192)]) expect(isHeaderValue(good)).toBe(true);
	});
	it("quoted strings and lists", () => {
		expect(unquote(quote('a"b\\c'))).toBe('a"b\\c');
		expect(splitOutside('a, "b,\\",c" <d,e>, f', ",")).toEqual(["a", '"b,\\",c" <d,e>', "f"]);
		expect(splitOutside('a "b', ",")).toBeUndefined();
		expect(splitOutside("a <b", ",")).toBeUndefined();
	});
});
