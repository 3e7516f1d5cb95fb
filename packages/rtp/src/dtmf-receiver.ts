import { dtmfDigit, MAX_EVENT_DURATION_TICKS, parseTelephoneEvent, type TelephoneEvent } from "./dtmf.ts";
import { timestampDelta } from "./sequence.ts";

export type DtmfEvent =
	| { type: "start"; digit: string; code: number }
	/** `lost`: no end packet came, the silence after it ended the digit */
	| { type: "end"; digit: string; code: number; durationMs: number; lost: boolean };

/** A digit whose packets stop coming has ended after this long: several packet times, well below a pause between two presses by hand. */
const SILENCE_ENDS_DIGIT_MS = 200;
/** A timestamp further back than this is a new time line (a transfer, another source), not a late packet. */
const LATE_PACKET_MS = 10_000;
/** Repeated end packets come within two packet times of the first. */
const END_REPEATS_MS = 40;
const NO_EVENTS: readonly DtmfEvent[] = [];

interface Press {
	code: number;
	digit: string;
	/** timestamp of the current segment */
	timestamp: number;
	/** ticks of the segments before this one (RFC 4733 §2.5.1.3) */
	earlierTicks: number;
	/** longest duration seen in this segment */
	duration: number;
	ended: boolean;
	/** ended by silence: it may go on all the same */
	lost: boolean;
	arrivalMs: number;
}

/**
 * Digits out of telephone-event packets (RFC 4733). A press is known by its RTP timestamp, as no packet of it is sure to arrive: the marker
 * may be missing or lost, end packets come three times, late, or never. Each press gives exactly one start and one end.
 */
export class DtmfReceiver {
	readonly #ticksPerMs: number;
	#press: Press | undefined;

	constructor(clockRate = 8000) {
		this.#ticksPerMs = clockRate / 1000;
	}

	/** Takes one packet; gives what it tells, usually nothing. Payloads that are no digit are passed over. */
	receive(payload: Uint8Array, timestamp: number, marker: boolean, nowMs: number): readonly DtmfEvent[] {
		const event = parseTelephoneEvent(payload);
		const digit = event === undefined ? undefined : dtmfDigit(event.code);
		if (event === undefined || digit === undefined) return NO_EVENTS;
		const press = this.#press;
		if (press !== undefined) {
			const ahead = timestampDelta(press.timestamp, timestamp);
			if (ahead < 0 && ahead > -LATE_PACKET_MS * this.#ticksPerMs) return NO_EVENTS; // reordered: of a press that is over
			if (this.#belongs(press, event, ahead, marker)) return this.#update(press, event, ahead, nowMs);
		}
		return this.#start(event, digit, timestamp, nowMs);
	}

	/** When `handleTimeout` wants to be called; undefined while no digit is down. */
	nextTimeout(): number | undefined {
		return this.#press === undefined || this.#press.ended ? undefined : this.#press.arrivalMs + SILENCE_ENDS_DIGIT_MS;
	}

	/** Ends a digit whose end packets were all lost. */
	handleTimeout(nowMs: number): readonly DtmfEvent[] {
		const due = this.nextTimeout();
		if (this.#press === undefined || due === undefined || nowMs < due) return NO_EVENTS;
		return [this.#end(this.#press, true)];
	}

	/** Another source sends from now on: timestamps start anew. A digit that was down ends. */
	reset(): readonly DtmfEvent[] {
		const press = this.#press;
		this.#press = undefined;
		return press === undefined || press.ended ? NO_EVENTS : [this.#end(press, true)];
	}

	/** Whether a packet `ahead` ticks after the press's (segment's) start is of the same press. */
	#belongs(press: Press, event: TelephoneEvent, ahead: number, marker: boolean): boolean {
		if (ahead === 0) return true;
		if (event.code !== press.code || ahead < 0) return false;
		// No press starts inside another one: some gateways move the timestamp along with the duration
		if (ahead < press.duration) return true;
		// Enough packets of a long press may be lost in a row to end it; its next segment is no new press.
		if (press.lost && !marker && ahead === MAX_EVENT_DURATION_TICKS) return true;
		// the same gateways move it in the repeated end packets too, which tell one duration
		if (press.ended) return event.end && event.duration === press.duration && ahead <= press.duration + END_REPEATS_MS * this.#ticksPerMs;
		if (marker) return false;
		// RFC 4733 §2.5.1.3: a long press goes on in a new segment that begins where the one before ended, without a marker
		return ahead === MAX_EVENT_DURATION_TICKS || ahead === press.duration;
	}

	#update(press: Press, event: TelephoneEvent, ahead: number, nowMs: number): readonly DtmfEvent[] {
		if (event.code !== press.code || (press.ended && !press.lost)) return NO_EVENTS;
		if (ahead === MAX_EVENT_DURATION_TICKS) {
			press.earlierTicks += ahead;
			press.timestamp = (press.timestamp + ahead) >>> 0;
			press.duration = 0;
		}
		press.duration = Math.max(press.duration, event.duration);
		press.arrivalMs = nowMs;
		if (press.ended) return NO_EVENTS;
		return event.end ? [this.#end(press, false)] : NO_EVENTS;
	}

	#start(event: TelephoneEvent, digit: string, timestamp: number, nowMs: number): readonly DtmfEvent[] {
		const events: DtmfEvent[] = [];
		if (this.#press !== undefined && !this.#press.ended) events.push(this.#end(this.#press, true));
		const press: Press = {
			code: event.code,
			digit,
			timestamp,
			earlierTicks: 0,
			duration: event.duration,
			ended: false,
			lost: false,
			arrivalMs: nowMs,
		};
		this.#press = press;
		events.push({ type: "start", digit, code: event.code });
		// all packets before the end were lost
		if (event.end) events.push(this.#end(press, false));
		return events;
	}

	#end(press: Press, lost: boolean): DtmfEvent {
		press.ended = true;
		press.lost = lost;
		return {
			type: "end",
			digit: press.digit,
			code: press.code,
			durationMs: (press.earlierTicks + press.duration) / this.#ticksPerMs,
			lost,
		};
	}
}
