import {
	callRecord,
	captureLogs,
	MemoryCallStore,
	MemoryConfigStore,
	MemoryDialQueue,
	MemoryRegistrationStore,
	MemoryWebhookStore,
} from "@trunkline/testkit";
import type { CommandMessage } from "@trunkline/contracts";
import type { CallCommand } from "@trunkline/domain";
import { expect, it } from "vitest";
import { testApi, token } from "../test-api.ts";

const OURS = "SCL_1";
const THEIRS = "SCL_2";

async function setUp() {
	const told: (CallCommand | CommandMessage)[] = [];
	const v1 = {
		webhookStore: new MemoryWebhookStore(),
		commandQueue: () => ({ send: async (message: CommandMessage) => void told.push(message), receive: async () => [] }),
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
				told.push(command);
				return { status: "successful", reason: "completed" };
			},
		},
	);
	for (const [callId, projectId] of [
		[OURS, "p_test"],
		[THEIRS, "p_other"],
	] as const)
		await api.deps.callStore.createCall(callRecord({ callId, projectId, state: "active", owner: "n1", createdAt: api.deps.clock() }));
	const send = async (method: string, path: string, body: unknown, grants: Record<string, boolean> = { admin: true, call: true }) => {
		const headers = { authorization: `Bearer ${await token({ sip: grants })}` };
		const response = await api.fetch(path, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
		return response.status;
	};
	return { send, told, api };
}

const COMMANDS = [
	["POST", "recording", { action: "start" }],
	["POST", "recording", { action: "stop" }],
	["POST", "hold", { on: true }],
	["PUT", "noise-suppression", { uplink: true }],
	["POST", "dtmf", { digits: "4711" }],
] as const;

it.each(COMMANDS)("%s %s: another project's call is as absent as none, and its node is not told", async (method, what, body) => {
	const { send, told } = await setUp();
	expect(await send(method, `/v1/calls/${THEIRS}/${what}`, body)).toBe(404);
	expect(await send(method, `/v1/calls/SCL_3/${what}`, body)).toBe(404);
	expect(told).toEqual([]);
	expect(await send(method, `/v1/calls/${OURS}/${what}`, body)).toBe(200);
	expect(told.length).toBe(1);
});

it.each(COMMANDS)("%s %s: nothing without a grant for calls, nor without a token", async (method, what, body) => {
	const { send, told, api } = await setUp();
	expect(await send(method, `/v1/calls/${OURS}/${what}`, body, {})).toBe(403);
	expect((await api.fetch(`/v1/calls/${OURS}/${what}`, { method, body: JSON.stringify(body) })).status).toBe(401);
	expect(told).toEqual([]);
});

it("another project's call cannot be hung up, nor looked at", async () => {
	const { send, told, api } = await setUp();
	expect(await send("POST", `/v1/calls/${THEIRS}/hangup`, undefined)).toBe(404);
	expect(await send("GET", `/v1/calls/${THEIRS}`, undefined)).toBe(404);
	for (const what of ["trace", "trace.pcapng"]) expect(await send("GET", `/v1/calls/${THEIRS}/${what}`, undefined), what).toBe(404);
	expect([told, (await api.deps.callStore.getCall(THEIRS))?.state]).toEqual([[], "active"]);
	expect(await send("GET", `/v1/calls/${OURS}`, undefined)).toBe(200);
});
