// LiveKit's SIP service row by row: transport, RPC list, validation, lists, conflicts. "better:" marks what differs from LiveKit on purpose.
import { randomBytes } from "node:crypto";
import { captureLogs, MemoryCallStore, MemoryConfigStore, MemoryDialQueue } from "@trunkline/testkit";
import { describe, expect, test } from "vitest";
import { testApi, token } from "./test-api.ts";

function setUp() {
	const log = captureLogs();
	const stores = {
		configStore: new MemoryConfigStore(),
		callStore: (now: () => number) => new MemoryCallStore({ now }),
		dialQueue: new MemoryDialQueue(),
		log,
	};
	const api = testApi(stores, { random: (length) => randomBytes(length) });
	const id = async (method: string, body: object, field = "sip_trunk_id"): Promise<string> => {
		const answer = await api.call(method, body);
		expect([answer.status, answer.body["msg"]]).toEqual([200, undefined]);
		return String(answer.body[field]);
	};
	return {
		...api,
		log,
		inbound: (trunk: object = {}) => id("CreateSIPInboundTrunk", { trunk: { numbers: ["+15550100"], ...trunk } }),
		outbound: (trunk: object = {}) => id("CreateSIPOutboundTrunk", { trunk: { numbers: ["+15550100"], address: "a.example", ...trunk } }),
		rule: (rule: object = {}) =>
			id(
				"CreateSIPDispatchRule",
				{ dispatch_rule: { rule: { dispatch_rule_direct: { room_name: "r" } }, ...rule } },
				"sip_dispatch_rule_id",
			),
		ids: async (method: string, body: object = {}): Promise<unknown[]> => {
			const items = (await api.call(method, body)).body["items"] as Record<string, string>[];
			return items.map((item) => item["sip_trunk_id"] ?? item["sip_dispatch_rule_id"]);
		},
	};
}

const sorted = (...ids: string[]) => ids.toSorted();

describe("1.1 transport", () => {
	test("CreateSIPTrunk: removed from the service → 404 bad_route; better: it says what to use", async () => {
		const answer = await setUp().call("CreateSIPTrunk", { inboundNumbers: ["1"] });
		expect(answer).toMatchObject({ status: 404, contentType: "application/json", body: { code: "bad_route" } });
		expect(answer.body["msg"]).toMatch(/CreateSIPInboundTrunk.*CreateSIPOutboundTrunk/);
		expect(answer.body["meta"]).toEqual({ twirp_invalid_route: "POST /twirp/livekit.SIP/CreateSIPTrunk" });
	});

	test("snake_case and camelCase both accepted, unknown fields discarded", async () => {
		const { call } = setUp();
		const snake = await call("CreateSIPInboundTrunk", { trunk: { allowed_numbers: ["+1"], numbers: ["1"], nobody_knows: 1 } });
		const camel = await call("CreateSIPInboundTrunk", { trunk: { allowedNumbers: ["+2"], numbers: ["1"] } });
		expect([snake.body["allowed_numbers"], camel.body["allowed_numbers"]]).toEqual([["+1"], ["+2"]]);
	});

	const adminMethods = [
		..."CreateSIPInboundTrunk CreateSIPOutboundTrunk UpdateSIPInboundTrunk UpdateSIPOutboundTrunk GetSIPInboundTrunk".split(" "),
		..."GetSIPOutboundTrunk ListSIPTrunk ListSIPInboundTrunk ListSIPOutboundTrunk DeleteSIPTrunk CreateSIPDispatchRule".split(" "),
		..."UpdateSIPDispatchRule ListSIPDispatchRule DeleteSIPDispatchRule".split(" "),
	];
	test.each(adminMethods)("sip.admin for %s", async (method) => {
		const { call } = setUp();
		expect(await call(method, {}, { grants: { call: true } })).toMatchObject({
			status: 401,
			body: { code: "unauthenticated", msg: "permissions denied" },
		});
		expect((await call(method, {}, { grants: { admin: true } })).status).not.toBe(401);
	});
	test("sip.call for CreateSIPParticipant", async () => {
		const { call } = setUp();
		expect((await call("CreateSIPParticipant", {}, { grants: { admin: true } })).status).toBe(401);
		expect((await call("CreateSIPParticipant", {}, { grants: { call: true } })).status).toBe(400);
	});
});

describe("1.2 RPC list", () => {
	test("ListSIPTrunk merges inbound and outbound, with kind, sorted by id", async () => {
		const api = setUp();
		const [a, b, c] = [await api.inbound({ name: "in" }), await api.outbound({ name: "out" }), await api.inbound({ numbers: ["2"] })];
		const items = (await api.call("ListSIPTrunk", {})).body["items"] as Record<string, unknown>[];
		expect(items.map((item) => item["sip_trunk_id"])).toEqual(sorted(a, b, c));
		const byId = new Map(items.map((item) => [item["sip_trunk_id"], item]));
		expect(byId.get(a)).toMatchObject({ kind: "TRUNK_INBOUND", name: "in" });
		expect(byId.get(b)).toMatchObject({ kind: "TRUNK_OUTBOUND", name: "out", outbound_address: "a.example", outbound_number: "+15550100" });
		const [first = "", second] = sorted(a, b, c);
		expect(await api.ids("ListSIPTrunk", { page: { after_id: first, limit: 1 } })).toEqual([second]);
	});

	test("wrong kind → not_found", async () => {
		const api = setUp();
		const [a, b] = [await api.inbound(), await api.outbound()];
		expect((await api.call("GetSIPOutboundTrunk", { sip_trunk_id: a })).status).toBe(404);
		expect((await api.call("GetSIPInboundTrunk", { sip_trunk_id: b })).body).toEqual({
			code: "not_found",
			msg: "requested sip trunk does not exist",
		});
		expect((await api.call("GetSIPInboundTrunk", { sip_trunk_id: a })).body["trunk"]).toMatchObject({ sip_trunk_id: a });
		expect((await api.call("GetSIPOutboundTrunk", { sip_trunk_id: b })).body["trunk"]).toMatchObject({ sip_trunk_id: b });
	});

	test("DeleteSIPTrunk: unknown id is 200 with only the id; better: the rules that named a deleted one are told", async () => {
		const api = setUp();
		const trunk = await api.inbound();
		const rules = [await api.rule({ trunk_ids: [trunk] }), await api.rule({ trunk_ids: ["ST_x", trunk], numbers: ["1"] })];
		await api.rule();
		const headers = { "content-type": "application/json", authorization: `Bearer ${await token({ sip: { admin: true } })}` };
		const remove = () =>
			api.fetch("/twirp/livekit.SIP/DeleteSIPTrunk", { method: "POST", headers, body: JSON.stringify({ sip_trunk_id: trunk }) });
		const deleted = await remove();
		expect([deleted.status, deleted.headers.get("x-trunkline-rules")]).toEqual([200, sorted(...rules).join(", ")]);
		expect(await deleted.json()).toMatchObject({ sip_trunk_id: trunk, kind: "TRUNK_INBOUND" });
		expect(api.log.logs).toContainEqual(
			expect.objectContaining({ level: "warn", fields: expect.objectContaining({ trunkId: trunk, rules: sorted(...rules) }) }),
		);
		const again = await remove();
		expect([again.status, again.headers.get("x-trunkline-rules")]).toEqual([200, null]);
		expect(await again.json()).toMatchObject({ sip_trunk_id: trunk, name: "", outbound_number: "" });
		expect(await api.ids("ListSIPDispatchRule", { dispatch_rule_ids: rules })).toHaveLength(2);
	});

	test("delete of a rule: unknown id → 404; else the full old object", async () => {
		const api = setUp();
		const rule = await api.rule({ name: "n" });
		expect((await api.call("DeleteSIPDispatchRule", { sip_dispatch_rule_id: rule })).body).toMatchObject({
			name: "n",
			rule: { dispatch_rule_direct: { room_name: "r", pin: "" } },
		});
		expect(await api.call("DeleteSIPDispatchRule", { sip_dispatch_rule_id: rule })).toMatchObject({
			status: 404,
			body: { code: "not_found" },
		});
	});
});

const security = "for security, one of the fields must be set: AuthUsername+AuthPassword, AllowedAddresses or Numbers";
const uri = "trunk address should be a hostname or IP, not SIP URI";
describe.each([
	[
		"1.3 inbound trunk",
		"CreateSIPInboundTrunk",
		{ numbers: ["1"] },
		[
			["none of auth, allowed_addresses, numbers", { numbers: [] }, security],
			[
				"better: username alone",
				{ auth_username: "u" },
				"AuthUsername and AuthPassword must be set together: with one alone no call would be authenticated",
			],
			[
				"better: password alone",
				{ auth_password: "p" },
				"AuthUsername and AuthPassword must be set together: with one alone no call would be authenticated",
			],
			[
				"a header name that is no token",
				{ headers: { "X A": "b" } },
				"invalid header name: header name X A contains invalid characters: char 32 not allowed",
			],
			["a forbidden header", { headers: { From: "b" } }, "invalid header name: header name From not supported"],
			["a forbidden compact header, any case", { headers: { M: "b" } }, "invalid header name: header name M not supported"],
			[
				"a header value above 1024",
				{ headers: { "X-A": "b".repeat(1025) } },
				"invalid header value for X-A: header X-A: value too long (max 1024 characters)",
			],
			[
				"a control character in a header value",
				{ headers: { "X-A": "\n" } },
				"invalid header value for X-A: header X-A: value: char 10 not allowed",
			],
			[
				"a mapping to no token",
				{ attributes_to_headers: { a: "X A" } },
				"invalid header name: header name X A contains invalid characters: char 32 not allowed",
			],
			["a codec without name", { media: { codecs: [{ rate: 8000 }] } }, "missing codec name"],
			["a codec name with blanks", { media: { codecs: [{ name: "a b" }] } }, "invalid codec name"],
			["a codec name with a slash", { media: { codecs: [{ name: "PCMU/8000" }] } }, "codec name must not contain '/'"],
			["a negative media timeout", { media: { media_timeout: "-1s" } }, "media_timeout must not be negative"],
			["a media timeout above ten minutes", { media: { media_timeout: "601s" } }, "media_timeout must not exceed 10m0s"],
			[
				"better: an address that is none",
				{ allowed_addresses: ["10.0.0.0/33"] },
				'invalid allowed address "10.0.0.0/33": must be an IP address or a CIDR block, like 203.0.113.7 or 203.0.113.0/24',
			],
			["From can be mapped to an attribute", { headers_to_attributes: { From: "a" } }, undefined],
			["To and Route headers", { headers: { To: "<sip:a@b>", Route: "<sip:a>" } }, undefined],
			["credentials alone", { numbers: [], auth_username: "u", auth_password: "p" }, undefined],
		],
	],
	[
		"1.4 outbound trunk",
		"CreateSIPOutboundTrunk",
		{ numbers: ["1"], address: "a.example" },
		[
			["no numbers", { numbers: [] }, "no trunk numbers specified"],
			["no address", { address: "" }, "no outbound address specified"],
			["a transport parameter", { address: "a;transport=tcp" }, "trunk address should not contain transport parameter"],
			["a SIP URI", { address: "sip:a" }, uri],
			["a SIPS URI", { address: "sips:a" }, uri],
			["a user", { address: "u@a" }, uri],
			["a URI as from_host", { from_host: "sip:a" }, "from_host should be a hostname or IP, not SIP URI"],
			[
				"better: a country that is none",
				{ destination_country: "usa" },
				"destination_country must be a valid ISO 3166-1 alpha-2 code (2-letter like 'US', 'IN', 'UK')",
			],
			["the same number twice over is no conflict", { numbers: ["1", "1"] }, undefined],
		],
	],
] as const)("%s", (_, method, valid, rows) => {
	test.each(rows as unknown as [string, object, string | undefined][])("%s", async (_title, over, msg) => {
		const answer = await setUp().call(method, { trunk: { ...valid, ...over } });
		if (msg === undefined) expect(answer.status).toBe(200);
		else expect(answer).toEqual({ status: 400, contentType: "application/json", body: { code: "invalid_argument", msg } });
	});
	test("no `trunk`; an id on create", async () => {
		const { call } = setUp();
		expect((await call(method, {})).body).toEqual({ code: "invalid_argument", msg: "missing trunk" });
		expect((await call(method, { trunk: { ...valid, sip_trunk_id: "ST_1" } })).body["msg"]).toBe("trunk id must not be set");
	});
	test("better: created_at and updated_at are filled; the password is not in any answer", async () => {
		const { call } = setUp();
		const { body } = await call(method, { trunk: { ...valid, auth_username: "u", auth_password: "hunter2" } });
		expect(body).toMatchObject({
			auth_username: "u",
			auth_password: "",
			created_at: expect.stringMatching(/Z$/),
			updated_at: body["created_at"],
		});
	});
});

describe("1.5 dispatch rule", () => {
	const target = { dispatch_rule_direct: { room_name: "r" } };
	test.each([
		["nothing", {}, "missing rule"],
		["an empty oneof", { dispatch_rule: { rule: {} } }, "twirp error unknown: unsupported SIP Dispatch Rule: <nil>"],
		["an id on create", { dispatch_rule: { rule: target, sip_dispatch_rule_id: "SDR_1" } }, "rule id must not be set"],
		["better: an empty room name", { rule: { dispatch_rule_direct: {} } }, "missing room name"],
		[
			"better: a PIN that nobody can enter",
			{ rule: { dispatch_rule_direct: { room_name: "r", pin: "12a" } } },
			"pin must have digits only",
		],
	])("%s", async (_, body, msg) => {
		expect((await setUp().call("CreateSIPDispatchRule", body)).body).toEqual({ code: "invalid_argument", msg });
	});
	test("if dispatch_rule is present the legacy fields are ignored", async () => {
		const { body } = await setUp().call("CreateSIPDispatchRule", {
			dispatch_rule: { rule: target, name: "new" },
			name: "old",
			trunk_ids: ["ST_1"],
		});
		expect(body).toMatchObject({ name: "new", trunk_ids: [] });
	});
	test("trunk ids are not checked for existence", async () => {
		expect(await setUp().rule({ trunk_ids: ["ST_not_there"] })).toMatch(/^SDR_/);
	});
});

describe("1.7 lists", () => {
	test("inbound numbers: exactly or normalised, plus wildcard trunks", async () => {
		const api = setUp();
		const [one, any] = [
			await api.inbound({ numbers: ["+1 555 0100"] }),
			await api.inbound({ numbers: [], allowed_addresses: ["10.0.0.1"] }),
		];
		await api.inbound({ numbers: ["+15550101"] });
		expect(await api.ids("ListSIPInboundTrunk", { numbers: ["15550100"] })).toEqual(sorted(one, any));
	});
	test("outbound numbers: plus wildcard; better: normalised", async () => {
		const api = setUp();
		const [one, any] = [await api.outbound({ numbers: ["+1 555 0100"] }), await api.outbound({ numbers: ["*"] })];
		const other = await api.outbound({ numbers: ["+15550101"] });
		expect(await api.ids("ListSIPOutboundTrunk", { numbers: ["15550100"] })).toEqual(sorted(one, any));
		expect(await api.ids("ListSIPOutboundTrunk", { numbers: ["15550100"], trunk_ids: [other, any] })).toEqual([any]);
	});
	test("rules by trunk_ids, plus wildcard rules; by id", async () => {
		const api = setUp();
		const [a, any, b] = [await api.rule({ trunk_ids: ["ST_a"] }), await api.rule(), await api.rule({ trunk_ids: ["ST_b"] })];
		expect(await api.ids("ListSIPDispatchRule", { trunk_ids: ["ST_a"] })).toEqual(sorted(a, any));
		expect(await api.ids("ListSIPDispatchRule", { dispatch_rule_ids: [b, a, "SDR_none"] })).toEqual(sorted(a, b));
	});
	test("sorted by id, after_id exclusive; better: limit is honoured", async () => {
		const api = setUp();
		const all = sorted(...(await Promise.all(["1", "2", "3", "4"].map((number) => api.inbound({ numbers: [number] })))));
		expect(await api.ids("ListSIPInboundTrunk", { page: { limit: 1 } })).toEqual(all.slice(0, 1));
		expect(await api.ids("ListSIPInboundTrunk", { page: { after_id: all[0], limit: 2 } })).toEqual(all.slice(1, 3));
		expect(await api.ids("ListSIPInboundTrunk", { page: { after_id: all[3] } })).toEqual([]);
		// with a filter too
		expect(await api.ids("ListSIPInboundTrunk", { numbers: ["1", "2", "3"], page: { limit: 1 } })).toHaveLength(1);
		expect(await api.ids("ListSIPInboundTrunk", { trunk_ids: all, page: { after_id: all[1], limit: 1 } })).toEqual([all[2]]);
	});
});

describe("1.8 conflict checks", () => {
	const conflict = async (first: object, second: object) => {
		const api = setUp();
		const id = await api.inbound(first);
		const { status, body } = await api.call("CreateSIPInboundTrunk", { trunk: second });
		return [status, ((body["msg"] ?? "") as string).replace(id, "ST_first")];
	};
	const without =
		'Conflicting inbound SIP Trunks: "<new>" and "ST_first", using the same number(s) ["+15550100"] without AllowedNumbers set';
	test.each([
		["the same number without callers", { numbers: ["+1555 0100"] }, { numbers: ["(1555) 01-00"] }, without],
		[
			"a shared allowed number",
			{ allowed_numbers: ["+1", "+2"] },
			{ numbers: ["+15550100"], allowed_numbers: ["3", "2"] },
			'Conflicting inbound SIP Trunks: "<new>" and "ST_first", using the same number(s) ["+15550100"] and AllowedNumber "+2"',
		],
		["other allowed numbers", { allowed_numbers: ["+1"] }, { numbers: ["+15550100"], allowed_numbers: ["+2"] }, ""],
		[
			"better: other source networks",
			{ allowed_addresses: ["192.0.2.0/24"] },
			{ numbers: ["+15550100"], allowed_addresses: ["198.51.100.0/24"] },
			"",
		],
		[
			"the same networks, written in another way",
			{ allowed_addresses: ["10.0.0.0/8"] },
			{ numbers: ["15550100"], allowed_addresses: ["10.9.9.9/8"] },
			without,
		],
		["a SIP user is no number", { numbers: ["user"] }, { numbers: ["+user"] }, ""],
		["open and restricted on one number", {}, { numbers: ["+15550100"], allowed_numbers: ["+1"] }, ""],
	])("trunks: %s", async (_, first, second, msg) => {
		expect(await conflict(first, second)).toEqual(msg === "" ? [200, ""] : [400, msg]);
	});

	test.each([
		[
			"the same trunk, caller, number and PIN, numbers normalised",
			{ numbers: ["+1 5"], inbound_numbers: ["2"] },
			{ numbers: ["15"], inbound_numbers: ["+2"] },
			true,
		],
		["another PIN", {}, { rule: { dispatch_rule_direct: { room_name: "r", pin: "1" } } }, false],
		["another room and kind", {}, { rule: { dispatch_rule_individual: { room_prefix: "p" } } }, true],
		["one trunk in common", { trunk_ids: ["ST_a", "ST_b"] }, { trunk_ids: ["ST_b", "ST_c"] }, true],
		["other trunks", { trunk_ids: ["ST_a"] }, { trunk_ids: ["ST_b"] }, false],
		["any trunk and a trunk", {}, { trunk_ids: ["ST_b"] }, false],
	])("rules: %s", async (_, first, second, refused) => {
		const api = setUp();
		const id = await api.rule({ ...first, name: "n" });
		const dispatch_rule = { rule: { dispatch_rule_direct: { room_name: "other" } }, ...second };
		const { status, body } = await api.call("CreateSIPDispatchRule", { dispatch_rule });
		expect([status, body["msg"]]).toEqual(
			refused
				? [400, `Dispatch rule for the same trunk, inbound number, number, and PIN combination already exists in dispatch rule "${id}" "n"`]
				: [200, undefined],
		);
	});

	test("better: of two concurrent creates one passes", async () => {
		const { call } = setUp();
		const answers = await Promise.all(Array.from({ length: 10 }, () => call("CreateSIPInboundTrunk", { trunk: { numbers: ["1"] } })));
		expect(answers.map(({ status }) => status).toSorted()).toEqual([200, ...Array.from({ length: 9 }, () => 400)]);
	});
});
