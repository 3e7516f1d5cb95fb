import type { CallRecord, CallTrace, Ladder } from "@trunkline/contracts";
import {
	callRecord,
	captureLogs,
	MemoryCallStore,
	MemoryConfigStore,
	MemoryDialQueue,
	MemoryRegistrationStore,
	MemoryWebhookStore,
} from "@trunkline/testkit";
import { expect, it } from "vitest";
import { testApi, token } from "../test-api.ts";

const CALL = "SCL_1";
const TRACE: CallTrace = {
	version: 1,
	region: "local",
	expiresAtSeconds: 2 ** 32,
	callId: CALL,
	projectId: "p_test",
	dropped: 0,
	numbersMasked: false,
	messages: [
		{
			at: 1,
			direction: "received",
			transport: "UDP",
			local: { host: "127.0.0.1", port: 5060 },
			remote: { host: "127.0.0.1", port: 5070 },
			text: "BYE sip:a@b SIP/2.0\r\n\r\n",
			bytes: 23,
		},
	],
};

/** The call's trace and its file, where the call is like this. */
async function asked(call: (now: number) => Partial<CallRecord>, trace?: CallTrace) {
	const api = testApi(
		{
			configStore: new MemoryConfigStore(),
			callStore: (now) => new MemoryCallStore({ now }),
			dialQueue: new MemoryDialQueue(),
			log: captureLogs() as never,
		},
		{
			v1: {
				webhookStore: new MemoryWebhookStore(),
				commandQueue: () => ({ send: async () => {}, receive: async () => [] }),
				strictDispatch: true,
				webhookTargets: { loopback: false, private: false },
				registrationStore: new MemoryRegistrationStore(),
				traces: () => ({ getTrace: async () => trace }),
			},
		},
	);
	const now = api.deps.clock();
	await api.deps.callStore.createCall(callRecord({ callId: CALL, projectId: "p_test", createdAt: now - 20_000, ...call(now) }));
	const headers = { authorization: `Bearer ${await token({ sip: { admin: true } })}` };
	const ladder = await api.fetch(`/v1/calls/${CALL}/trace`, { headers });
	const file = await api.fetch(`/v1/calls/${CALL}/trace.pcapng`, { headers });
	return { status: ladder.status, file: file.status, body: (await ladder.json()) as Ladder & { message: string } };
}

const ended = (at: number): Partial<CallRecord> => ({ state: "ended", endedAt: at, sipCallId: "a@b" });

it("a call that goes on and has no trace yet is a ladder without messages, for which one may ask again", async () => {
	const { status, file, body } = await asked(() => ({ state: "active", owner: "n1" }));
	expect({ status, file }).toEqual({ status: 200, file: 404 });
	expect(body).toMatchObject({ callId: CALL, live: true });
	expect(body.entries.filter(({ kind }) => kind === "message")).toEqual([]);
	expect(body.summary).toMatch(/0 SIP messages$/);
});

it("the trace of a call that ended a moment ago is still being written: ask again", async () => {
	const { status, body } = await asked((now) => ended(now - 2_000));
	expect({ status, live: body.live }).toEqual({ status: 200, live: true });
});

it("a call that ended before that has a trace, or none", async () => {
	expect(await asked((now) => ended(now - 6_000))).toMatchObject({
		status: 404,
		file: 404,
		body: { message: expect.stringContaining("has no trace, or none any more") as unknown },
	});
	const { status, file, body } = await asked((now) => ended(now - 2_000), TRACE);
	expect({ status, file, live: body.live }).toEqual({ status: 200, file: 200, live: false });
	expect(body.entries.filter(({ kind }) => kind === "message")).toHaveLength(1);
});

it("an outbound call that ended before anybody was asked is a ladder of what happened here", async () => {
	const { status, file, body } = await asked((now) => ({ ...ended(now - 6_000), direction: "outbound", sipCallId: "" }));
	expect({ status, file, live: body.live }).toEqual({ status: 200, file: 404, live: false });
});
