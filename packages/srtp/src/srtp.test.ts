import * as fc from "fast-check";
import { RtcpSrPacket, RtcpSenderInfo, RtpHeader, SrtcpSession, SrtpSession } from "werift";
import { describe, expect, it } from "vitest";
import { nodeCrypto } from "./node.ts";
import { SrtpReceiver } from "./receiver.ts";
import { SrtpSender } from "./sender.ts";
import { masterKeyBytes, MAX_OVERHEAD_BYTES, SRTP_SUITES, type SrtpSuite } from "./suites.ts";

const SUITES = Object.keys(SRTP_SUITES) as SrtpSuite[];
const PAYLOAD = Buffer.from("a payload that is longer than one AES block, and then some");
const masterOf = (suite: SrtpSuite, first = 1): Uint8Array => Uint8Array.from({ length: masterKeyBytes(suite) }, (_, i) => first + i * 3);

function plainPacket(sequence: number, ssrc = 0xcafebabe, payload: Uint8Array = PAYLOAD): { buffer: Uint8Array; length: number } {
	const buffer = new Uint8Array(12 + payload.length + MAX_OVERHEAD_BYTES);
	const view = new DataView(buffer.buffer);
	buffer[0] = 0x80;
	view.setUint16(2, sequence);
	view.setUint32(8, ssrc);
	buffer.set(payload, 12);
	return { buffer, length: 12 + payload.length };
}

/** undefined: not to be sent */
function seal(sender: SrtpSender, sequence: number, ssrc?: number): Uint8Array | undefined {
	const { buffer, length } = plainPacket(sequence, ssrc);
	const end = sender.protectRtp(buffer, length);
	return end === 0 ? undefined : buffer.slice(0, end);
}

function open(receiver: SrtpReceiver, packet: Uint8Array | undefined): string | undefined {
	const plain = receiver.unprotectRtp(Uint8Array.from(packet ?? []));
	return plain && Buffer.from(plain.subarray(12)).toString();
}

describe.each(SUITES)("%s", (suite) => {
	const pair = (): [SrtpSender, SrtpReceiver] => [
		new SrtpSender(nodeCrypto, suite, masterOf(suite)),
		new SrtpReceiver(nodeCrypto, suite, masterOf(suite)),
	];

	it("goes on over the wrap of the sequence number, twice", () => {
		const [sender, receiver] = pair();
		for (let i = 0; i < 140_000; i += i % 65_536 > 65_500 || i % 65_536 < 10 ? 1 : 97)
			expect(open(receiver, seal(sender, i & 0xffff)), `packet ${i}`).toBe(PAYLOAD.toString());
	});

	it("refuses replayed, forged and cut packets, and takes late ones within the window (RFC 3711 §3.3.2)", () => {
		const [sender, receiver] = pair();
		const packets = Array.from({ length: 200 }, (_, i) => seal(sender, 100 + i));
		expect(open(receiver, packets[0])).toBe(PAYLOAD.toString());
		expect(open(receiver, packets[0])).toBeUndefined();
		expect(open(receiver, packets[199])).toBe(PAYLOAD.toString());
		// 127 behind the highest one, and one more
		expect(open(receiver, packets[72])).toBe(PAYLOAD.toString());
		expect(open(receiver, packets[72])).toBeUndefined();
		expect(open(receiver, packets[71])).toBeUndefined();
		const packet = packets[150] ?? new Uint8Array(0);
		for (let at = 0; at < packet.length; at++) {
			const forged = Uint8Array.from(packet);
			forged[at] = (forged[at] ?? 0) ^ 1;
			expect(open(receiver, forged), `byte ${at}`).toBeUndefined();
		}
		for (let length = 0; length < packet.length; length++) expect(open(receiver, packet.subarray(0, length))).toBeUndefined();
		expect(open(receiver, packet)).toBe(PAYLOAD.toString());
	});

	it("leaves a packet that it refuses as it was", () => {
		const [sender] = pair();
		const packet = seal(sender, 1) ?? new Uint8Array(0);
		const before = Uint8Array.from(packet);
		expect(new SrtpReceiver(nodeCrypto, suite, masterOf(suite, 2)).unprotectRtp(packet)).toBeUndefined();
		expect(packet).toEqual(before);
	});

	it("never seals two packets under one index (RFC 3711 §9.1)", () => {
		const [sender] = pair();
		const sealed = [100, 101, 101, 100, 99, 99, 40_000, 102, 38].map((sequence) => seal(sender, sequence) !== undefined);
		// 40 000 is more than half the space away: behind, where no index is
		expect(sealed).toEqual([true, true, false, false, true, false, false, true, true]);
		// forward by less than half the space, twice, is around the corner: index 65 536 + 10
		expect([30_000, 60_000, 10, 60_000, 10].map((sequence) => seal(sender, sequence) !== undefined)).toEqual([
			true,
			true,
			true,
			false,
			false,
		]);
	});

	it("RTCP goes there and back, once each", () => {
		const [sender, receiver] = pair();
		for (let i = 0; i < 3; i++) {
			const packet = new Uint8Array(28 + MAX_OVERHEAD_BYTES);
			packet.set([0x80, 200, 0, 6, 1, 2, 3, 4, ...Array.from({ length: 20 }, (_, at) => at + i)]);
			const plain = packet.slice(0, 28);
			const sealed = packet.subarray(0, sender.protectRtcp(packet, 28));
			expect(sealed.subarray(8, 28)).not.toEqual(plain.subarray(8));
			for (let at = 0; at < sealed.length; at++) {
				const forged = Uint8Array.from(sealed);
				forged[at] = (forged[at] ?? 0) ^ 1;
				expect(receiver.unprotectRtcp(forged), `byte ${at}`).toBeUndefined();
			}
			const again = Uint8Array.from(sealed);
			expect(receiver.unprotectRtcp(sealed)).toEqual(plain);
			expect(receiver.unprotectRtcp(again)).toBeUndefined();
		}
	});

	it("whatever comes is refused without a throw", () => {
		const receiver = pair()[1];
		fc.assert(
			fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
				expect(receiver.unprotectRtp(Uint8Array.from(bytes))).toBeUndefined();
				expect(receiver.unprotectRtcp(Uint8Array.from(bytes))).toBeUndefined();
				bytes[0] = 0x80;
				expect(receiver.unprotectRtp(bytes)).toBeUndefined();
			}),
		);
	});

	it("a buffer without room, or no RTP, is not protected", () => {
		const [sender] = pair();
		const { buffer, length } = plainPacket(1);
		expect(sender.protectRtp(buffer.subarray(0, length), length)).toBe(0);
		expect(sender.protectRtp(new Uint8Array(100), 50)).toBe(0);
		expect(() => new SrtpSender(nodeCrypto, suite, new Uint8Array(5))).toThrow(RangeError);
	});
});

describe.each([
	["AES_CM_128_HMAC_SHA1_80", 1],
	["AEAD_AES_128_GCM", 7],
] as const)("%s against another implementation", (suite, profile) => {
	const master = masterOf(suite);
	const [key, salt] = [Buffer.from(master.subarray(0, 16)), Buffer.from(master.subarray(16))];
	const keys = { localMasterKey: key, localMasterSalt: salt, remoteMasterKey: key, remoteMasterSalt: salt };

	it("RTP, both ways, across the wrap of the sequence number", () => {
		const theirs = new SrtpSession({ keys, profile });
		const sender = new SrtpSender(nodeCrypto, suite, master);
		const receiver = new SrtpReceiver(nodeCrypto, suite, master);
		for (let i = 0; i < 40; i++) {
			const sequence = (65_516 + i) & 0xffff;
			expect(theirs.decrypt(Buffer.from(seal(sender, sequence) ?? [])).subarray(12)).toEqual(PAYLOAD);
			const header = new RtpHeader({ sequenceNumber: sequence, timestamp: 1, payloadType: 0, ssrc: 7 });
			expect(open(receiver, theirs.encrypt(PAYLOAD, header))).toBe(PAYLOAD.toString());
		}
	});

	it("RTCP, both ways", () => {
		const theirs = new SrtcpSession({ keys, profile });
		const info = new RtcpSenderInfo({ ntpTimestamp: 1n, rtpTimestamp: 2, packetCount: 3, octetCount: 4 });
		const plain = new RtcpSrPacket({ ssrc: 9, senderInfo: info }).serialize();
		const receiver = new SrtpReceiver(nodeCrypto, suite, master);
		expect(Buffer.from(receiver.unprotectRtcp(theirs.encrypt(plain)) ?? [])).toEqual(plain);
		const packet = new Uint8Array(plain.length + MAX_OVERHEAD_BYTES);
		packet.set(plain);
		const length = new SrtpSender(nodeCrypto, suite, master).protectRtcp(packet, plain.length);
		expect(theirs.decrypt(Buffer.from(packet.subarray(0, length)))).toEqual(plain);
	});
});

describe("SSRCs", () => {
	const suite = "AES_CM_128_HMAC_SHA1_80";

	it("each has its own indices; a receiver that has sixteen forgets the oldest, never the one that talks", () => {
		const sender = new SrtpSender(nodeCrypto, suite, masterOf(suite));
		const receiver = new SrtpReceiver(nodeCrypto, suite, masterOf(suite));
		const first = Array.from({ length: 17 }, (_, ssrc) => seal(sender, 5, ssrc));
		for (const packet of first) expect(open(receiver, packet)).toBe(PAYLOAD.toString());
		// the first one was forgotten, the second one was not
		expect(open(receiver, first[1])).toBeUndefined();
		expect(open(receiver, first[0])).toBe(PAYLOAD.toString());
	});

	it("a sender forgets none, and takes no more than 64", () => {
		const sender = new SrtpSender(nodeCrypto, suite, masterOf(suite));
		for (let ssrc = 0; ssrc < 64; ssrc++) expect(seal(sender, 5, ssrc)).toBeDefined();
		expect(seal(sender, 5, 64)).toBeUndefined();
		expect(seal(sender, 5, 0)).toBeUndefined();
		expect(seal(sender, 6, 0)).toBeDefined();
	});

	it("what is not authenticated adds no stream", () => {
		const receiver = new SrtpReceiver(nodeCrypto, suite, masterOf(suite));
		const stranger = new SrtpSender(nodeCrypto, suite, masterOf(suite, 9));
		const sender = new SrtpSender(nodeCrypto, suite, masterOf(suite));
		const packet = seal(sender, 5, 1);
		expect(open(receiver, packet)).toBe(PAYLOAD.toString());
		for (let ssrc = 2; ssrc < 40; ssrc++) expect(open(receiver, seal(stranger, 5, ssrc))).toBeUndefined();
		expect(open(receiver, packet)).toBeUndefined();
	});
});
