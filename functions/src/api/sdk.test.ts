// LiveKit's own client, unmodified, against the API on a real socket.
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import {
	ListUpdate,
	Pagination,
	SIPDispatchRule,
	SIPDispatchRuleInfo,
	SIPHeaderOptions,
	SIPInboundTrunkInfo,
	SIPMediaConfig,
	SIPOutboundTrunkInfo,
	SIPTransport,
	SIPTrunkInfo_TrunkKind,
} from "@livekit/protocol";
import { callRecord, captureLogs, MemoryCallStore, MemoryConfigStore, MemoryDialQueue } from "@trunkline/testkit";
import { SipCallError, SipClient } from "livekit-server-sdk";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createApp } from "./app.ts";
import { KEY, SECRET, testApi } from "./test-api.ts";

const dialQueue = new MemoryDialQueue();
const configStore = new MemoryConfigStore();
const { deps, onTick } = testApi(
	{ configStore, callStore: (now) => new MemoryCallStore({ now }), dialQueue, log: captureLogs() },
	{ random: (length) => randomBytes(length) },
);
const app = createApp(deps);
let server: Server;
let client: SipClient;

beforeAll(async () => {
	server = createServer((request, response) => {
		const body = request.method === "POST" ? { body: Readable.toWeb(request) as ReadableStream, duplex: "half" } : {};
		const init = { method: request.method ?? "GET", headers: request.headers as Record<string, string>, ...body };
		void (async () => {
			const answer = await app.fetch(new Request(`http://127.0.0.1${request.url ?? "/"}`, init as RequestInit));
			response.writeHead(answer.status, Object.fromEntries(answer.headers));
			response.end(Buffer.from(await answer.arrayBuffer()));
		})();
	});
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	client = new SipClient(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, KEY, SECRET);
});

afterAll(() => {
	server.closeAllConnections();
	server.close();
});

describe("SipClient", () => {
	test("inbound trunks", async () => {
		const trunk = await client.createSipInboundTrunk("main", ["+15550100"], {
			metadata: "m",
			allowedAddresses: ["203.0.113.0/24"],
			allowedNumbers: ["+1"],
			authUsername: "u",
			authPassword: "p",
			headers: { "X-A": "b" },
			headersToAttributes: { "X-B": "b" },
			includeHeaders: SIPHeaderOptions.SIP_X_HEADERS,
			krispEnabled: true,
			ringingTimeout: 20,
			media: new SIPMediaConfig({ onlyListedCodecs: true, codecs: [{ name: "PCMU", rate: 8000 }] }),
		});
		expect(trunk.toJson()).toMatchObject({
			name: "main",
			numbers: ["+15550100"],
			authUsername: "u",
			includeHeaders: "SIP_X_HEADERS",
			ringingTimeout: "20s",
			headers: { "X-A": "b" },
			krispEnabled: true,
		});
		expect(trunk.authPassword).toBe("");
		expect((await client.listSipInboundTrunk({ numbers: ["1 555 0100"] })).map((item) => item.toJson())).toEqual([trunk.toJson()]);
		await expect(client.createSipInboundTrunk("open", [])).rejects.toMatchObject({
			status: 400,
			code: "invalid_argument",
			message: "for security, one of the fields must be set: AuthUsername+AuthPassword, AllowedAddresses or Numbers",
		});
		expect((await client.deleteSipTrunk(trunk.sipTrunkId)).sipTrunkId).toBe(trunk.sipTrunkId);
		expect(await client.listSipInboundTrunk()).toEqual([]);
	});

	test("dispatch rules of each kind", async () => {
		const rules = [
			await client.createSipDispatchRule({ type: "direct", roomName: "lobby", pin: "1234" }, { name: "d", attributes: { a: "b" } }),
			await client.createSipDispatchRule({ type: "individual", roomPrefix: "call" }, { trunkIds: ["ST_1"], hidePhoneNumber: true }),
			await client.createSipDispatchRule({ type: "callee", roomPrefix: "to", randomize: true }, { trunkIds: ["ST_2"] }),
		];
		expect(rules.map((rule) => rule.rule?.rule.case)).toEqual(["dispatchRuleDirect", "dispatchRuleIndividual", "dispatchRuleCallee"]);
		expect(rules[0]?.rule?.rule.value).toMatchObject({ roomName: "lobby", pin: "1234" });
		const byId = new Map((await client.listSipDispatchRule()).map((rule) => [rule.sipDispatchRuleId, rule.toJson()]));
		for (const rule of rules) expect(byId.get(rule.sipDispatchRuleId)).toEqual(rule.toJson());
		for (const rule of rules) await client.deleteSipDispatchRule(rule.sipDispatchRuleId);
		expect(await client.listSipDispatchRule()).toEqual([]);
		await expect(client.deleteSipDispatchRule("SDR_none")).rejects.toMatchObject({ status: 404, code: "not_found" });
	});

	test("dialling: answered, then busy with the SIP status in the error", async () => {
		const trunk = await client.createSipOutboundTrunk("out", "sip.example.com", ["+15550001"], {
			transport: SIPTransport.SIP_TRANSPORT_UDP,
			authUsername: "u",
			authPassword: "p",
		});
		expect((await client.listSipOutboundTrunk()).map((item) => item.toJson())).toEqual([trunk.toJson()]);
		onTick(async (now) => {
			for (const { message, ack } of await dialQueue.receive(10, 0)) {
				await ack();
				const call = await deps.callStore.claimCall(message.callId, "ND_1", now, now + 30_000);
				if (call === undefined) continue;
				const step = { owner: "ND_1", at: now, event: "x" };
				await deps.callStore.transitionCall(call.callId, { ...step, from: ["claimed"], to: "joining", patch: { participantId: "PA_1" } });
				if (call.to === "+1busy")
					await deps.callStore.endCall(call.callId, now, { by: "peer", reason: "busy", sipStatus: 486, sipReason: "Busy Here" });
				else await deps.callStore.transitionCall(call.callId, { ...step, from: ["joining"], to: "active", patch: { answeredAt: now } });
			}
		});
		const answered = await client.createSipParticipant(trunk.sipTrunkId, "+15559999", "lobby", {
			waitUntilAnswered: true,
			participantName: "Bob",
			dtmf: "1w2",
		});
		expect(answered.toJson()).toEqual({
			participantId: "PA_1",
			participantIdentity: "sip-participant",
			roomName: "lobby",
			sipCallId: expect.stringMatching(/^SCL_/),
		});
		const busy: unknown = await client
			.createSipParticipant(trunk.sipTrunkId, "+1busy", "lobby", { waitUntilAnswered: true })
			.catch((error: unknown) => error);
		expect(busy).toBeInstanceOf(SipCallError);
		expect(busy).toMatchObject({ sipStatusCode: 486, sipStatus: "Busy Here", status: 429, code: "resource_exhausted" });
	});

	test("updates, whole and by field", async () => {
		const inbound = await client.createSipInboundTrunk("in", ["+15550200"], { authUsername: "u", authPassword: "p" });
		const renamed = await client.updateSipInboundTrunkFields(inbound.sipTrunkId, {
			name: "renamed",
			numbers: new ListUpdate({ add: ["+15550201"], remove: ["+15550200"] }),
		});
		expect(renamed).toMatchObject({ name: "renamed", numbers: ["+15550201"], authUsername: "u" });
		const replaced = await client.updateSipInboundTrunk(
			inbound.sipTrunkId,
			new SIPInboundTrunkInfo({ numbers: ["+15550202"], krispEnabled: true }),
		);
		expect(replaced).toMatchObject({
			sipTrunkId: inbound.sipTrunkId,
			name: "",
			numbers: ["+15550202"],
			krispEnabled: true,
			authUsername: "",
		});
		expect(replaced.createdAt?.toJson()).toEqual(inbound.createdAt?.toJson());

		const outbound = await client.createSipOutboundTrunk("out", "a.example", ["+15550200"]);
		const moved = await client.updateSipOutboundTrunkFields(outbound.sipTrunkId, {
			numbers: new ListUpdate({ set: ["+1", "+2"] }),
			metadata: "m",
		});
		expect(moved).toMatchObject({ numbers: ["+1", "+2"], metadata: "m", address: "a.example" });
		const other = await client.updateSipOutboundTrunk(
			outbound.sipTrunkId,
			new SIPOutboundTrunkInfo({ address: "b.example", numbers: ["+3"] }),
		);
		expect(other).toMatchObject({ sipTrunkId: outbound.sipTrunkId, address: "b.example", numbers: ["+3"], metadata: "" });
		await expect(
			client.updateSipOutboundTrunkFields(outbound.sipTrunkId, { numbers: new ListUpdate({ clear: true }) }),
		).rejects.toMatchObject({
			status: 400,
			code: "invalid_argument",
			message: "no trunk numbers specified",
		});

		const rule = await client.createSipDispatchRule(
			{ type: "direct", roomName: "a" },
			{ trunkIds: [inbound.sipTrunkId], attributes: { a: "1" } },
		);
		const changed = await client.updateSipDispatchRuleFields(rule.sipDispatchRuleId, {
			name: "n",
			attributes: { b: "2" },
			trunkIds: new ListUpdate({ add: ["ST_x"] }),
		});
		expect(changed).toMatchObject({ name: "n", attributes: { a: "1", b: "2" }, trunkIds: [inbound.sipTrunkId, "ST_x"] });
		const target = new SIPDispatchRule({ rule: { case: "dispatchRuleCallee", value: { roomPrefix: "p", pin: "", randomize: false } } });
		const whole = await client.updateSipDispatchRule(rule.sipDispatchRuleId, new SIPDispatchRuleInfo({ rule: target }));
		expect(whole).toMatchObject({ sipDispatchRuleId: rule.sipDispatchRuleId, name: "", trunkIds: [] });
		expect(whole.rule?.rule.case).toBe("dispatchRuleCallee");
		expect(await client.listSipDispatchRule({ dispatchRuleIds: [rule.sipDispatchRuleId] })).toHaveLength(1);
		await expect(client.updateSipInboundTrunkFields("ST_none", { name: "x" })).rejects.toMatchObject({ status: 404, code: "not_found" });
	});

	test("the calls that LiveKit has deprecated", async () => {
		const trunks = await client.listSipTrunk();
		const kinds = new Set(trunks.map(({ kind }) => kind));
		expect(kinds).toEqual(new Set([SIPTrunkInfo_TrunkKind.TRUNK_INBOUND, SIPTrunkInfo_TrunkKind.TRUNK_OUTBOUND]));
		await expect(client.createSipTrunk("+15550300")).rejects.toMatchObject({
			status: 404,
			code: "bad_route",
			message: expect.stringContaining("createSipInboundTrunk"),
		});
	});

	test("pages by their limit", async () => {
		const all = (await client.listSipTrunk()).map(({ sipTrunkId }) => sipTrunkId);
		const paged: string[] = [];
		for (const list of [
			(page: Pagination) => client.listSipInboundTrunk({ page }),
			(page: Pagination) => client.listSipOutboundTrunk({ page }),
		]) {
			for (let afterId = ""; ; ) {
				const [item, ...more] = await list(new Pagination({ afterId, limit: 1 }));
				expect(more).toEqual([]);
				if (item === undefined) break;
				paged.push(item.sipTrunkId);
				afterId = item.sipTrunkId;
			}
		}
		expect(paged.toSorted()).toEqual(all);
	});

	test("transfers: done, and refused with the SIP status in the error", async () => {
		const call = callRecord({
			callId: "SCL_t",
			createdAt: deps.clock(),
			projectId: "p_test",
			state: "active",
			roomName: "hall",
			participantIdentity: "anna",
		});
		await deps.callStore.createCall(call);
		const targets: string[] = [];
		deps.transfer = async ({ callId }, { transferTo, ringingTimeoutMs }) => {
			targets.push(`${callId} ${transferTo} ${ringingTimeoutMs}`);
			const failed = transferTo.includes("busy");
			return failed
				? { status: "failed", reason: "rejected", sipStatus: { code: 486, reason: "Busy Here" } }
				: { status: "successful", reason: "completed" };
		};
		await client.transferSipParticipant("hall", "anna", "tel:+15550100", { playDialtone: true });
		expect(targets).toEqual(["SCL_t tel:+15550100 30000"]);
		const refused: unknown = await client.transferSipParticipant("hall", "anna", "sip:busy@a.example").catch((error: unknown) => error);
		expect(refused).toBeInstanceOf(SipCallError);
		expect(refused).toMatchObject({ sipStatusCode: 486, sipStatus: "Busy Here", status: 429 });
	});

	test("no method of the client is untested here", () => {
		const methods = Object.getOwnPropertyNames(SipClient.prototype).filter((name) => name !== "constructor");
		const source = readFileSync(new URL(import.meta.url), "utf8");
		expect(methods.filter((name) => !source.includes(`client.${name}(`) && !source.includes(`client\n\t\t\t.${name}(`))).toEqual([]);
	});

	test("a wrong secret", async () => {
		const wrong = new SipClient(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, KEY, "not the secret of this server, really");
		await expect(wrong.listSipInboundTrunk()).rejects.toMatchObject({ status: 401, message: expect.stringMatching(/^invalid token/) });
	});
});
