import dgram from "node:dgram";
import dns from "node:dns";
import { networkInterfaces } from "node:os";
import { dispose } from "@livekit/rtc-node";
import { RtpHeader, RtpPacket } from "werift";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { join, listen, publishTone, type RunningServer, startServer, subscribedTrack, token, until } from "./testing/harness.ts";
import { WeriftClient, werift } from "./testing/werift-client.ts";

/** G.711 of a 1 kHz tone at 8 kHz, RFC 3551 §4.5.14: the digital milliwatt (ITU-T G.711 table 5 and 6), 3.14 dB below full scale. */
const milliwatt = {
	PCMU: [0x1e, 0x0b, 0x0b, 0x1e, 0x9e, 0x8b, 0x8b, 0x9e],
	PCMA: [0x34, 0x21, 0x21, 0x34, 0xb4, 0xa1, 0xa1, 0xb4],
};

function sendTone(client: WeriftClient, codec: "PCMU" | "PCMA"): () => void {
	const payload = Buffer.from(Array.from({ length: 160 }, (_, i) => milliwatt[codec][i % 8] ?? 0));
	let sequenceNumber = 65_500;
	let timestamp = 4_294_960_000;
	const timer = setInterval(() => {
		const header = new RtpHeader({ sequenceNumber, timestamp, payloadType: werift[codec].payloadType, ssrc: 1, marker: false });
		sequenceNumber = (sequenceNumber + 1) & 0xffff;
		timestamp = (timestamp + 160) >>> 0;
		client.write(new RtpPacket(header, payload));
	}, 20);
	return () => clearInterval(timer);
}

describe("a client made of werift", () => {
	let running: RunningServer;
	beforeAll(async () => {
		running = await startServer({ departureTimeoutMs: 30 });
	});
	afterAll(async () => {
		await running.close();
		await dispose();
	});

	it.each(["PCMU", "PCMA"] as const)("publishes %s that rtc-node hears as it is, and hears rtc-node's Opus", async (codec) => {
		const client = await WeriftClient.connect(
			running.url,
			await token("phone", { room: codec, kind: "sip" }),
			[werift[codec], werift.opus],
			1,
		);
		const opusPackets: RtpPacket[] = [];
		let heardTrack = "";
		client.onRtp = (trackSid, packet) => {
			heardTrack = trackSid;
			opusPackets.push(packet);
		};
		const stop = sendTone(client, codec);
		const alice = await join(running.url, "alice", { room: codec });
		const tone = await publishTone(alice, 440);
		// 700 ms in, the sequence numbers and timestamps have wrapped
		const heard = await listen(await subscribedTrack(alice, "phone"), 700);
		expect(Math.abs(heard.frequency - 1000)).toBeLessThan(4);
		// the milliwatt is 0 dBm0: a sine of amplitude 0.7 of full scale, rms 16 000 ± 1 dB
		expect(heard.rms).toBeGreaterThan(14_500);
		expect(heard.rms).toBeLessThan(17_500);

		await until(() => opusPackets.length > 60);
		expect(heardTrack).toBe(tone.publication.sid);
		expect(new Set(opusPackets.map((packet) => packet.header.payloadType))).toEqual(new Set([werift.opus.payloadType]));
		const steps = opusPackets
			.slice(1)
			.map((packet, i) => (packet.header.sequenceNumber - (opusPackets[i]?.header.sequenceNumber ?? 0)) & 0xffff);
		expect(new Set(steps)).toEqual(new Set([1]));
		const info = await running.rooms.getParticipant(codec, "phone");
		expect([info.kind, info.tracks[0]?.mimeType]).toEqual([3, `audio/${codec}`]);
		stop();
		await Promise.all([client.close(), tone.stop(), alice.disconnect()]);
		await until(() => Object.values(running.server.stats()).every((count) => count === 0));
	});

	it("looks no name up and sends no packet off this machine while clients join, talk and leave", async () => {
		const own = new Set(Object.values(networkInterfaces()).flatMap((addresses) => (addresses ?? []).map((each) => each.address)));
		const lookups: unknown[] = [];
		const destinations = new Set<string>();
		const refuse = (...args: unknown[]): never => {
			lookups.push(args[0]);
			throw new Error("a name was looked up");
		};
		for (const name of ["lookup", "resolve", "resolve4", "resolve6"] as const) vi.spyOn(dns, name).mockImplementation(refuse as never);
		vi.spyOn(dns.promises, "lookup").mockImplementation(refuse as never);
		const send = dgram.Socket.prototype.send as (...args: unknown[]) => void;
		vi.spyOn(dgram.Socket.prototype, "send").mockImplementation(function (this: dgram.Socket, ...args: unknown[]) {
			const address = args.find((argument) => typeof argument === "string");
			if (address !== undefined) destinations.add(address as string);
			send.apply(this, args);
		} as never);
		try {
			const alice = await join(running.url, "alice", { room: "quiet" });
			const bob = await join(running.url, "bob", { room: "quiet" });
			const tone = await publishTone(alice, 440);
			expect((await listen(await subscribedTrack(bob, "alice"))).rms).toBeGreaterThan(5000);
			await Promise.all([tone.stop(), alice.disconnect(), bob.disconnect()]);
			expect(lookups).toEqual([]);
			expect(destinations.size).toBeGreaterThan(0);
			expect([...destinations].filter((address) => !own.has(address))).toEqual([]);
		} finally {
			vi.restoreAllMocks();
		}
	});
});
