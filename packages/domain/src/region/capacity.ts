import { DomainError } from "../errors.ts";

/** What of a live node is needed here. */
export interface NodeRoom {
	nodeId: string;
	state: "ready" | "draining";
	calls: number;
	maxCalls: number;
}

/**
 * Throws when no node of the region can take a call now: `unavailable` when there is none, `resource_exhausted` when all are full. The message names the region,
 * and no other is tried.
 */
export function checkRoom(region: string, nodes: readonly NodeRoom[], pinned: boolean): void {
	const ready = nodes.filter(({ state }) => state === "ready");
	const where = `region ${region}${pinned ? ", which the call is pinned to," : ""}`;
	if (ready.length === 0) {
		const draining = nodes.length === 0 ? "" : ` (${nodes.length} that end their calls and take no more)`;
		throw new DomainError("unavailable", `${where} has no media node that takes calls${draining}`, { region });
	}
	if (ready.some(({ calls, maxCalls }) => calls < maxCalls)) return;
	const calls = ready.reduce((sum, node) => sum + node.calls, 0);
	const message = `${where} has no capacity: ${ready.length} media node${ready.length === 1 ? "" : "s"}, all at their limit (${calls} calls)`;
	throw new DomainError("resource_exhausted", message, { region });
}
