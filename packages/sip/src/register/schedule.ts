import type { Millis } from "../machine.ts";

const BASE: Millis = 30_000;
export const MAX_BACK_OFF: Millis = 1_800_000;
/** A REGISTER that is not answered is given up after 64*T1; a refresh has to be over before the binding is. */
const LEAD: Millis = 40_000;
/** However short the binding: a registrar that grants seconds must not have us flood it. */
const LEAST: Millis = 15_000;

/**
 * RFC 5626 §4.5: how long to wait after `failures` failures in a row: "W = min( max-time, (base-time * (2 ^ consecutive-failures)))", then a
 * uniformly random time between 50 and 100 % of it. `random` in 0..1.
 */
export function backOff(failures: number, random: number): Millis {
	const upper = Math.min(MAX_BACK_OFF, BASE * 2 ** Math.min(failures, 10));
	return Math.round(upper * (0.5 + 0.5 * random));
}

/** When a binding that lasts `granted` is refreshed; up to a tenth earlier, so that a fleet that began together does not go on together. */
export function refreshAfter(granted: Millis, random: number): Millis {
	const latest = Math.max(granted * 0.5, Math.min(granted * 0.9, granted - LEAD));
	return Math.max(LEAST, Math.round(latest * (1 - 0.1 * random)));
}
