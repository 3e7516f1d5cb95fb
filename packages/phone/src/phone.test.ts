import { createSocket } from "node:dgram";
import { dominantTone, measureTone } from "@trunkline/audio";
import { writeRtp } from "@trunkline/rtp";
import { header } from "@trunkline/sip";
import { afterEach, describe, expect, it } from "vitest";
import type { IncomingCall } from "./incoming-call.ts";
import type { OutgoingCall } from "./outgoing-call.ts";
import { CallFailedError, PhoneError } from "./errors.ts";
import { Phone, type PhoneOptions } from "./phone.ts";

const phones: Phone[] = [];

async function open(options: PhoneOptions = {}): Promise<Phone> {
	const phone = await Phone.open(options);
	phones.push(phone);
	return phone;
}

afterEach(async () => {
	await Promise.all(phones.splice(0).map((phone) => phone.close()));
});

/** A phone that hands out its next incoming call. */
async function callee(options: PhoneOptions = {}): Promise<{ phone: Phone; next: Promise<IncomingCall> }> {
	const phone = await open(options);
	return { phone, next: new Promise((resolve) => phone.onIncoming(resolve)) };
}

async function connected(
	callerOptions: PhoneOptions = {},
	calleeOptions: PhoneOptions = {},
): Promise<{ out: OutgoingCall; in_: IncomingCall; caller: Phone; called: Phone }> {
	const caller = await open(callerOptions);
	const { phone: called, next } = await callee(calleeOptions);
	const out = await caller.call(called.uri);
	const in_ = await next;
	await in_.answer();
	await out.answered();
	return { out, in_, caller, called };
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits until this much has been heard: as long as it takes, no longer. */
async function heard(call: OutgoingCall | IncomingCall, ms: number): Promise<void> {
	while (call.received.durationMs < ms) await pause(20);
}

describe("two phones", () => {
	it("each hears the other's tone, at its frequency and level, and not its own", async () => {
		const { out, in_ } = await connected();
		out.tone(440, -20);
		in_.tone(660, -26);
		await Promise.all([heard(out, 700), heard(in_, 700)]);
		const atCallee = dominantTone(in_.received.last(500), 8000);
		const atCaller = dominantTone(out.received.last(500), 8000);
		expect(atCallee?.hz).toBeCloseTo(440, 0);
		expect(atCallee?.levelDb).toBeCloseTo(-20, 0);
		expect(atCaller?.hz).toBeCloseTo(660, 0);
		expect(atCaller?.levelDb).toBeCloseTo(-26, 0);
		expect(measureTone(in_.received.last(500), 8000, 660).levelDb).toBeLessThan(-60);
	});

	it("rings, is answered with the number dialled and the number that calls, and is hung up by the caller", async () => {
		const caller = await open({ username: "+15550111" });
		const { phone, next } = await callee();
		const out = await caller.call(`sip:+15550100@127.0.0.1:${phone.port}`, { headers: [["X-Ticket", "42"]] });
		const states: string[] = [];
		out.on("ringing", () => states.push("ringing"));
		out.on("answered", ({ codec }) => states.push(`answered ${codec.name}`));
		out.on("ended", ({ by }) => states.push(`ended ${by}`));
		const in_ = await next;
		expect([in_.from, in_.to, header(in_.request, "X-Ticket")]).toEqual(["+15550111", "+15550100", "42"]);
		in_.ring();
		await in_.answer();
		await out.answered();
		expect(in_.rtp.remote).toEqual({ address: "127.0.0.1", port: out.rtp.localPort });
		out.hangup();
		expect(await in_.ended()).toEqual({ answered: true, by: "remote", cause: "bye", reason: "hung up" });
		expect(await out.ended()).toEqual({ answered: true, by: "local", cause: "bye", reason: "hung up" });
		expect(states).toEqual(["ringing", "answered PCMU", "ended local"]);
		expect(out.timing.answeredAt).toBeGreaterThan(out.timing.startedAt);
	});

	it("the called side hangs up", async () => {
		const { out, in_ } = await connected();
		in_.hangup();
		expect(await out.ended()).toMatchObject({ answered: true, by: "remote", cause: "bye" });
	});

	it("digits are exact in both directions, at the same time, while audio goes on", async () => {
		const { out, in_ } = await connected();
		out.tone(440);
		out.sendDtmf("123#", 60);
		in_.sendDtmf("ABD*0099", 40);
		expect(await in_.waitForDigits(4)).toBe("123#");
		expect(await out.waitForDigits(8)).toBe("ABD*0099");
		expect(() => out.sendDtmf("12x")).toThrow(PhoneError);
	});

	it("packets leave every 20 ms without drift, and are counted", async () => {
		const { out, in_ } = await connected();
		await heard(in_, 1000);
		const { packets } = in_.received;
		const times = packets.map(({ arrivalMs }) => arrivalMs);
		const span = (times.at(-1) ?? 0) - (times[0] ?? 0);
		expect(Math.abs(span - (packets.length - 1) * 20)).toBeLessThan(25);
		expect(packets.every((packet, i) => i === 0 || packet.offset === (packets[i - 1]?.offset ?? 0) + 160)).toBe(true);
		out.hangup();
		await in_.ended();
		expect(in_.stats()).toMatchObject({ packetsLost: 0 });
		expect(in_.stats().packetsReceived).toBeGreaterThanOrEqual(50);
		expect(out.stats().packetsSent).toBeGreaterThanOrEqual(in_.stats().packetsReceived);
	});

	it("PCMA when only the caller's other codec is left; a recording that is played arrives sample for sample (to A-law's precision)", async () => {
		const { out, in_ } = await connected({}, { codecs: ["PCMA"] });
		expect(out.negotiated?.codec.name).toBe("PCMA");
		const pcm = Int16Array.from({ length: 1600 }, (_, i) => Math.round(8000 * Math.sin(i / 5) * Math.sin(i / 500)));
		const over = new Promise<void>((resolve) => out.once("played", resolve));
		out.play(pcm);
		await over;
		await heard(in_, in_.received.durationMs + 60);
		const recorded = in_.received.pcm();
		const errorAt = (start: number): number => Math.max(...pcm.map((sample, i) => Math.abs(sample - (recorded[start + i] ?? 0))));
		const errors = Array.from({ length: recorded.length - pcm.length + 1 }, (_, start) => errorAt(start));
		// A-law's steps are 256 at this level: half of that and a bit
		expect(Math.min(...errors)).toBeLessThanOrEqual(130);
	});

	it("raw RTP: each packet is shown with its arrival, and one sent by hand arrives", async () => {
		const { out, in_ } = await connected();
		const seen = new Promise<number>((resolve) =>
			in_.onRtp(({ timestamp, payloadType }, arrivalMs) => timestamp === 777 && payloadType === 0 && resolve(arrivalMs)),
		);
		const sentAt = performance.now();
		out.sendRtp(writeRtp({ payloadType: 0, sequence: 1, timestamp: 777, ssrc: 5 }, new Uint8Array(160)));
		expect((await seen) - sentAt).toBeGreaterThanOrEqual(0);
	});
});

describe("calls that come to nothing", () => {
	it("busy", async () => {
		const caller = await open();
		const { phone, next } = await callee();
		const out = await caller.call(phone.uri);
		(await next).reject(486);
		expect(await out.ended()).toMatchObject({ answered: false, by: "remote", cause: "status", status: 486, reason: "Busy Here" });
		await expect(out.answered()).rejects.toThrow(CallFailedError);
	});

	it("nobody takes calls there: 480", async () => {
		const [caller, called] = [await open(), await open()];
		const out = await caller.call(called.uri);
		expect(await out.ended()).toMatchObject({ status: 480 });
	});

	it("the caller gives up while it rings", async () => {
		const caller = await open();
		const { phone, next } = await callee();
		const out = await caller.call(phone.uri);
		const in_ = await next;
		const ringing = new Promise<void>((resolve) => out.once("ringing", resolve));
		in_.ring();
		await ringing;
		out.cancel();
		expect(await out.ended()).toMatchObject({ answered: false, by: "local", cause: "cancelled", status: 487 });
		expect(await in_.ended()).toMatchObject({ answered: false, by: "remote", cause: "cancelled" });
	});

	it("no answer within the time given", async () => {
		const caller = await open();
		const { phone, next } = await callee();
		const out = await caller.call(phone.uri, { timeoutMs: 150 });
		(await next).ring();
		expect(await out.ended()).toMatchObject({ answered: false, cause: "no-answer", reason: "no answer within 0.15 s" });
		expect(phone.calls).toEqual([]);
	});

	it("nobody at the address: given up in time, without an answer to wait for", async () => {
		const caller = await open();
		const mute = createSocket("udp4");
		await new Promise<void>((resolve) => mute.bind(0, "127.0.0.1", resolve));
		const call = await caller.call(`sip:nobody@127.0.0.1:${mute.address().port}`, { timeoutMs: 150 });
		expect(await call.ended()).toMatchObject({ answered: false, by: "local", cause: "no-answer" });
		mute.close();
	});

	it("no codec in common: 488 for the caller, a clear error for the called", async () => {
		const caller = await open({ codecs: ["PCMU"] });
		const { phone, next } = await callee({ codecs: ["PCMA"] });
		const out = await caller.call(phone.uri);
		await expect((await next).answer()).rejects.toThrow("the call cannot be answered: SDP has none of the codecs PCMA");
		expect(await out.ended()).toMatchObject({ status: 488 });
	});

	it.each([
		["15550100", /is no SIP URI; it looks like sip:/],
		["tel:+15550100", /is no SIP URI/],
		["sip:a@127.0.0.1;transport=sctp", /over UDP, TCP and TLS, not over SCTP/],
	])("%s cannot be dialled", async (uri, message) => {
		const caller = await open();
		await expect(caller.call(uri)).rejects.toThrow(message);
		expect(caller.calls).toEqual([]);
	});

	it("a SIP port that is taken is told in one line", async () => {
		const { port } = await open();
		await expect(Phone.open({ port })).rejects.toThrow(`UDP port ${port} on 127.0.0.1 is in use by another program`);
	});
});

describe("nothing is left", () => {
	it("close hangs up, and every socket and timer is gone", async () => {
		const { in_, out, caller, called } = await connected();
		await heard(in_, 100);
		const began = performance.now();
		await caller.close();
		expect(performance.now() - began).toBeLessThan(450);
		expect(await out.ended()).toMatchObject({ answered: true, by: "local" });
		expect(await in_.ended()).toMatchObject({ by: "remote" });
		expect(called.stats().legs).toBe(0);
		await called.close();
		// Node lets go of a closed handle a turn or two later
		const sockets = (): number => process.getActiveResourcesInfo().filter((kind) => kind === "UDPWrap").length;
		await expect.poll(sockets, { timeout: 1000, interval: 5 }).toBe(0);
		await expect(caller.call("sip:a@127.0.0.1")).rejects.toThrow("closed");
	});

	it("twenty calls at once between two phones", async () => {
		const caller = await open();
		const called = await open();
		called.onIncoming((call) => {
			call.tone(500);
			void call.answer();
		});
		const calls = await Promise.all(Array.from({ length: 20 }, () => caller.call(called.uri)));
		await Promise.all(calls.map((call) => call.answered()));
		await Promise.all(calls.map((call) => heard(call, 400)));
		for (const call of calls) expect(dominantTone(call.received.last(200), 8000)?.hz).toBeCloseTo(500, -1);
		for (const call of calls) call.hangup();
		await Promise.all(calls.map((call) => call.ended()));
		expect(caller.calls).toEqual([]);
	});
});

it("a registrar-like far side that asks for a password gets it", async () => {
	const caller = await open({ username: "alice", password: "secret" });
	const { phone, next } = await callee();
	const again = next.then((first) => {
		const second = new Promise<IncomingCall>((resolve) => phone.onIncoming(resolve));
		first.reject(401, undefined, [["WWW-Authenticate", 'Digest realm="test", nonce="abc", qop="auth", algorithm=MD5']]);
		return second;
	});
	const out = await caller.call(phone.uri);
	const in_ = await again;
	expect(header(in_.request, "Authorization")).toMatch(/^Digest .*username="alice".*realm="test".*response="[0-9a-f]{32}"/);
	await in_.answer();
	expect((await out.answered()).codec.name).toBe("PCMU");
});
