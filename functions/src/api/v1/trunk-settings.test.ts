import { type Explanation, PROVIDER_IDS, providerListSchema, type TrunkSettingsView, trunkSettingsViewSchema } from "@trunkline/contracts";
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
import { beforeEach, describe, expect, it } from "vitest";
import { type TestApi, testApi, token } from "../test-api.ts";

const PROJECT = "p_test";
let api: TestApi;

beforeEach(async () => {
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
				commandQueue: () => ({ send: async () => {}, receive: async () => [] }),
				strictDispatch: true,
				webhookTargets: { loopback: false, private: false },
				registrationStore: new MemoryRegistrationStore(),
			},
		},
	);
	const { configStore } = api.deps;
	await configStore.createTrunk(PROJECT, inboundTrunk({ trunkId: "ST_in", numbers: ["+15550100"] }));
	await configStore.createTrunk(PROJECT, outboundTrunk({ trunkId: "ST_out", address: "acme.pstn.twilio.com", numbers: ["+15550100"] }));
	await configStore.createTrunk("other", inboundTrunk({ trunkId: "ST_other", numbers: ["+15550101"] }));
});

async function send<T = Record<string, unknown>>(
	method: string,
	path: string,
	body?: unknown,
	grants: Record<string, boolean> = { admin: true },
): Promise<{ status: number; body: T }> {
	const response = await api.fetch(path, {
		method,
		headers: { authorization: `Bearer ${await token({ sip: grants })}` },
		...(body === undefined ? {} : { body: JSON.stringify(body) }),
	});
	return { status: response.status, body: (await response.json()) as T };
}

const settingsOf = (trunkId: string) => send<TrunkSettingsView>("GET", `/v1/trunks/${trunkId}/settings`);

describe("/v1/trunks/{trunkId}/settings", () => {
	it("without settings: what everybody has, and whose host the address is", async () => {
		const { status, body } = await settingsOf("ST_out");
		expect(status).toBe(200);
		expect(trunkSettingsViewSchema.parse(body)).toEqual(body);
		expect(body).toMatchObject({ kind: "outbound", settings: {}, suggestedProvider: "twilio", warnings: [] });
		expect(body.effective).toMatchObject({ provider: "generic", uri: { numbers: "as-given" } });
		expect((await settingsOf("ST_in")).body).toMatchObject({ kind: "inbound", accepts: { from: "anywhere", networks: [] } });
	});

	it("keeps what was put, and resolves it over the profile", async () => {
		const put = await send<TrunkSettingsView>("PUT", "/v1/trunks/ST_out/settings", { provider: "twilio", earlyMedia: { toRoom: true } });
		expect(put.status).toBe(200);
		expect(put.body).not.toHaveProperty("suggestedProvider");
		expect(put.body.effective).toMatchObject({
			provider: "twilio",
			uri: { numbers: "e164" },
			earlyMedia: { toRoom: true, fromRoom: false },
		});
		expect((await settingsOf("ST_out")).body).toEqual(put.body);
		const again = await send<TrunkSettingsView>("PUT", "/v1/trunks/ST_out/settings", { followRedirects: true });
		expect(again.body.settings).toEqual({ followRedirects: true });
		expect((await api.deps.configStore.getTrunk(PROJECT, "ST_out"))?.version).toBe(3);
		const deleted = await send<TrunkSettingsView>("DELETE", "/v1/trunks/ST_out/settings");
		expect([deleted.status, deleted.body.settings]).toEqual([200, {}]);
		expect(await api.deps.configStore.getTrunk(PROJECT, "ST_out")).not.toHaveProperty("settings");
	});

	it("a provider's networks are what a trunk without allowed_addresses accepts", async () => {
		const twilio = await send<TrunkSettingsView>("PUT", "/v1/trunks/ST_in/settings", { provider: "twilio" });
		expect(twilio.body.accepts).toMatchObject({ from: "provider", networks: expect.arrayContaining(["54.172.60.0/30"]) });
		expect(twilio.body.warnings).toEqual(["to be confirmed with Twilio Elastic SIP Trunking, and allowed until then: 18.228.249.0/30"]);
		const exotel = await send<TrunkSettingsView>("PUT", "/v1/trunks/ST_in/settings", { provider: "exotel" });
		expect(exotel.body.accepts).toEqual({ from: "anywhere", networks: [] });
		expect(exotel.body.warnings[0]).toMatch(/not all addresses that Exotel.* are known, so calls are accepted from anywhere/);
	});

	it("LiveKit's updates and replacements keep the settings, and are checked against them", async () => {
		await send("PUT", "/v1/trunks/ST_in/settings", { provider: "twilio" });
		await send("PUT", "/v1/trunks/ST_out/settings", { registration: { enabled: false }, sessionTimer: { mode: "always" } });
		const updated = await api.call("UpdateSIPInboundTrunk", { sip_trunk_id: "ST_in", update: { name: "b" } });
		const replaced = await api.call("UpdateSIPInboundTrunk", { sip_trunk_id: "ST_in", replace: { numbers: ["+15550102"] } });
		expect([updated.status, replaced.status]).toEqual([200, 200]);
		expect((await settingsOf("ST_in")).body.settings).toEqual({ provider: "twilio" });
		const outbound = await api.call("UpdateSIPOutboundTrunk", {
			sip_trunk_id: "ST_out",
			replace: { address: "sip.example.com", numbers: ["+15550100"] },
		});
		expect(outbound.status).toBe(200);
		expect((await settingsOf("ST_out")).body.settings).toMatchObject({ sessionTimer: { mode: "always" } });
		const refused = await api.call("UpdateSIPInboundTrunk", {
			sip_trunk_id: "ST_in",
			update: { auth_username: "u", auth_password: "p" },
		});
		expect([refused.status, refused.body["code"]]).toEqual([400, "invalid_argument"]);
		expect(refused.body["msg"]).toContain("Twilio Elastic SIP Trunking cannot answer a request for credentials");
	});

	it.each([
		[{ provider: "acme" }, "provider", /twilio/],
		[{ provider: "twilio", colour: "red" }, "colour", /no such field/],
		[{ transfer: { bridgeTrunkId: "ST_none" } }, "transfer.bridgeTrunkId", /no outbound trunk "ST_none"/],
		[{ transfer: { bridgeTrunkId: "ST_in" } }, "transfer.bridgeTrunkId", /no outbound trunk "ST_in"/],
		[{ sessionTimer: { expiresSeconds: 30 } }, "sessionTimer.expiresSeconds", /90/],
		[{ provider: "telnyx" }, "provider", /"acme\.pstn\.twilio\.com" is one of Twilio/],
		[{ registration: { enabled: true } }, "registration.enabled", /auth_username/],
	])("refuses %j for an outbound trunk", async (settings, field, message) => {
		const { status, body } = await send("PUT", "/v1/trunks/ST_out/settings", settings);
		expect([status, body["code"], body["field"]]).toEqual([400, "invalid_argument", field]);
		expect(body["message"]).toMatch(message);
		expect((await settingsOf("ST_out")).body.settings).toEqual({});
	});

	it.each(["GET", "PUT", "DELETE"])("%s: another project's trunk is as absent as none; sip.call is not enough", async (method) => {
		const body = method === "PUT" ? {} : undefined;
		for (const id of ["ST_other", "ST_none"]) {
			const { status, body: error } = await send(method, `/v1/trunks/${id}/settings`, body);
			expect([status, error]).toEqual([404, { code: "not_found", message: `there is no trunk "${id}"`, field: "trunkId" }]);
		}
		expect((await send(method, "/v1/trunks/ST_in/settings", body, { call: true })).status).toBe(403);
	});

	it("two at a time: each is whole, and neither is lost unseen", async () => {
		const [a, b] = await Promise.all([
			send("PUT", "/v1/trunks/ST_in/settings", { provider: "twilio" }),
			send("PUT", "/v1/trunks/ST_in/settings", { earlyMedia: { fromRoom: true } }),
		]);
		expect([a?.status, b?.status]).toEqual([200, 200]);
		expect((await api.deps.configStore.getTrunk(PROJECT, "ST_in"))?.version).toBe(3);
	});

	it("a dial request has the trunk's settings", async () => {
		await send("PUT", "/v1/trunks/ST_out/settings", { provider: "twilio" });
		await api.call("CreateSIPParticipant", { sip_trunk_id: "ST_out", sip_call_to: "+15550199", room_name: "lobby" });
		const { calls } = await api.deps.callStore.findCalls(PROJECT, { limit: 1 });
		expect(calls[0]?.request?.settings).toEqual({ provider: "twilio" });
	});
});

describe("/v1/providers", () => {
	it("lists every profile, for whoever may call", async () => {
		const { body } = await send("GET", "/v1/providers", undefined, { call: true });
		expect(providerListSchema.parse(body).providers.map(({ id }) => id)).toEqual([...PROVIDER_IDS]);
	});

	it("gives one", async () => {
		expect((await send("GET", "/v1/providers/telnyx")).body).toMatchObject({
			id: "telnyx",
			failover: { theirs: { statuses: [408, 480, 503, 504] } },
		});
		const none = await send("GET", "/v1/providers/acme");
		expect([none.status, none.body["field"]]).toEqual([400, "id"]);
	});
});

it("/v1/explain says whose address the source is while the trunk names no provider, and which networks missed once it does", async () => {
	const question = { from: "+15551111", to: "+15550100", source: "54.172.60.1" };
	expect((await send<Explanation>("POST", "/v1/explain", question)).body.suggestedProvider).toBe("twilio");
	await send("PUT", "/v1/trunks/ST_in/settings", { provider: "telnyx" });
	const { body } = await send<Explanation>("POST", "/v1/explain", question);
	expect(body.outcome).toBe("refused");
	expect(body.summary).toMatch(/Trunk ST_in: provider: source "54\.172\.60\.1" is not in \[192\.76\.120\.10\/32, .*where Telnyx/);
});
