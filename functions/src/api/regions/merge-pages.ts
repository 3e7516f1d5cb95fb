import type { CallCursor, FoundCalls } from "@trunkline/domain";

/** Newest first, as every store has them. */
export function compareNewest(a: CallCursor, b: CallCursor): number {
	return b.createdAt - a.createdAt || (a.callId < b.callId ? 1 : a.callId > b.callId ? -1 : 0);
}

/**
 * One page of the pages of several regions. A region that has more may have calls right after its `next`: what other regions have behind that place waits for a
 * later page, so that going on from this page's `next` neither skips a call nor brings one twice.
 */
export function mergePages(pages: readonly FoundCalls[], limit: number): FoundCalls {
	const horizon = pages
		.flatMap(({ next }) => next ?? [])
		.sort(compareNewest)
		.at(0);
	const all = pages.flatMap(({ calls }) => calls).sort(compareNewest);
	const certain = horizon === undefined ? all : all.filter((call) => compareNewest(call, horizon) <= 0);
	const calls = certain.slice(0, limit);
	const last = calls.at(-1);
	if (last !== undefined && certain.length > calls.length) return { calls, next: { createdAt: last.createdAt, callId: last.callId } };
	// Everything up to the horizon is told, or there was nothing at all before it.
	return horizon === undefined ? { calls } : { calls, next: { createdAt: horizon.createdAt, callId: horizon.callId } };
}
