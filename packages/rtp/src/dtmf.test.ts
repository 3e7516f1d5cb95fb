import { describe, expect, it } from "vitest";
import { dtmfCode, dtmfDigit, parseTelephoneEvent } from "./dtmf.ts";
import { type DtmfEvent, DtmfReceiver } from "./dtmf-receiver.ts";
import { DtmfSender } from "./dtmf-sender.ts";

const payload = (code: number, duration: number, end = false): Uint8Array =>
	Uint8Array.of(code, (end ? 0x80 : 0) | 10, duration >> 8, duration & 0xff);
const said = (events: readonly DtmfEvent[]): string[] =>
	events.map((e) => (e.type === "start" ? `+${e.digit}` : `-${e.digit}${e.lost ? "?" : ""} ${e.durationMs}`));

describe("DtmfReceiver", () => {
	it("knows all sixteen digits and no flash", () => {
		expect(Array.from({ length: 16 }, (_, code) => dtmfDigit(code)).join("")).toBe("0123456789*#ABCD");
		expect(dtmfCode("a")).toBe(12);
		expect(dtmfCode("")).toBeUndefined();
		expect(new DtmfReceiver().receive(payload(16, 160), 0, true, 0)).toEqual([]);
	});

	it("one press: start at the first packet, end at the first end packet, nothing from the repeats", () => {
		const receiver = new DtmfReceiver();
		expect(said(receiver.receive(payload(5, 160), 1000, true, 0))).toEqual(["+5"]);
		expect(said(receiver.receive(payload(5, 320), 1000, false, 20))).toEqual([]);
		expect(said(receiver.receive(payload(5, 480, true), 1000, false, 40))).toEqual(["-5 60"]);
		expect(said(receiver.receive(payload(5, 480, true), 1000, false, 60))).toEqual([]);
		expect(said(receiver.receive(payload(5, 320), 1000, false, 61))).toEqual([]);
		expect(receiver.nextTimeout()).toBeUndefined();
	});

	it("only an end packet arrives: still one press", () => {
		expect(said(new DtmfReceiver().receive(payload(11, 800, true), 5, false, 0))).toEqual(["+#", "-# 100"]);
	});

	it("the same digit again without marker and without any end packet of the first", () => {
		const receiver = new DtmfReceiver();
		receiver.receive(payload(1, 160), 0, false, 0);
		expect(said(receiver.receive(payload(1, 160), 2400, false, 300))).toEqual(["-1? 20", "+1"]);
	});

	it("the same digit again right where the one before was when its packets were lost: the marker tells two presses from a long one", () => {
		for (const [marker, heard] of [
			[true, ["-1? 20", "+1"]],
			[false, []],
		] as const) {
			const receiver = new DtmfReceiver();
			receiver.receive(payload(1, 160), 0, true, 0);
			expect(said(receiver.receive(payload(1, 160), 160, marker, 100))).toEqual(heard);
		}
	});

	it("a packet of the press before, come late, changes nothing", () => {
		const receiver = new DtmfReceiver();
		receiver.receive(payload(1, 480, true), 0, true, 0);
		receiver.receive(payload(2, 160), 1600, true, 200);
		expect(receiver.receive(payload(1, 480, true), 0, false, 201)).toEqual([]);
	});

	it("silence ends a press after 200 ms, and a straggler does not start it again", () => {
		const receiver = new DtmfReceiver();
		receiver.receive(payload(7, 160), 0, true, 1000);
		expect(receiver.nextTimeout()).toBe(1200);
		expect(receiver.handleTimeout(1199)).toEqual([]);
		expect(said(receiver.handleTimeout(1200))).toEqual(["-7? 20"]);
		expect(receiver.receive(payload(7, 480, true), 0, false, 1300)).toEqual([]);
	});

	it("a long press that 200 ms of lost packets ended is not heard again in its next segment", () => {
		const receiver = new DtmfReceiver();
		const packet = (duration: number, end = false): Uint8Array => Uint8Array.of(5, (end ? 0x80 : 0) | 10, duration >> 8, duration & 0xff);
		expect(receiver.receive(packet(160), 1_000, true, 0)).toMatchObject([{ type: "start", digit: "5" }]);
		receiver.receive(packet(63_000), 1_000, false, 7_875);
		expect(receiver.handleTimeout(8_100)).toMatchObject([{ type: "end", digit: "5", lost: true }]);
		expect(receiver.receive(packet(160), 1_000 + 65_535, false, 8_220)).toEqual([]);
		expect(receiver.receive(packet(8_000, true), 1_000 + 65_535, false, 9_200)).toEqual([]);
		expect(receiver.receive(packet(160), 100_000, true, 13_000)).toMatchObject([{ type: "start", digit: "5" }]);
	});

	it("a press of 20 s in three segments is one press (RFC 4733 §2.5.1.3)", () => {
		const sender = new DtmfSender();
		const receiver = new DtmfReceiver();
		sender.enqueue("9", 20_000);
		const events: string[] = [];
		let markers = 0;
		for (let i = 0; i < 1100; i++) {
			const packet = sender.next((0xfffff000 + i * 160) >>> 0);
			if (packet === undefined) continue;
			if (packet.marker) markers += 1;
			events.push(...said(receiver.receive(packet.payload, packet.timestamp, packet.marker, i * 20)));
		}
		expect(events).toEqual(["+9", "-9 20000"]);
		expect(markers).toBe(1);
	});

	it("a gateway that moves the timestamp in every packet still gives one press", () => {
		const receiver = new DtmfReceiver();
		const events: string[] = [];
		for (let i = 0; i < 5; i++) events.push(...said(receiver.receive(payload(3, 160 * (i + 1)), i * 160, false, i * 20)));
		for (let i = 5; i < 8; i++) events.push(...said(receiver.receive(payload(3, 960, true), i * 160, false, i * 20)));
		expect(events).toEqual(["+3", "-3 120"]);
	});

	it("another source starts on a new time line", () => {
		const receiver = new DtmfReceiver();
		receiver.receive(payload(1, 160), 3_000_000_000, true, 0);
		expect(said(receiver.reset())).toEqual(["-1? 20"]);
		expect(said(receiver.receive(payload(2, 160), 10, true, 100))).toEqual(["+2"]);
		// and even without being told, when it is far back
		expect(said(receiver.receive(payload(4, 160), 4_200_000_000, true, 200))).toEqual(["-2? 20", "+4"]);
	});
});

describe("DtmfSender", () => {
	it("100 ms of 5: five growing packets, the last one and two repeats with the end bit, one timestamp, one marker", () => {
		const sender = new DtmfSender({ toneMs: 100 });
		expect(sender.enqueue("5")).toBe(true);
		const sent = [];
		for (let i = 0; i < 20 && sender.busy; i++) {
			const packet = sender.next(8000 + i * 160);
			const event = packet && parseTelephoneEvent(packet.payload);
			sent.push(packet && event ? [event.code, event.duration, event.end, event.volume, packet.timestamp, packet.marker] : undefined);
		}
		expect(sent).toEqual([
			[5, 160, false, 10, 8000, true],
			[5, 320, false, 10, 8000, false],
			[5, 480, false, 10, 8000, false],
			[5, 640, false, 10, 8000, false],
			[5, 800, true, 10, 8000, false],
			[5, 800, true, 10, 8000, false],
			[5, 800, true, 10, 8000, false],
			undefined, // of the 100 ms pause, 40 ms went into the repeats
			undefined,
			undefined,
		]);
	});

	it("refuses what is no digit and takes nothing of it", () => {
		const sender = new DtmfSender();
		expect(sender.enqueue("12x")).toBe(false);
		expect(sender.busy).toBe(false);
		expect(sender.enqueue("1".repeat(600))).toBe(false);
	});

	it("w waits half a second before the next digit", () => {
		const sender = new DtmfSender();
		sender.enqueue("w1");
		let tick = 0;
		while (sender.next(tick * 160) === undefined) tick += 1;
		expect(tick * 20).toBe(500);
	});

	it("clear ends the digit that is down with its three end packets", () => {
		const sender = new DtmfSender({ toneMs: 1000 });
		sender.enqueue("12");
		for (let i = 0; i < 4; i++) sender.next(i * 160);
		sender.clear();
		const ends = [];
		for (let i = 4; i < 10; i++) {
			const packet = sender.next(i * 160);
			if (packet !== undefined) ends.push(parseTelephoneEvent(packet.payload));
		}
		expect(ends).toEqual([1, 2, 3].map(() => ({ code: 1, end: true, volume: 10, duration: 800 })));
		expect(sender.busy).toBe(false);
	});

	it("what is sent is what is heard", () => {
		const sender = new DtmfSender();
		const receiver = new DtmfReceiver();
		const digits = "1234567890*#ABCD1199";
		sender.enqueue(digits);
		let heard = "";
		for (let i = 0; sender.busy; i++) {
			const packet = sender.next(i * 160);
			if (packet === undefined) continue;
			for (const event of receiver.receive(packet.payload, packet.timestamp, packet.marker, i * 20))
				if (event.type === "start") heard += event.digit;
		}
		expect(heard).toBe(digits);
	});
});
