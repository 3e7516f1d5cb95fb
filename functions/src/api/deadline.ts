/** Before the platform ends a request without an answer: enough for a last write and the answer itself. */
const MARGIN_MS = 2_000;

/** Aborts when a request that may take `remainingMs` more has to be answered. */
export function deadlineSignal(remainingMs: number): AbortSignal {
	return AbortSignal.timeout(Math.max(0, Math.floor(remainingMs - MARGIN_MS)));
}

/** Did it abort because time is up, not because the client went away? */
export function isOutOfTime(signal: Pick<AbortSignal, "aborted"> | undefined): boolean {
	if (signal?.aborted !== true || !("reason" in signal)) return false;
	return signal.reason instanceof Error && signal.reason.name === "TimeoutError";
}
