import type { CallRecord } from "@trunkline/contracts";
import { type CallCursor, type CallStore, DEFAULT_RINGING_TIMEOUT_MS, MAX_CALL_DURATION_MS, type ProjectStore } from "@trunkline/domain";

const LIVE: readonly CallRecord["state"][] = ["queued", "claimed", "joining", "dialing", "received", "ringing", "active"];
const PAGE = 100;

/** Those of the deployment's own project and of all others, whose limits hear of it through `store`. Gives how many there were. */
export async function endOrphansOfAll(
	store: CallStore,
	ownProject: string,
	projects: Pick<ProjectStore, "listProjects"> | undefined,
	now: number,
): Promise<number> {
	let ended = await endOrphans(store, ownProject, now);
	let page = (await projects?.listProjects({ limit: PAGE })) ?? [];
	while (page.length > 0) {
		for (const { projectId } of page) ended += await endOrphans(store, projectId, now);
		const afterId = page.at(-1)?.projectId;
		page = (afterId !== undefined && (await projects?.listProjects({ limit: PAGE, afterId }))) || [];
	}
	return ended;
}

/**
 * Ends what the records of a killed process still call live. In local mode one data directory has one node, so at the start nobody else can have
 * these calls; left alone they would look live for a month, and their callers' identities taken. Gives how many there were.
 */
async function endOrphans(store: CallStore, projectId: string, now: number): Promise<number> {
	let ended = 0;
	const message = "the process that had the call was stopped without warning";
	// Older ones are over whatever their records say.
	const since = now - MAX_CALL_DURATION_MS - DEFAULT_RINGING_TIMEOUT_MS;
	let after: CallCursor | undefined;
	do {
		const page = await store.findCalls(projectId, { since, states: LIVE, limit: PAGE, ...(after === undefined ? {} : { after }) });
		const done = await Promise.all(
			page.calls.map(({ callId }) => store.endCall(callId, now, { by: "node", reason: "internal-error", message })),
		);
		ended += done.filter((record) => record !== undefined).length;
		after = page.next;
	} while (after !== undefined);
	return ended;
}
