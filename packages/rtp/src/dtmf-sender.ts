import { dtmfCode, MAX_EVENT_DURATION_TICKS, writeTelephoneEvent } from "./dtmf.ts";

export interface DtmfSenderOptions {
	/** default 8000 */
	clockRate?: number;
	/** default 20 */
	packetMs?: number;
	/** how long each digit is held, default 160; at least one packet */
	toneMs?: number;
	/** between two digits, default 100; at least the two repeated end packets */
	pauseMs?: number;
	/** -dBm0 written into the packets, default 10 */
	volume?: number;
}

/** One telephone-event packet. The object and its payload are reused by the next call of `next`. */
export interface DtmfPacket {
	payload: Uint8Array;
	/** of the press, the same in all its packets */
	timestamp: number;
	marker: boolean;
}

/** RFC 4733 §2.5.1.4: the final packet is sent three times in all. */
const END_PACKETS = 3;
/** What "w" in a digit string means: LiveKit's pause. */
const WAIT_MS = 500;
const MAX_QUEUED = 512;

type Step = { kind: "digit"; code: number; packets: number } | { kind: "wait"; packets: number };

/**
 * Digits into telephone-event packets (RFC 4733 §2.5.1), one call of `next` per packet time. While it gives a packet, that packet goes in
 * place of audio; when it gives undefined, audio goes.
 */
export class DtmfSender {
	readonly #packetMs: number;
	readonly #packetTicks: number;
	readonly #tonePackets: number;
	readonly #pausePackets: number;
	readonly #volume: number;
	readonly #queue: Step[] = [];
	#step: Step | undefined;
	#sent = 0;
	#segmentStart = 0;
	#segmentTicks = 0;
	readonly #packet: DtmfPacket = { payload: new Uint8Array(4), timestamp: 0, marker: false };

	constructor(options: DtmfSenderOptions = {}) {
		this.#packetMs = options.packetMs ?? 20;
		this.#packetTicks = Math.round(((options.clockRate ?? 8000) * this.#packetMs) / 1000);
		this.#tonePackets = this.#packets(options.toneMs ?? 160);
		this.#pausePackets = Math.max(END_PACKETS, this.#packets(options.pauseMs ?? 100));
		this.#volume = options.volume ?? 10;
	}

	/** True while digits, or the pause after them, are still to be sent. */
	get busy(): boolean {
		return this.#step !== undefined || this.#queue.length > 0;
	}

	/** ms until all that waits is sent */
	get waitingMs(): number {
		return this.#queue.reduce((sum, { packets }) => sum + packets, 0) * this.#packetMs;
	}

	/**
	 * Adds digits: 0-9 * # A-D a-d, and w for half a second of nothing. False, and nothing is added, when another character is among them or
	 * more than 512 are waiting. `toneMs` overrides how long each of these is held.
	 */
	enqueue(digits: string, toneMs?: number): boolean {
		const steps: Step[] = [];
		for (const digit of digits) {
			const code = dtmfCode(digit);
			if (code !== undefined) {
				steps.push({ kind: "digit", code, packets: toneMs === undefined ? this.#tonePackets : this.#packets(toneMs) });
				steps.push({ kind: "wait", packets: this.#pausePackets });
			} else if (digit === "w" || digit === "W") {
				steps.push({ kind: "wait", packets: this.#packets(WAIT_MS) });
			} else {
				return false;
			}
		}
		if (this.#queue.length + steps.length > MAX_QUEUED * 2) return false;
		this.#queue.push(...steps);
		return true;
	}

	/** Forgets what was not sent yet; a digit that is down is ended properly. */
	clear(): void {
		this.#queue.length = 0;
		if (this.#step?.kind === "digit") this.#step.packets = Math.min(this.#step.packets, this.#sent + 1);
	}

	/** The packet for this packet time, `timestamp` being the one that audio would have now. */
	next(timestamp: number): DtmfPacket | undefined {
		if (this.#step === undefined) {
			this.#step = this.#queue.shift();
			this.#sent = 0;
		}
		const step = this.#step;
		if (step === undefined) return undefined;
		return step.kind === "digit" ? this.#digit(step, timestamp) : this.#wait(step);
	}

	#digit(step: { code: number; packets: number }, timestamp: number): DtmfPacket {
		const first = this.#sent === 0;
		if (first) this.#beginSegment(timestamp);
		const end = this.#sent >= step.packets - 1;
		// the repeated end packets tell the same final duration
		if (this.#sent < step.packets) {
			// RFC 4733 §2.5.1.3: a press longer than the field goes on in a new segment that begins where this one ends
			if (this.#segmentTicks >= MAX_EVENT_DURATION_TICKS) {
				this.#beginSegment((this.#segmentStart + MAX_EVENT_DURATION_TICKS) >>> 0, this.#segmentTicks - MAX_EVENT_DURATION_TICKS);
			}
			this.#segmentTicks += this.#packetTicks;
		}
		this.#sent += 1;
		if (this.#sent >= step.packets + END_PACKETS - 1) this.#finish();
		const duration = Math.min(this.#segmentTicks, MAX_EVENT_DURATION_TICKS);
		writeTelephoneEvent(this.#packet.payload, 0, { code: step.code, end, volume: this.#volume, duration });
		this.#packet.timestamp = this.#segmentStart;
		this.#packet.marker = first;
		return this.#packet;
	}

	#beginSegment(timestamp: number, ticks = 0): void {
		this.#segmentStart = timestamp;
		this.#segmentTicks = ticks;
	}

	#wait(step: { packets: number }): undefined {
		this.#sent += 1;
		if (this.#sent >= step.packets) this.#finish();
		return undefined;
	}

	#finish(): void {
		const ended = this.#step;
		this.#step = undefined;
		// the repeated end packets took part of the pause
		const next = this.#queue[0];
		if (ended?.kind === "digit" && next?.kind === "wait") next.packets = Math.max(1, next.packets - (END_PACKETS - 1));
	}

	#packets(ms: number): number {
		return Math.max(1, Math.ceil(ms / this.#packetMs));
	}
}
