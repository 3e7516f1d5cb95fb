import { DelayEstimate } from "./delay-estimate.ts";
import { sequenceDelta, timestampDelta } from "./sequence.ts";

export interface JitterBufferOptions {
	/** RTP clock, default 8000 */
	clockRate?: number;
	/** how much audio one packet holds, until the stream shows otherwise; default 20 */
	packetMs?: number;
	/** the delay to begin with, default 20: with the wait for the next pull that is 20..40 ms */
	startMs?: number;
	/** never wait more than this, default 200 */
	maxMs?: number;
	/**
	 * The reader keeps what is decoded, asks only when that runs out, and shortens or lengthens it as `adjustmentMs` says; frames are passed over only
	 * when the delay is far too long. Default: the reader asks all the time, and frames are passed over.
	 */
	stretches?: boolean;
}

export interface JitterBufferStats {
	/** what is being played now lies this far behind the fastest packets, ms; undefined while nothing plays */
	delayMs: number | undefined;
	/** what the buffer aims at, ms */
	targetMs: number;
	/** payloads given out */
	played: number;
	/** pulls answered with "missing" */
	missing: number;
	/** packets that came after their time, or twice */
	late: number;
	/** packets passed over to shorten the delay */
	skipped: number;
	/** times the stream started anew (another source, a jump of its clock) */
	resets: number;
}

/** Added to the measured spread: the reader's own clock is not exact either. */
const MARGIN_MS = 4;
/** The delay is shortened when it was longer than needed for all of this time. */
const SHRINK_AFTER_MS = 1000;
/** The same when it is several frames too long: being far behind is worse than a few frames less. */
const SHRINK_FAST_AFTER_MS = 200;
/** Excess that is left alone, so that shortening and stretching do not take turns. */
const SHRINK_HYSTERESIS_MS = 4;
/** Of readers that stretch: this much too late is worth a jump. */
const SKIP_MS = 80;
/** The delay that a stretching reader has now and then is not worth an artefact. */
const ADJUST_HYSTERESIS_MS = 2;
/** Frames over which `missingShare` is taken. */
const MISSING_OVER = 250;
/** A transit that differs by more than this is another time line, not jitter. */
const RESYNC_MS = 400;
/** After this many frames without a packet the stream counts as paused; the next packet starts it anew. */
const MAX_MISSING_FRAMES = 5;
/** More than fits into the longest delay; the oldest goes first. */
const CAPACITY = 64;
/** The reader is taken to ask every 20 ms or more often: what is due within half of that is given now. */
const EARLY_MS = 10;
/** Longest packet of audio that is believed. */
const MAX_PACKET_MS = 120;

interface Entry<T> {
	/** unwrapped timestamp */
	at: number;
	sequence: number;
	payload: T;
}

/**
 * Puts packets of one stream in order and gives them out at an even pace, after a delay that follows the measured jitter: as small as the
 * network allows, up to `maxMs`. It never asks for a clock: `push` and `pull` are told the time, which may be any monotonic ms.
 *
 * Delay grows by itself when packets are too late (the frame that was missing is not skipped then), and shrinks by passing over one frame
 * at a time, or at once at the beginning of a spurt of talk.
 */
export class JitterBuffer<T = Uint8Array> {
	readonly #ticksPerMs: number;
	readonly #startMs: number;
	readonly #maxMs: number;
	readonly #stretches: boolean;
	readonly #transit: DelayEstimate;
	readonly #entries: Entry<T>[] = [];
	#packetTicks: number;
	#lastStep = 0;

	#latest: { timestamp: number; at: number; sequence: number; transit: number } | undefined;
	#playing = false;
	/** unwrapped timestamp of the frame to be given next; what lies before it has been played or given up */
	#next = Number.NEGATIVE_INFINITY;
	/** sequence number of the last frame that was given */
	#lastSequence = 0;
	/** when that frame is to be given, by the reader's clock */
	#dueMs = 0;
	/** frames told as missing since the last one that was there */
	#missingRun = 0;
	#excessSince: number | undefined;
	#delayMs: number | undefined;
	#missingShare = 0;
	#queuedMs = 0;
	/** what the reader wants to have beyond jitter, such as the packet after the one that is played; ms */
	extraMs = 0;
	readonly #stats = { played: 0, missing: 0, late: 0, skipped: 0, resets: 0 };

	constructor(options: JitterBufferOptions = {}) {
		this.#ticksPerMs = (options.clockRate ?? 8000) / 1000;
		this.#packetTicks = (options.packetMs ?? 20) * this.#ticksPerMs;
		this.#startMs = options.startMs ?? 20;
		this.#maxMs = options.maxMs ?? 200;
		this.#stretches = options.stretches ?? false;
		this.#transit = new DelayEstimate(this.#maxMs);
	}

	/** how much audio a "missing" stands for, ms */
	get packetMs(): number {
		return this.#packetTicks / this.#ticksPerMs;
	}

	/** what the buffer aims at: spread of arrival plus a small margin */
	get targetMs(): number {
		const measured = Math.min(this.#maxMs, this.#transit.spreadMs + MARGIN_MS + this.extraMs);
		return this.#transit.settled ? measured : Math.max(this.#startMs, measured);
	}

	stats(): JitterBufferStats {
		return { ...this.#stats, delayMs: this.#delayMs, targetMs: this.targetMs };
	}

	/** of the last seconds, 0..1: frames that were not there in their time */
	get missingShare(): number {
		return this.#missingShare;
	}

	/** The packet that follows directly on the one that was just told as missing; it may hold a copy of it. */
	get successor(): T | undefined {
		const head = this.#entries[0];
		return head !== undefined && head.at === this.#next ? head.payload : undefined;
	}

	/**
	 * By how much a reader that has `queuedMs` left, and asks every `readMs`, should lengthen that (positive) or may shorten it (negative), ms. Each
	 * packet should be there, with all that comes late usually, when the reader asks for it; and of what is decoded nothing should wait till the next time.
	 */
	adjustmentMs(nowMs: number, queuedMs: number, readMs: number): number {
		if (!this.#playing) return 0;
		const reads = Math.floor(queuedMs / readMs) + 1;
		const waits = queuedMs - (reads - 1) * readMs;
		const spare = this.#delayOf(this.#next, nowMs + reads * readMs) - this.targetMs;
		if (spare < 0) return readMs - waits;
		return -waits - Math.max(0, Math.floor((spare - ADJUST_HYSTERESIS_MS) / readMs)) * readMs;
	}

	/** Another source (SSRC) from now on: forgets everything but the counters. */
	reset(): void {
		this.#entries.length = 0;
		this.#transit.reset();
		this.#latest = undefined;
		this.#next = Number.NEGATIVE_INFINITY;
		this.#pause();
	}

	/** Takes one packet; keeps `payload` until it is pulled or dropped. */
	push(sequence: number, timestamp: number, payload: T, arrivalMs: number): void {
		const entry = this.#place(sequence, timestamp, payload, arrivalMs);
		if (entry.at < this.#next) {
			this.#stats.late += 1;
			return;
		}
		let index = this.#entries.length;
		while (index > 0 && (this.#entries[index - 1]?.at ?? 0) > entry.at) index -= 1;
		if (this.#entries[index - 1]?.at === entry.at) {
			this.#stats.late += 1; // a duplicate
			return;
		}
		this.#entries.splice(index, 0, entry);
		if (this.#entries.length > CAPACITY) this.#skipHead();
	}

	/**
	 * What to play at `nowMs`; call it whenever the reader needs audio, with packets of 20 ms usually every 20 ms. A payload is to be played;
	 * "missing" asks for concealment of one packet; undefined means that nothing is due: silence, or the reader still has audio of a longer
	 * packet. `queuedMs`: what a reader that stretches has left.
	 */
	pull(nowMs: number, queuedMs = 0): T | "missing" | undefined {
		if (!this.#playing && !this.#start(nowMs)) return undefined;
		if (!this.#stretches && this.#dueMs - nowMs > EARLY_MS) return undefined; // longer packets: the one before still plays
		this.#queuedMs = queuedMs;
		this.#shorten(nowMs);
		const head = this.#entries[0];
		if (head !== undefined && head.at <= this.#next) return this.#play(head, nowMs);
		return this.#missing(head, nowMs);
	}

	/** Unwraps the timestamp and measures the transit; another time line empties the buffer. */
	#place(sequence: number, timestamp: number, payload: T, arrivalMs: number): Entry<T> {
		let latest = this.#latest;
		let at = latest === undefined ? timestamp : latest.at + timestampDelta(latest.timestamp, timestamp);
		let transit = arrivalMs - at / this.#ticksPerMs;
		if (latest !== undefined && Math.abs(transit - latest.transit) > RESYNC_MS) {
			this.#stats.resets += 1;
			this.reset();
			latest = undefined;
			at = timestamp;
			transit = arrivalMs - at / this.#ticksPerMs;
		}
		if (latest === undefined || at > latest.at) {
			if (latest !== undefined) this.#learnPacketTime(at - latest.at, sequenceDelta(latest.sequence, sequence));
			this.#latest = { timestamp, at, sequence, transit };
		}
		this.#transit.add(transit, arrivalMs);
		return { at, sequence, payload };
	}

	/** Neighbours tell how much audio a packet holds. A pause in the talk looks the same, so two pairs must agree. */
	#learnPacketTime(ticks: number, packets: number): void {
		if (packets !== 1 || ticks > MAX_PACKET_MS * this.#ticksPerMs) return;
		if (ticks === this.#lastStep) this.#packetTicks = ticks;
		this.#lastStep = ticks;
	}

	#start(nowMs: number): boolean {
		const target = this.targetMs;
		let head = this.#entries[0];
		if (head === undefined || this.#delayOf(head.at, nowMs) < target) return false;
		// what piled up meanwhile (a stalled network) is not played late: begin where the delay is right
		while (this.#entries.length > 1 && head !== undefined && this.#delayOf(head.at, nowMs) > target + this.packetMs) {
			this.#skipHead();
			head = this.#entries[0];
		}
		if (head === undefined) return false;
		this.#playing = true;
		this.#next = head.at;
		this.#dueMs = nowMs;
		this.#missingRun = 0;
		return true;
	}

	/** How far behind the fastest packets the frame at `at` would be played now. */
	#delayOf(at: number, nowMs: number): number {
		return nowMs - at / this.#ticksPerMs - this.#transit.base;
	}

	/** Passes over one frame when the delay has been longer than needed for a while, as many as it takes when it is beyond all limits. */
	#shorten(nowMs: number): void {
		const excess = this.#delayOf(this.#next, nowMs) - this.targetMs;
		const limit = this.#stretches ? SKIP_MS : this.packetMs + SHRINK_HYSTERESIS_MS;
		if (excess <= limit) {
			this.#excessSince = undefined;
			return;
		}
		this.#excessSince ??= nowMs;
		const beyond = this.#delayOf(this.#next, nowMs) > this.#maxMs + 2 * this.packetMs;
		const patience = excess > 3 * this.packetMs ? SHRINK_FAST_AFTER_MS : SHRINK_AFTER_MS;
		if (!beyond && nowMs - this.#excessSince < patience) return;
		this.#excessSince = undefined;
		do {
			if (this.#entries.length < 2) return; // nothing to go on with
			if ((this.#entries[0]?.at ?? 0) <= this.#next) this.#skipHead();
			this.#next += this.#packetTicks;
		} while (beyond && this.#delayOf(this.#next, nowMs) > this.targetMs + this.packetMs);
	}

	#play(head: Entry<T>, nowMs: number): T {
		this.#entries.shift();
		this.#delayMs = this.#delayOf(head.at, nowMs) + this.#queuedMs;
		this.#stats.played += 1;
		this.#missingShare -= this.#missingShare / MISSING_OVER;
		this.#missingRun = 0;
		this.#lastSequence = head.sequence;
		this.#next = head.at;
		this.#advance(nowMs);
		return head.payload;
	}

	#missing(head: Entry<T> | undefined, nowMs: number): "missing" | undefined {
		// Numbers without a gap but a gap in time: the sender paused (no audio while silent), nothing is lost
		if (head !== undefined && sequenceDelta(this.#lastSequence, head.sequence) === 1) {
			this.#pause();
			return undefined;
		}
		if (this.#missingRun >= MAX_MISSING_FRAMES) {
			this.#pause();
			return undefined;
		}
		this.#missingRun += 1;
		this.#stats.missing += 1;
		this.#missingShare += (1 - this.#missingShare) / MISSING_OVER;
		// too late rather than lost, as far as the measured jitter tells: stretch instead of skipping
		const shortOf = this.targetMs - this.#delayOf(this.#next, nowMs);
		const keepPlace = shortOf > (head === undefined ? 0 : this.packetMs / 2);
		if (keepPlace) this.#dueMs += this.packetMs;
		else {
			this.#next += this.#packetTicks;
			this.#advanceDue(nowMs);
		}
		return "missing";
	}

	#advance(nowMs: number): void {
		this.#next += this.#packetTicks;
		this.#advanceDue(nowMs);
	}

	#advanceDue(nowMs: number): void {
		// a reader that stood still does not get everything at once afterwards
		if (nowMs - this.#dueMs > 2 * this.packetMs) this.#dueMs = nowMs;
		this.#dueMs += this.packetMs;
	}

	#pause(): void {
		this.#playing = false;
		this.#excessSince = undefined;
		this.#delayMs = undefined;
	}

	#skipHead(): void {
		this.#entries.shift();
		this.#stats.skipped += 1;
	}
}
