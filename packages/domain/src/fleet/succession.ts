import type { NodeRecord } from "../ports.ts";

type Peer = Pick<NodeRecord, "nodeId" | "build" | "deployedAt" | "state">;

export interface SuccessionTerms {
	startedAt: number;
	now: number;
	/** a node that is older ends its calls and goes; unset: age alone is no reason */
	maxAgeMs?: number;
}

/**
 * Why a node should take no more calls, in words; undefined = it goes on. It is not asked by the platform to stop while it is protected, so it looks itself: when at
 * least as many ready nodes of newer builds are there as ready ones of its own build and older ones.
 */
export function reasonToDrain(own: Peer, live: readonly Peer[], { startedAt, now, maxAgeMs }: SuccessionTerms): string | undefined {
	const ready = live.filter(({ state, nodeId }) => state === "ready" && nodeId !== own.nodeId);
	const newer = ready.filter(({ deployedAt, build }) => deployedAt > own.deployedAt && build !== own.build).length;
	const older = ready.length - newer + 1;
	if (newer >= older) return `${newer} ready nodes of a newer build have taken over from ${older}`;
	// One that replaces itself must not leave nobody behind.
	if (maxAgeMs !== undefined && now - startedAt >= maxAgeMs && ready.length > 0) return "it is as old as a node may become";
	return undefined;
}

/** Since when there are nodes of a build: the first of them says, and those that come later find it. */
export function deployedAtOf(own: { build: string; startedAt: number }, live: readonly Pick<NodeRecord, "build" | "deployedAt">[]): number {
	return Math.min(own.startedAt, ...live.filter(({ build }) => build === own.build).map(({ deployedAt }) => deployedAt));
}
