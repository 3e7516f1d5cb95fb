import type { CallRecord } from "@trunkline/contracts";
import { expect, vi } from "vitest";
import type { Switchboard } from "./switchboard.ts";
import { COUNTED, type Fleet } from "./testbed.ts";

const PAGE = 100;

/** All records of a region, whatever became of the calls. */
export async function recordsOf(fleet: Fleet, region: string, project = "project"): Promise<CallRecord[]> {
	const found: CallRecord[] = [];
	for (let after: { createdAt: number; callId: string } | undefined; ; ) {
		const page = await fleet.region(region).calls.findCalls(project, { limit: PAGE, ...(after === undefined ? {} : { after }) });
		for (const { callId } of page.calls) {
			const call = await fleet.region(region).calls.getCall(callId);
			if (call !== undefined) found.push(call);
		}
		const last = page.calls.at(-1);
		if (page.calls.length < PAGE || last === undefined) return found;
		after = { createdAt: last.createdAt, callId: last.callId };
	}
}

/**
 * What must be true when all calls are over, whatever happened to them. Waits for what is still being cleared away. `dialled`: the telephones that calls out went
 * to, if any; callers hang up themselves. `queued`: copies of dial requests that may be on their way still.
 */
export async function expectNothingLeft(fleet: Fleet, dialled?: Switchboard, withinMs = 15_000, queued = 0): Promise<void> {
	await vi.waitFor(
		async () => {
			for (const { region, rooms, registry, limits, commandQueues, messages } of fleet.regions) {
				const calls = [...(await recordsOf(fleet, region)), ...(await recordsOf(fleet, region, COUNTED))];
				expect(await limits.liveCalls(COUNTED)).toEqual([]);
				expect(calls.filter(({ state }) => state !== "ended" && state !== "cancelled").map(({ callId }) => callId)).toEqual([]);
				for (const call of calls) {
					expect(call.end, call.callId).toBeDefined();
					expect(call.region).toBe(region);
					expect(call.timeline.filter(({ event }) => event === "ended" || event === "cancelled")).toHaveLength(1);
				}
				expect(rooms.stats()).toMatchObject({ participants: 0, peerConnections: 0 });
				// Rows and queues are of nodes that run, and of no other.
				const running = fleet.nodes.filter((node) => node.region === region && node.exitCode === undefined).map(({ nodeId }) => nodeId);
				expect((await registry.liveNodes(region, Date.now())).map(({ nodeId }) => nodeId).sort()).toEqual(running.sort());
				expect((await commandQueues()).sort()).toEqual(running.sort());
				expect(await messages()).toBeLessThanOrEqual(queued);
			}
			for (const node of fleet.nodes)
				expect((await node.stats()) ?? { calls: 0, rtpPorts: 0, legs: 0 }).toMatchObject({ calls: 0, rtpPorts: 0, legs: 0 });
			expect(dialled?.ringing ?? 0).toBe(0);
		},
		{ timeout: withinMs, interval: 100 },
	);
	expect(dialled?.dialledTwice() ?? []).toEqual([]);
}
