/** What is known of a node of the fleet. */
export interface RelayPeer {
	nodeId: string;
	region: string;
	state: "ready" | "draining";
	/** where it takes what other nodes pass on, UDP */
	relay: { address: string; port: number };
	calls: number;
	maxCalls: number;
	/** how late its clock is, ms */
	lateMs: number;
	/** when it told so, ms since the epoch */
	heartbeatAt: number;
}

export interface OwnLoad {
	calls: number;
	maxCalls: number;
	/** takes no more calls: no room, too late, or about to stop */
	full: boolean;
}

/** A node whose clock is so late has calls that suffer. */
const LATE_MS = 100;
/** Calls above the fair share that a node keeps: what it knows of others is seconds old, and a hop less is worth a few calls. */
const SLACK_CALLS = 2;
const SLACK_SHARE = 0.05;

/** Takes calls: ready, not full and not late. */
function takesCalls({ state, calls, maxCalls, lateMs }: RelayPeer): boolean {
	return state === "ready" && calls < maxCalls && lateMs < LATE_MS;
}

/**
 * Who should take a new call instead of this node: the least loaded peer, when this node is full or above its fair share of the region's calls. Undefined = this
 * node takes it, or refuses it because nobody can.
 */
export function betterPlace<Peer extends RelayPeer>(own: OwnLoad, peers: readonly Peer[]): Peer | undefined {
	let least: Peer | undefined;
	let calls = own.calls + 1;
	let room = own.maxCalls;
	for (const peer of peers) {
		if (!takesCalls(peer)) continue;
		calls += peer.calls;
		room += peer.maxCalls;
		if (least === undefined || loadOf(peer) < loadOf(least)) least = peer;
	}
	if (least === undefined || own.full) return least;
	const share = Math.ceil((calls / room) * own.maxCalls);
	const slack = Math.max(SLACK_CALLS, own.maxCalls * SLACK_SHARE);
	return own.calls + 1 > share + slack && loadOf(least) < loadOf(own) ? least : undefined;
}

const loadOf = ({ calls, maxCalls }: Pick<RelayPeer, "calls" | "maxCalls">): number => (maxCalls === 0 ? 1 : calls / maxCalls);
