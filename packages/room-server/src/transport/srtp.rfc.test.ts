import { SrtpSession } from "werift";
import { describe, expect, it } from "vitest";
import { RtpHeader } from "werift";
import { AEAD_AES_128_GCM, AES_CM_128_HMAC_SHA1_80, deriveSessionKey, SrtpReceiver, SrtpSender } from "./srtp.ts";

describe("RFC 3711 Appendix B.3 key derivation", () => {
	const masterKey = Buffer.from("E1F97A0D3E018BE0D64FA32C06DE4139", "hex");
	const masterSalt = Buffer.from("0EC675AD498AFEEBB6960B3AABE6", "hex");

	it.each([
		["cipher key", 0, 16, "c61e7a93744f39ee10734afe3ff7a087"],
		["cipher salt", 2, 14, "30cbbc08863d8c85d49db34a9ae1"],
		["auth key", 1, 20, "cebe321f6ff7716b6fd4ab49af256a156d38baa4"],
	])("%s", (_name, label, length, expected) => {
		expect(deriveSessionKey(masterKey, masterSalt, label, length).toString("hex")).toBe(expected);
	});
});

describe.each([
	["AEAD_AES_128_GCM", AEAD_AES_128_GCM],
	["AES_CM_128_HMAC_SHA1_80", AES_CM_128_HMAC_SHA1_80],
] as const)("%s", (_name, profile) => {
	const key = Buffer.from("000102030405060708090a0b0c0d0e0f", "hex");
	const salt = Buffer.from("f0f1f2f3f4f5f6f7f8f9fafbfcfd", "hex").subarray(0, profile === AEAD_AES_128_GCM ? 12 : 14);
	const payload = Buffer.from("a payload that is longer than one AES block, and then some");

	function protectedPacket(sender: SrtpSender, sequence: number): Buffer {
		const out = Buffer.alloc(12 + payload.length + sender.overhead);
		out[0] = 0x80;
		out.writeUInt16BE(sequence, 2);
		out.writeUInt32BE(0xcafebabe, 8);
		expect(sender.protect(out, 12, payload)).toBe(true);
		return out;
	}

	it("is opened by another implementation, across the wrap of the sequence number, and opens that one's packets", () => {
		const sender = new SrtpSender(profile, key, salt);
		const receiver = new SrtpReceiver(profile, key, salt);
		const keys = { localMasterKey: key, localMasterSalt: salt, remoteMasterKey: key, remoteMasterSalt: salt };
		const theirs = new SrtpSession({ keys, profile });
		for (let i = 0; i < 40; i++) {
			const sequence = (65_516 + i) & 0xffff;
			const plain = theirs.decrypt(protectedPacket(sender, sequence));
			expect(plain.subarray(12)).toEqual(payload);
			const sealed = theirs.encrypt(payload, new RtpHeader({ sequenceNumber: sequence, timestamp: 1, payloadType: 0, ssrc: 7 }));
			expect(receiver.unprotect(sealed, 12)).toEqual(payload);
		}
	});

	it("never seals two packets under one index", () => {
		const sender = new SrtpSender(profile, key, salt);
		const seal = (sequence: number): boolean => {
			const out = Buffer.alloc(12 + payload.length + sender.overhead);
			out.writeUInt16BE(sequence, 2);
			return sender.protect(out, 12, payload);
		};
		expect([100, 101, 101, 100, 99, 99, 40_000, 102, 38].map(seal)).toEqual([true, true, false, false, true, false, false, true, false]);
		// forward by less than half the space, twice, is around the corner: index 65 536 + 10
		expect([30_000, 60_000, 10, 60_000, 10].map(seal)).toEqual([true, true, true, false, false]);
	});

	it("refuses replayed, forged and cut packets, and takes late ones within the window", () => {
		const sender = new SrtpSender(profile, key, salt);
		const receiver = new SrtpReceiver(profile, key, salt);
		const packets = Array.from({ length: 100 }, (_, i) => protectedPacket(sender, 100 + i));
		const open = (packet: Buffer | undefined): string | undefined => receiver.unprotect(packet ?? Buffer.alloc(0), 12)?.toString();
		expect(open(packets[0])).toBe(payload.toString());
		expect(open(packets[0])).toBeUndefined();
		expect(open(packets[99])).toBe(payload.toString());
		expect(open(packets[50])).toBe(payload.toString());
		expect(open(packets[50])).toBeUndefined();
		// 64 behind the highest one
		expect(open(packets[30])).toBeUndefined();
		for (let at = 0; at < 12 + payload.length + sender.overhead; at++) {
			const forged = Buffer.from(packets[60] ?? []);
			forged[at] = (forged[at] ?? 0) ^ 1;
			expect(open(forged)).toBeUndefined();
		}
		for (let length = 12; length < 30; length++) expect(open(packets[60]?.subarray(0, length))).toBeUndefined();
		expect(open(packets[60])).toBe(payload.toString());
	});
});
