/** RFC 4733 §3.2 Table 3: event codes 0..15 in this order. */
const DIGITS = "0123456789*#ABCD";
/** RFC 4733 §2.5.1.3: the longest duration of one segment, in ticks. */
export const MAX_EVENT_DURATION_TICKS = 0xffff;

/** The digit of an event code 0..15; undefined for others (16 is hook flash). */
export function dtmfDigit(code: number): string | undefined {
	return DIGITS[code];
}

/** The event code of 0-9, *, #, A-D (also a-d); undefined for anything else. */
export function dtmfCode(digit: string): number | undefined {
	const code = digit.length === 1 ? DIGITS.indexOf(digit.toUpperCase()) : -1;
	return code < 0 ? undefined : code;
}

/** RFC 4733 §2.3 */
export interface TelephoneEvent {
	code: number;
	end: boolean;
	/** 0 (loud) .. 63, in -dBm0 */
	volume: number;
	/** ticks of the RTP clock since the event's (or its segment's) timestamp */
	duration: number;
}

/** Reads one telephone-event payload; undefined when it is too short. More events in one payload are left out (RFC 4733 forbids them). */
export function parseTelephoneEvent(payload: Uint8Array): TelephoneEvent | undefined {
	const [code, flags, high, low] = payload;
	if (code === undefined || flags === undefined || high === undefined || low === undefined) return undefined;
	return { code, end: (flags & 0x80) !== 0, volume: flags & 0x3f, duration: (high << 8) | low };
}

/** Writes the four bytes of a telephone-event payload at `offset`. */
export function writeTelephoneEvent(buffer: Uint8Array, offset: number, event: TelephoneEvent): void {
	buffer[offset] = event.code;
	buffer[offset + 1] = (event.end ? 0x80 : 0) | (event.volume & 0x3f);
	buffer[offset + 2] = event.duration >> 8;
	buffer[offset + 3] = event.duration & 0xff;
}
