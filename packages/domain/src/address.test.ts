import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatNetwork, networkContains, parseAddress, parseNetwork } from "./address.ts";

describe("parseNetwork", () => {
	test.each([
		["203.0.113.7", "203.0.113.7/32"],
		["203.0.113.7/24", "203.0.113.0/24"],
		["203.0.113.7/31", "203.0.113.6/31"],
		["0.0.0.0/0", "0.0.0.0/0"],
		["2001:DB8::1", "2001:db8::1/128"],
		["2001:db8:ffff::/33", "2001:db8:8000::/33"],
		["::ffff:10.1.2.3", "10.1.2.3/32"],
		["::ffff:10.1.2.3/104", "10.0.0.0/8"],
		["[2001:db8::1]", "2001:db8::1/128"],
	])("%s is %s", (text, expected) => {
		const network = parseNetwork(text);
		expect(network && formatNetwork(network)).toBe(expected);
	});

	test.each([
		"",
		"sip.example.com",
		"1.2.3",
		"0x7f.1",
		"010.0.0.1",
		"1.2.3.4/33",
		"1.2.3.4/",
		"1.2.3.4/-1",
		"1.2.3.4/08",
		"1.2.3.4 ",
		"::1/129",
		"::ffff:1.2.3.4/95",
		"1.2.3.4:5060",
		"10.0.0.0/8/8",
		"*",
	])("%j is none", (text) => expect(parseNetwork(text)).toBeUndefined());

	test("a v4 network contains exactly the addresses that share its first bits", () => {
		const byte = fc.integer({ min: 0, max: 255 });
		const quad = fc.tuple(byte, byte, byte, byte);
		const asNumber = (q: readonly number[]) => q.reduce((sum, part) => sum * 256 + part, 0);
		fc.assert(
			fc.property(quad, quad, fc.integer({ min: 0, max: 32 }), (base, other, prefix) => {
				const network = parseNetwork(`${base.join(".")}/${prefix}`);
				const address = parseAddress(other.join("."));
				if (network === undefined || address === undefined) throw new Error("did not parse");
				const size = 2 ** (32 - prefix);
				expect(networkContains(network, address)).toBe(Math.floor(asNumber(base) / size) === Math.floor(asNumber(other) / size));
				const mapped = parseAddress(`::ffff:${other.join(".")}`);
				if (mapped === undefined) throw new Error("did not parse");
				expect(networkContains(network, mapped)).toBe(networkContains(network, address));
			}),
		);
	});

	test("families do not mix", () => {
		const all6 = parseNetwork("::/0");
		const v4 = parseAddress("1.2.3.4");
		if (all6 === undefined || v4 === undefined) throw new Error("did not parse");
		expect(networkContains(all6, v4)).toBe(false);
	});
});
