import { getPriority, setPriority } from "node:os";

/** setpriority(2): a third of the weight of a thread that has the usual 0. */
const NICE = 5;

/**
 * The calling thread lets others go first where there are more threads than cores: signalling that is some milliseconds later is heard by nobody, audio is.
 * Only on Linux, where a priority is a thread's; elsewhere it would be that of the media threads, too. Threads that are started later inherit it, so the
 * media threads have to run by then; one that replaces a lost one has no precedence.
 */
export function yieldToMedia(): void {
	if (process.platform !== "linux") return;
	try {
		if (getPriority(0) < NICE) setPriority(0, NICE);
	} catch {
		// Not allowed here: then all threads are equal.
	}
}
