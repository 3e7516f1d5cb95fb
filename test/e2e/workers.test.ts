import { Worker } from "node:worker_threads";
import { callDetailsSchema, callPageSchema } from "@trunkline/contracts";
import type { OutgoingCall } from "@trunkline/phone";
import { AccessToken } from "livekit-server-sdk";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import type { Participant } from "./participant.ts";
import { Testbed, until } from "./testbed.ts";
import { expectTones, settle } from "./tones.ts";

const ROOM_HZ = 1_000;
const CALLER_HZ = 440;

let bed: Testbed;
/** the threads that calls' audio is in, those that have gone included */
const threads = (): Worker[] => [...new Set(posted.mock.contexts)].filter((thread) => thread instanceof Worker);
const posted = vi.spyOn(Worker.prototype, "postMessage");

beforeAll(async () => {
	bed = await Testbed.start({ MEDIA_WORKERS: "2" });
});
afterEach(async () => {
	await bed.clear();
	await bed.idle(ROOM_FORGETS_MS);
});
afterAll(() => bed.close());

/** A room server keeps the place of a participant whose connection broke, in case he comes back. */
const ROOM_FORGETS_MS = 25_000;
let next = 15_550_900;

interface Talk {
	room: string;
	agent: Participant;
	call: OutgoingCall;
}

/** Telephone and agent hear each other, in a room of their own. */
async function talk(): Promise<Talk> {
	const number = `+${++next}`;
	const room = `workers-${next}`;
	await bed.inbound(number, room);
	const agent = await bed.participant(room, "agent");
	await agent.speak(ROOM_HZ);
	const call = await (await bed.phone({ username: "+15559999" })).call(bed.uri(number), { timeoutMs: 10_000 });
	call.tone(CALLER_HZ, -20);
	await call.answered();
	await settle();
	await expectBothHeard({ room, agent, call });
	return { room, agent, call };
}

async function expectBothHeard({ agent, call }: Talk): Promise<void> {
	call.received.clear();
	agent.take("sip_+15559999");
	await settle(900);
	expectTones(call.received.pcm(), 8_000, [ROOM_HZ], [CALLER_HZ]);
	expectTones(agent.take("sip_+15559999"), 48_000, [CALLER_HZ], [ROOM_HZ]);
}

async function record(room: string) {
	const token = new AccessToken(bed.access.apiKey, bed.access.apiSecret, { ttl: 60 });
	token.addSIPGrant({ admin: true });
	const headers = { authorization: `Bearer ${await token.toJwt()}` };
	const get = async (path: string): Promise<unknown> => (await fetch(`${bed.local.url}${path}`, { headers })).json();
	const { calls } = callPageSchema.parse(await get(`/v1/calls?room=${room}`));
	return callDetailsSchema.parse(await get(`/v1/calls/${calls[0]?.id}`));
}

describe("a media worker dies", () => {
	it("its calls end with a reason, the others go on; new ones are in its replacement", async () => {
		const talks = [await talk(), await talk(), await talk(), await talk()];
		const [first, second] = threads();
		expect([threads().length, bed.local.stats().node]).toMatchObject([2, { calls: 4, rtpPorts: 4, mediaWorkers: 2 }]);
		await first?.terminate();
		await until(() => talks.filter(({ call }) => call.end !== undefined).length === 2, "two calls to end");
		const over = talks.filter(({ call }) => call.end !== undefined);
		const alive = talks.filter(({ call }) => call.end === undefined);
		for (const { call, room, agent } of over) {
			expect(call.end).toMatchObject({ cause: "bye" });
			await until(async () => (await record(room)).state === "ended", "the record to end");
			expect((await record(room)).end).toMatchObject({
				by: "node",
				reason: "internal-error",
				message: expect.stringMatching(/^media-failed: /),
			});
			await until(() => agent.left.length === 1, "the participant to leave", ROOM_FORGETS_MS);
		}
		for (const each of alive) await expectBothHeard(each);
		expect(bed.local.stats().node).toMatchObject({ calls: 2, rtpPorts: 2, mediaWorkersLost: 1 });
		await until(() => bed.local.stats().node.mediaWorkers === 2, "another worker");
		const later = [await talk(), await talk()];
		const [, , third] = threads();
		expect(threads().length).toBe(3);
		await second?.terminate();
		await until(() => alive.every(({ call }) => call.end !== undefined), "the calls of the other worker to end");
		// They were placed where there were fewest calls: in the replacement.
		for (const each of later) await expectBothHeard(each);
		expect(third?.threadId).toBeGreaterThan(0);
	});

	it("none is there: 503, until one is", async () => {
		await until(() => bed.local.stats().node.mediaWorkers === 2, "two workers");
		// one in each
		const { agent } = await talk();
		await talk();
		for (const thread of threads()) await thread.terminate();
		const call = await (await bed.phone()).call(bed.uri(`+${next}`));
		await until(() => call.end !== undefined, "the refusal");
		expect(call.end).toMatchObject({ answered: false, status: 503, reason: "Overloaded" });
		await until(() => bed.local.stats().node.mediaWorkers === 2, "two others");
		await until(() => agent.left.length === 1, "the participant to leave", ROOM_FORGETS_MS);
		await talk();
	});
});
