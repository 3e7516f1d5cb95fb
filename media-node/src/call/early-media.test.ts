import type { DialRequest, TrunkSettings } from "@trunkline/contracts";
import { callRecord, captureLogs, dialRequest, MemoryCallStore, SimClock } from "@trunkline/testkit";
import { describe, expect, it } from "vitest";
import { FakeLeg, FakeMedia, FakeRooms, FakeUserAgent, sdpOf, turns } from "./fakes.testkit.ts";
import { InboundCall } from "./inbound-call.ts";
import { OutboundCall } from "./outbound-call.ts";
import { outboundPlan } from "./outbound-plan.ts";
import type { InboundInvite, SipLegEvent } from "./ports.ts";
import type { CallDeps } from "./runner.ts";

const START = 1_700_000_000_000;
const CALL_ID = "SCL_111111111111";

function ports() {
	const clock = new SimClock(START);
	const calls = new MemoryCallStore({ now: () => clock.now() });
	const media = new FakeMedia();
	const rooms = new FakeRooms();
	const log = captureLogs();
	const deps: CallDeps = {
		clock,
		media,
		rooms,
		calls,
		projectId: "project",
		roomUrl: async () => "ws://rooms",
		token: async () => "token",
		nodeId: "ND_1",
		region: "local",
		mediaTimeoutMs: { first: 30_000, later: 15_000 },
		random: (length) => new Uint8Array(length).fill(7),
		log,
		onTransfer: () => {},
		onOver: () => {},
	};
	const record = () => calls.getCall(CALL_ID);
	const timeline = async () => (await record())?.timeline.map(({ event }) => event);
	return { clock, calls, media, rooms, log, deps, record, timeline };
}

/** An outbound call whose INVITE has left. */
async function dialled(settings: TrunkSettings, request: Partial<DialRequest> = {}) {
	const world = ports();
	await world.calls.createCall(callRecord({ callId: CALL_ID, createdAt: START, request: dialRequest({ settings, ...request }) }));
	const claimed = await world.calls.claimCall(CALL_ID, "ND_1", START, START + 15_000);
	if (claimed === undefined) throw new Error("not claimed");
	const userAgent = new FakeUserAgent();
	const call = new OutboundCall(world.deps, claimed, outboundPlan(claimed, world.log), userAgent, () => {});
	call.dispatch({ type: "start" });
	await turns();
	return { ...world, userAgent, call };
}

type Provisional = Extract<SipLegEvent, { type: "provisional" }>;
const progress = (extra: Partial<Provisional> = {}): Provisional => ({
	type: "provisional",
	status: 183,
	reason: "Session Progress",
	headers: [],
	remoteTag: "fork-1",
	source: "198.51.100.7",
	sdp: sdpOf(),
	...extra,
});
const answered = (remoteTag: string, sdp?: string): SipLegEvent => ({
	type: "answered",
	headers: [],
	sipCallId: CALL_ID,
	remoteTag,
	source: "198.51.100.7",
	...(sdp === undefined ? {} : { sdp }),
});

describe("outbound: the telephone network is heard in the room before the answer", () => {
	const TO_ROOM: TrunkSettings = { earlyMedia: { toRoom: true } };

	it("183 with SDP: heard at once, nothing is sent, our ringback goes on until the first packet, and no silence ends the call", async () => {
		const { userAgent, media, timeline } = await dialled(TO_ROOM, { playDialtone: true });
		userAgent.emit(progress());
		expect(media.one.did).toEqual(["ringback as in US", "start PCMU 198.51.100.7:40000 198.51.100.7", "listen"]);
		media.one.emit({ type: "media-started" });
		expect(media.one.did.at(-1)).toBe("ringback stopped");
		expect(media.one.did.filter((one) => one.startsWith("watch"))).toEqual([]);
		userAgent.emit(progress());
		await turns();
		expect(media.one.did).toHaveLength(4);
		expect((await timeline())?.filter((event) => event === "early-media")).toHaveLength(1);
	});

	it("the answer takes over: both are heard, and the silence is watched from then on", async () => {
		const { userAgent, media, call, timeline } = await dialled(TO_ROOM);
		userAgent.emit(progress());
		userAgent.emit(answered("fork-1", sdpOf()));
		await turns();
		expect(call.phase).toBe("active");
		expect(media.one.did.slice(-2)).toEqual(["connect", "watch 30000 15000"]);
		expect((await timeline())?.slice(-4)).toEqual(["ringing", "early-media", "answered", "active"]);
	});

	it("is left alone by default: the ringback goes on, and nothing is heard", async () => {
		const { userAgent, media, timeline } = await dialled({}, { playDialtone: true });
		userAgent.emit(progress());
		await turns();
		expect(media.one.did).toEqual(["ringback as in US"]);
		expect(await timeline()).not.toContain("early-media");
	});

	it("of several forks the latest that has audio is heard; the one that answers takes the call", async () => {
		const { userAgent, media } = await dialled(TO_ROOM);
		userAgent.emit(progress());
		userAgent.emit(progress({ remoteTag: "fork-2", sdp: sdpOf("PCMA", "198.51.100.8", 42_000) }));
		userAgent.emit(progress());
		expect(media.one.negotiated?.remote).toEqual({ address: "198.51.100.8", port: 42_000 });
		userAgent.emit(answered("fork-1", sdpOf("PCMU", "198.51.100.7", 40_000)));
		expect(media.one.negotiated?.remote).toEqual({ address: "198.51.100.7", port: 40_000 });
	});

	it.each([true, false])("a 200 without SDP of a fork whose 183 had it is answered by that, early media on: %s", async (toRoom) => {
		const { userAgent, media, call } = await dialled({ earlyMedia: { toRoom } });
		userAgent.emit(progress({ remoteTag: "fork-2", sdp: sdpOf("PCMA", "198.51.100.8", 42_000) }));
		userAgent.emit(progress());
		userAgent.emit(answered("fork-2"));
		expect(media.one.negotiated).toMatchObject({ codec: "PCMA", remote: { address: "198.51.100.8", port: 42_000 } });
		expect(call.phase).toBe("active");
	});

	it("a 200 without SDP of a fork that never had it ends the call", async () => {
		const { userAgent, call } = await dialled(TO_ROOM);
		userAgent.emit(progress());
		userAgent.emit(answered("fork-2"));
		expect(call.phase).toBe("ending");
		expect(userAgent.leg.did.at(-1)).toBe("bye");
	});

	it("a 199 forgets its fork (RFC 6228)", async () => {
		const { userAgent, call } = await dialled(TO_ROOM);
		userAgent.emit(progress());
		userAgent.emit(progress({ status: 199 }));
		userAgent.emit(answered("fork-1"));
		expect(call.phase).toBe("ending");
	});

	it("early SDP that cannot be used is passed over", async () => {
		const { userAgent, media, call } = await dialled(TO_ROOM);
		userAgent.emit(progress({ sdp: "v=0\r\n" }));
		expect(media.one.did).toEqual([]);
		expect(call.phase).toBe("ringing");
	});

	it.each<[TrunkSettings, boolean]>([
		[{}, true],
		[{ reliableProvisional: "required" }, true],
		[{ reliableProvisional: "off" }, false],
	])("%j: 100rel in the INVITE %s", async (settings, reliable) => {
		const { userAgent } = await dialled(settings);
		expect(userAgent.invites[0]?.invite.reliable).toBe(reliable);
	});
});

/** An inbound call that the trunk has taken. */
async function called(
	settings: TrunkSettings,
	invite: Partial<InboundInvite> = {},
	others: FakeRooms["others"] = [],
	ringingTimeoutMs = 60_000,
) {
	const world = ports();
	world.rooms.others = others;
	const leg = new FakeLeg();
	const given: InboundInvite = {
		localTag: "our-tag",
		sipCallId: "abc@carrier",
		remoteTag: "their-tag",
		requestUri: "sip:+15550100@192.0.2.10",
		from: { user: "+15551111", host: "carrier.example", displayName: "" },
		to: { user: "+15550100", host: "192.0.2.10" },
		source: { address: "198.51.100.7", port: 5060 },
		headers: [],
		sdp: sdpOf(),
		...invite,
	};
	if (invite.sdp === "") delete given.sdp;
	const call = new InboundCall(CALL_ID, world.deps, given, leg, async () => ({
		decision: { kind: "accept", ringingTimeoutMs, maxCallDurationMs: 3_600_000, settings },
		steps: [],
		trunkId: "ST_1",
		plan: {
			trunkId: "ST_1",
			ruleId: "SDR_1",
			room: { roomName: "lobby", identity: "sip_+15551111", name: "Phone", metadata: "", attributes: {} },
			from: "+15551111",
			to: "+15550100",
			acceptHeaders: [],
			attributesToHeaders: {},
			settings,
			terms: { encryption: "DISABLE" },
			attributesFrom: () => ({}),
		},
	}));
	call.dispatch({ type: "start" });
	await turns();
	return { ...world, leg, call };
}

describe("inbound: the room is heard by the caller before the answer", () => {
	const FROM_ROOM: TrunkSettings = { earlyMedia: { fromRoom: true } };
	const player = { sid: "PA_2", identity: "agent", kind: "ingress" } as const;

	it("183 with our answer once the room is joined, and ringback until there is audio; the caller is not heard", async () => {
		const { leg, media, timeline } = await called(FROM_ROOM);
		expect(leg.did).toEqual(["ring 180", "ring 183 with SDP"]);
		expect(media.one.did).toEqual(["start PCMU 198.51.100.7:40000 198.51.100.7", "speak", "ring the telephone as in US"]);
		expect(await timeline()).toEqual(["received", "joined-room", "early-media"]);
	});

	it("an ingress plays: it is heard in the place of the ringback, and nobody answers for it", async () => {
		const { leg, media, rooms, call } = await called(FROM_ROOM, {}, [player]);
		rooms.one.subscribe("TR_1");
		expect(media.one.did.slice(3)).toEqual(["add TR_1", "room to the telephone"]);
		expect(leg.did).not.toContain("accept");
		expect(call.phase).toBe("ringing");
	});

	it("somebody who can hear: ringback stops, 200 with the same SDP, both hear each other", async () => {
		const { leg, media, rooms, timeline, call } = await called(FROM_ROOM);
		const early = leg.answerSdp;
		rooms.one.subscribe("TR_1");
		expect(leg.did.at(-1)).toBe("accept");
		expect(leg.answerSdp).toBe(early);
		expect(media.one.did.slice(3)).toEqual(["add TR_1", "room to the telephone", "connect", "add TR_1", "watch 30000 15000"]);
		call.onLeg({ type: "acked" });
		media.one.emit({ type: "media-started" });
		await turns();
		expect(await timeline()).toEqual(["received", "joined-room", "early-media", "answered"]);
	});

	it("RFC 3261 §13.3.1.1: a provisional response every minute while it rings, and none after the answer", async () => {
		const { leg, clock, rooms } = await called({});
		clock.runFor(59_000);
		expect(leg.did).toEqual(["ring 180"]);
		clock.runFor(500);
		rooms.one.subscribe("TR_1");
		clock.runFor(120_000);
		expect(leg.did).toEqual(["ring 180", "accept"]);
		const other = await called({ reliableProvisional: "required" }, { sdp: "", reliable: "supported" }, [], 200_000);
		other.call.onLeg({ type: "pracked", sdp: sdpOf() });
		other.clock.runFor(125_000);
		expect(other.leg.did).toEqual(["ring 180 with SDP reliably", "ring 180 reliably", "ring 180 reliably"]);
		const early = await called(FROM_ROOM, {}, [], 200_000);
		early.clock.runFor(61_000);
		expect(early.leg.did).toEqual(["ring 180", "ring 183 with SDP", "ring 183 with SDP"]);
	});

	it("by default an ingress is somebody in the room like others", async () => {
		const { leg, rooms } = await called({}, {}, [player]);
		rooms.one.subscribe("TR_1");
		expect(leg.did).toEqual(["ring 180", "accept"]);
	});

	it("reliably, where the peer insists: the 200 has no SDP, since the 183's is agreed (RFC 3262 §5)", async () => {
		const { leg, rooms } = await called(FROM_ROOM, { reliable: "required" });
		rooms.one.subscribe("TR_1");
		expect(leg.did).toEqual(["ring 180 reliably", "ring 183 with SDP reliably", "accept without SDP"]);
	});

	it.each<[TrunkSettings["reliableProvisional"], InboundInvite["reliable"], string]>([
		["supported", "supported", "ring 180"],
		["required", "supported", "ring 180 reliably"],
		["required", "none", "ring 180"],
		["supported", "required", "ring 180 reliably"],
	])("the trunk says %s, the INVITE %s: %s", async (reliableProvisional, reliable, rung) => {
		const { leg } = await called({ ...(reliableProvisional && { reliableProvisional }) }, { ...(reliable && { reliable }) });
		expect(leg.did).toEqual([rung]);
	});

	it("the INVITE requires what the trunk has off: 420, and nothing is opened", async () => {
		const { leg, rooms, record } = await called({ reliableProvisional: "off" }, { reliable: "required" });
		expect(leg.did).toEqual(["reject 420 Bad Extension"]);
		expect(rooms.joins).toEqual([]);
		expect(await record()).toMatchObject({ state: "ended", end: { by: "node", reason: "rejected", sipStatus: 420 } });
	});

	it("a reliable 183 that is never acknowledged ends the call, even when the 200 waits for it", async () => {
		const { call, rooms, record } = await called(FROM_ROOM, { reliable: "required" });
		rooms.one.subscribe("TR_1");
		expect(call.phase).toBe("answering");
		call.onLeg({ type: "cancelled", cause: "prack-timeout" });
		await turns();
		expect(await record()).toMatchObject({ state: "ended", end: { by: "node", reason: "peer-gone", sipStatus: 504 } });
	});

	it("cancelled while the 200 waits for the PRACK", async () => {
		const { call, rooms, record } = await called(FROM_ROOM, { reliable: "required" });
		rooms.one.subscribe("TR_1");
		call.onLeg({ type: "cancelled" });
		await turns();
		expect(await record()).toMatchObject({ state: "ended", end: { by: "peer", reason: "cancelled", sipStatus: 487 } });
	});

	it("UPDATE and PRACK with an offer are answered like a re-INVITE; UPDATE without one with a bare 200", async () => {
		const { call, leg, media } = await called(FROM_ROOM, { reliable: "required" });
		call.onLeg({ type: "pracked", transaction: "p", sdp: sdpOf("PCMA", "198.51.100.9", 41_000) });
		expect(media.one.negotiated).toMatchObject({ codec: "PCMA", remote: { port: 41_000 } });
		call.onLeg({ type: "update", transaction: "u1", headers: [] });
		call.onLeg({ type: "update", transaction: "u2", headers: [], sdp: sdpOf() });
		call.onLeg({ type: "update", transaction: "u3", headers: [], sdp: "v=0\r\n" });
		expect(leg.did.slice(-4)).toEqual(["respond p 200 with SDP", "respond u1 200", "respond u2 200 with SDP", "respond u3 488"]);
	});
});

describe("delayed offer: an INVITE without SDP (RFC 3261 §13.2.1)", () => {
	it("200 with our offer, the answer in the ACK", async () => {
		const { call, leg, media, rooms } = await called({}, { sdp: "" });
		expect(leg.did).toEqual(["ring 180"]);
		rooms.one.subscribe("TR_1");
		expect(leg.did).toEqual(["ring 180", "accept"]);
		expect(leg.answerSdp).toContain("m=audio 20000 RTP/AVP 0 8 101");
		call.onLeg({ type: "acked", sdp: sdpOf("PCMA", "198.51.100.9", 41_000) });
		expect(media.one.negotiated).toMatchObject({ codec: "PCMA", remote: { address: "198.51.100.9", port: 41_000 } });
		media.one.emit({ type: "media-started" });
		await turns();
		expect(call.phase).toBe("active");
	});

	it.each([
		["without SDP", undefined],
		["with SDP that does not answer", "v=0\r\n"],
	])("an ACK %s ends the call with BYE: media do not match", async (_, sdp) => {
		const { call, leg, rooms, record } = await called({}, { sdp: "" });
		rooms.one.subscribe("TR_1");
		call.onLeg({ type: "acked", ...(sdp === undefined ? {} : { sdp }) });
		call.onLeg({ type: "bye-done" });
		await turns();
		expect(leg.did.at(-1)).toBe("bye");
		expect(await record()).toMatchObject({ state: "ended", end: { by: "node", reason: "media-mismatch" } });
	});

	it("with reliable responses: the offer in the 180, the answer in the PRACK, 200 without SDP", async () => {
		const { call, leg, media, rooms } = await called({}, { sdp: "", reliable: "required" });
		expect(leg.did).toEqual(["ring 180 with SDP reliably"]);
		call.onLeg({ type: "pracked", sdp: sdpOf() });
		expect(media.one.did).toEqual(["start PCMU 198.51.100.7:40000 198.51.100.7"]);
		rooms.one.subscribe("TR_1");
		expect(leg.did.at(-1)).toBe("accept without SDP");
		call.onLeg({ type: "acked" });
		media.one.emit({ type: "media-started" });
		await turns();
		expect(call.phase).toBe("active");
	});

	it("early media cannot be had then: no 183, unless the offer went out reliably", async () => {
		const plain = await called({ earlyMedia: { fromRoom: true } }, { sdp: "" });
		expect(plain.leg.did).toEqual(["ring 180"]);
		const reliable = await called({ earlyMedia: { fromRoom: true } }, { sdp: "", reliable: "required" });
		expect(reliable.leg.did).toEqual(["ring 180 with SDP reliably", "ring 183 reliably"]);
	});
});
