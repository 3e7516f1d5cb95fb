import fc from "fast-check";
import { expect, it } from "vitest";
import { DtmfReceiver } from "./dtmf-receiver.ts";
import { DtmfSender } from "./dtmf-sender.ts";

interface Packet {
	press: number;
	payload: Uint8Array;
	timestamp: number;
	marker: boolean;
	sentAt: number;
}

/** What a telephone sends for these presses, one after the other. */
function packetsOf(presses: readonly { digit: string; toneMs: number; pauseMs: number }[], timestamp: number): Packet[] {
	const packets: Packet[] = [];
	let tick = 0;
	for (const [press, { digit, toneMs, pauseMs }] of presses.entries()) {
		const sender = new DtmfSender({ toneMs, pauseMs });
		sender.enqueue(digit);
		for (; sender.busy; tick++) {
			const packet = sender.next((timestamp + tick * 160) >>> 0);
			if (packet !== undefined)
				packets.push({ press, payload: packet.payload.slice(), timestamp: packet.timestamp, marker: packet.marker, sentAt: tick * 20 });
		}
	}
	return packets;
}

const press = fc.record({
	digit: fc.constantFrom(..."0123456789*#ABCD"),
	// some longer than the duration field has bits for (8,191 ms)
	toneMs: fc.oneof(
		{ weight: 6, arbitrary: fc.integer({ min: 40, max: 400 }) },
		{ weight: 1, arbitrary: fc.integer({ min: 8_000, max: 18_000 }) },
	),
	pauseMs: fc.integer({ min: 120, max: 400 }),
});

it("each press is one start and one end, whatever the network loses, repeats, delays and reorders, and without markers", () => {
	fc.assert(
		fc.property(
			fc.array(press, { minLength: 1, maxLength: 8 }),
			fc.nat(0xffffffff),
			fc.record({
				lossPercent: fc.integer({ min: 0, max: 25 }),
				repeatPercent: fc.integer({ min: 0, max: 30 }),
				jitterMs: fc.integer({ min: 0, max: 60 }),
				markers: fc.boolean(),
			}),
			fc.infiniteStream(fc.integer({ min: 0, max: 99 })),
			(presses, timestamp, { lossPercent, repeatPercent, jitterMs, markers }, chance) => {
				const random = (): number => chance.next().value ?? 0;
				const arriving = packetsOf(presses, timestamp).flatMap((packet) => {
					if (random() < lossPercent) return [];
					const at = packet.sentAt + (random() * jitterMs) / 100;
					return random() < repeatPercent
						? [
								{ packet, at },
								{ packet, at: at + (random() * jitterMs) / 100 },
							]
						: [{ packet, at }];
				});
				arriving.sort((a, b) => a.at - b.at);
				const receiver = new DtmfReceiver();
				const events: { type: string; digit: string }[] = [];
				for (const { packet, at } of arriving) {
					events.push(...receiver.handleTimeout(at));
					events.push(...receiver.receive(packet.payload, packet.timestamp, packet.marker && markers, at));
				}
				events.push(...receiver.handleTimeout(1e9));
				const arrived = new Set(arriving.map(({ packet }) => packet.press));
				const expected = presses.filter((_, index) => arrived.has(index)).flatMap(({ digit }) => [`+${digit}`, `-${digit}`]);
				expect(events.map(({ type, digit }) => `${type === "start" ? "+" : "-"}${digit}`)).toEqual(expected);
			},
		),
		{ numRuns: 300 },
	);
});

it("flash and other events between digits are no digits, and end none", () => {
	fc.assert(
		fc.property(fc.array(fc.tuple(fc.integer({ min: 16, max: 255 }), fc.nat(0xffff), fc.boolean()), { maxLength: 20 }), (others) => {
			const receiver = new DtmfReceiver();
			const heard: string[] = [];
			const take = (payload: Uint8Array, timestamp: number, at: number): void => {
				for (const { type, digit } of receiver.receive(payload, timestamp, false, at)) heard.push(`${type} ${digit}`);
			};
			take(Uint8Array.of(7, 10, 0, 160), 1_000, 0);
			for (const [code, duration, end] of others)
				take(Uint8Array.of(code, end ? 0x80 : 0, duration >> 8, duration & 0xff), 2_000 + duration, 20);
			take(Uint8Array.of(7, 0x8a, 3, 32), 1_000, 100);
			expect(heard).toEqual(["start 7", "end 7"]);
		}),
	);
});

it("volume has six bits: whatever it is, the digit is heard", () => {
	for (let volume = 0; volume < 64; volume++) {
		const sender = new DtmfSender({ volume });
		sender.enqueue("#");
		const packet = sender.next(0);
		expect((packet?.payload[1] ?? 0) & 0x3f).toBe(volume);
		expect(new DtmfReceiver().receive(packet?.payload ?? new Uint8Array(0), 0, true, 0)).toMatchObject([{ type: "start", digit: "#" }]);
	}
});
