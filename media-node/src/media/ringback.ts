import { RingbackTone } from "@trunkline/audio";
import type { AudioUplink } from "../call/ports.ts";
import type { Ticker } from "./ticker.ts";
import { Uplink } from "./uplink.ts";

const FRAME = 160;
/** -dBov of the tone, as RFC 6464 wants it */
const LEVEL = 20;
const SILENT = 127;

/** ETSI ringback (425 Hz, 1 s on, 4 s off) into the room; gives the stop. */
export function playRingback(ticker: Ticker, target: AudioUplink): () => void {
	const uplink = new Uplink(target);
	const tone = new RingbackTone(8_000);
	const frame = new Int16Array(FRAME);
	let sequence = 0;
	let timestamp = 0;
	return ticker.subscribe(() => {
		const audible = tone.fill(frame);
		uplink.writePcm(frame, timestamp, sequence, audible ? LEVEL : SILENT);
		sequence = (sequence + 1) & 0xffff;
		timestamp = (timestamp + FRAME) >>> 0;
	});
}
