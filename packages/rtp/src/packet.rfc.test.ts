import { describe, expect, it } from "vitest";
import { isRtcp, parseRtp, readExtension, writeRtp, writeRtpHeader } from "./packet.ts";

const hex = (text: string): Uint8Array => Uint8Array.from(text.replace(/\s+/g, "").match(/../g) ?? [], (byte) => Number.parseInt(byte, 16));

describe("RTP packet (RFC 3550 §5.1)", () => {
	it("reads every field of a packet with CSRCs, extension and padding", () => {
		const packet = parseRtp(
			hex(`b2 e5 ff fe  00 01 02 03  de ad be ef  00 00 00 01  00 00 00 02
				be de 00 02  10 aa 31 01 02 03 04 00  11 22 33 00 00 03`),
		);
		// id 1: 1 byte aa, id 3: 2 bytes 01 02, then id 0 is reached only after 03: id 0 len 3 is padding
		expect(packet).toMatchObject({
			marker: true,
			payloadType: 0x65,
			sequence: 0xfffe,
			timestamp: 0x00010203,
			ssrc: 0xdeadbeef,
			csrc: [1, 2],
			padding: 3,
		});
		expect([...(packet?.payload ?? [])]).toEqual([0x11, 0x22, 0x33]);
		expect(packet && [...(readExtension(packet, 1) ?? [])]).toEqual([0xaa]);
		expect(packet && [...(readExtension(packet, 3) ?? [])]).toEqual([1, 2]);
		expect(packet && readExtension(packet, 4)).toBeUndefined();
	});

	it("writes the very bytes", () => {
		const bytes = writeRtp(
			{ payloadType: 0, sequence: 7, timestamp: 160, ssrc: 0x11223344, marker: true, csrc: [9], extensions: [{ id: 2, data: hex("7f") }] },
			hex("ff fe"),
			2,
		);
		expect(bytes).toEqual(hex("b1 80 00 07 00 00 00 a0 11 22 33 44 00 00 00 09 be de 00 01 20 7f 00 00 ff fe 00 02"));
	});

	it("writes into a caller's buffer at an offset and touches nothing else", () => {
		const buffer = new Uint8Array(16).fill(0x55);
		expect(writeRtpHeader(buffer, 2, { payloadType: 8, sequence: 65537, timestamp: 2 ** 32 + 5, ssrc: 1 })).toBe(14);
		expect(buffer).toEqual(hex("5555 80 08 00 01 00 00 00 05 00 00 00 01 5555"));
		expect(() => writeRtpHeader(buffer, 5, { payloadType: 8, sequence: 1, timestamp: 5, ssrc: 1 })).toThrow(RangeError);
	});

	it.each([
		["version 1", "40 00 00 01 00 00 00 00 00 00 00 00"],
		["short", "80 00 00 01 00 00 00 00 00 00 00"],
		["CSRCs beyond the end", "81 00 00 01 00 00 00 00 00 00 00 00"],
		["extension beyond the end", "90 00 00 01 00 00 00 00 00 00 00 00 be de 00 01"],
		["padding of 0", "a0 00 00 01 00 00 00 00 00 00 00 00 00"],
		["padding longer than the payload", "a0 00 00 01 00 00 00 00 00 00 00 00 01 03"],
	])("refuses %s", (_what, bytes) => {
		expect(parseRtp(hex(bytes))).toBeUndefined();
	});

	it("reads the two-byte form (RFC 8285 §4.3)", () => {
		const packet = parseRtp(hex("90 00 00 01 00 00 00 00 00 00 00 00 10 00 00 02 00 05 00 07 02 aa bb 00"));
		expect(packet && [...(readExtension(packet, 5) ?? [1])]).toEqual([]);
		expect(packet && [...(readExtension(packet, 7) ?? [])]).toEqual([0xaa, 0xbb]);
	});

	it("ignores everything after id 15 (RFC 8285 §4.2)", () => {
		const packet = parseRtp(hex("90 00 00 01 00 00 00 00 00 00 00 00 be de 00 01 f0 01 10 02"));
		expect(packet && readExtension(packet, 1)).toBeUndefined();
	});

	it("tells RTCP by its second byte (RFC 5761 §4)", () => {
		expect(isRtcp(hex("80 c8 00 06"))).toBe(true);
		expect(isRtcp(hex("80 80 00 06"))).toBe(false);
	});
});
