import { describe, expect, it } from "vitest";
import { bindingSuccess, integrityHolds, parseBindingRequest } from "./stun.ts";

/** RFC 5769 §2.1, its FINGERPRINT and padding of spaces included. */
const sampleRequest = Buffer.from(
	"000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74002400046e0001ff80290008932ff9b151263b36" +
		"000600096576746a3a68367659202020000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a280280004e57a3bcf",
	"hex",
);
const password = "VOkJxbRl1RmTxUk/WvJxBt";

describe("RFC 5769 §2.1 sample request", () => {
	it("is read, and its integrity holds with the right password only", () => {
		const request = parseBindingRequest(sampleRequest);
		expect(request).toEqual({ username: "evtj:h6vY", useCandidate: false, integrityOffset: 76 });
		if (request === undefined) return;
		expect(integrityHolds(sampleRequest, request, password)).toBe(true);
		expect(integrityHolds(sampleRequest, request, `${password}x`)).toBe(false);
		const changed = Buffer.from(sampleRequest);
		changed[36] = (changed[36] ?? 0) ^ 1;
		expect(integrityHolds(changed, request, password)).toBe(false);
	});

	it("cut at any length or with any byte changed is never more than refused", () => {
		for (let length = 0; length < sampleRequest.length; length++)
			expect(parseBindingRequest(sampleRequest.subarray(0, length))).toBeUndefined();
		for (let at = 0; at < sampleRequest.length; at++) {
			const changed = Buffer.from(sampleRequest);
			changed[at] = (changed[at] ?? 0) ^ 0xff;
			const request = parseBindingRequest(changed);
			// FINGERPRINT, which nothing checks here, is the last 8 bytes
			if (request !== undefined && at < 96) expect(integrityHolds(changed, request, password)).toBe(false);
		}
	});
});

describe("the answer to a check", () => {
	it.each([
		// RFC 5769 §2.2 and §2.3: the mapped addresses of the sample responses, as they stand on the wire
		["192.0.2.1", 32853, "002000080001a147e112a643"],
		["2001:db8:1234:5678:11:2233:4455:6677", 32853, "002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9"],
	])("maps %s", (address, port, attribute) => {
		const answer = bindingSuccess(sampleRequest, address, port, password);
		expect(answer.toString("hex", 0, 2)).toBe("0101");
		expect(answer.subarray(4, 20)).toEqual(sampleRequest.subarray(4, 20));
		expect(answer.readUInt16BE(2)).toBe(answer.length - 20);
		expect(answer.toString("hex", 20, 20 + attribute.length / 2)).toBe(attribute);
	});
});
