import {
	CreateSIPInboundTrunkRequest,
	ListSIPInboundTrunkRequest,
	ListSIPInboundTrunkResponse,
	SIPInboundTrunkInfo,
} from "@livekit/protocol";
import { captureLogs, MemoryCallStore, MemoryConfigStore, MemoryDialQueue } from "@trunkline/testkit";
import { SignJWT } from "jose";
import { describe, expect, test } from "vitest";
import type { ApiDeps } from "./deps.ts";
import { KEY, SECRET, testApi, token } from "./test-api.ts";

function setUp(over: Partial<ApiDeps> = {}) {
	const log = captureLogs();
	const stores = {
		configStore: new MemoryConfigStore(),
		callStore: (now: () => number) => new MemoryCallStore({ now }),
		dialQueue: new MemoryDialQueue(),
		log,
	};
	return { ...testApi(stores, over), log };
}

const json = { "content-type": "application/json" };
const list = "/twirp/livekit.SIP/ListSIPInboundTrunk";
const bearer = async (claims: Record<string, unknown> = { sip: { admin: true } }) => ({ authorization: `Bearer ${await token(claims)}` });

describe("envelope", () => {
	test("healthz", async () => {
		const response = await setUp().fetch("/healthz");
		expect([response.status, await response.json()]).toEqual([200, { status: "ok" }]);
	});

	test.each([
		["GET", "/twirp/livekit.SIP/ListSIPInboundTrunk", json, 'unsupported method "GET" (only POST is allowed)'],
		["POST", "/twirp/livekit.SIP/CreateSIPSomething", json, 'no handler for path "/twirp/livekit.SIP/CreateSIPSomething"'],
		["POST", "/twirp/livekit.SIP/toString", json, 'no handler for path "/twirp/livekit.SIP/toString"'],
		["POST", "/twirp/other.Service/Method", json, 'no handler for path "/twirp/other.Service/Method"'],
		["POST", "/twirp/livekit.SIP", json, 'no handler for path "/twirp/livekit.SIP"'],
		["POST", "/twirp/livekit.SIP/ListSIPInboundTrunk", { "content-type": "text/plain" }, 'unexpected Content-Type: "text/plain"'],
	])("%s %s is a bad route", async (method, path, headers, msg) => {
		const response = await setUp().fetch(path, { method, headers: { ...headers, ...(await bearer()) } });
		expect(response.status).toBe(404);
		expect(response.headers.get("content-type")).toBe("application/json");
		expect(await response.json()).toEqual({ code: "bad_route", msg, meta: { twirp_invalid_route: `${method} ${path}` } });
	});

	test.each([
		["json", "application/json", "{", "the json request could not be decoded"],
		["json of another shape", "application/json", '{"trunkIds":"x"}', "the json request could not be decoded"],
		["an empty body", "application/json; charset=UTF-8", "", "the json request could not be decoded"],
		["invalid UTF-8", "application/json", Uint8Array.of(0x22, 0xff, 0x22), "the json request could not be decoded"],
		["protobuf", "application/protobuf", Uint8Array.of(0x0a, 0x7f), "the protobuf request could not be decoded"],
	])("malformed: %s", async (_, contentType, body, msg) => {
		const response = await setUp().fetch(list, { method: "POST", headers: { "content-type": contentType, ...(await bearer()) }, body });
		expect([response.status, await response.json()]).toEqual([400, { code: "malformed", msg }]);
	});

	test.each<[string, string, number]>([
		["UpdateSIPInboundTrunk", '{"sip_trunk_id":"ST_x","replace":null}', 400],
		["UpdateSIPOutboundTrunk", '{"sip_trunk_id":"ST_x","update":null}', 400],
		["UpdateSIPDispatchRule", '{"sip_dispatch_rule_id":"SDR_x","update":null}', 400],
		["CreateSIPDispatchRule", '{"rule":{"dispatchRuleDirect":null}}', 400],
		["CreateSIPDispatchRule", '{"rule":{"dispatch_rule_direct":{"room_name":"r"},"dispatchRuleIndividual":null},"trunk_ids":null}', 200],
	])("null is a field that is not there: %s %s", async (method, body, status) => {
		const { fetch, log } = setUp();
		const response = await fetch(`/twirp/livekit.SIP/${method}`, { method: "POST", headers: { ...json, ...(await bearer()) }, body });
		expect(response.status).toBe(status);
		expect(log.logs.filter(({ level }) => level === "error")).toEqual([]);
	});

	test.each([true, false])("a body above the limit is refused, with content-length: %s", async (withLength) => {
		const { fetch, log } = setUp();
		const bytes = new Uint8Array(512 * 1024 + 1).fill(0x20);
		const body = withLength ? bytes : new Blob([bytes]).stream();
		const init = {
			method: "POST",
			headers: { ...json, ...(await bearer()), ...(withLength ? { "content-length": String(bytes.length) } : {}) },
			body,
			duplex: "half",
		};
		const response = await fetch(list, init as RequestInit);
		expect([response.status, await response.json()]).toEqual([
			400,
			{ code: "malformed", msg: "the request body is larger than 524288 bytes" },
		]);
		// its body is not read to the end, so the connection is of no more use
		expect(response.headers.get("connection")).toBe("close");
		expect(log.logs.filter(({ level }) => level !== "info")).toEqual([]);
	});

	test("other services of LiveKit go through", async () => {
		const response = await setUp().fetch("/twirp/livekit.RoomService/ListRooms", { method: "POST", headers: json, body: "{}" });
		expect(await response.text()).toBe("room service: /twirp/livekit.RoomService/ListRooms");
	});

	test("the body limit holds for them too", async () => {
		const body = new Uint8Array(512 * 1024 + 1);
		const response = await setUp().fetch("/twirp/livekit.RoomService/SendData", {
			method: "POST",
			headers: { ...json, "content-length": String(body.length) },
			body,
		});
		expect(response.status).toBe(400);
	});

	test("a fault of our own is a 500 that says nothing, and a log line that says all", async () => {
		const configStore = new MemoryConfigStore();
		configStore.listInboundTrunks = async () => {
			throw new Error("table ARN and what not");
		};
		const { call, log } = setUp({ configStore });
		expect(await call("ListSIPInboundTrunk", {})).toMatchObject({
			status: 500,
			contentType: "application/json",
			body: { code: "internal", msg: "internal error" },
		});
		expect(log.text()).toContain("table ARN");
	});
});

describe("authentication", () => {
	const post = async (headers: Record<string, string>, path = list) => {
		const response = await setUp().fetch(path, { method: "POST", headers: { ...json, ...headers }, body: "{}" });
		return { status: response.status, contentType: response.headers.get("content-type"), text: await response.text() };
	};
	const refused = (text: string) => ({ status: 401, contentType: "text/plain; charset=utf-8", text });
	const denied = {
		status: 401,
		contentType: "application/json",
		text: JSON.stringify({ code: "unauthenticated", msg: "permissions denied" }),
	};

	test.each(["x", "a.b.c", "..", "a.b", `${Buffer.from("{}").toString("base64url")}.${Buffer.from('{"iss":1}').toString("base64url")}.x`])(
		"%s is no token",
		async (text) => {
			expect(await post({ authorization: `Bearer ${text}` })).toEqual(refused("invalid authorization token"));
		},
	);
	test("another scheme", async () =>
		expect(await post({ authorization: "Basic x" })).toEqual(refused("invalid authorization header. Must start with Bearer ")));
	test("an unknown key", async () => {
		expect(await post({ authorization: `Bearer ${await token({}, { key: "other" })}` })).toEqual(refused("invalid API key"));
	});
	test("a token signed with another secret", async () => {
		const authorization = `Bearer ${await token({ sip: { admin: true } }, { secret: "another secret of sufficient length" })}`;
		expect(await post({ authorization })).toEqual(refused("invalid token, error: signature verification failed"));
	});
	test("an expired token", async () => {
		const authorization = `Bearer ${await token({ sip: { admin: true } }, { expires: "1 minute ago" })}`;
		expect(await post({ authorization })).toEqual(refused('invalid token, error: "exp" claim timestamp check failed'));
	});
	test("time is the API's clock", async () => {
		const { fetch } = setUp({ clock: () => Date.now() + 3_600_000 });
		const response = await fetch(list, { method: "POST", headers: { ...json, ...(await bearer()) }, body: "{}" });
		expect(await response.text()).toBe('invalid token, error: "exp" claim timestamp check failed');
	});
	test("a token without an end", async () => {
		const eternal = await new SignJWT({ sip: { admin: true } })
			.setProtectedHeader({ alg: "HS256" })
			.setIssuer(KEY)
			.sign(new TextEncoder().encode(SECRET));
		expect(await post({ authorization: `Bearer ${eternal}` })).toEqual(refused('invalid token, error: missing required "exp" claim'));
	});
	test("an unsigned token", async () => {
		const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
		const unsigned = `${part({ alg: "none" })}.${part({ iss: KEY, exp: 9_999_999_999, sip: { admin: true } })}.`;
		expect((await post({ authorization: `Bearer ${unsigned}` })).status).toBe(401);
	});
	test("no token", async () => expect(await post({})).toEqual(denied));
	test.each([{}, { sip: {} }, { sip: { call: true } }, { sip: { admin: "true" } }, { sip: true }, { video: { roomAdmin: true } }])(
		"a token with %j lacks sip.admin",
		async (claims) => {
			expect(await post(await bearer(claims))).toEqual(denied);
		},
	);
	test("sip.admin does not dial", async () => {
		expect(await post(await bearer({ sip: { admin: true } }), "/twirp/livekit.SIP/CreateSIPParticipant")).toEqual(denied);
	});
	test("the token as form value", async () => {
		expect((await post({}, `${list}?access_token=${await token({ sip: { admin: true } })}`)).status).toBe(200);
	});
});

describe("trunks", () => {
	test("create gives everything back in snake_case, but the password; null for unset messages", async () => {
		const { call, elapsed } = setUp();
		const trunk = {
			name: "main",
			numbers: ["+15550100"],
			authUsername: "u",
			auth_password: "hunter2",
			ringing_timeout: "20s",
			unknown_field: 1,
		};
		const { status, contentType, body } = await call("CreateSIPInboundTrunk", { trunk });
		expect([status, contentType, elapsed()]).toEqual([200, "application/json", 0]);
		expect(body).toEqual({
			sip_trunk_id: expect.stringMatching(/^ST_[1-9A-HJ-NP-Za-km-z]{12}$/),
			name: "main",
			metadata: "",
			numbers: ["+15550100"],
			allowed_addresses: [],
			allowed_numbers: [],
			auth_username: "u",
			auth_password: "",
			auth_realm: "",
			headers: {},
			headers_to_attributes: {},
			attributes_to_headers: {},
			include_headers: "SIP_NO_HEADERS",
			ringing_timeout: "20s",
			max_call_duration: null,
			krisp_enabled: false,
			media_encryption: "SIP_MEDIA_ENCRYPT_DISABLE",
			media: null,
			created_at: expect.stringMatching(/^20\d\d-/),
			updated_at: expect.stringMatching(/^20\d\d-/),
		});
	});

	test("the stored trunk has the password, no answer has", async () => {
		const { call, deps } = setUp();
		const created = await call("CreateSIPInboundTrunk", { trunk: { numbers: ["1"], authUsername: "u", authPassword: "hunter2" } });
		const id = created.body["sip_trunk_id"] as string;
		expect(await deps.configStore.getTrunk("p_test", id)).toMatchObject({ authPassword: "hunter2" });
		const answers = [
			created,
			await call("GetSIPInboundTrunk", { sipTrunkId: id }),
			await call("ListSIPInboundTrunk", {}),
			await call("DeleteSIPTrunk", { sipTrunkId: id }),
		];
		expect(answers.map((answer) => answer.status)).toEqual([200, 200, 200, 200]);
		expect(JSON.stringify(answers)).not.toContain("hunter2");
	});

	test("media survives the way through the store", async () => {
		const { call } = setUp();
		const media = {
			only_listed_codecs: true,
			codecs: [{ name: "PCMU", rate: 8000 }],
			encryption: "SIP_MEDIA_ENCRYPT_ALLOW",
			media_timeout: "30.500s",
		};
		const trunk = {
			address: "sip.example.com",
			numbers: ["1"],
			transport: "SIP_TRANSPORT_TCP",
			include_headers: "SIP_ALL_HEADERS",
			from_host: "me.example",
			destination_country: "US",
			media,
		};
		const created = await call("CreateSIPOutboundTrunk", { trunk });
		expect(created.body).toMatchObject(trunk);
		expect((await call("GetSIPOutboundTrunk", { sip_trunk_id: created.body["sip_trunk_id"] })).body).toEqual({ trunk: created.body });
	});

	test.each([
		["CreateSIPInboundTrunk", {}, 400, "invalid_argument", "missing trunk"],
		["CreateSIPInboundTrunk", { trunk: { sip_trunk_id: "ST_x", numbers: ["1"] } }, 400, "invalid_argument", "trunk id must not be set"],
		[
			"CreateSIPInboundTrunk",
			{ trunk: {} },
			400,
			"invalid_argument",
			"for security, one of the fields must be set: AuthUsername+AuthPassword, AllowedAddresses or Numbers",
		],
		[
			"CreateSIPInboundTrunk",
			{ trunk: { numbers: ["1"], include_headers: 9 } },
			400,
			"invalid_argument",
			"unknown value 9 of include_headers",
		],
		["CreateSIPOutboundTrunk", { trunk: { address: "a" } }, 400, "invalid_argument", "no trunk numbers specified"],
		["GetSIPInboundTrunk", { sip_trunk_id: "ST_none" }, 404, "not_found", "requested sip trunk does not exist"],
		["DeleteSIPTrunk", {}, 400, "invalid_argument", "trunk id must be set"],
		["ListSIPInboundTrunk", { page: { limit: -1 } }, 400, "invalid_argument", "limit must not be negative"],
		[
			"ListSIPInboundTrunk",
			{ numbers: Array.from({ length: 101 }, String) },
			400,
			"invalid_argument",
			"numbers has 101 elements, at most 100 are allowed",
		],
		["CreateSIPDispatchRule", {}, 400, "invalid_argument", "missing rule"],
		["CreateSIPDispatchRule", { rule: {} }, 400, "invalid_argument", "twirp error unknown: unsupported SIP Dispatch Rule: <nil>"],
		["CreateSIPDispatchRule", { dispatch_rule: { sip_dispatch_rule_id: "SDR_x" } }, 400, "invalid_argument", "rule id must not be set"],
		["DeleteSIPDispatchRule", { sip_dispatch_rule_id: "SDR_x" }, 404, "not_found", "requested sip dispatch rule does not exist"],
	])("%s %j is %i %s", async (method, body, status, code, msg) => {
		expect(await setUp().call(method, body)).toEqual({ status, contentType: "application/json", body: { code, msg } });
	});

	test("a conflict names the other trunk", async () => {
		const { call } = setUp();
		const first = await call("CreateSIPInboundTrunk", { trunk: { numbers: ["+1 555"] } });
		expect(await call("CreateSIPInboundTrunk", { trunk: { numbers: ["1555"] } })).toMatchObject({
			status: 400,
			body: {
				code: "invalid_argument",
				msg: `Conflicting inbound SIP Trunks: "<new>" and "${String(first.body["sip_trunk_id"])}", using the same number(s) ["+1555"] without AllowedNumbers set`,
			},
		});
	});

	test("a trunk of the other kind is not found; deleting knows both kinds, and unknown ids", async () => {
		const { call } = setUp();
		const inbound = (await call("CreateSIPInboundTrunk", { trunk: { numbers: ["1"], name: "in", allowed_addresses: ["10.0.0.0/8"] } }))
			.body["sip_trunk_id"];
		const outbound = (await call("CreateSIPOutboundTrunk", { trunk: { numbers: ["1"], address: "a.example", name: "out" } })).body[
			"sip_trunk_id"
		];
		expect((await call("GetSIPOutboundTrunk", { sip_trunk_id: inbound })).status).toBe(404);
		expect((await call("GetSIPInboundTrunk", { sip_trunk_id: outbound })).status).toBe(404);
		expect((await call("DeleteSIPTrunk", { sip_trunk_id: inbound })).body).toMatchObject({
			sip_trunk_id: inbound,
			kind: "TRUNK_INBOUND",
			name: "in",
			outbound_number: "1",
			inbound_addresses: ["10.0.0.0/8"],
		});
		expect((await call("DeleteSIPTrunk", { sip_trunk_id: outbound })).body).toMatchObject({
			sip_trunk_id: outbound,
			kind: "TRUNK_OUTBOUND",
			name: "out",
			outbound_address: "a.example",
		});
		expect(await call("DeleteSIPTrunk", { sip_trunk_id: inbound })).toMatchObject({
			status: 200,
			body: { sip_trunk_id: inbound, kind: "TRUNK_LEGACY", name: "" },
		});
	});

	test("keys of another project see nothing", async () => {
		const { call, deps, fetch } = setUp({ keys: { lookup: (key) => ({ secret: SECRET, projectId: key === KEY ? "p_test" : "p_other" }) } });
		await call("CreateSIPInboundTrunk", { trunk: { numbers: ["1"] } });
		const authorization = `Bearer ${await token({ sip: { admin: true } }, { key: "otherkey" })}`;
		const other = await fetch(list, { method: "POST", headers: { ...json, authorization }, body: "{}" });
		expect(await other.json()).toEqual({ items: [] });
		expect(await deps.configStore.listInboundTrunks("p_test", {})).toHaveLength(1);
	});

	test("protobuf in, protobuf out", async () => {
		const { fetch } = setUp();
		const headers = { "content-type": "application/protobuf", ...(await bearer()) };
		const body = Uint8Array.from(
			new CreateSIPInboundTrunkRequest({ trunk: new SIPInboundTrunkInfo({ name: "pb", numbers: ["1"] }) }).toBinary(),
		);
		const created = await fetch("/twirp/livekit.SIP/CreateSIPInboundTrunk", { method: "POST", headers, body });
		expect([created.status, created.headers.get("content-type")]).toEqual([200, "application/protobuf"]);
		const trunk = SIPInboundTrunkInfo.fromBinary(new Uint8Array(await created.arrayBuffer()));
		expect(trunk.name).toBe("pb");
		const listed = await fetch(list, {
			method: "POST",
			headers,
			body: Uint8Array.from(new ListSIPInboundTrunkRequest({ trunkIds: [trunk.sipTrunkId] }).toBinary()),
		});
		expect(ListSIPInboundTrunkResponse.fromBinary(new Uint8Array(await listed.arrayBuffer())).items.map((item) => item.toJson())).toEqual([
			trunk.toJson(),
		]);
		const failed = await fetch("/twirp/livekit.SIP/CreateSIPInboundTrunk", { method: "POST", headers, body: new Uint8Array() });
		expect([failed.status, failed.headers.get("content-type"), await failed.json()]).toEqual([
			400,
			"application/json",
			{ code: "invalid_argument", msg: "missing trunk" },
		]);
	});
});

describe("lists", () => {
	const filled = async () => {
		const api = setUp();
		const id = async (method: string, body: unknown, field = "sip_trunk_id") => (await api.call(method, body)).body[field] as string;
		const inbound = [];
		for (const numbers of [["+1"], ["2", "3"], ["4"]]) inbound.push(await id("CreateSIPInboundTrunk", { trunk: { numbers } }));
		const wildcard = await id("CreateSIPInboundTrunk", { trunk: { allowed_addresses: ["10.0.0.0/8"] } });
		const outbound = [];
		for (const numbers of [["1"], ["2"], ["*"]]) outbound.push(await id("CreateSIPOutboundTrunk", { trunk: { numbers, address: "a" } }));
		const rules = [];
		for (const trunk_ids of [["ST_a"], ["ST_b"], []]) {
			rules.push(
				await id(
					"CreateSIPDispatchRule",
					{ dispatch_rule: { rule: { dispatch_rule_direct: { room_name: "r" } }, trunk_ids } },
					"sip_dispatch_rule_id",
				),
			);
		}
		const ids = async (method: string, body: unknown) => {
			const items = (await api.call(method, body)).body["items"] as Record<string, string>[];
			return items.map((item) => item["sip_trunk_id"] ?? item["sip_dispatch_rule_id"]);
		};
		return { inbound, wildcard, outbound, rules, ids };
	};
	const sorted = (...ids: (string | undefined)[]) => ids.toSorted();

	test("inbound trunks", async () => {
		const { inbound, wildcard, outbound, ids } = await filled();
		const [one, two, three] = inbound;
		expect(await ids("ListSIPInboundTrunk", {})).toEqual(sorted(one, two, three, wildcard));
		expect(await ids("ListSIPInboundTrunk", { numbers: ["1"] })).toEqual(sorted(one, wildcard));
		expect(await ids("ListSIPInboundTrunk", { numbers: ["1", "+3", "9"] })).toEqual(sorted(one, two, wildcard));
		expect(await ids("ListSIPInboundTrunk", { trunk_ids: [two, one, "ST_none", outbound[0]] })).toEqual(sorted(one, two));
		expect(await ids("ListSIPInboundTrunk", { trunk_ids: [one, two, wildcard], numbers: ["1"] })).toEqual(sorted(one, wildcard));
	});

	test("outbound trunks", async () => {
		const { outbound, ids } = await filled();
		const [one, two, any] = outbound;
		expect(await ids("ListSIPOutboundTrunk", {})).toEqual(sorted(one, two, any));
		expect(await ids("ListSIPOutboundTrunk", { numbers: ["+1"] })).toEqual(sorted(one, any));
		expect(await ids("ListSIPOutboundTrunk", { trunk_ids: [two, one], numbers: ["+1"] })).toEqual([one]);
	});

	test("dispatch rules", async () => {
		const { rules, ids } = await filled();
		const [a, b, any] = rules;
		expect(await ids("ListSIPDispatchRule", {})).toEqual(sorted(a, b, any));
		expect(await ids("ListSIPDispatchRule", { trunk_ids: ["ST_a"] })).toEqual(sorted(a, any));
		expect(await ids("ListSIPDispatchRule", { dispatch_rule_ids: [b, a, "SDR_none"] })).toEqual(sorted(a, b));
		expect(await ids("ListSIPDispatchRule", { dispatch_rule_ids: [b, any], trunk_ids: ["ST_a"] })).toEqual([any]);
	});

	test.each(["ListSIPInboundTrunk", "ListSIPOutboundTrunk", "ListSIPDispatchRule"])(
		"%s: pages of one reach every item once",
		async (method) => {
			const { ids, inbound, outbound, rules } = await filled();
			const filters =
				method === "ListSIPDispatchRule"
					? [{}, { dispatch_rule_ids: rules }]
					: [{}, { trunk_ids: [...inbound, ...outbound] }, { numbers: ["1", "2", "3", "4"] }];
			for (const filter of filters) {
				const all = await ids(method, filter);
				expect(all.length).toBeGreaterThan(1);
				const paged: string[] = [];
				for (let after = ""; ; after = paged.at(-1) ?? "") {
					const page = await ids(method, { ...filter, page: { after_id: after, limit: 1 } });
					expect(page.length).toBeLessThanOrEqual(1);
					if (page[0] === undefined) break;
					paged.push(page[0]);
				}
				expect(paged).toEqual(all);
			}
		},
	);
});

describe("dispatch rules", () => {
	test.each([
		["dispatch_rule_direct", { room_name: "r", pin: "1234" }],
		["dispatch_rule_individual", { room_prefix: "p", pin: "", no_randomness: true }],
		["dispatch_rule_callee", { room_prefix: "p", pin: "1", randomize: true }],
	])("%s, in the new form and the old", async (kind, target) => {
		const { call } = setUp();
		const room_config = { name: "", agents: [{ agent_name: "a", metadata: "m" }] };
		const rule = {
			rule: { [kind]: target },
			trunk_ids: ["ST_a"],
			hide_phone_number: true,
			inbound_numbers: ["1"],
			name: "n",
			metadata: "m",
			attributes: { a: "b" },
			room_preset: "p",
			room_config,
		};
		const created = await call("CreateSIPDispatchRule", {
			dispatch_rule: { ...rule, numbers: ["2"], krisp_enabled: true },
			name: "ignored",
		});
		expect(created.body).toMatchObject({
			...rule,
			numbers: ["2"],
			krisp_enabled: true,
			sip_dispatch_rule_id: expect.stringMatching(/^SDR_\w{12}$/),
		});
		const old = await call("CreateSIPDispatchRule", rule);
		expect(old.body).toMatchObject({ ...rule, numbers: [], krisp_enabled: false });
		const deleted = await call("DeleteSIPDispatchRule", { sip_dispatch_rule_id: old.body["sip_dispatch_rule_id"] });
		expect(deleted.body).toEqual(old.body);
	});

	test("a conflict names the other rule", async () => {
		const { call } = setUp();
		const first = await call("CreateSIPDispatchRule", { rule: { dispatch_rule_direct: { room_name: "a" } }, name: "first" });
		expect(await call("CreateSIPDispatchRule", { rule: { dispatch_rule_direct: { room_name: "b" } } })).toMatchObject({
			status: 400,
			body: {
				code: "invalid_argument",
				msg: `Dispatch rule for the same trunk, inbound number, number, and PIN combination already exists in dispatch rule "${String(first.body["sip_dispatch_rule_id"])}" "first"`,
			},
		});
	});
});
