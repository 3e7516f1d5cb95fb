import type { Millis } from "../machine.ts";
import type { Transaction } from "../transaction/transaction.ts";
import { buildCancel } from "./build.ts";
import type { Core } from "./core.ts";

/**
 * A re-INVITE that got a 1xx has no timer any more (RFC 3261 §17.1.1.2), and as long as it is under way the peer's get 491. Nobody's telephone rings for
 * it: after 64*T1 it is cancelled, and after as long again without a final response (§9.1) `giveUp` is called. Gives what stops this.
 */
export function cancelWhenStalled(
	core: Core,
	transaction: Transaction,
	branch: string,
	giveUp: (now: Millis) => void,
	now: Millis,
): () => void {
	let handle = core.timers.set(now + core.patience, (at) => {
		if (transaction.state !== "proceeding") return;
		core.layer.client(buildCancel(core, transaction.request, undefined), branch, transaction.remote, {}, at);
		handle = core.timers.set(at + core.patience, (late) => {
			transaction.terminate(late);
			giveUp(late);
		});
	});
	return () => core.timers.stop(handle);
}
