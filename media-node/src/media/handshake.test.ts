import { DtlsAssociation, type DtlsCertificate, type DtlsSrtpKeys, newCertificate } from "@trunkline/dtls";
import { writeRtp } from "@trunkline/rtp";
import { MAX_OVERHEAD_BYTES, SrtpReceiver, SrtpSender } from "@trunkline/srtp";
import { nodeCrypto } from "@trunkline/srtp/node";
import { bindingRequest } from "@trunkline/testkit/stun";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import type { MediaEvent, NegotiatedAudio } from "../call/ports.ts";
import { RtpMediaSession } from "./session.ts";
import type { Ticker } from "./ticker.ts";

const PEER = "192.0.2.1";
const [OURS, THEIRS] = [
	{ ufrag: "oursours", password: "abcdefghijklmnopqrstuvwx" },
	{ remoteUfrag: "theirs", remotePassword: "yzabcdefghijklmnopqrstuv" },
];
const BASE: NegotiatedAudio = {
	codec: "PCMU",
	payloadType: 0,
	receivePayloadType: 0,
	remote: { address: PEER, port: 4000 },
	sends: true,
	receives: true,
};

let ours: DtlsCertificate;
let theirs: DtlsCertificate;
let others: DtlsCertificate;
beforeAll(async () => {
	[ours, theirs, others] = await Promise.all([newCertificate(), newCertificate(), newCertificate()]);
});

let session: RtpMediaSession;
let peers: DtlsAssociation[] = [];
afterEach(() => {
	session.close();
	for (const peer of peers.splice(0)) peer.close();
	peers = [];
});

/** A session whose clock and socket are the test's. */
function opened() {
	let tick = (): void => undefined;
	let now = 0;
	const events: MediaEvent[] = [];
	const heard: number[] = [];
	const sent: { bytes: Uint8Array; to: string }[] = [];
	let onSent = (_bytes: Uint8Array, _to: string): void => undefined;
	const ticker = { subscribe: (each: () => void) => ((tick = each), () => undefined) } as unknown as Ticker;
	session = new RtpMediaSession({
		...{ ticker, advertisedAddress: "192.0.2.9", certificate: ours, now: () => now },
		random: () => ({ ssrc: 1, sequence: 0, timestamp: 0 }),
		onEvent: (event) => {
			if (event.type !== "quality") events.push(event);
		},
		onClose: () => undefined,
	});
	const send = (bytes: Uint8Array, port: number, address: string): void => {
		const copy = Uint8Array.from(bytes);
		sent.push({ bytes: copy, to: `${address}:${port}` });
		onSent(copy, `${address}:${port}`);
	};
	session.attach({ port: 10_000, send, close: () => undefined });
	const run = (ms: number): void => {
		for (let i = 0; i < ms; i += 20) {
			now += 20;
			tick();
		}
	};
	const connect = (): void => session.connect({ codec: "PCMU", write: ({ payload }) => heard.push(payload[0] ?? -1) });
	return { events, heard, sent, connect, run, listen: (listener: typeof onSent) => (onSent = listener) };
}

const prints = ({ fingerprint: value }: DtlsCertificate) => [{ algorithm: "sha-256", value }];
const audio = (sequence: number): Uint8Array =>
	writeRtp({ payloadType: 0, sequence, timestamp: sequence * 160, ssrc: 7 }, new Uint8Array(160).fill(sequence & 0xff));

function sealed(sender: SrtpSender, sequence: number): Uint8Array {
	const buffer = new Uint8Array(172 + MAX_OVERHEAD_BYTES);
	buffer.set(audio(sequence));
	return buffer.slice(0, sender.protectRtp(buffer, 172));
}

/** The telephone's end of the handshake, at an address. */
function telephone(call: ReturnType<typeof opened>, role: "client" | "server", certificate: DtlsCertificate, from = `${PEER}:4000`) {
	const [address = "", port = ""] = from.split(":");
	const outcome: { keys?: DtlsSrtpKeys; failed?: string } = {};
	const association = new DtlsAssociation({
		...{ role, certificate, fingerprints: prints(ours) },
		send: (packet) => setImmediate(() => session.onPacket(Uint8Array.from(packet), address, Number(port))),
		onConnected: (keys) => (outcome.keys = keys),
		onFailed: (failed) => (outcome.failed = failed),
	});
	peers.push(association);
	call.listen((bytes, to) => {
		if (to === from && (bytes[0] ?? 0) >= 20 && (bytes[0] ?? 0) <= 63) setImmediate(() => association.receive(bytes));
	});
	association.start();
	const srtp = async () => {
		await expect.poll(() => outcome.keys, { interval: 2 }).toBeDefined();
		const { suite, local, remote } = outcome.keys as DtlsSrtpKeys;
		const [send, receive] = [local, remote].map(({ key, salt }) => Buffer.concat([key, salt])) as [Buffer, Buffer];
		return { sender: new SrtpSender(nodeCrypto, suite, send), receiver: new SrtpReceiver(nodeCrypto, suite, receive) };
	};
	return { outcome, srtp };
}

describe("DTLS-SRTP", () => {
	it.each([
		["server", "client"],
		["client", "server"],
	] as const)("we are the %s: audio both ways under the keys of the handshake, and none before", async (role, theirRole) => {
		const call = opened();
		session.start({ ...BASE, dtls: { role, fingerprints: prints(theirs) } }, PEER);
		call.connect();
		session.onPacket(audio(1), PEER, 4000);
		if (role === "server") call.run(1_000);
		expect(call.sent).toEqual([]);
		const { srtp } = telephone(call, theirRole, theirs);
		call.run(20);
		const { sender, receiver } = await srtp();
		await expect.poll(() => call.events, { interval: 2 }).toContainEqual({ type: "secured", suite: "AEAD_AES_128_GCM" });
		session.onPacket(audio(2), PEER, 4000);
		session.onPacket(sealed(sender, 3), PEER, 4000);
		call.sent.length = 0;
		call.run(100);
		const packets = call.sent.map(({ bytes }) => receiver.unprotectRtp(bytes)).filter((plain) => plain?.[1] === 0 || plain?.[1] === 0x80);
		expect(packets.length).toBeGreaterThanOrEqual(4);
		expect(call.heard).toEqual([3]);
		expect(session.stats()).toMatchObject({ packetsReceived: 1, srtpErrors: 2 });
	});

	it("a certificate that the SDP did not announce: the call ends in words, and no audio passes", async () => {
		const call = opened();
		session.start({ ...BASE, dtls: { role: "server", fingerprints: prints(theirs) } }, PEER);
		call.connect();
		const { outcome } = telephone(call, "client", others);
		await expect
			.poll(() => call.events, { interval: 2 })
			.toEqual([{ type: "not-secured", message: expect.stringContaining("not the one that the SDP announced") }]);
		await expect.poll(() => outcome.failed, { interval: 2 }).toContain("the peer has ended the DTLS association");
		expect(outcome.keys).toBeUndefined();
		call.sent.length = 0;
		session.onPacket(sealed(new SrtpSender(nodeCrypto, "AEAD_AES_128_GCM", new Uint8Array(28)), 1), PEER, 4000);
		call.run(20_000);
		expect(call.heard).toEqual([]);
		expect(call.sent).toEqual([]);
		expect(call.events).toHaveLength(1);
	});

	it("a peer that never begins: the call ends in words, ten seconds after the answer", () => {
		const call = opened();
		session.start({ ...BASE, dtls: { role: "server", fingerprints: prints(theirs) } }, PEER);
		call.run(30_000);
		expect(call.events).toEqual([]);
		call.connect();
		call.run(9_980);
		expect(call.events).toEqual([]);
		call.run(40);
		expect(call.events).toEqual([{ type: "not-secured", message: "no DTLS handshake within 10 s" }]);
	});

	it("a handshake from elsewhere is not answered", async () => {
		const call = opened();
		session.start({ ...BASE, dtls: { role: "server", fingerprints: prints(theirs) } }, PEER);
		call.connect();
		telephone(call, "client", theirs, "192.0.2.66:4000");
		await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
		expect(call.sent).toEqual([]);
		expect(session.stats().packetsRefused).toBeGreaterThan(0);
	});

	it("RFC 8842: a re-offer of the same goes on; another fingerprint asks for another handshake, and the audio goes on meanwhile", async () => {
		const call = opened();
		const agreed: NegotiatedAudio = { ...BASE, dtls: { role: "server", fingerprints: prints(theirs) } };
		session.start(agreed, PEER);
		call.connect();
		const first = await telephone(call, "client", theirs).srtp();
		session.onPacket(sealed(first.sender, 1), PEER, 4000);
		session.start(structuredClone(agreed), PEER);
		session.onPacket(sealed(first.sender, 2), PEER, 4000);
		session.start({ ...BASE, dtls: { role: "server", fingerprints: prints(others) } }, PEER);
		session.onPacket(sealed(first.sender, 3), PEER, 4000);
		const second = await telephone(call, "client", others).srtp();
		await expect.poll(() => call.events.filter(({ type }) => type === "secured").length, { interval: 2 }).toBe(2);
		session.onPacket(sealed(second.sender, 4), PEER, 4000);
		session.onPacket(sealed(first.sender, 5), PEER, 4000);
		expect(call.heard).toEqual([1, 2, 3, 4]);
	});
});

describe("ICE", () => {
	const withIce: NegotiatedAudio = { ...BASE, ice: { ...OURS, ...THEIRS } };
	const check = (nominates: boolean, password = OURS.password): Uint8Array => bindingRequest("oursours:theirs", password, nominates);

	it("media go where the peer's checks come from, and come from there alone, whatever SDP says", () => {
		const call = opened();
		session.start(withIce, PEER);
		call.connect();
		session.onPacket(audio(1), PEER, 4000);
		call.run(100);
		expect(call.sent).toEqual([]);
		session.onPacket(check(false), "198.51.100.7", 5000);
		expect(call.sent.map(({ bytes, to }) => [bytes[0], bytes[1], to])).toEqual([[1, 1, "198.51.100.7:5000"]]);
		session.onPacket(audio(2), "198.51.100.7", 5000);
		session.onPacket(audio(3), PEER, 4000);
		session.onPacket(audio(4), "198.51.100.7", 5001);
		call.sent.length = 0;
		call.run(100);
		expect(new Set(call.sent.map(({ to }) => to))).toEqual(new Set(["198.51.100.7:5000"]));
		session.onPacket(check(true), "198.51.100.8", 6000);
		call.sent.length = 0;
		call.run(100);
		expect(new Set(call.sent.map(({ to }) => to))).toEqual(new Set(["198.51.100.8:6000"]));
		expect(call.heard).toEqual([2]);
		expect(session.stats().packetsRefused).toBe(3);
	});

	it("checks with another password are not answered, and no way to anybody; in the end the call ends in words", () => {
		const call = opened();
		session.start(withIce, PEER);
		call.connect();
		for (let i = 0; i < 100; i++) session.onPacket(check(true, "another password of another"), PEER, 4000);
		session.onPacket(audio(1), PEER, 4000);
		call.run(10_100);
		expect(call.sent).toEqual([]);
		expect(call.heard).toEqual([]);
		expect(call.events).toEqual([{ type: "not-secured", message: "no ICE check of the telephone within 10 s" }]);
	});

	it("with DTLS: the handshake goes by the way that ICE has found", async () => {
		const call = opened();
		session.start({ ...withIce, dtls: { role: "client", fingerprints: prints(theirs) } }, PEER);
		call.connect();
		call.run(1_000);
		expect(call.sent).toEqual([]);
		session.onPacket(check(true), "198.51.100.7", 5000);
		const { srtp } = telephone(call, "server", theirs, "198.51.100.7:5000");
		call.run(20);
		const { sender } = await srtp();
		await expect.poll(() => call.events, { interval: 2 }).toContainEqual(expect.objectContaining({ type: "secured" }));
		session.onPacket(sealed(sender, 9), "198.51.100.7", 5000);
		expect(call.heard).toEqual([9]);
	});
});

it("whoever writes another's address into an INVITE gets no ClientHello sent there: nothing before the ACK", () => {
	const { sent, connect, run } = opened();
	session.awaitProof();
	session.start({ ...BASE, dtls: { role: "client", fingerprints: prints(theirs) } }, PEER);
	connect();
	run(2_000);
	expect(sent).toEqual([]);
	session.proven();
	run(40);
	expect(sent.map(({ to, bytes }) => [to, bytes[0]])).toEqual([[`${PEER}:4000`, 22]]);
});
