/** A duration or an instant in milliseconds, on whatever clock the driver uses; only differences matter here. */
export type Millis = number;

/**
 * The one shape of every protocol machine: one `handle`, then `pollOutput` until it says undefined, then sleep until `nextTimeout`
 * and call `handleTimeout`. The machine has no clock, no socket and no callback; `now` never goes back.
 */
export interface Machine<In, Out> {
	handle(input: In, now: Millis): void;
	pollOutput(): Out | undefined;
	nextTimeout(): Millis | undefined;
	handleTimeout(now: Millis): void;
}
