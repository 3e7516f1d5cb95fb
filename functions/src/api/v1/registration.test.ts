import { type RegistrationView, registrationViewSchema } from "@trunkline/contracts";
import {
	captureLogs,
	inboundTrunk,
	MemoryCallStore,
	MemoryConfigStore,
	MemoryDialQueue,
	MemoryRegistrationStore,
	MemoryWebhookStore,
	outboundTrunk,
} from "@trunkline/testkit";
import { beforeEach, expect, it } from "vitest";
import { type TestApi, testApi, token } from "../test-api.ts";

const PROJECT = "p_test";
let api: TestApi;
let registrations: MemoryRegistrationStore;

beforeEach(async () => {
	registrations = new MemoryRegistrationStore();
	api = testApi(
		{
			configStore: new MemoryConfigStore(),
			callStore: (now) => new MemoryCallStore({ now }),
			dialQueue: new MemoryDialQueue(),
			log: captureLogs() as never,
		},
		{
			v1: {
				webhookStore: new MemoryWebhookStore(),
				registrationStore: registrations,
				commandQueue: () => ({ send: async () => {}, receive: async () => [] }),
				strictDispatch: true,
				webhookTargets: { loopback: false, private: false },
			},
		},
	);
	const { configStore } = api.deps;
	const settings = { registration: { enabled: true } };
	await configStore.createTrunk(PROJECT, inboundTrunk({ trunkId: "ST_in" }));
	await configStore.createTrunk(PROJECT, outboundTrunk({ trunkId: "ST_off" }));
	await configStore.createTrunk(PROJECT, outboundTrunk({ trunkId: "ST_out", address: "carrier.example", settings }));
	await configStore.createTrunk("other", outboundTrunk({ trunkId: "ST_other", settings }));
});

async function get(
	trunkId: string,
	grants: Record<string, boolean> = { admin: true },
): Promise<{ status: number; body: RegistrationView }> {
	const headers = { authorization: `Bearer ${await token({ sip: grants })}` };
	const response = await api.fetch(`/v1/trunks/${trunkId}/registration`, { headers });
	return { status: response.status, body: (await response.json()) as RegistrationView };
}

it("says that a trunk registers nowhere, or that no node has begun", async () => {
	expect(await get("ST_in")).toEqual({ status: 200, body: { trunkId: "ST_in", state: "off" } });
	expect((await get("ST_off")).body).toEqual({ trunkId: "ST_off", state: "off" });
	expect((await get("ST_out")).body).toEqual({ trunkId: "ST_out", state: "waiting", registrar: "carrier.example" });
});

it("says who registers, until when, and why it failed last", async () => {
	const now = api.deps.clock();
	const lease = { projectId: PROJECT, trunkId: "ST_out", nodeId: "ND_1", leaseUntil: now + 60_000, registrar: "carrier.example" };
	const outcome = { message: "403 Forbidden", sipStatus: 403, retryAt: now + 900_000, registeredUntil: now + 10_000 };
	await registrations.holdRegistration({ ...lease, ...outcome, state: "failed", updatedAt: now, expiresAtSeconds: 4_000_000_000 }, now);
	const { body } = await get("ST_out");
	expect(registrationViewSchema.parse(body)).toEqual({
		...{ trunkId: "ST_out", state: "failed", registrar: "carrier.example", nodeId: "ND_1", updatedAt: now },
		...outcome,
	});
	await registrations.holdRegistration(
		{ ...lease, state: "registered", leaseUntil: now, updatedAt: now, expiresAtSeconds: 4_000_000_000 },
		now,
	);
	expect((await get("ST_out")).body.state).toBe("waiting");
});

it("is seen by admins of the project alone", async () => {
	expect((await get("ST_other")).status).toBe(404);
	expect((await get("ST_none")).status).toBe(404);
	expect((await get("ST_out", { call: true })).status).toBe(403);
});
