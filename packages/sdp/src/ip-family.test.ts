import { expect, test } from "vitest";
import { familyOfAddress, familyOfOffer } from "./ip-family.ts";

test.each([
	["192.0.2.1", 4],
	["192.0.2.1:5060", 4],
	["carrier.example:5060", 4],
	["2001:db8::1", 6],
	["[2001:db8::1]:5060", 6],
])("the family of %s", (address, family) => {
	expect(familyOfAddress(address)).toBe(family);
});

test.each([
	["v=0\r\nc=IN IP6 2001:db8::1\r\n", "192.0.2.1", 6],
	["v=0\r\nm=audio 9 RTP/AVP 0\r\nc=IN IP4 192.0.2.1\r\n", "2001:db8::1", 4],
	["v=0\r\n", "2001:db8::1", 6],
	[undefined, "192.0.2.1", 4],
])("the offer %j from %s", (sdp, source, family) => {
	expect(familyOfOffer(sdp, source)).toBe(family);
});
