import { writeRtp } from "@trunkline/rtp";
import { masterKeyBytes, MAX_OVERHEAD_BYTES, SrtpReceiver, SrtpSender } from "@trunkline/srtp";
import { nodeCrypto } from "@trunkline/srtp/node";
import { afterEach, expect, it } from "vitest";
import type { EncodedFrame, NegotiatedAudio } from "../call/ports.ts";
import { SecureAudio } from "./secure-audio.ts";
import { RtpMediaSession } from "./session.ts";
import { Ticker } from "./ticker.ts";

const PEER = "192.0.2.1";
const SUITE = "AES_CM_128_HMAC_SHA1_80";
const keyOf = (first: number): Uint8Array => new Uint8Array(masterKeyBytes(SUITE)).fill(first);
const audioWith = (ours: number, theirs: number): NegotiatedAudio => ({
	codec: "PCMU",
	payloadType: 0,
	receivePayloadType: 0,
	remote: { address: PEER, port: 4000 },
	srtp: { suite: SUITE, send: keyOf(ours), receive: keyOf(theirs) },
	sends: true,
	receives: true,
});

const plain = (sequence: number): Uint8Array =>
	writeRtp({ payloadType: 0, sequence, timestamp: sequence * 160, ssrc: 7 }, new Uint8Array(160).fill(sequence & 0xff));

function sealed(sender: SrtpSender, sequence: number): Uint8Array {
	const packet = plain(sequence);
	const buffer = new Uint8Array(packet.length + MAX_OVERHEAD_BYTES);
	buffer.set(packet);
	return buffer.slice(0, sender.protectRtp(buffer, packet.length));
}

let session: RtpMediaSession;
afterEach(() => session?.close());

function opened() {
	const heard: number[] = [];
	const sent: { bytes: Uint8Array; to: string }[] = [];
	session = new RtpMediaSession({
		ticker: new Ticker(),
		advertisedAddress: "192.0.2.9",
		now: () => 0,
		random: () => ({ ssrc: 1, sequence: 0, timestamp: 0 }),
		onEvent: () => {},
		onClose: () => {},
	});
	session.attach({
		port: 10_000,
		send: (bytes, port, address) => void sent.push({ bytes: Uint8Array.from(bytes), to: `${address}:${port}` }),
		close: () => {},
	});
	const write = (frame: EncodedFrame): void => void heard.push(frame.payload[0] ?? -1);
	return { heard, sent, connect: () => session.connect({ codec: "PCMU", write }) };
}

it("decrypted = received: what comes under the call's key is heard, each packet once", () => {
	const { heard, connect } = opened();
	const sender = new SrtpSender(nodeCrypto, SUITE, keyOf(2));
	session.start(audioWith(1, 2), PEER);
	connect();
	const packets = [1, 2, 3].map((sequence) => sealed(sender, sequence));
	for (const packet of packets) session.onPacket(Uint8Array.from(packet), PEER, 4000);
	for (const packet of packets) session.onPacket(Uint8Array.from(packet), PEER, 4000);
	expect(heard).toEqual([1, 2, 3]);
	expect(session.stats()).toMatchObject({ packetsReceived: 3, packetsRefused: 0, srtpErrors: 3 });
});

it("a packet that is in the clear, forged or under another key neither is heard nor tells where the telephone is", () => {
	const { heard, connect } = opened();
	const stranger = new SrtpSender(nodeCrypto, SUITE, keyOf(9));
	const sender = new SrtpSender(nodeCrypto, SUITE, keyOf(2));
	session.start(audioWith(1, 2), PEER);
	connect();
	session.onPacket(plain(1), PEER, 6000);
	session.onPacket(sealed(stranger, 1), PEER, 6000);
	const forged = sealed(sender, 1);
	forged[20] = (forged[20] ?? 0) ^ 1;
	session.onPacket(forged, PEER, 6000);
	expect(heard).toEqual([]);
	expect(session.stats()).toMatchObject({ packetsReceived: 0, packetsRefused: 0, srtpErrors: 3 });
	// it is still free to be anywhere at its address
	session.onPacket(sealed(sender, 2), PEER, 4444);
	expect(heard).toEqual([2]);
	// and now it is there: another port costs no decryption
	session.onPacket(sealed(sender, 3), PEER, 6000);
	expect(session.stats()).toMatchObject({ packetsReceived: 1, packetsRefused: 1, srtpErrors: 3 });
});

it("a spray from another address is not accepted, and not even looked at", () => {
	const { heard, connect } = opened();
	const sender = new SrtpSender(nodeCrypto, SUITE, keyOf(2));
	session.start(audioWith(1, 2), PEER);
	connect();
	for (let i = 0; i < 500; i++) session.onPacket(sealed(sender, i), "203.0.113.5", 4000);
	expect(heard).toEqual([]);
	expect(session.stats()).toMatchObject({ packetsReceived: 0, packetsRefused: 500, srtpErrors: 0 });
});

it("what is sent is encrypted under our key", () => {
	const ours = new SecureAudio();
	const peer = new SecureAudio();
	ours.use({ suite: SUITE, send: keyOf(1), receive: keyOf(2) });
	peer.use({ suite: SUITE, send: keyOf(2), receive: keyOf(1) });
	const buffer = new Uint8Array(172 + MAX_OVERHEAD_BYTES);
	buffer.set(plain(5));
	const length = ours.protect(buffer, 172);
	expect(length).toBe(182);
	expect(buffer.subarray(12, 172)).not.toEqual(plain(5).subarray(12));
	expect(peer.unprotect(buffer.slice(0, length))).toEqual(plain(5));
});

it("the same key goes on with its rollover counter; a new key begins anew, and the old one counts until the first packet under the new one", () => {
	const secure = new SecureAudio();
	const first = new SrtpSender(nodeCrypto, SUITE, keyOf(2));
	const second = new SrtpSender(nodeCrypto, SUITE, keyOf(3));
	secure.use({ suite: SUITE, send: keyOf(1), receive: keyOf(2) });
	for (const sequence of [65_000, 65_535, 1]) expect(secure.unprotect(sealed(first, sequence))).toEqual(plain(sequence));
	// a session refresh; the counter is 1
	secure.use({ suite: SUITE, send: keyOf(1), receive: keyOf(2) });
	expect(secure.unprotect(sealed(first, 2))).toEqual(plain(2));
	secure.use({ suite: SUITE, send: keyOf(4), receive: keyOf(3) });
	expect(secure.unprotect(sealed(first, 3))).toEqual(plain(3));
	expect(secure.unprotect(sealed(second, 4))).toEqual(plain(4));
	expect(secure.unprotect(sealed(first, 5))).toBeUndefined();
	expect(secure.errors).toBe(1);
});

it("our own counter goes on with our key, too", () => {
	const secure = new SecureAudio();
	const peer = new SecureAudio();
	peer.use({ suite: SUITE, send: keyOf(2), receive: keyOf(1) });
	const send = (sequence: number): Uint8Array => {
		const buffer = new Uint8Array(172 + MAX_OVERHEAD_BYTES);
		buffer.set(plain(sequence));
		return buffer.slice(0, secure.protect(buffer, 172));
	};
	for (const sequence of [65_000, 65_535, 1, 2]) {
		secure.use({ suite: SUITE, send: keyOf(1), receive: keyOf(sequence & 0xff) });
		expect(peer.unprotect(send(sequence))).toEqual(plain(sequence));
	}
	// a number that was used is not used again under the same key
	expect(send(2)).toHaveLength(0);
});

// RFC 3711 §3.3.1 has counters go on under a new key, and PJSIP and rtpengine do so; others begin anew (RFC 4568 §7.1.4)
it.each(["goes on", "begins anew"])("after half an hour a new key on both sides: a peer whose counter %s is heard, and hears us", (how) => {
	const ours = new SecureAudio();
	const theirs = new SrtpSender(nodeCrypto, SUITE, keyOf(2));
	const hears = new SrtpReceiver(nodeCrypto, SUITE, keyOf(1));
	const send = (sequence: number): Uint8Array => {
		const buffer = new Uint8Array(172 + MAX_OVERHEAD_BYTES);
		buffer.set(plain(sequence));
		return buffer.slice(0, ours.protect(buffer, 172));
	};
	ours.use({ suite: SUITE, send: keyOf(1), receive: keyOf(2) });
	for (const sequence of [40_000, 65_535, 10]) {
		expect(ours.unprotect(sealed(theirs, sequence))).toEqual(plain(sequence));
		expect(hears.unprotectRtp(send(sequence))).toEqual(plain(sequence));
	}
	ours.use({ suite: SUITE, send: keyOf(4), receive: keyOf(3) });
	const theirNew = new SrtpSender(nodeCrypto, SUITE, keyOf(3));
	const hearsNew = new SrtpReceiver(nodeCrypto, SUITE, keyOf(4), how === "goes on" ? hears.rollovers() : undefined);
	if (how === "goes on") theirNew.goOnFrom(theirs.rollovers());
	// on its way before anything of the peer's tells how it counts
	send(11);
	for (const sequence of [12, 13, 30_000, 60_000, 3]) {
		expect(ours.unprotect(sealed(theirNew, sequence)), `${sequence} of the peer`).toEqual(plain(sequence));
		expect(hearsNew.unprotectRtp(send(sequence)), `${sequence} of ours`).toEqual(plain(sequence));
	}
	expect(ours.unprotect(sealed(new SrtpSender(nodeCrypto, SUITE, keyOf(9)), 14))).toBeUndefined();
	expect(hearsNew.keptRollover).toBe(how === "goes on");
});
