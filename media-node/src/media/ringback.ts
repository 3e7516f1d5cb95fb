import { audioLevelPcm, CallProgressGenerator } from "@trunkline/audio";
import type { AudioUplink, ProgressToneName } from "../call/ports.ts";
import type { Ticker } from "./ticker.ts";
import { Uplink } from "./uplink.ts";

const FRAME = 160;

/** Ringback (unset country: ETSI's, 425 Hz, 1 s on, 4 s off), or another tone, into the room; gives the stop. */
export function playRingback(ticker: Ticker, target: AudioUplink, country?: string, kind: ProgressToneName = "ringback"): () => void {
	const uplink = new Uplink(target);
	const tone = new CallProgressGenerator(kind, 8_000, country);
	const frame = new Int16Array(FRAME);
	let sequence = 0;
	let timestamp = 0;
	return ticker.subscribe(() => {
		tone.fill(frame);
		uplink.writePcm(frame, timestamp, sequence, audioLevelPcm(frame));
		sequence = (sequence + 1) & 0xffff;
		timestamp = (timestamp + FRAME) >>> 0;
	});
}
