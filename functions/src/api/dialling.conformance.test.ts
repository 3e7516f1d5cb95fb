// LiveKit's CreateSIPParticipant and TransferSIPParticipant row by row. "better:" marks what differs from LiveKit on purpose.
import { randomBytes } from "node:crypto";
import { CreateSIPParticipantRequest, SIPParticipantInfo, SIPRequestDest, SIPTransport, SIPUri } from "@livekit/protocol";
import type { CallRecord, DialRequest } from "@trunkline/contracts";
import type { TransferCommand, TransferOutcome, TransferPort } from "@trunkline/domain";
import {
	callRecord,
	captureLogs,
	dialRequest,
	MemoryCallStore,
	MemoryConfigStore,
	MemoryDialQueue,
	MemoryTransferStore,
} from "@trunkline/testkit";
import { describe, expect, test } from "vitest";
import type { ApiDeps } from "./deps.ts";
import { testApi, token } from "./test-api.ts";
import { transferBy } from "./transfer-call.ts";

async function setUp(over: Partial<ApiDeps> = {}) {
	const dialQueue = new MemoryDialQueue();
	const stores = {
		configStore: new MemoryConfigStore(),
		callStore: (now: () => number) => new MemoryCallStore({ now }),
		dialQueue,
		log: captureLogs(),
	};
	const api = testApi(stores, { random: (length) => randomBytes(length), ...over });
	const placed: CallRecord[] = [];
	// A node that takes each call and joins its room.
	api.onTick(async (now) => {
		for (const { message, ack } of await dialQueue.receive(10, 0)) {
			await ack();
			const call = await api.deps.callStore.claimCall(message.callId, "ND_1", now, now + 30_000);
			if (call === undefined) continue;
			placed.push(call);
			const patch = { participantId: "PA_1" };
			await api.deps.callStore.transitionCall(call.callId, {
				from: ["claimed"],
				to: "joining",
				owner: "ND_1",
				at: now,
				event: "joining",
				patch,
			});
		}
	});
	const trunk = async (body: object = {}) => {
		const made = await api.call("CreateSIPOutboundTrunk", { trunk: { address: "sip.example.com", numbers: ["+15550001"], ...body } });
		return String(made.body["sip_trunk_id"]);
	};
	const sip_trunk_id = await trunk();
	const dial = (body: object = {}, headers: Record<string, string> = {}) =>
		api.call("CreateSIPParticipant", { sip_trunk_id, sip_call_to: "+15559999", room_name: "lobby", ...body }, { headers });
	const dialled = async (body: object = {}): Promise<DialRequest> => {
		const answer = await dial(body);
		expect([answer.status, answer.body["msg"]]).toEqual([200, undefined]);
		return placed.at(-1)?.request ?? expect.fail("no call");
	};
	return { ...api, trunk, dial, dialled, placed };
}

describe("3.1 CreateSIPParticipantRequest: what it asks for is what is dialled", () => {
	const at = "sip.example.com";
	test.each<[string, object, Partial<DialRequest>]>([
		["sip_number: From user; else one of the trunk's", {}, { from: "+15550001" }],
		["sip_number is not checked to belong to the trunk", { sip_number: "+1 999" }, { from: "+1999" }],
		["sip_call_to", { sip_call_to: "anna" }, { callTo: "anna", address: at }],
		[
			"sip_request_uri, raw",
			{ sip_request_uri: { raw: "<sip:+1777@pbx.example;transport=tcp>" } },
			{ requestUri: "sip:+1777@pbx.example;transport=tcp", callTo: "+15559999", address: at },
		],
		[
			"sip_request_uri, values",
			{ sip_request_uri: { values: { user: "a", host: "b", port: 5070, transport: "SIP_TRANSPORT_UDP" } } },
			{ requestUri: "sip:a@b:5070;transport=udp" },
		],
		[
			"sip_from_header",
			{ sip_from_header: { display_name: "Desk", raw: "sip:desk@b" } },
			{ fromHeader: { uri: "sip:desk@b", displayName: "Desk" } },
		],
		["to_user_override changes the To user", { to_user_override: "anna.b" }, { toUserOverride: "anna.b", callTo: "+15559999" }],
		["display_name empty: none", { display_name: "" }, { displayName: "" }],
		["display_name", { display_name: "Anna" }, { displayName: "Anna" }],
		["participant_identity: sip_<call_to>", {}, { participantIdentity: "sip_+15559999", participantName: "" }],
		[
			"participant: identity, name, metadata, attributes",
			{ participant_identity: "i", participant_name: "n", participant_metadata: "m", participant_attributes: { a: "b" } },
			{ participantIdentity: "i", participantName: "n", participantMetadata: "m", participantAttributes: { a: "b" } },
		],
		["dtmf", { dtmf: "1w*#" }, { dtmf: "1w*#" }],
		["play_dialtone", { play_dialtone: true }, { playDialtone: true }],
		["play_ringtone, the older name", { play_ringtone: true }, { playDialtone: true }],
		["hide_phone_number", { hide_phone_number: true }, { hidePhoneNumber: true }],
		["include_headers", { include_headers: "SIP_ALL_HEADERS" }, { includeHeaders: "ALL" }],
		["ringing_timeout: default 3 min", {}, { ringingTimeoutMs: 180_000 }],
		["ringing_timeout", { ringing_timeout: "45s" }, { ringingTimeoutMs: 45_000 }],
		["max_call_duration: default 24 h", {}, { maxCallDurationMs: 86_400_000 }],
		["max_call_duration", { max_call_duration: "60.5s" }, { maxCallDurationMs: 60_500 }],
		["krisp_enabled", { krisp_enabled: true }, { krispEnabled: true }],
		[
			"media_encryption, the older field",
			{ media_encryption: "SIP_MEDIA_ENCRYPT_REQUIRE" },
			{ mediaEncryption: "REQUIRE", media: { onlyListedCodecs: false, codecs: [], encryption: "REQUIRE" } },
		],
		[
			"media",
			{ media: { only_listed_codecs: true, codecs: [{ name: "PCMA", rate: 8000 }], media_timeout: "20s" } },
			{ media: { onlyListedCodecs: true, codecs: [{ name: "PCMA", rate: 8000 }], mediaTimeoutMs: 20_000 } },
		],
		["wait_until_answered unset", {}, { waitUntilAnswered: false }],
	])("%s", async (_, body, expected) => {
		expect(await (await setUp()).dialled(body)).toMatchObject(expected);
	});

	test("headers and include_headers over the trunk's, per key", async () => {
		const api = await setUp();
		const sip_trunk_id = await api.trunk({
			headers: { "X-A": "trunk", "X-B": "trunk" },
			include_headers: "SIP_X_HEADERS",
			headers_to_attributes: { "X-C": "c" },
		});
		expect(await api.dialled({ sip_trunk_id, headers: { "x-a": "request" } })).toMatchObject({
			headers: { "x-a": "request", "X-B": "trunk" },
			includeHeaders: "X_HEADERS",
			headersToAttributes: { "X-C": "c" },
		});
	});

	test("an inline trunk; a stored one wins over it", async () => {
		const api = await setUp();
		const trunk = {
			hostname: "inline.example:5070",
			transport: "SIP_TRANSPORT_TLS",
			auth_username: "u",
			auth_password: "p",
			from_host: "me.example",
			attributes_to_headers: { a: "X-A" },
		};
		expect(await api.dialled({ sip_trunk_id: "", sip_number: "+1", trunk })).toMatchObject({
			trunkId: "",
			address: "inline.example:5070",
			transport: "TLS",
			authUsername: "u",
			authPassword: "p",
			fromHost: "me.example",
			attributesToHeaders: { a: "X-A" },
			from: "+1",
		});
		expect(await api.dialled({ trunk })).toMatchObject({ address: at });
	});

	test("+ is added for twilio.com", async () => {
		const api = await setUp();
		const sip_trunk_id = await api.trunk({ address: "x.pstn.twilio.com", numbers: ["15550001"] });
		expect(await api.dialled({ sip_trunk_id })).toMatchObject({ from: "+15550001" });
	});

	const none = "missing sip callee number";
	test.each<[string, object, number, string]>([
		["unknown trunk → 404", { sip_trunk_id: "ST_none" }, 404, "requested sip trunk does not exist"],
		["neither trunk nor sip_number", { sip_trunk_id: "" }, 400, "missing sip trunk id and sip number"],
		["no trunk", { sip_trunk_id: "", sip_number: "+1" }, 400, "missing sip trunk id"],
		["an inline trunk without hostname", { sip_trunk_id: "", trunk: {} }, 400, "no outbound hostname specified"],
		["an inline trunk without sip_number → 412", { sip_trunk_id: "", trunk: { hostname: "a" } }, 412, "no numbers on outbound trunk"],
		["no sip_call_to", { sip_call_to: "" }, 400, none],
		["no sip_call_to, but a request URI", { sip_call_to: "", sip_request_uri: { raw: "sip:a@b" } }, 400, none],
		["a URI as sip_call_to", { sip_call_to: "a@b" }, 400, "SipCallTo should be a phone number or SIP user, not a full SIP URI"],
		[
			"sip_to_header",
			{ sip_to_header: { raw: "sip:a@b" } },
			400,
			"sip_to_header cannot be combined with sip_call_to, which is required; use to_user_override to change the user in To",
		],
		["sip_request_uri without URI", { sip_request_uri: {} }, 400, "sip_request_uri has no URI: set raw or values"],
		[
			"sip_request_uri that is none",
			{ sip_request_uri: { raw: "tel:+1" } },
			400,
			"sip_request_uri must be a SIP or SIPS URI, like sip:+15550100@sip.example.com:5060;transport=tcp",
		],
		[
			"a URI as to_user_override",
			{ to_user_override: "a@b" },
			400,
			"ToUserOverride should be a phone number or SIP user, not a full SIP URI",
		],
		["to_user_override with a space", { to_user_override: "a b" }, 400, "ToUserOverride contains invalid characters: char 32 not allowed"],
		["no room", { room_name: "" }, 400, "missing room name"],
		["a display name above 128", { display_name: "x".repeat(129) }, 400, "DisplayName too long (max 128 characters)"],
		["a display name that cannot be quoted", { display_name: 'a"b' }, 400, "DisplayName must be a valid quoted string: invalid syntax"],
		["destination: city alone", { destination: { city: "Berlin" } }, 400, "if city is specified, country or region must also be specified"],
		[
			"destination: country in lower case",
			{ destination: { country: "us" } },
			400,
			"country must be a valid ISO 3166-1 alpha-2 code (2-letter like 'US', 'IN', 'UK')",
		],
		[
			"better: a region that is not served",
			{ destination: { region: "moon" } },
			400,
			'destination region "moon" is not served here, regions are: local, far',
		],
		["a forbidden header", { headers: { Contact: "x" } }, 400, "invalid header name: header name Contact not supported"],
	])("refused: %s", async (_, body, status, msg) => {
		const api = await setUp();
		expect(await api.dial(body)).toMatchObject({ status, body: { msg } });
		expect(api.placed).toEqual([]);
	});

	test.each([
		["sip_call_to", { sip_call_to: "+19002221234" }],
		["to_user_override", { to_user_override: "+19002221234" }],
		["sip_request_uri", { sip_request_uri: { raw: "sip:%2B19002221234@sip.example.com" } }],
	])("better: a premium number is refused by policy in %s", async (_, body) => {
		const api = await setUp();
		expect(await api.dial(body)).toMatchObject({ status: 403, body: { code: "permission_denied" } });
		expect(api.placed).toEqual([]);
	});

	test("protobuf: every field that decides about the INVITE", async () => {
		const api = await setUp();
		const sipTrunkId = await api.trunk();
		const request = new CreateSIPParticipantRequest({
			sipTrunkId,
			sipCallTo: "+15559999",
			roomName: "lobby",
			sipRequestUri: new SIPRequestDest({
				uri: { case: "values", value: new SIPUri({ user: "+1", ip: "192.0.2.1", transport: SIPTransport.SIP_TRANSPORT_TCP }) },
			}),
			displayName: "",
		});
		const headers = { "content-type": "application/protobuf", authorization: `Bearer ${await token({ sip: { call: true } })}` };
		const answer = await api.fetch("/twirp/livekit.SIP/CreateSIPParticipant", {
			method: "POST",
			headers,
			body: Uint8Array.from(request.toBinary()),
		});
		expect([answer.status, answer.headers.get("content-type")]).toEqual([200, "application/protobuf"]);
		const info = SIPParticipantInfo.fromBinary(new Uint8Array(await answer.arrayBuffer()));
		expect(info).toMatchObject({
			participantId: "PA_1",
			participantIdentity: "sip_+15559999",
			roomName: "lobby",
			sipCallId: api.placed[0]?.callId,
		});
		expect(api.placed[0]?.request).toMatchObject({ requestUri: "sip:+1@192.0.2.1;transport=tcp", displayName: "" });
	});
});

describe("better: retries make one call", () => {
	const key = (text: string) => ({ "idempotency-key": text });
	test("with one Idempotency-Key, whatever the SDK's request ids are", async () => {
		const api = await setUp();
		const answers = await Promise.all(["a", "b", "c"].map((id) => api.dial({}, { ...key("order-1"), "x-livekit-request-id": id })));
		expect(new Set(answers.map(({ body }) => body["sip_call_id"])).size).toBe(1);
		expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
		expect(await api.dial({}, key("order-1"))).toEqual(answers[0]);
		expect(api.placed).toHaveLength(1);
	});
	test("a key and a request id of the same text are two calls, and so are two keys", async () => {
		const api = await setUp();
		await api.dial({}, key("1"));
		await api.dial({}, { "x-livekit-request-id": "1" });
		await api.dial({}, key("2"));
		expect(api.placed).toHaveLength(3);
	});
	test("one key for another call is refused", async () => {
		const api = await setUp();
		await api.dial({}, key("1"));
		expect(await api.dial({ sip_call_to: "+1" }, key("1"))).toMatchObject({ status: 409, body: { code: "already_exists" } });
	});
	test("a key that is too long is refused", async () => {
		const api = await setUp();
		expect(await api.dial({}, key("x".repeat(256)))).toMatchObject({
			status: 400,
			body: { msg: "Idempotency-Key is too long: at most 255 characters are allowed" },
		});
	});
});

describe("3.3 TransferSIPParticipant", () => {
	const done: TransferOutcome = { status: "successful", reason: "completed", sipStatus: { code: 200, reason: "OK" } };
	const transferring = async (options: { outcome?: TransferOutcome; state?: CallRecord["state"]; over?: Partial<ApiDeps> } = {}) => {
		const commands: [string, TransferCommand][] = [];
		const transfer: TransferPort = async (call, command) => {
			commands.push([call.callId, command]);
			return options.outcome ?? done;
		};
		const api = await setUp({ transfer, ...options.over });
		await api.deps.callStore.createCall(
			callRecord({
				callId: "SCL_1",
				createdAt: api.deps.clock(),
				projectId: "p_test",
				state: options.state ?? "active",
				owner: "ND_1",
				participantIdentity: "anna",
				request: dialRequest(),
			}),
		);
		const send = async (body: object, claims: object, headers: Record<string, string> = {}) => {
			const response = await api.fetch("/twirp/livekit.SIP/TransferSIPParticipant", {
				method: "POST",
				headers: { "content-type": "application/json", authorization: `Bearer ${await token({ ...claims })}`, ...headers },
				body: JSON.stringify({ room_name: "lobby", participant_identity: "anna", transfer_to: "tel:+15550100", ...body }),
			});
			return { status: response.status, body: (await response.json()) as Record<string, unknown> };
		};
		return { ...api, commands, send };
	};
	const claims = { sip: { call: true }, video: { roomAdmin: true, room: "lobby" } };

	test("sip:, sips: and tel:; the answer has id, status, reason, SIP status", async () => {
		const api = await transferring();
		expect(
			await api.send({ transfer_to: "sip:+1@a.example", play_dialtone: true, headers: { "X-A": "b" }, ringing_timeout: "45s" }, claims),
		).toEqual({
			status: 200,
			body: {
				transfer_id: expect.stringMatching(/^STR_\w{12}$/),
				status: "STS_TRANSFER_SUCCESSFUL",
				reason: "STR_COMPLETED",
				sip_status: { code: "SIP_STATUS_OK", status: "OK" },
			},
		});
		await api.send({ transfer_to: "<tel:+1>" }, claims);
		const base = { transferId: expect.any(String), playDialtone: false, headers: {}, ringingTimeoutMs: 30_000 };
		expect(api.commands).toEqual([
			["SCL_1", { ...base, transferTo: "<sip:+1@a.example>", playDialtone: true, headers: { "X-A": "b" }, ringingTimeoutMs: 45_000 }],
			["SCL_1", { ...base, transferTo: "tel:+1" }],
		]);
	});

	test.each([
		["room_name before auth", { room_name: "" }, "twirp error unknown: Missing room name"],
		["participant_identity before auth", { participant_identity: "" }, "twirp error unknown: Missing participant identity"],
	])("presence of %s", async (_, body, msg) => {
		const api = await transferring();
		expect(await api.send(body, {})).toEqual({ status: 400, body: { code: "invalid_argument", msg } });
	});

	test.each([
		["no grant", {}],
		["sip.call alone", { sip: { call: true } }],
		["admin of another room", { ...claims, video: { roomAdmin: true, room: "other" } }],
		["admin of no room", { ...claims, video: { roomAdmin: true } }],
		["no admin", { ...claims, video: { room: "lobby" } }],
		["room admin without sip.call", { video: claims.video }],
	])("needs sip.call and roomAdmin of that room: %s", async (_, given) => {
		const api = await transferring();
		// before validation
		expect(await api.send({ transfer_to: "" }, given)).toEqual({
			status: 401,
			body: { code: "unauthenticated", msg: "permissions denied" },
		});
		expect(api.commands).toEqual([]);
	});

	test.each([
		["missing transfer_to", { transfer_to: "" }, "missing transfer to"],
		["a bare number", { transfer_to: "+15550100" }, "transfer_to must be a valid SIP(s) or TEL URI (sip:, sips: or tel:)"],
		["a forbidden header", { headers: { "Call-ID": "x" } }, "invalid header name: header name Call-ID not supported"],
		["a negative ringing_timeout", { ringing_timeout: "-1s" }, "ringing_timeout must not be negative"],
	])("refused: %s", async (_, body, msg) => {
		const api = await transferring();
		expect(await api.send(body, claims)).toEqual({ status: 400, body: { code: "invalid_argument", msg } });
		expect(api.commands).toEqual([]);
	});

	test("participant missing → 404; a participant without SIP session", async () => {
		const asked: [string | null, unknown][] = [];
		const answer = { status: 404 };
		const roomService = async (request: Request) => {
			asked.push([request.headers.get("authorization"), await request.json()]);
			return new Response("{}", answer);
		};
		const api = await transferring({ over: { roomService } });
		expect(await api.send({ participant_identity: "bob" }, claims)).toMatchObject({
			status: 404,
			body: { code: "not_found", msg: "participant does not exist" },
		});
		expect(asked).toEqual([[expect.stringMatching(/^Bearer ey/), { room: "lobby", identity: "bob" }]]);
		answer.status = 200;
		expect(await api.send({ participant_identity: "bob" }, claims)).toMatchObject({
			status: 400,
			body: { msg: "twirp error unknown: no SIP session associated with participant" },
		});
	});

	test.each(["dialing", "ringing"] as const)("not answered yet, says the node (%s) → failed_precondition", async (state) => {
		const api = await transferring({ state, outcome: { status: "failed", reason: "unspecified", refused: "not-answered" } });
		expect(await api.send({}, claims)).toMatchObject({
			status: 412,
			body: { code: "failed_precondition", msg: expect.stringContaining("not answered yet") },
		});
		expect(api.commands).toHaveLength(1);
	});

	test("being transferred elsewhere → invalid_argument, gone → unavailable", async () => {
		const elsewhere = await transferring({ outcome: { status: "failed", reason: "unspecified", refused: "elsewhere" } });
		expect(await elsewhere.send({}, claims)).toMatchObject({
			status: 400,
			body: { code: "invalid_argument", msg: "twirp error unknown: call already being transferred elsewhere" },
		});
		const gone = await transferring({ outcome: { status: "failed", reason: "unspecified", refused: "gone" } });
		expect(await gone.send({}, claims)).toMatchObject({
			status: 503,
			body: { code: "unavailable", msg: expect.stringContaining("no response") },
		});
	});

	test.each(["queued", "claimed", "joining"] as const)("not dialled yet (%s) → failed_precondition", async (state) => {
		const api = await transferring({ state });
		expect(await api.send({}, claims)).toMatchObject({
			status: 412,
			body: { code: "failed_precondition", msg: expect.stringContaining("not answered yet") },
		});
		expect(api.commands).toEqual([]);
	});

	test("a refusal of the telephone side is the error, with its SIP status", async () => {
		const api = await transferring({ outcome: { status: "failed", reason: "rejected", sipStatus: { code: 486, reason: "Busy Here" } } });
		expect(await api.send({}, claims)).toMatchObject({
			status: 429,
			body: {
				code: "resource_exhausted",
				msg: "twirp error unknown: call transfer failed: sip status: 486: Busy Here",
				meta: { sip_status_code: "486", sip_status: "Busy Here", error_details: expect.any(String) },
			},
		});
	});

	test("retries of one request are one transfer", async () => {
		const api = await transferring();
		const answers = [
			await api.send({}, claims, { "x-livekit-request-id": "1" }),
			await api.send({}, claims, { "x-livekit-request-id": "1" }),
		];
		expect(answers[0]).toEqual(answers[1]);
		expect(new Set(api.commands.map(([, { transferId }]) => transferId)).size).toBe(1);
	});

	test("a retry whose first attempt ended the call gets that one's answer; whoever asks about another participant does not", async () => {
		const transfers = new MemoryTransferStore();
		const api = await transferring({ over: { transfers } });
		api.deps.transfer = transferBy({
			...api.deps,
			transfers,
			commandQueue: () => ({
				receive: async () => [],
				send: async ({ commandId, callId }) => {
					await transfers.takeTransfer(commandId);
					await transfers.settleTransfer(commandId, ["ongoing"], done);
					await api.deps.callStore.endCall(callId, api.deps.clock(), { by: "api", reason: "transferred" });
				},
			}),
		});
		const key = { "idempotency-key": "1" };
		const first = await api.send({}, claims, key);
		expect(first).toMatchObject({ status: 200, body: { status: "STS_TRANSFER_SUCCESSFUL" } });
		expect(await api.send({}, claims, key)).toEqual(first);
		expect(await api.send({ transfer_to: "tel:+15550101" }, claims, key)).toMatchObject({ status: 409, body: { code: "already_exists" } });
		const gone = { status: 404, body: { code: "not_found", msg: "participant does not exist" } };
		const other = { ...claims, video: { roomAdmin: true, room: "other" } };
		const roomService = async () => new Response("", { status: 404 });
		api.deps.roomService = roomService;
		expect(await api.send({ room_name: "other" }, other, key)).toEqual(gone);
		expect(await api.send({ participant_identity: "otto" }, claims, key)).toEqual(gone);
		expect(await api.send({}, claims)).toEqual(gone);
	});

	test("where nothing transfers it says so", async () => {
		const api = await transferring();
		delete api.deps.transfer;
		expect(await api.send({}, claims)).toEqual({
			status: 501,
			body: { code: "unimplemented", msg: "this deployment does not transfer calls" },
		});
	});
});
