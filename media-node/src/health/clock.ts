import type { Clock } from "../call/ports.ts";

/** setTimeout counts in 32 bits; longer waits are cut into pieces. */
const LONGEST_MS = 2_000_000_000;

/** The node's clock: ms since the epoch, never backwards (a corrected system clock must not fire or hold SIP timers). */
export function systemClock(): Clock {
	const origin = Date.now() - performance.now();
	const now = (): number => Math.floor(origin + performance.now());
	return {
		now,
		wakeAt: (at, callback) => {
			let timer: NodeJS.Timeout;
			const arm = (): void => {
				const wait = at - now();
				timer = wait > LONGEST_MS ? setTimeout(arm, LONGEST_MS) : setTimeout(callback, Math.max(0, wait));
			};
			arm();
			return () => clearTimeout(timer);
		},
	};
}
