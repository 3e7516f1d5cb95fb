import { type AddressInfo, createServer, type Socket } from "node:net";
import { type CallRecord, newId } from "@trunkline/contracts";
import { queuedCall } from "@trunkline/domain";
import { dialRequest } from "@trunkline/testkit";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { TableRequest } from "./faulty-table.ts";
import { expectNothingLeft, recordsOf } from "./invariants.ts";
import { Switchboard } from "./switchboard.ts";
import { COUNTED, Fleet } from "./testbed.ts";

const REGION = "eu-west-1";
const COPIES = 3;
const AT_ONCE = 8;
/** Longer than the lease of a claim, as in a deployment. */
const VISIBILITY_SECONDS = 17;
const POKE_MS = 1_000;

/** What the table does to the first writes of a call to this state; `calls` has the call ids. */
interface Fault {
	state: string;
	what: "throttled" | "answer-lost";
	/** of requests; the SDK makes three of each write */
	times: number;
}

let fleet: Fleet;
let board: Switchboard;
/** a room server that takes connections and says nothing */
let silent: { url: string; close(): void };
let poke: NodeJS.Timeout | undefined;
const faults = new Map<string, Fault>();

beforeAll(async () => {
	fleet = await Fleet.start({
		regions: [REGION],
		heartbeatMs: 1_000,
		visibilitySeconds: VISIBILITY_SECONDS,
		faults: (request) => faultOf(request),
	});
	board = await Switchboard.open();
	silent = await silentRooms();
	// A long poll of the emulated queue does not see that a message is visible again, but sees one that comes.
	const message = { version: 1, type: "dial", projectId: COUNTED, callId: "SCL_nobody", region: REGION, enqueuedAt: 1 } as const;
	poke = setInterval(() => void fleet.region(REGION).dialQueue.send(message), POKE_MS);
}, 60_000);
afterAll(async () => {
	clearInterval(poke);
	await board?.close();
	await fleet?.close();
	silent?.close();
});
const until = async (is: () => unknown, timeout = 50_000): Promise<void> => void (await vi.waitUntil(is, { timeout, interval: 50 }));

function faultOf({ operation, body }: TableRequest): Fault["what"] | undefined {
	if (operation !== "UpdateItem") return undefined;
	const { Key, ExpressionAttributeValues: values } = JSON.parse(body) as Record<string, Record<string, { S?: string }>>;
	const fault = [...faults].find(([callId]) => Key?.["pk"]?.S?.endsWith(callId) === true)?.[1];
	if (fault === undefined || values?.[":set_state"]?.S !== fault.state || fault.times <= 0) return undefined;
	fault.times -= 1;
	return fault.what;
}

async function silentRooms(): Promise<typeof silent> {
	const sockets = new Set<Socket>();
	const server = createServer((socket) => void sockets.add(socket.on("error", () => undefined)));
	server.listen(0, "127.0.0.1");
	await once(server, "listening");
	return {
		url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
		close: () => {
			for (const socket of sockets) socket.destroy();
			server.close();
		},
	};
}

let last = 0;
/** As the API asks for a call, and SQS delivers it now and then: more than once. */
async function ask(copies = COPIES, fault?: Fault): Promise<string> {
	last += 1;
	const callId = newId("SCL_", randomBytes);
	if (fault !== undefined) faults.set(callId, fault);
	const number = `+1555${String(last).padStart(7, "0")}`;
	const { calls, limits, dialQueue } = fleet.region(REGION);
	const participant = { roomName: `room-${last}`, participantIdentity: "callee", ringingTimeoutMs: 60_000, maxCallDurationMs: 600_000 };
	const request = dialRequest({ callTo: number, address: board.address, transport: "UDP", ...participant });
	const now = Date.now();
	const admission = { callId, now, leaseMs: 600_000, maxCallDurationMs: 600_000 };
	expect(await limits.admit(COUNTED, { ...admission, limits: NO_LIMITS })).toBeUndefined();
	await calls.createCall(queuedCall({ callId, projectId: COUNTED, region: REGION, request, now }));
	const message = { version: 1, type: "dial", projectId: COUNTED, callId, region: REGION, enqueuedAt: now } as const;
	await Promise.all(Array.from({ length: copies }, () => dialQueue.send(message)));
	return callId;
}
const NO_LIMITS = { callsPerSecond: null, concurrentCalls: 1_000, ringingCalls: null, minutesPerDay: null };
const records = async (ids: readonly string[]): Promise<(CallRecord | undefined)[]> =>
	Promise.all(ids.map((callId) => fleet.region(REGION).calls.getCall(callId)));
const stateOf = async (callId: string): Promise<string | undefined> => (await records([callId]))[0]?.state;

const allAre = (state: string, ids: readonly string[]): Promise<void> =>
	vi.waitFor(
		async () => {
			const found = (await records(ids)).map((call) => ({ state: call?.state, end: call?.end }));
			expect(found).toEqual(ids.map(() => ({ state, end: undefined })));
		},
		{ timeout: 45_000, interval: 100 },
	);

describe("dial requests that come more than once, before and after they are claimed, while nodes die and the table has bad days", () => {
	it("each call is dialled once or ended with a reason, and nothing is left of any", async () => {
		// Between claim and dial for as long as they live: their rooms never answer.
		const stuck = await fleet.node(REGION, { LIVEKIT_URL: silent.url, MAX_CALLS: "1" });
		const killed = await ask(1);
		await until(async () => (await stateOf(killed)) === "claimed");
		await stuck.kill();
		const paused = await fleet.node(REGION, { LIVEKIT_URL: silent.url, MAX_CALLS: "1" });
		const lost = await ask(1);
		await until(async () => (await stateOf(lost)) === "claimed");
		paused.signal("SIGSTOP");

		board.answers = false;
		await Promise.all([fleet.node(REGION), fleet.node(REGION)]);
		// Both nodes get copies in the same instant. They ring for longer than the visibility time-out, and so come again.
		const ringing = await Promise.all(Array.from({ length: AT_ONCE }, () => ask()));
		const faulty = await Promise.all(
			["claimed", "joining", "dialing", "ringing", "active", "ended"].flatMap((state) => [
				ask(COPIES, { state, what: "throttled", times: 3 }),
				ask(COPIES, { state, what: "answer-lost", times: 3 }),
			]),
		);
		// Longer than the node tries to write it.
		const never = await ask(1, { state: "ended", what: "throttled", times: 9 });
		await allAre("ringing", ringing);
		// Taken over from the dead one, and from the one that sleeps. That one wakes, and finds that its room does not answer.
		await allAre("ringing", [killed, lost]);
		paused.signal("SIGCONT");
		expect(await paused.exited()).toBe(1);
		expect((await records([killed, lost, ...ringing])).map((call) => call?.state)).toEqual(Array(2 + AT_ONCE).fill("ringing"));
		expect(board.dialledTwice()).toEqual([]);

		for (const call of board.taken) if (call.state !== "ended") await call.answer();
		const works = [killed, lost, ...ringing];
		await allAre("active", works);
		// What the table did not take at once is on record all the same.
		const active = faulty.filter((callId) => faults.get(callId)?.state === "active");
		await allAre("active", active);
		// Copies of requests whose calls are at their end.
		const { dialQueue } = fleet.region(REGION);
		// Also those that ring only now: their claims were delivered again.
		const hangUp = setInterval(() => board.taken.forEach((call) => call.hangup()), 500);
		await Promise.all(
			works.map((callId) =>
				dialQueue.send({ version: 1, type: "dial", projectId: COUNTED, callId, region: REGION, enqueuedAt: Date.now() }),
			),
		);
		await expectNothingLeft(fleet, board, 60_000, Number.POSITIVE_INFINITY).finally(() => {
			clearInterval(hangUp);
			clearInterval(poke);
		});
		for (const call of await recordsOf(fleet, REGION, COUNTED)) {
			const dialled = board.taken.filter(({ to }) => to === call.to).length;
			const events = call.timeline.map(({ event }) => event);
			expect(dialled, events.join()).toBe(events.includes("dialing") && call.end?.reason !== "internal-error" ? 1 : dialled);
			expect(dialled).toBeLessThanOrEqual(1);
			if (dialled === 0) expect(["not-claimed", "internal-error"]).toContain(call.end?.reason);
		}
		expect((await records([never]))[0]?.end).toMatchObject({
			reason: "internal-error",
			message: expect.stringContaining("could not be written"),
		});
	}, 150_000);
});
