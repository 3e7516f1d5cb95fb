import type { DialRequest } from "@trunkline/contracts";
import { callRecord, captureLogs, dialRequest, MemoryCallStore, SimClock } from "@trunkline/testkit";
import { describe, expect, it, test } from "vitest";
import { FakeMedia, FakeRooms, FakeUserAgent, gate, sdpOf, turns } from "./fakes.testkit.ts";
import { OutboundCall } from "./outbound-call.ts";
import { mayCallWith } from "./fraud.ts";
import { outboundPlan } from "./outbound-plan.ts";
import { type SipLegEvent, UnreachableError } from "./ports.ts";
import type { CallDeps } from "./runner.ts";

const START = 1_700_000_000_000;
const CALL_ID = "SCL_111111111111";

async function world(request: Partial<DialRequest> = {}, store?: MemoryCallStore, changes: Partial<CallDeps> = {}) {
	const clock = new SimClock(START);
	const calls = store ?? new MemoryCallStore({ now: () => clock.now() });
	await calls.createCall(callRecord({ callId: CALL_ID, createdAt: START, request: dialRequest(request) }));
	const claimed = await calls.claimCall(CALL_ID, "ND_1", START, START + 15_000);
	if (claimed === undefined) throw new Error("not claimed");
	const media = new FakeMedia();
	const rooms = new FakeRooms();
	const userAgent = new FakeUserAgent();
	const log = captureLogs();
	const over: number[] = [];
	const transfers: string[] = [];
	const dialled: string[] = [];
	const deps: CallDeps = {
		clock,
		media,
		rooms,
		calls,
		projectId: "project",
		roomUrl: async () => "ws://rooms",
		token: async ({ identity }) => `token of ${identity}`,
		nodeId: "ND_1",
		region: "local",
		mediaTimeoutMs: { first: 30_000, later: 15_000 },
		random: (length) => new Uint8Array(length).fill(7),
		log,
		onTransfer: (transferIds, outcome) => void transfers.push([...transferIds, outcome.status, outcome.reason].join(" ")),
		onOver: () => void over.push(clock.now() - START),
		...changes,
	};
	const call = new OutboundCall(deps, claimed, outboundPlan(claimed, log), userAgent, () => void dialled.push(call.phase));
	const record = () => calls.getCall(CALL_ID);
	/** time goes by in small steps, so that promises settle in between */
	const pass = async (ms: number): Promise<void> => {
		for (let left = ms; left > 0; left -= 500) {
			clock.runFor(Math.min(500, left));
			await turns();
		}
	};
	return { clock, calls, media, rooms, userAgent, log, over, dialled, call, record, pass };
}

const answer = (sdp?: string): SipLegEvent => ({
	type: "answered",
	headers: [["X-Carrier-Id", "42"]],
	sipCallId: CALL_ID,
	remoteTag: "their-tag",
	source: "198.51.100.7",
	...(sdp === undefined ? {} : { sdp }),
});

describe("an outbound call in good order", () => {
	it("joins, marks itself as dialled, rings, is answered, sends its digits, talks and is hung up", async () => {
		const { call, userAgent, media, rooms, record, dialled, over } = await world({
			dtmf: "1w2",
			headers: { "X-Sent": "yes" },
			headersToAttributes: { "X-Carrier-Id": "carrier.id" },
		});
		call.dispatch({ type: "start" });
		expect(userAgent.invites).toEqual([]);
		await turns();
		expect(dialled).toEqual(["ringing"]);
		expect(await record()).toMatchObject({ state: "dialing", participantId: "PA_1", sipCallId: CALL_ID });
		expect(userAgent.invites).toMatchObject([
			{
				address: "sip.example.com",
				transport: "UDP",
				invite: {
					callId: CALL_ID,
					localTag: CALL_ID,
					requestUri: "sip:+15550199@sip.example.com",
					from: { uri: "sip:+15550100@192.0.2.10:5070", displayName: "+15550100" },
					to: { uri: "sip:+15550199@sip.example.com" },
					headers: [["X-Sent", "yes"]],
				},
			},
		]);

		userAgent.emit({ type: "provisional", status: 180, reason: "Ringing", headers: [], remoteTag: "bob", source: "203.0.113.5" });
		await turns();
		expect(await record()).toMatchObject({ state: "ringing" });
		const digitsOut = gate();
		media.one.digitsOut = digitsOut.promise;
		userAgent.emit(answer(sdpOf()));
		await turns();
		expect(call.phase).toBe("automation");
		// Nobody in the room hears the digits.
		expect(media.one.did).toEqual(["start PCMU 198.51.100.7:40000 198.51.100.7", "digits 1w2"]);
		digitsOut.resolve();
		await turns();
		expect(call.phase).toBe("active");
		expect(media.one.did.slice(2)).toEqual(["connect", "watch 30000 15000"]);
		expect(Object.assign({}, ...rooms.one.attributeChanges)).toEqual({
			"sip.callStatus": "active",
			"sip.callIDFull": CALL_ID,
			"sip.callTag": "their-tag",
			"carrier.id": "42",
		});
		expect(await record()).toMatchObject({ state: "active", answeredAt: START });

		call.onLeg({ type: "bye", headers: [] });
		await turns();
		expect(over).toEqual([0]);
		expect(dialled).toHaveLength(1);
		expect((await record())?.timeline.map(({ event }) => event)).toEqual([
			"queued",
			"claimed",
			"joined-room",
			"dialing",
			"ringing",
			"answered",
			"active",
			"ended",
		]);
	});

	it("ringback is played into the room until the answer", async () => {
		const { call, media, userAgent } = await world({ playDialtone: true });
		call.dispatch({ type: "start" });
		await turns();
		userAgent.emit(answer(sdpOf()));
		expect(media.one.did.filter((one) => one.startsWith("ringback"))).toEqual(["ringback as in US", "ringback stopped"]);
	});
});

describe("cancelled", () => {
	it("before the room is joined: nothing is dialled, the room is not kept", async () => {
		const { call, rooms, media, userAgent, over, dialled, record } = await world();
		const joined = gate();
		rooms.ready = joined.promise;
		call.dispatch({ type: "start" });
		await turns();
		call.dispatch({ type: "shutdown" });
		joined.resolve();
		await turns();
		expect(userAgent.invites).toEqual([]);
		expect([rooms.one.closed, media.one.did]).toEqual([1, ["close"]]);
		expect(over).toEqual([0]);
		expect(dialled).toHaveLength(1);
		expect(await record()).toMatchObject({ state: "ended", end: { by: "node", reason: "shutdown" } });
	});

	it("while the record is being marked: the INVITE never leaves, and the call is over at once", async () => {
		const marked = gate();
		class SlowStore extends MemoryCallStore {
			override async transitionCall(
				...given: Parameters<MemoryCallStore["transitionCall"]>
			): ReturnType<MemoryCallStore["transitionCall"]> {
				if (given[1].to === "dialing") await marked.promise;
				return super.transitionCall(...given);
			}
		}
		const { call, userAgent, over, record } = await world({}, new SlowStore({ now: () => START }));
		call.dispatch({ type: "start" });
		await turns();
		call.dispatch({ type: "shutdown" });
		await turns();
		expect([call.phase, over]).toEqual(["ending", []]);
		marked.resolve();
		await turns();
		expect(userAgent.invites).toEqual([]);
		expect(over).toEqual([0]);
		// The end is written after the mark, never before it.
		expect((await record())?.timeline.slice(-2).map(({ event }) => event)).toEqual(["dialing", "ended"]);
	});

	it("while the address is being resolved: the INVITE never leaves", async () => {
		const { call, userAgent, rooms, over } = await world();
		const resolved = gate();
		userAgent.resolved = resolved.promise;
		call.dispatch({ type: "start" });
		await turns();
		rooms.one.emit({ type: "closed", reason: "room-deleted", message: "" });
		await turns();
		expect(over).toEqual([]);
		resolved.resolve();
		await turns();
		expect(userAgent.invites).toEqual([]);
		expect([call.phase, over]).toEqual(["over", [0]]);
	});

	it("while the address is being resolved, and it never is: let go of after 40 s", async () => {
		const { call, userAgent, pass, over } = await world({ ringingTimeoutMs: 20_000 });
		userAgent.resolved = new Promise(() => {});
		call.dispatch({ type: "start" });
		await turns();
		await pass(59_500);
		expect([call.phase, over]).toEqual(["ending", []]);
		await pass(500);
		expect(over).toEqual([60_000]);
	});

	it("while it rings: CANCEL, and over when the endpoint says so", async () => {
		const { call, userAgent, pass, over, record } = await world({ ringingTimeoutMs: 20_000 });
		call.dispatch({ type: "start" });
		await turns();
		userAgent.emit({ type: "provisional", status: 180, reason: "Ringing", headers: [], remoteTag: "bob", source: "203.0.113.5" });
		await pass(20_000);
		expect(userAgent.leg.did).toEqual(["cancel"]);
		expect(over).toEqual([]);
		userAgent.emit({ type: "failed", cause: "cancelled", status: 487, headers: [], message: "Request Terminated" });
		await turns();
		expect(over).toEqual([20_000]);
		expect(await record()).toMatchObject({ end: { reason: "no-answer", sipStatus: 408 } });
	});
});

describe("never dialled", () => {
	it("the record is not ours any more: no INVITE", async () => {
		const { call, calls, userAgent, over, dialled, record } = await world();
		await calls.endCall(CALL_ID, START, { by: "api", reason: "cancelled" });
		call.dispatch({ type: "start" });
		await turns();
		expect(userAgent.invites).toEqual([]);
		expect(over).toEqual([0]);
		expect(dialled).toHaveLength(1);
		expect(await record()).toMatchObject({ end: { by: "api", reason: "cancelled" } });
	});

	it("another node took the call over meanwhile: no INVITE, and its record is left alone", async () => {
		const { call, calls, rooms, userAgent, over, record } = await world();
		const joined = gate();
		rooms.ready = joined.promise;
		call.dispatch({ type: "start" });
		await turns();
		await calls.claimCall(CALL_ID, "ND_2", START + 15_000, START + 30_000);
		joined.resolve();
		await turns();
		expect([userAgent.invites, rooms.one.closed, over]).toEqual([[], 1, [0]]);
		expect(await record()).toMatchObject({ state: "claimed", owner: "ND_2" });
	});

	it("the table cannot be written: no INVITE, over without waiting for the endpoint, the queue's message is kept until then", async () => {
		class DownStore extends MemoryCallStore {
			override async transitionCall(
				...given: Parameters<MemoryCallStore["transitionCall"]>
			): ReturnType<MemoryCallStore["transitionCall"]> {
				if (given[1].to === "dialing") throw new Error("table down");
				return super.transitionCall(...given);
			}
		}
		const { call, userAgent, over, dialled, record } = await world({}, new DownStore({ now: () => START }));
		call.dispatch({ type: "start" });
		await turns();
		expect(userAgent.invites).toEqual([]);
		expect(over).toEqual([0]);
		expect(dialled).toHaveLength(1);
		expect(await record()).toMatchObject({ state: "ended", end: { reason: "internal-error", message: "dialling: table down" } });
	});

	test.each<[string, Partial<DialRequest>, Error | undefined, string, string]>([
		["a name that does not resolve", {}, new UnreachableError("no such name"), "unreachable", "no such name"],
		["an INVITE that cannot be written", {}, new Error("requestUri is no URI"), "internal-error", "dialling: requestUri is no URI"],
	])("%s", async (_, request, error, reason, message) => {
		const { call, userAgent, over, record, media, rooms } = await world(request);
		if (error !== undefined) userAgent.resolved = Promise.reject(error);
		call.dispatch({ type: "start" });
		await turns();
		expect(userAgent.invites).toEqual([]);
		expect(over).toEqual([0]);
		expect(await record()).toMatchObject({ state: "ended", end: { by: "node", reason, message: expect.stringContaining(message) } });
		expect([media.one.did.at(-1), rooms.one.closed]).toEqual(["close", 1]);
	});

	it("a trunk that allows only codecs that we do not have: no INVITE, in words", async () => {
		const codecs = { onlyListedCodecs: true, codecs: [{ name: "AMR-WB", rate: 16_000 }] };
		const { call, userAgent, over, record } = await world({ media: codecs });
		call.dispatch({ type: "start" });
		await turns();
		expect(userAgent.invites).toEqual([]);
		expect(over).toEqual([0]);
		const message = "the trunk allows only codecs that this node does not have";
		expect(await record()).toMatchObject({ state: "ended", end: { by: "node", reason: "media-mismatch", message } });
	});
});

describe("answers", () => {
	test.each([
		["none", undefined, "the 200 OK has no SDP"],
		["one without a codec of ours", sdpOf().replace("RTP/AVP 0 101", "RTP/AVP 18 101"), "cannot be used"],
	])("an SDP answer that cannot be used (%s): BYE", async (_, sdp, message) => {
		const { call, userAgent, media, over, record } = await world();
		call.dispatch({ type: "start" });
		await turns();
		userAgent.emit(answer(sdp));
		expect(userAgent.leg.did).toEqual(["bye"]);
		userAgent.emit({ type: "bye-done" });
		await turns();
		expect(over).toEqual([0]);
		expect(media.one.did).toEqual(["close"]);
		expect(await record()).toMatchObject({ end: { reason: "media-mismatch", message: expect.stringContaining(message) } });
	});

	it("an answer in the clear to a call that has to be encrypted: BYE, and no audio ever", async () => {
		const { call, userAgent, media, record } = await world({ mediaEncryption: "REQUIRE" });
		call.dispatch({ type: "start" });
		await turns();
		expect(userAgent.invites[0]?.invite.sdp).toContain("RTP/SAVP");
		userAgent.emit(answer(sdpOf()));
		expect(userAgent.leg.did).toEqual(["bye"]);
		userAgent.emit({ type: "bye-done" });
		await turns();
		expect(media.one.did).toEqual(["close"]);
		const message = "the SDP answer cannot be used: encrypted audio (SRTP) is required, but in the answer there is no a=crypto line";
		expect(await record()).toMatchObject({ end: { reason: "media-mismatch", message } });
	});

	test.each<[number, string]>([
		[486, "busy"],
		[603, "declined"],
		[404, "not-found"],
	])("%i is %s", async (status, reason) => {
		const { call, userAgent, record } = await world();
		call.dispatch({ type: "start" });
		await turns();
		userAgent.emit({ type: "failed", cause: "status", status, reason: "No", headers: [], message: "No" });
		await turns();
		expect(await record()).toMatchObject({ state: "ended", end: { by: "peer", reason, sipStatus: status, sipReason: "No" } });
	});
});

describe("the trunk's settings", () => {
	it("identity, number dialect and session timer are in the INVITE; headers of the request stand for ours", async () => {
		const settings = {
			identity: { fromUser: "acme", assertedIdentity: "number" },
			uri: { numbers: "without-plus", userPhone: true },
			sessionTimer: { mode: "always", expiresSeconds: 600 },
		} as const;
		const plain = await world({ settings, callTo: "+15559999", from: "+15550100", fromHost: "acme.example" });
		plain.call.dispatch({ type: "start" });
		await turns();
		expect(plain.userAgent.invites[0]?.invite).toMatchObject({
			requestUri: expect.stringMatching(/^sip:15559999@.*;user=phone$/),
			from: { uri: "sip:acme@acme.example" },
			headers: [["P-Asserted-Identity", "<sip:15550100@acme.example;user=phone>"]],
			sessionTimer: { mode: "always", expiresSeconds: 600, minSeconds: 90 },
		});
		const own = await world({ settings, from: "+15550100", headers: { "p-asserted-identity": "<sip:desk@acme.example>" } });
		own.call.dispatch({ type: "start" });
		await turns();
		expect(own.userAgent.invites[0]?.invite.headers).toEqual([["p-asserted-identity", "<sip:desk@acme.example>"]]);
	});
});

describe("outboundPlan", () => {
	it("headers that would break the message are left out, and named in the log", () => {
		const log = captureLogs();
		const request = dialRequest({
			headers: { "X-Good": "1", Via: "SIP/2.0/UDP evil", "X-Bad": "1\r\nX-Injected: 1", "bad name": "1", Require: "100rel" },
			participantAttributes: { team: "blue\r\nX-Injected: 1" },
			attributesToHeaders: { team: "X-Team", "sip.callID": "From" },
		});
		const plan = outboundPlan(callRecord({ callId: CALL_ID, createdAt: START, request }), log);
		expect(plan.headers).toEqual([
			["X-Good", "1"],
			["X-Team", "blue  X-Injected: 1"],
		]);
		expect(log.logs.map(({ fields }) => fields["refused"])).toEqual([["Via", "X-Bad", "bad name", "Require", "From"]]);
	});

	it("a record without a request is no outbound call", () => {
		const record = callRecord({ callId: CALL_ID, createdAt: START });
		delete record.request;
		expect(() => outboundPlan(record, captureLogs())).toThrow("has no dial request");
	});
});

it("a dial request that the policy is against is never dialled, whoever put it into the queue", async () => {
	const { call, userAgent, dialled, record, log } = await world({ callTo: "+19005551234" }, undefined, { mayCall: mayCallWith() });
	call.dispatch({ type: "start" });
	await turns();
	expect(userAgent.invites).toEqual([]);
	expect(dialled).toHaveLength(1);
	expect(await record()).toMatchObject({ state: "ended", end: { by: "node", reason: "rejected" } });
	expect(JSON.stringify(log.logs)).not.toContain("9005551234");
});
