import type { CallEnd, CallRecord } from "@trunkline/contracts";
import { isLive } from "../call/search.ts";
import { claimDeadline } from "../call/dial.ts";
import type { CallStore, NodeRegistry, OwnedCalls } from "../ports.ts";

/** What burying takes. */
export interface BurialDeps {
	region: string;
	/** who buries: a node's id, or the sweeper's name */
	by: string;
	registry: NodeRegistry;
	owned: OwnedCalls;
	/** tells projects' limits of ends, too (`countedCalls`) */
	calls: Pick<CallStore, "getCall" | "endCall">;
	/** Takes a participant out of a room; one who is not there is no error. */
	removeFromRoom(call: Pick<CallRecord, "projectId" | "roomName" | "participantIdentity">): Promise<void>;
	/** Deletes the queue of a node's commands; one that is not there is no error. */
	deleteCommandQueue(url: string): Promise<void>;
	/** ms since the epoch */
	now(): number;
	log: {
		info(fields: Record<string, unknown>, message: string): void;
		warn(fields: Record<string, unknown>, message: string): void;
	};
}

const PAGE = 100;
/** Of calls at the same time: a node has hundreds, and a table and a room server have others to serve. */
const AT_A_TIME = 20;
/**
 * A call that was claimed and not dialled is another node's as soon as the queue delivers its request again: after its visibility time-out. What is left after this
 * is nobody's.
 */
const REDELIVERED_WITHIN_MS = 60_000;

/** The end of a call whose node died; `explainEnd` finds the words for people by it. */
export const NODE_DIED: CallEnd = { by: "node", reason: "internal-error", message: "the media node that had the call died" };

export interface Buried {
	nodes: number;
	calls: number;
}

/**
 * Buries every dead node of the region that nobody else is at: its calls are taken out of their rooms and ended in their records, from which events follow; its
 * queue is deleted. `stopped`: the node whose task this is has died for certain, though its last word is not old. What fails is logged and tried again by
 * whoever claims the node next.
 */
export async function buryDead(deps: BurialDeps, stopped: (task: string) => boolean = () => false): Promise<Buried> {
	const { registry, region, now, by, log } = deps;
	const dead = (await registry.deadNodes(region, now())).map((node) => ({ node, certain: false }));
	const ended = (await registry.liveNodes(region, now())).filter(({ task }) => task !== undefined && stopped(task));
	const buried: Buried = { nodes: 0, calls: 0 };
	for (const { node, certain } of [...dead, ...ended.map((one) => ({ node: one, certain: true }))]) {
		const { nodeId, commandQueueUrl } = node;
		if (!(await registry.claimDead(nodeId, by, now(), certain))) continue;
		log.warn({ deadNode: nodeId, silentMs: now() - node.heartbeatAt, calls: node.calls }, "a media node is dead: its calls are ended");
		try {
			const { calls, left } = await endCallsOf(deps, nodeId);
			if (commandQueueUrl !== undefined) await deps.deleteCommandQueue(commandQueueUrl);
			buried.calls += calls;
			// Calls that another node may still take: whoever claims it next looks again.
			if (left > 0) continue;
			await registry.buried(nodeId, by, now());
			buried.nodes += 1;
			log.info({ deadNode: nodeId, calls }, "a dead media node is buried");
		} catch (error) {
			log.warn({ deadNode: nodeId, err: error }, "a dead media node could not be buried; it is tried again");
		}
	}
	return buried;
}

async function endCallsOf(deps: BurialDeps, nodeId: string): Promise<{ calls: number; left: number }> {
	const left = new Set<string>();
	const tried = new Set<string>();
	let calls = 0;
	for (;;) {
		const page = (await deps.owned.liveCallsOf(nodeId, PAGE + tried.size)).filter(({ callId }) => !tried.has(callId));
		if (page.length === 0) return { calls, left: left.size };
		for (const { callId } of page) tried.add(callId);
		for (let i = 0; i < page.length; i += AT_A_TIME) {
			const ends = page.slice(i, i + AT_A_TIME).map(async (call) => {
				if (mayBeTaken(call, deps.now())) left.add(call.callId);
				else if (await endOrphan(deps, call, NODE_DIED)) calls += 1;
			});
			await Promise.all(ends);
		}
	}
}

/** Nothing was dialled, so that another node may do it. */
function mayBeTaken({ direction, state, leaseUntil = 0 }: CallRecord, now: number): boolean {
	return direction === "outbound" && (state === "claimed" || state === "joining") && now < leaseUntil + REDELIVERED_WITHIN_MS;
}

/** Out of the room first: a call that has ended nobody looks at again. */
async function endOrphan({ calls, removeFromRoom, now, log }: BurialDeps, call: CallRecord, end: CallEnd): Promise<boolean> {
	const { callId } = call;
	// Others may have ended it since the page was read, and a new call may have its participant's identity by now.
	const current = await calls.getCall(callId);
	if (current === undefined || !isLive(current.state)) return false;
	const { projectId, roomName, participantIdentity, leftRoomAt } = current;
	if (roomName !== "" && participantIdentity !== "" && leftRoomAt === undefined) {
		await removeFromRoom({ projectId, roomName, participantIdentity }).catch((error: unknown) =>
			// The server finds out by itself that nobody is there any more.
			log.warn({ callId, err: error }, "a dead call's participant could not be taken out of the room"),
		);
	}
	const ended = await calls.endCall(callId, now(), end);
	if (ended !== undefined) log.info({ callId, deadNode: call.owner, reason: end.reason }, "the call of a dead media node is ended");
	return ended !== undefined;
}

/** The end of a call that was over when nobody could be told: how it ended is not known any more. */
const NEVER_WRITTEN: CallEnd = {
	by: "node",
	reason: "internal-error",
	message: "the call is over, and its end could not be written when it came",
};

/**
 * Ends the calls of a node that lives which are live on record and which it does not have: their ends could not be written, and nobody else looks at calls of a node
 * that lives. What the queue may still give to somebody is left alone. `before`: those that were like this at the last look; only they are ended, as an end may be being written at this moment. Gives those of this look
 * that are left. Rejects with the store's error.
 */
export async function endStrays(
	{ owned, calls, now, log }: Pick<BurialDeps, "owned" | "calls" | "now" | "log">,
	{ nodeId, has, calls: running }: { nodeId: string; has(callId: string): boolean; calls: number },
	before: ReadonlySet<string> | "all",
): Promise<Set<string>> {
	const strays = (await owned.liveCallsOf(nodeId, running + PAGE)).filter((call) => !has(call.callId) && !mayBeTaken(call, now()));
	const left = new Set<string>();
	for (const { callId } of strays) {
		if (before !== "all" && !before.has(callId)) left.add(callId);
		else if ((await calls.endCall(callId, now(), NEVER_WRITTEN)) !== undefined)
			log.warn({ callId }, "a call of this node that it does not have any more is ended");
	}
	// More of them than a look takes in.
	if (before === "all" && strays.length >= PAGE) return endStrays({ owned, calls, now, log }, { nodeId, has, calls: running }, before);
	return left;
}

const SWEPT_AFTER_MS = 60_000;

/**
 * Ends calls that were asked for and that no node may claim any more: the request that waited for them would have done it, had its process not died. Gives how
 * many there were.
 */
export async function endUnclaimed({ owned, calls, now, log }: Pick<BurialDeps, "owned" | "calls" | "now" | "log">): Promise<number> {
	let ended = 0;
	for (;;) {
		const late = (await owned.liveCallsOf(undefined, PAGE)).filter((call) => now() > claimDeadline(call) + SWEPT_AFTER_MS);
		const done = await Promise.all(
			late.map(({ callId }) =>
				calls.endCall(callId, now(), { by: "node", reason: "not-claimed", message: "no media node took the call in time" }),
			),
		);
		for (const call of done) if (call !== undefined) log.info({ callId: call.callId }, "a call that no media node took is ended");
		const count = done.filter((call) => call !== undefined).length;
		ended += count;
		if (count < PAGE) return ended;
	}
}
