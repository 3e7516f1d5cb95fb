import {
	callRecord,
	captureLogs,
	MemoryCallStore,
	MemoryConfigStore,
	MemoryDialQueue,
	MemoryRegistrationStore,
	MemoryWebhookStore,
} from "@trunkline/testkit";
import type { CallCommand, TransferOutcome } from "@trunkline/domain";
import { expect, it } from "vitest";
import { testApi, token } from "../test-api.ts";

const ID = "SCL_1";

async function setUp(outcome: TransferOutcome = { status: "successful", reason: "completed" }, state: "active" | "ringing" = "active") {
	const commands: CallCommand[] = [];
	const v1 = {
		webhookStore: new MemoryWebhookStore(),
		commandQueue: () => ({ send: async () => {}, receive: async () => [] }),
		strictDispatch: true,
		webhookTargets: { loopback: false, private: false },
		registrationStore: new MemoryRegistrationStore(),
	};
	const api = testApi(
		{
			configStore: new MemoryConfigStore(),
			callStore: (now) => new MemoryCallStore({ now }),
			dialQueue: new MemoryDialQueue(),
			log: captureLogs() as never,
		},
		{
			v1,
			command: async (_call, command) => {
				commands.push(command);
				return outcome;
			},
		},
	);
	await api.deps.callStore.createCall(callRecord({ callId: ID, projectId: "p_test", state, owner: "n1", createdAt: api.deps.clock() }));
	const put = async (body: unknown, grants: Record<string, boolean> = { call: true }, id = ID) => {
		const headers = { authorization: `Bearer ${await token({ sip: grants })}` };
		const response = await api.fetch(`/v1/calls/${id}/noise-suppression`, { method: "PUT", headers, body: JSON.stringify(body) });
		return { status: response.status, body: (await response.json()) as Record<string, unknown> };
	};
	return { put, commands };
}

it("tells the call's node, and says what is in force", async () => {
	const { put, commands } = await setUp();
	expect(await put({ uplink: true })).toEqual({ status: 200, body: { uplink: true, downlink: false, mix: 1 } });
	expect(await put({ uplink: false, downlink: true, mix: 0.5 })).toMatchObject({ status: 200 });
	expect(commands).toEqual([
		{ transferId: expect.stringMatching(/^STR_/), noiseSuppression: { uplink: true, downlink: false, mix: 1 } },
		{ transferId: expect.stringMatching(/^STR_/), noiseSuppression: { uplink: false, downlink: true, mix: 0.5 } },
	]);
	expect(new Set(commands.map(({ transferId }) => transferId)).size).toBe(2);
});

it.each([
	["no uplink", {}, 400],
	["a mix beyond 1", { uplink: true, mix: 1.5 }, 400],
	["a field that is none", { uplink: true, level: 3 }, 400],
])("%s: refused, and nobody is told", async (_name, body, status) => {
	const { put, commands } = await setUp();
	expect((await put(body)).status).toBe(status);
	expect(commands).toEqual([]);
});

it("a call that only rings, none at all, one that has just ended, and a token without the grant", async () => {
	const ringing = await setUp(undefined, "ringing");
	expect((await ringing.put({ uplink: true })).status).toBe(412);
	const { put } = await setUp({ status: "failed", reason: "unspecified", refused: "gone" });
	expect((await put({ uplink: true })).status).toBe(404);
	expect((await put({ uplink: true }, { call: true }, "SCL_2")).status).toBe(404);
	expect((await put({ uplink: true }, {})).status).toBe(403);
});
