// LiveKit's update semantics, row by row; where Trunkline does better on purpose the title says "better:".
import { randomBytes } from "node:crypto";
import { captureLogs, MemoryCallStore, MemoryConfigStore, MemoryDialQueue } from "@trunkline/testkit";
import { describe, expect, test } from "vitest";
import { testApi } from "./test-api.ts";

function setUp() {
	const configStore = new MemoryConfigStore();
	const stores = {
		configStore,
		callStore: (now: () => number) => new MemoryCallStore({ now }),
		dialQueue: new MemoryDialQueue(),
		log: captureLogs(),
	};
	const api = testApi(stores, { random: (length) => randomBytes(length) });
	const make = async (method: string, body: object, id: string): Promise<Record<string, unknown> & { id: string }> => {
		const { status, body: made } = await api.call(method, body);
		expect([status, made["msg"]]).toEqual([200, undefined]);
		return { ...made, id: String(made[id]) };
	};
	return {
		...api,
		configStore,
		inbound: (trunk: object = {}) => make("CreateSIPInboundTrunk", { trunk: { numbers: ["+15550100"], ...trunk } }, "sip_trunk_id"),
		outbound: (trunk: object = {}) =>
			make("CreateSIPOutboundTrunk", { trunk: { numbers: ["+15550100"], address: "a.example", ...trunk } }, "sip_trunk_id"),
		rule: (rule: object = {}) =>
			make(
				"CreateSIPDispatchRule",
				{ dispatch_rule: { rule: { dispatch_rule_direct: { room_name: "r" } }, ...rule } },
				"sip_dispatch_rule_id",
			),
		updateInbound: (sip_trunk_id: string, action: object) => api.call("UpdateSIPInboundTrunk", { sip_trunk_id, ...action }),
		updateOutbound: (sip_trunk_id: string, action: object) => api.call("UpdateSIPOutboundTrunk", { sip_trunk_id, ...action }),
		updateRule: (sip_dispatch_rule_id: string, action: object) => api.call("UpdateSIPDispatchRule", { sip_dispatch_rule_id, ...action }),
	};
}

const methods = ["UpdateSIPInboundTrunk", "UpdateSIPOutboundTrunk", "UpdateSIPDispatchRule"] as const;
const invalid = (msg: string) => ({ status: 400, body: { code: "invalid_argument", msg } });

describe("requests that are refused", () => {
	test.each(methods)("%s: missing id", async (method) => {
		const kind = method.endsWith("Rule") ? "rule" : "trunk";
		expect(await setUp().call(method, { update: {} })).toMatchObject(invalid(`${kind} id must be set`));
	});

	test.each(methods)("%s: missing action", async (method) => {
		const { call } = setUp();
		const id = method.endsWith("Rule") ? { sip_dispatch_rule_id: "SDR_a" } : { sip_trunk_id: "ST_a" };
		expect(await call(method, id)).toMatchObject(invalid("missing or unsupported update action"));
	});

	test("replace id must be empty or equal", async () => {
		const api = setUp();
		const [a, b, rule] = [await api.inbound(), await api.outbound(), await api.rule()];
		const trunk = "trunk id in the info must be empty or match the id in the update";
		expect(await api.updateInbound(a.id, { replace: { ...a, id: undefined, sip_trunk_id: "ST_other" } })).toMatchObject(invalid(trunk));
		expect(await api.updateOutbound(b.id, { replace: { ...b, sip_trunk_id: "ST_other" } })).toMatchObject(invalid(trunk));
		expect(await api.updateRule(rule.id, { replace: { ...rule, sip_dispatch_rule_id: "SDR_other" } })).toMatchObject(
			invalid("rule id in the info must be empty or match the id in the update"),
		);
		expect((await api.updateInbound(a.id, { replace: a })).status).toBe(200);
		expect((await api.updateInbound(a.id, { replace: { ...a, sip_trunk_id: "" } })).status).toBe(200);
	});

	test("unknown id → 404; so is a trunk of the other kind", async () => {
		const api = setUp();
		const [inbound, outbound] = [await api.inbound(), await api.outbound()];
		const gone = { status: 404, body: { code: "not_found", msg: "requested sip trunk does not exist" } };
		expect(await api.updateInbound("ST_none", { update: { name: "x" } })).toMatchObject(gone);
		expect(await api.updateOutbound("ST_none", { update: { name: "x" } })).toMatchObject(gone);
		expect(await api.updateInbound(outbound.id, { update: { name: "x" } })).toMatchObject(gone);
		expect(await api.updateOutbound(inbound.id, { update: { name: "x" } })).toMatchObject(gone);
		expect(await api.updateRule("SDR_none", { update: { name: "x" } })).toMatchObject({
			status: 404,
			body: { code: "not_found", msg: "requested sip dispatch rule does not exist" },
		});
	});

	test.each([
		[{}, "unsupported list update operation"],
		[{ set: [] }, "unsupported list update operation"],
		[{ clear: true, add: ["1"] }, "cannot clear and change the list at the same time"],
		[{ clear: true, set: ["1"] }, "cannot clear and change the list at the same time"],
		[{ set: ["1"], add: ["2"] }, "cannot set and change the list at the same time"],
		[{ set: ["1"], remove: ["2"] }, "cannot set and change the list at the same time"],
		[{ add: [""] }, "empty element in the list"],
		[{ set: ["1", ""] }, "empty element in the list"],
		[{ remove: [""] }, "empty element in the list"],
	])("ListUpdate %j", async (list, msg) => {
		const api = setUp();
		const [inbound, outbound, rule] = [await api.inbound(), await api.outbound(), await api.rule()];
		const answers = [
			await api.updateInbound(inbound.id, { update: { numbers: list } }),
			await api.updateInbound(inbound.id, { update: { allowed_addresses: list } }),
			await api.updateInbound(inbound.id, { update: { allowed_numbers: list } }),
			await api.updateOutbound(outbound.id, { update: { numbers: list } }),
			await api.updateRule(rule.id, { update: { trunk_ids: list } }),
		];
		const fields = ["numbers", "allowed_addresses", "allowed_numbers", "numbers", "trunk_ids"];
		expect(answers.map(({ status, body }) => [status, body])).toEqual(
			fields.map((field) => [400, { code: "invalid_argument", msg, meta: { field } }]),
		);
	});

	test.each([
		[
			"inbound",
			{ numbers: { clear: true } },
			"for security, one of the fields must be set: AuthUsername+AuthPassword, AllowedAddresses or Numbers",
		],
		[
			"inbound",
			{ auth_username: "u" },
			"AuthUsername and AuthPassword must be set together: with one alone no call would be authenticated",
		],
		["outbound", { numbers: { clear: true } }, "no trunk numbers specified"],
		["outbound", { address: "" }, "no outbound address specified"],
		["outbound", { from_host: "sip:a" }, "from_host should be a hostname or IP, not SIP URI"],
		["outbound", { media: { codecs: [{ name: "" }] } }, "missing codec name"],
		["rule", { rule: {} }, "twirp error unknown: unsupported SIP Dispatch Rule: <nil>"],
		["rule", { rule: { dispatch_rule_direct: {} } }, "missing room name"],
	] as const)("better: a result that fails validation is 400, always: %s %j", async (kind, update, msg) => {
		const api = setUp();
		const { id } = await api[kind]();
		const run = { inbound: api.updateInbound, outbound: api.updateOutbound, rule: api.updateRule }[kind];
		expect(await run(id, { update })).toMatchObject(invalid(msg));
		const lists = { inbound: "ListSIPInboundTrunk", outbound: "ListSIPOutboundTrunk", rule: "ListSIPDispatchRule" };
		const [left] = (await api.call(lists[kind], {})).body["items"] as Record<string, unknown>[];
		expect(left?.["updated_at"]).toBe(left?.["created_at"]);
	});
});

describe("replace", () => {
	test("whole object, unset fields reset; id kept; better: created_at preserved, updated_at set", async () => {
		const api = setUp();
		const before = await api.inbound({
			name: "n",
			metadata: "m",
			headers: { "X-A": "b" },
			ringing_timeout: "20s",
			krisp_enabled: true,
			media: { codecs: [{ name: "PCMU" }] },
		});
		await api.deps.sleep(5000);
		const { body } = await api.updateInbound(before.id, { replace: { numbers: ["+15550101"], allowed_numbers: ["+1"] } });
		expect(body).toEqual({
			...(await setUp().inbound({ numbers: ["+15550101"], allowed_numbers: ["+1"] })),
			id: undefined,
			sip_trunk_id: before.id,
			created_at: before["created_at"],
			updated_at: expect.any(String),
		});
		expect(Date.parse(String(body["updated_at"])) - Date.parse(String(body["created_at"]))).toBe(5000);
		expect((await api.call("GetSIPInboundTrunk", { sip_trunk_id: before.id })).body["trunk"]).toEqual(body);
	});

	test("of outbound trunks and rules", async () => {
		const api = setUp();
		const trunk = await api.outbound({ name: "n", transport: "SIP_TRANSPORT_TLS", from_host: "me.example" });
		const replaced = await api.updateOutbound(trunk.id, { replace: { address: "b.example", numbers: ["+15550111"] } });
		expect(replaced.body).toMatchObject({
			sip_trunk_id: trunk.id,
			name: "",
			address: "b.example",
			transport: "SIP_TRANSPORT_AUTO",
			from_host: "",
		});
		const rule = await api.rule({ name: "n", hide_phone_number: true, attributes: { a: "b" }, trunk_ids: ["ST_a"] });
		const target = { dispatch_rule_individual: { room_prefix: "p", pin: "12", no_randomness: true } };
		const other = await api.updateRule(rule.id, { replace: { rule: target, room_config: { max_participants: 3 }, numbers: ["2"] } });
		expect(other.body).toMatchObject({
			sip_dispatch_rule_id: rule.id,
			rule: target,
			name: "",
			hide_phone_number: false,
			attributes: {},
			trunk_ids: [],
			numbers: ["2"],
			room_config: { max_participants: 3 },
			created_at: rule["created_at"],
		});
	});

	test("better: what was read and is sent back does not wipe the password, which is never read", async () => {
		const api = setUp();
		const trunk = await api.inbound({ auth_username: "u", auth_password: "hunter2" });
		expect(trunk["auth_password"]).toBe("");
		const answer = await api.updateInbound(trunk.id, { replace: { ...trunk, name: "renamed" } });
		expect(answer.body).toMatchObject({ name: "renamed", auth_username: "u", auth_password: "" });
		expect(await api.configStore.getTrunk("p_test", trunk.id)).toMatchObject({ authPassword: "hunter2" });
		await api.updateInbound(trunk.id, { replace: { ...trunk, auth_password: "other" } });
		expect(await api.configStore.getTrunk("p_test", trunk.id)).toMatchObject({ authPassword: "other" });
		// without user the password goes too
		await api.updateInbound(trunk.id, { replace: { ...trunk, auth_username: "" } });
		expect(await api.configStore.getTrunk("p_test", trunk.id)).toMatchObject({ authUsername: "", authPassword: "" });
	});
});

describe("partial update", () => {
	test("of an inbound trunk covers numbers, addresses, callers, credentials, realm, name, metadata, media", async () => {
		const api = setUp();
		const trunk = await api.inbound({ headers: { "X-A": "b" }, ringing_timeout: "20s", auth_username: "u", auth_password: "p", name: "n" });
		const update = {
			numbers: { add: ["+15550101"] },
			allowed_addresses: { set: ["192.0.2.0/24"] },
			allowed_numbers: { add: ["+15550123"] },
			auth_username: "v",
			auth_password: "q",
			auth_realm: "r",
			name: "",
			metadata: "m",
			media: { only_listed_codecs: true, codecs: [{ name: "PCMA", rate: 8000 }] },
		};
		expect((await api.updateInbound(trunk.id, { update })).body).toMatchObject({
			numbers: ["+15550100", "+15550101"],
			allowed_addresses: ["192.0.2.0/24"],
			allowed_numbers: ["+15550123"],
			auth_username: "v",
			auth_password: "",
			auth_realm: "r",
			name: "",
			metadata: "m",
			media: { only_listed_codecs: true, codecs: [{ name: "PCMA", rate: 8000 }] },
			headers: { "X-A": "b" },
			ringing_timeout: "20s",
			created_at: trunk["created_at"],
		});
		expect(await api.configStore.getTrunk("p_test", trunk.id)).toMatchObject({ authPassword: "q", version: 2 });
	});

	test("of an outbound trunk covers address, transport, country, numbers, credentials, name, metadata, media, from_host", async () => {
		const api = setUp();
		const trunk = await api.outbound({ auth_username: "u", auth_password: "p" });
		const update = {
			address: "b.example:5070",
			transport: "SIP_TRANSPORT_TCP",
			destination_country: "DE",
			from_host: "me.example",
			metadata: "m",
			name: "n",
		};
		const answer = await api.updateOutbound(trunk.id, { update: { ...update, numbers: { remove: ["+15550100"], add: ["+15550101"] } } });
		expect(answer.body).toMatchObject({ ...update, numbers: ["+15550101"], auth_username: "u" });
		expect(await api.configStore.getTrunk("p_test", trunk.id)).toMatchObject({ authPassword: "p" });
	});

	test("of a rule covers trunk_ids, rule, name, metadata, attributes (a map diff), media", async () => {
		const api = setUp();
		const rule = await api.rule({ attributes: { a: "1", b: "2" }, trunk_ids: ["ST_a"], hide_phone_number: true });
		const target = { dispatch_rule_callee: { room_prefix: "to", pin: "", randomize: true } };
		const update = { trunk_ids: { add: ["ST_b"] }, rule: target, name: "n", metadata: "m", attributes: { a: "", c: "3" } };
		expect((await api.updateRule(rule.id, { update })).body).toMatchObject({
			trunk_ids: ["ST_a", "ST_b"],
			rule: target,
			name: "n",
			metadata: "m",
			attributes: { b: "2", c: "3" },
			hide_phone_number: true,
		});
	});

	test("remove applied before add; add de-dups", async () => {
		const api = setUp();
		const { id } = await api.inbound({ numbers: ["+15550100", "desk"] });
		const answer = await api.updateInbound(id, { update: { numbers: { remove: ["desk"], add: ["desk", "+15550100", "desk"] } } });
		expect(answer.body["numbers"]).toEqual(["+15550100", "desk"]);
	});

	test("better: numbers are compared normalised when they are added and removed", async () => {
		const api = setUp();
		const { id } = await api.inbound({ numbers: ["+15550100", "+15550101"] });
		const answer = await api.updateInbound(id, { update: { numbers: { add: ["1 (555) 0100"], remove: ["15550101"] } } });
		expect(answer.body["numbers"]).toEqual(["+15550100"]);
	});

	test("media is replaced whole, not merged", async () => {
		const api = setUp();
		const { id } = await api.outbound({ media: { codecs: [{ name: "PCMU", rate: 8000 }], media_timeout: "5s" } });
		const answer = await api.updateOutbound(id, { update: { media: { media_timeout: "9s" } } });
		expect(answer.body["media"]).toMatchObject({ codecs: [], media_timeout: "9s" });
	});

	test("everything else only by replace: unknown fields are ignored", async () => {
		const api = setUp();
		const { id } = await api.inbound({ headers: { "X-A": "b" } });
		const answer = await api.updateInbound(id, { update: { headers: { "X-C": "d" }, krisp_enabled: true } });
		expect(answer).toMatchObject({ status: 200, body: { headers: { "X-A": "b" }, krisp_enabled: false } });
	});
});

describe("conflicts and races", () => {
	test("conflict checks hold on update; the error names both", async () => {
		const api = setUp();
		const [a, b] = [await api.inbound(), await api.inbound({ numbers: ["+15550101"] })];
		expect(await api.updateInbound(b.id, { update: { numbers: { add: ["1 555 0100"] } } })).toMatchObject(
			invalid(`Conflicting inbound SIP Trunks: "${b.id}" and "${a.id}", using the same number(s) ["+15550100"] without AllowedNumbers set`),
		);
		expect(await api.updateInbound(a.id, { replace: { numbers: ["+15550102"] } })).toMatchObject({ status: 200 });
		expect(await api.updateInbound(b.id, { update: { numbers: { add: ["1 555 0100"] } } })).toMatchObject({ status: 200 });
		const [x, y] = [await api.rule({ name: "x" }), await api.rule({ trunk_ids: ["ST_a"] })];
		expect(await api.updateRule(y.id, { update: { trunk_ids: { clear: true } } })).toMatchObject(
			invalid(
				`Dispatch rule for the same trunk, inbound number, number, and PIN combination already exists in dispatch rule "${x.id}" "x"`,
			),
		);
	});

	test("better: updates at the same time are all in the result", async () => {
		const api = setUp();
		const { id } = await api.inbound();
		const numbers = Array.from({ length: 8 }, (_, i) => `+155502${i}`);
		const answers = await Promise.all(numbers.map((number) => api.updateInbound(id, { update: { numbers: { add: [number] } } })));
		expect(answers.map(({ status }) => status)).toEqual(numbers.map(() => 200));
		const stored = await api.configStore.getTrunk("p_test", id);
		expect(stored?.numbers.toSorted()).toEqual(["+15550100", ...numbers].toSorted());
		expect(stored?.version).toBe(9);
	});

	test("better: when others change it over and over the answer is `aborted`, not a lost update", async () => {
		const api = setUp();
		const { id } = await api.inbound();
		const read = api.configStore.getTrunk.bind(api.configStore);
		api.configStore.getTrunk = async (project, trunkId) => {
			const trunk = await read(project, trunkId);
			if (trunk) await api.configStore.updateTrunk(project, trunk, { ...trunk, version: trunk.version + 1 });
			return trunk;
		};
		expect(await api.updateInbound(id, { update: { name: "x" } })).toMatchObject({ status: 409, body: { code: "aborted" } });
		expect((await read("p_test", id))?.name).toBe("");
	});

	test("a trunk that is deleted meanwhile is not found, and does not come back", async () => {
		const api = setUp();
		const { id } = await api.inbound();
		const update = api.configStore.updateTrunk.bind(api.configStore);
		api.configStore.updateTrunk = async (project, previous, next) => {
			await api.configStore.deleteTrunk(project, id);
			return update(project, previous, next);
		};
		expect((await api.updateInbound(id, { update: { name: "x" } })).status).toBe(404);
		expect(await api.configStore.listInboundTrunks("p_test", {})).toEqual([]);
	});
});
