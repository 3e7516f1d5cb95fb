/** The media path of a call, the same code as in a node, in simulated time. */
import { Encoder } from "@evan/opus";
import { decodeG711, encodeG711, Resampler } from "@trunkline/audio";
import { parseRtp } from "@trunkline/rtp";
import type { EncodedFrame, NegotiatedAudio } from "../../../media-node/src/call/ports.ts";
import { Downlink } from "../../../media-node/src/media/downlink.ts";
import { OpusToPcm } from "../../../media-node/src/media/opus.ts";
import { RtpSender } from "../../../media-node/src/media/rtp-sender.ts";
import { Uplink } from "../../../media-node/src/media/uplink.ts";
import { type Arrival, arrivals, type Condition } from "./impairment.ts";

const RATE = 8_000;
const FRAME = 160;
const FRAME_MS = 20;
const TELEPHONE: NegotiatedAudio = {
	codec: "PCMU",
	payloadType: 0,
	receivePayloadType: 0,
	remote: { address: "127.0.0.1", port: 9 },
	sends: true,
	receives: true,
};

export interface Heard {
	pcm: Int16Array;
	/** of the adaptive buffer, at each tick at which something was heard, ms */
	delays: number[];
	/** share of the packets' time */
	concealed: number;
}

/** As a participant sends it: 48 kHz; `copies`: its encoder knows of losses, and puts a copy of each packet into the next. */
export function opusOf(speech: Int16Array, copies: boolean): Uint8Array[] {
	const encoder = new Encoder({ channels: 1, sample_rate: 48_000, application: "voip" });
	encoder.bitrate = 32_000;
	encoder.inband_fec = true;
	encoder.packet_loss = copies ? 10 : 0;
	const wide = new Resampler(RATE, 48_000).process(speech);
	const packets: Uint8Array[] = [];
	for (let at = 0; at + 960 <= wide.length; at += 960) packets.push(encoder.encode(wide.subarray(at, at + 960)).slice());
	return packets;
}

/** Room → telephone: Opus of a participant, as a µ-law telephone hears it. `phaseMs`: when in its 20 ms the call's clock ticks. */
export function roomToTelephone(packets: readonly Uint8Array[], condition: Condition, seed: number, phaseMs = 7): Heard {
	let now = 0;
	let listener: (frame: EncodedFrame) => void = () => {};
	const pcm = new Int16Array((packets.length + 25) * FRAME);
	let from: number | undefined;
	const sender = new RtpSender(1, (bytes) => {
		const packet = parseRtp(bytes);
		if (packet === undefined) return;
		from ??= packet.timestamp;
		const at = (packet.timestamp - from) | 0;
		if (at >= 0 && at + FRAME <= pcm.length) decodeG711("PCMU", packet.payload, pcm, at);
	});
	const downlink = new Downlink(sender, 1, 1, () => now);
	downlink.negotiated(TELEPHONE);
	downlink.addTrack({ trackSid: "TR", participantIdentity: "speaker", onFrame: (given) => (listener = given) });
	const delays: number[] = [];
	let missing = 0;
	eachTick(arrivals(packets.length, FRAME_MS, condition, seed), packets.length + 15, phaseMs, {
		arrive: ({ index, at }) => {
			now = at;
			const payload = packets[index];
			if (payload !== undefined)
				listener({ codec: "opus", payload, sequence: index & 0xffff, timestamp: (index * 960) >>> 0, marker: index === 0 });
		},
		tick: (at) => {
			now = at;
			downlink.tick();
			// what is made up behind the end is nothing that was lost
			if (at < (packets.length - 2) * FRAME_MS) missing = downlink.roomReception().missing;
			const { delayMs } = downlink.roomReception();
			if (delayMs > 0) delays.push(delayMs);
		},
	});
	downlink.close();
	return { pcm, delays, concealed: missing / packets.length };
}

/** Telephone → room that takes Opus alone: µ-law, what is lost is made up before it is encoded; nothing waits. */
export function telephoneToRoom(speech: Int16Array, condition: Condition, seed: number): Heard {
	const pcm = new Int16Array(speech.length + 25 * FRAME);
	const decoder = new OpusToPcm(RATE);
	const uplink = new Uplink({
		codec: "opus",
		write: ({ payload, timestamp }) => {
			const at = Math.round(timestamp / 6);
			const decoded = decoder.decode(payload);
			if (decoded !== undefined && at + decoded.length <= pcm.length) pcm.set(decoded, at);
		},
	});
	const count = Math.floor(speech.length / FRAME);
	const here = arrivals(count, FRAME_MS, condition, seed);
	const payload = new Uint8Array(FRAME);
	for (const { index } of here) {
		encodeG711("PCMU", speech.subarray(index * FRAME, (index + 1) * FRAME), payload);
		uplink.write("PCMU", payload, index * FRAME, index, false);
	}
	uplink.close();
	decoder.close();
	return { pcm, delays: [], concealed: 1 - here.length / count };
}

function eachTick(
	all: readonly Arrival[],
	ticks: number,
	phaseMs: number,
	on: { arrive(arrival: Arrival): void; tick(at: number): void },
): void {
	let next = 0;
	for (let tick = 0; tick < ticks; tick++) {
		const at = phaseMs + tick * FRAME_MS;
		for (let arrival = all[next]; arrival !== undefined && arrival.at <= at; arrival = all[next]) {
			on.arrive(arrival);
			next += 1;
		}
		on.tick(at);
	}
}
