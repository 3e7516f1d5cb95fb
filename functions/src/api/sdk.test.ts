// LiveKit's own client, unmodified, against the API on a real socket.
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { SIPHeaderOptions, SIPMediaConfig, SIPTransport } from "@livekit/protocol";
import { captureLogs, MemoryCallStore, MemoryConfigStore, MemoryDialQueue } from "@trunkline/testkit";
import { SipCallError, SipClient } from "livekit-server-sdk";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createApp } from "./app.ts";
import { KEY, SECRET, testApi } from "./test-api.ts";

const dialQueue = new MemoryDialQueue();
const configStore = new MemoryConfigStore();
const { deps, onTick } = testApi({ configStore, callStore: (now) => new MemoryCallStore({ now }), dialQueue, log: captureLogs() });
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

	test("a wrong secret", async () => {
		const wrong = new SipClient(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, KEY, "not the secret of this server, really");
		await expect(wrong.listSipInboundTrunk()).rejects.toMatchObject({ status: 401, message: expect.stringMatching(/^invalid token/) });
	});
});
