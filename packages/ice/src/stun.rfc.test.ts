import { createHmac } from "node:crypto";
import { describe, expect, it } from "vitest";
import { bindingSuccess, integrityHolds, isStun, type KeyedHmac, keyOfPassword, parseBindingRequest } from "./stun.ts";

/** RFC 5769 §2.1, its FINGERPRINT and padding of spaces included. */
const sampleRequest = Buffer.from(
	"000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74002400046e0001ff80290008932ff9b151263b36" +
		"000600096576746a3a68367659202020000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a280280004e57a3bcf",
	"hex",
);
const hmacOf = (password: string): KeyedHmac => {
	const key = keyOfPassword(password);
	return (message, tail) => createHmac("sha1", key).update(message).update(tail).digest();
};
const hmac = hmacOf("VOkJxbRl1RmTxUk/WvJxBt");

describe("RFC 5769 §2.1 sample request", () => {
	it("is read, and its integrity holds with the right password only", () => {
		const request = parseBindingRequest(sampleRequest);
		expect(request).toEqual({
			...{ username: "evtj:h6vY", useCandidate: false, priority: 0x6e0001ff, integrityOffset: 76 },
			...{ controlling: false, tieBreaker: Buffer.from("932ff9b151263b36", "hex") },
		});
		if (request === undefined) return;
		expect(integrityHolds(sampleRequest, request, hmac)).toBe(true);
		expect(integrityHolds(sampleRequest, request, hmacOf("VOkJxbRl1RmTxUk/WvJxBtx"))).toBe(false);
		const changed = Buffer.from(sampleRequest);
		changed[36] = (changed[36] ?? 0) ^ 1;
		expect(integrityHolds(changed, request, hmac)).toBe(false);
	});

	it("cut at any length or with any byte changed is refused", () => {
		for (let length = 0; length < sampleRequest.length; length++)
			expect(parseBindingRequest(sampleRequest.subarray(0, length))).toBeUndefined();
		for (let at = 0; at < sampleRequest.length; at++) {
			const changed = Buffer.from(sampleRequest);
			changed[at] = (changed[at] ?? 0) ^ 0xff;
			const request = parseBindingRequest(changed);
			// the type and length of FINGERPRINT (100..103), which then is another attribute after the integrity, and ignored
			if (at < 100 || at > 103) expect(request !== undefined && integrityHolds(changed, request, hmac), `byte ${at}`).toBe(false);
		}
	});
});

describe("the answer to a check", () => {
	it.each([
		// RFC 5769 §2.2 and §2.3: the mapped addresses of the sample responses, as they stand on the wire
		["192.0.2.1", 32853, "002000080001a147e112a643"],
		["2001:db8:1234:5678:11:2233:4455:6677", 32853, "002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9"],
	])("maps %s", (address, port, attribute) => {
		const answer = Buffer.from(bindingSuccess(sampleRequest, address, port, hmac));
		expect(answer.toString("hex", 0, 2)).toBe("0101");
		expect(answer.subarray(4, 20)).toEqual(sampleRequest.subarray(4, 20));
		expect(answer.readUInt16BE(2)).toBe(answer.length - 20);
		expect(answer.toString("hex", 20, 20 + attribute.length / 2)).toBe(attribute);
	});

	it("has an integrity and a fingerprint as RFC 5769 §2.2 computes them", () => {
		// without SOFTWARE, which ours does not have, the sample's own MAC cannot be met: made here from RFC 8489 §14.5 and §14.7 with other code
		const answer = Buffer.from(bindingSuccess(sampleRequest, "192.0.2.1", 32853, hmac));
		const upToIntegrity = Buffer.from(answer.subarray(0, 32));
		upToIntegrity.writeUInt16BE(12 + 24, 2);
		expect(answer.subarray(36, 56)).toEqual(createHmac("sha1", "VOkJxbRl1RmTxUk/WvJxBt").update(upToIntegrity).digest());
		expect(answer.readUInt32BE(60)).toBe((crc(answer.subarray(0, 56)) ^ 0x5354554e) >>> 0);
	});
});

it.each([
	[0, true],
	[3, true],
	[4, false],
	[20, false],
	[63, false],
	[128, false],
])("RFC 7983 §7: a first byte of %i is STUN: %s", (first, expected) => {
	expect(isStun(Uint8Array.of(first))).toBe(expected);
	expect(isStun(new Uint8Array())).toBe(false);
});

/** Bit by bit. */
function crc(bytes: Uint8Array): number {
	let value = 0xffffffff;
	for (const byte of bytes) {
		value ^= byte;
		for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
	}
	return ~value >>> 0;
}
