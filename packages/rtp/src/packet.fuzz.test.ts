import fc from "fast-check";
import { expect, it } from "vitest";
import { parseTelephoneEvent } from "./dtmf.ts";
import { DtmfReceiver } from "./dtmf-receiver.ts";
import { emptyRtpPacket, parseRtp, readExtension, writeRtp } from "./packet.ts";
import { parseRtcp } from "./rtcp.ts";

it("never throws on any bytes, and what it reads lies within them", () => {
	const reused = emptyRtpPacket();
	fc.assert(
		fc.property(fc.uint8Array({ maxLength: 120 }), fc.boolean(), (bytes, forceVersion) => {
			if (forceVersion && bytes.length > 0) bytes[0] = 0x80 | ((bytes[0] ?? 0) & 0x3f);
			const packet = parseRtp(bytes, reused);
			parseRtcp(bytes);
			parseTelephoneEvent(bytes);
			if (packet === undefined) return;
			expect(12 + packet.csrc.length * 4 + packet.extension.length + packet.payload.length + packet.padding).toBeLessThanOrEqual(
				bytes.length,
			);
			for (let id = 0; id <= 16; id++) readExtension(packet, id);
		}),
		{ numRuns: 3000 },
	);
});

it("reads back what it wrote", () => {
	const uint32 = fc.nat(0xffffffff);
	fc.assert(
		fc.property(
			fc.record({
				payloadType: fc.nat(127),
				sequence: fc.nat(0xffff),
				timestamp: uint32,
				ssrc: uint32,
				marker: fc.boolean(),
				csrc: fc.array(uint32, { maxLength: 15 }),
				extensions: fc.uniqueArray(
					fc.record({ id: fc.integer({ min: 1, max: 14 }), data: fc.uint8Array({ minLength: 1, maxLength: 16 }) }),
					{
						selector: (extension) => extension.id,
					},
				),
			}),
			fc.uint8Array({ maxLength: 200 }),
			fc.nat(255),
			(header, payload, padding) => {
				const packet = parseRtp(writeRtp(header, payload, padding));
				expect(packet).toMatchObject({
					marker: header.marker,
					payloadType: header.payloadType,
					sequence: header.sequence,
					timestamp: header.timestamp,
					ssrc: header.ssrc,
					csrc: header.csrc,
					padding,
				});
				expect(packet?.payload).toEqual(payload);
				for (const { id, data } of header.extensions) expect(packet && readExtension(packet, id)).toEqual(data);
			},
		),
	);
});

it("each press heard through loss, reorder and duplication starts once and ends once, in order", () => {
	fc.assert(
		fc.property(
			fc.array(fc.tuple(fc.nat(9), fc.integer({ min: 1, max: 6 })), { minLength: 1, maxLength: 5 }),
			fc.infiniteStream(fc.nat(9)),
			(presses, noise) => {
				const random = noise[Symbol.iterator]();
				const receiver = new DtmfReceiver();
				const heard: string[] = [];
				let now = 0;
				let timestamp = 1000;
				const expected: string[] = [];
				for (const [digit, packets] of presses) {
					expected.push(`start ${digit}`, `end ${digit}`);
					const sent = Array.from({ length: packets + 2 }, (_, i) => {
						const duration = 160 * Math.min(i + 1, packets);
						return Uint8Array.of(digit, i + 1 >= packets ? 0x8a : 0x0a, duration >> 8, duration & 0xff);
					});
					const survivors = sent.flatMap((payload, i) => {
						const luck = random.next().value ?? 0;
						if (luck < 3 && i !== 0) return [];
						return luck < 5 ? [payload, payload] : [payload];
					});
					if ((random.next().value ?? 0) < 5 && survivors.length > 1) survivors.reverse();
					for (const payload of survivors) {
						for (const event of receiver.receive(payload, timestamp, false, now)) heard.push(`${event.type} ${event.digit}`);
						now += 20;
					}
					now += 300;
					for (const event of receiver.handleTimeout(now)) heard.push(`${event.type} ${event.digit}`);
					timestamp += 8000;
				}
				expect(heard).toEqual(expected);
			},
		),
	);
});
