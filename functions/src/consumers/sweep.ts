import { type BurialDeps, buryDead, endUnclaimed } from "@trunkline/domain";
import type { Metrics } from "@trunkline/observability";
import { SignJWT } from "jose";

/** Queues of nodes that are not in the registry are left alone for so long: their node may be about to write itself down. */
const QUEUE_OF_NOBODY_MS = 600_000;

export interface SweepOptions extends BurialDeps {
	/** URLs of the command queues of the stage's nodes, and when they were made (ms since the epoch) */
	commandQueues(): Promise<{ url: string; nodeId: string; createdAt: number }[]>;
	metrics?: Metrics;
}

/** An event of ECS, or of a schedule, which has no task. */
export interface SweepTrigger {
	"detail-type"?: string;
	detail?: { taskArn?: string; lastStatus?: string };
}

export interface Swept {
	nodes: number;
	calls: number;
	unclaimed: number;
	queues: number;
}

/** What peers do as long as there are any: dead nodes are buried, requests and queues of nobody go. The end of a node's ECS task is reason enough. */
export function sweeper(options: SweepOptions): (trigger: SweepTrigger) => Promise<Swept> {
	return async ({ detail }) => {
		const stopped = detail?.lastStatus === "STOPPED" ? detail.taskArn : undefined;
		const { nodes, calls } = await buryDead(options, (task) => task === stopped);
		if (nodes > 0) options.metrics?.record("DeadNodesBuried", nodes);
		const unclaimed = await endUnclaimed(options);
		const queues = await deleteQueuesOfNobody(options);
		return { nodes, calls, unclaimed, queues };
	};
}

/** One that cannot be deleted is left to the next sweep, and keeps none of the others. */
async function deleteQueuesOfNobody({ commandQueues, registry, deleteCommandQueue, now, log }: SweepOptions): Promise<number> {
	let deleted = 0;
	for (const { url, nodeId, createdAt } of await commandQueues()) {
		if (now() - createdAt < QUEUE_OF_NOBODY_MS) continue;
		try {
			if ((await registry.getNode(nodeId)) !== undefined) continue;
			await deleteCommandQueue(url);
		} catch (error) {
			log.warn({ nodeId, err: error }, "the queue of a node that is gone could not be deleted");
			continue;
		}
		log.info({ nodeId }, "the queue of a node that is gone is deleted");
		deleted += 1;
	}
	return deleted;
}

/** RoomService.RemoveParticipant, at the LiveKit server of the call's project. Rejects with what the server says. */
export function removalFrom(
	accessOf: (projectId: string) => Promise<{ url: string; apiKey: string; apiSecret: string }>,
): BurialDeps["removeFromRoom"] {
	return async ({ projectId, roomName: room, participantIdentity: identity }) => {
		const { url, apiKey, apiSecret } = await accessOf(projectId);
		const token = await new SignJWT({ video: { roomAdmin: true, room } })
			.setProtectedHeader({ alg: "HS256" })
			.setIssuer(apiKey)
			.setExpirationTime("60s")
			.sign(new TextEncoder().encode(apiSecret));
		const answer = await fetch(`${url.replace(/^ws/, "http").replace(/\/$/, "")}/twirp/livekit.RoomService/RemoveParticipant`, {
			method: "POST",
			headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
			body: JSON.stringify({ room, identity }),
			signal: AbortSignal.timeout(5_000),
		});
		// It left by itself, or the room is over.
		if (answer.ok || answer.status === 404) return;
		throw new Error(`the LiveKit server answered ${answer.status}`);
	};
}
