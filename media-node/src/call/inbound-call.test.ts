import { captureLogs, MemoryCallStore, SimClock } from "@trunkline/testkit";
import { describe, expect, it, test } from "vitest";
import { FakeLeg, FakeMedia, FakeRooms, gate, sdpOf, turns } from "./fakes.testkit.ts";
import { type Decide, InboundCall, type InboundOutcome } from "./inbound-call.ts";
import { type HeaderList, type InboundInvite, MediaUnavailableError, RoomJoinError } from "./ports.ts";
import type { CallDeps } from "./runner.ts";

const START = 1_700_000_000_000;
const CALL_ID = "SCL_111111111111";

function world(changes: { invite?: Partial<InboundInvite>; decide?: Decide; deps?: Partial<CallDeps> } = {}) {
	const clock = new SimClock(START);
	const calls = new MemoryCallStore({ now: () => clock.now() });
	const media = new FakeMedia();
	const rooms = new FakeRooms();
	const leg = new FakeLeg();
	const log = captureLogs();
	const over: number[] = [];
	const transfers: string[] = [];
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
		...changes.deps,
	};
	const invite: InboundInvite = {
		localTag: "our-tag",
		sipCallId: "abc@carrier",
		remoteTag: "their-tag",
		requestUri: "sip:+15550100@192.0.2.10",
		from: { user: "+15551111", host: "carrier.example", displayName: "" },
		to: { user: "+15550100", host: "192.0.2.10" },
		source: { address: "198.51.100.7", port: 5060 },
		headers: [],
		sdp: sdpOf(),
		...changes.invite,
	};
	const call = new InboundCall(CALL_ID, deps, invite, leg, changes.decide ?? (async () => accepted()));
	const record = () => calls.getCall(CALL_ID);
	return { clock, calls, media, rooms, leg, log, over, transfers, call, record };
}

function accepted(): InboundOutcome {
	return {
		decision: { kind: "accept", ringingTimeoutMs: 60_000, maxCallDurationMs: 3_600_000 },
		steps: [{ kind: "rule", id: "SDR_1", outcome: "selected" }],
		trunkId: "ST_1",
		plan: {
			trunkId: "ST_1",
			ruleId: "SDR_1",
			room: { roomName: "lobby", identity: "sip_+15551111", name: "Phone", metadata: "", attributes: { "sip.callStatus": "ringing" } },
			from: "+15551111",
			to: "+15550100",
			acceptHeaders: [["X-Trunk", "yes"]],
			attributesToHeaders: { "sip.ruleID": "X-Rule" },
			terms: { encryption: "DISABLE" },
		},
	};
}

async function active(changes: Parameters<typeof world>[0] = {}) {
	const setting = world(changes);
	setting.call.dispatch({ type: "start" });
	await turns();
	setting.rooms.one.subscribe("TR_1");
	setting.call.onLeg({ type: "acked" });
	setting.media.one.emit({ type: "media-started" });
	await turns();
	expect(setting.call.phase).toBe("active");
	return setting;
}

describe("an inbound call in good order", () => {
	it.each(["p_bank", "p_shop"])(
		"%s: its digits are on its record when its own project wants them, whatever others want",
		async (projectId) => {
			const recordsDigits = async (asked: string): Promise<boolean> => asked === "p_shop";
			const { media, record } = await active({ decide: async () => ({ ...accepted(), projectId }), deps: { recordsDigits } });
			media.one.emit({ type: "digit", code: 5, digit: "5" });
			await turns();
			const digits = (await record())?.timeline.filter(({ event }) => event === "dtmf").map(({ detail }) => detail);
			expect(digits).toEqual(projectId === "p_shop" ? ["5"] : []);
		},
	);

	it("rings, answers when somebody is there, becomes active and ends by BYE", async () => {
		const { call, leg, media, rooms, record, over, clock } = world();
		call.dispatch({ type: "start" });
		await turns();
		expect(leg.did).toEqual(["ring 180"]);
		expect(rooms.joins[0]?.options).toMatchObject({ token: "token of sip_+15551111", publishCodecs: ["PCMU", "PCMA", "opus"] });
		expect(await record()).toMatchObject({ state: "ringing", projectId: "project", trunkId: "ST_1", participantId: "PA_1" });

		rooms.one.subscribe("TR_1");
		expect(leg.did).toEqual(["ring 180", "accept"]);
		expect(leg.acceptHeaders).toEqual([[["X-Trunk", "yes"]]]);
		expect(leg.answerSdp).toContain("m=audio 20000 RTP/AVP 0 101");
		expect(media.one.did).toEqual(["start PCMU 198.51.100.7:40000 198.51.100.7", "connect", "add TR_1", "watch 30000 15000"]);

		call.onLeg({ type: "acked" });
		media.one.emit({ type: "media-started" });
		media.one.emit({ type: "digit", code: 5, digit: "5" });
		rooms.one.emit({ type: "dtmf", digits: "9", participantIdentity: "agent" });
		await turns();
		expect(rooms.one.attributeChanges).toEqual([{ "sip.callStatus": "active" }]);
		expect(rooms.one.digits).toEqual(["5:5"]);
		expect(media.one.did.at(-1)).toBe("digits 9");
		expect(await record()).toMatchObject({ state: "active", answeredAt: START });

		clock.runFor(5_000);
		call.onLeg({ type: "bye", headers: [] });
		await turns();
		expect(over).toEqual([5_000]);
		expect(media.one.did.at(-1)).toBe("close");
		expect(rooms.one.closed).toBe(1);
		expect(rooms.one.attributeChanges.at(-1)).toEqual({ "sip.callStatus": "hangup" });
		expect(await record()).toMatchObject({ state: "ended", endedAt: START + 5_000, end: { by: "peer", reason: "hangup" } });
		expect((await record())?.timeline.map(({ event }) => event)).toEqual(["received", "joined-room", "answered", "ended"]);
	});

	it("a re-INVITE is answered, one that cannot be is refused, and nothing is left when all is over", async () => {
		const { call, leg, media, clock } = await active();
		call.onLeg({ type: "reinvite", transaction: "t1", sdp: sdpOf("PCMA", "198.51.100.9", 41_000) });
		expect(media.one.did.at(-1)).toBe("start PCMA 198.51.100.9:41000 198.51.100.7");
		call.onLeg({ type: "reinvite", transaction: "t2", sdp: "v=0\r\n" });
		call.onLeg({ type: "in-dialog", transaction: "t3", method: "INFO" });
		call.onLeg({ type: "bye", headers: [] });
		call.onLeg({ type: "reinvite", transaction: "t4", sdp: sdpOf() });
		expect(leg.did.slice(2)).toEqual(["respond t1 200 with SDP", "respond t2 488", "respond t3 501", "respond t4 488"]);
		// No media is started again by a re-INVITE that crosses the BYE.
		expect(media.one.did.at(-1)).toBe("close");
		await turns();
		clock.runUntilIdle(0);
	});

	it("a re-INVITE without SDP gets a full offer, and the answer in its ACK takes effect (RFC 3261 §14.2)", async () => {
		const { call, leg, media } = await active();
		const hold = sdpOf().replace("a=sendrecv", "a=sendonly");
		call.onLeg({ type: "reinvite", transaction: "t1", sdp: hold });
		call.onLeg({ type: "acked" });
		expect(leg.responses.at(-1)).toContain("a=recvonly");
		call.onLeg({ type: "reinvite", transaction: "t2" });
		expect(leg.responses.at(-1)).toMatch(/m=audio 20000 RTP\/AVP 0 8 101[\s\S]*a=sendrecv/);
		const before = media.one.did.length;
		call.onLeg({ type: "acked", sdp: sdpOf("PCMA", "198.51.100.9", 41_000) });
		expect(media.one.did.slice(before)).toEqual(["start PCMA 198.51.100.9:41000 198.51.100.7"]);
		expect(call.phase).toBe("active");
	});

	it("BYE both ways: ours says why and what the trunk maps, the telephone's is on the record and on the participant", async () => {
		const ours = await active();
		ours.rooms.one.own = { "sip.ruleID": "SDR_1" };
		ours.call.dispatch({ type: "hang-up" });
		expect(ours.leg.byeHeaders).toEqual([
			[
				["Reason", 'Q.850 ;cause=16 ;text="Normal call clearing"'],
				["X-Rule", "SDR_1"],
			],
		]);
		const { plan: given } = accepted();
		if (given === undefined) throw new Error("no plan");
		const plan = { ...given, attributesFrom: (headers: HeaderList) => ({ "last.word": headers[1]?.[1] ?? "" }) };
		const theirs = await active({ decide: async () => ({ ...accepted(), plan }) });
		const headers: HeaderList = [
			["Reason", "Q.850;cause=17"],
			["X-Last", "bye"],
		];
		theirs.call.onLeg({ type: "bye", headers });
		await turns();
		expect(theirs.rooms.one.attributeChanges.slice(-2)).toEqual([
			{ "last.word": "bye", "sip.endReason": "Q.850 17" },
			{ "sip.callStatus": "hangup" },
		]);
		expect((await theirs.record())?.end).toMatchObject({ by: "peer", reason: "hangup", message: "Q.850 17" });
	});

	it("digits in INFO reach the room like those in RTP, each press once", async () => {
		const { call, media, rooms } = await active();
		call.onLeg({ type: "info-digits", digits: "5#" });
		media.one.emit({ type: "digit", code: 5, digit: "5" });
		media.one.emit({ type: "digit", code: 1, digit: "1" });
		expect(rooms.one.digits).toEqual(["5:5", "11:#", "1:1"]);
	});

	it("a session that nobody refreshed has ended because the telephone is gone (RFC 4028 §10)", async () => {
		const { call, record } = await active();
		call.onLeg({ type: "bye-done", cause: "session-expired" });
		await turns();
		expect((await record())?.end).toMatchObject({ by: "node", reason: "peer-gone" });
		expect((await record())?.end?.message).toContain("refreshed the session");
	});

	it("an ACK that does not answer our offer ends the call: nobody would hear anything", async () => {
		const { call, leg } = await active();
		call.onLeg({ type: "reinvite", transaction: "t1" });
		call.onLeg({ type: "acked" });
		expect(leg.did.at(-1)).toBe("bye");
	});
});

describe("races", () => {
	it("cancelled while trunk and rule are looked up: nothing is opened, the record says so", async () => {
		const decided = gate<InboundOutcome>();
		const { call, leg, media, rooms, record, over } = world({ decide: () => decided.promise });
		call.dispatch({ type: "start" });
		call.onLeg({ type: "cancelled" });
		decided.resolve(accepted());
		await turns();
		expect([leg.did, media.sessions, rooms.joins]).toEqual([[], [], []]);
		expect(await record()).toMatchObject({ state: "ended", projectId: "project", end: { by: "peer", reason: "cancelled" } });
		expect(over).toEqual([0]);
	});

	it("cancelled while the room is being joined: the join is aborted, and one that succeeds all the same is left", async () => {
		const { call, rooms, record, over } = world();
		const joined = gate();
		rooms.ready = joined.promise;
		call.dispatch({ type: "start" });
		await turns();
		call.onLeg({ type: "cancelled" });
		await turns();
		expect(rooms.joins[0]?.signal?.aborted).toBe(true);
		expect(over).toEqual([0]);
		joined.resolve();
		await turns();
		expect(rooms.one.closed).toBe(1);
		expect(await record()).toMatchObject({ state: "ended", participantId: "", end: { reason: "cancelled" } });
	});

	it("cancelled before the token is there: the room is not joined at all", async () => {
		const token = gate<string>();
		const { call, rooms } = world({ deps: { token: () => token.promise } });
		call.dispatch({ type: "start" });
		await turns();
		call.onLeg({ type: "cancelled" });
		token.resolve("late");
		await turns();
		expect(rooms.joins).toEqual([]);
	});

	it("cancelled while the media port opens: the late port is closed and never started", async () => {
		const { call, media, over } = world();
		const opened = gate();
		media.ready = opened.promise;
		call.dispatch({ type: "start" });
		await turns();
		call.onLeg({ type: "cancelled" });
		opened.resolve();
		await turns();
		expect(media.one.did).toEqual(["close"]);
		expect(over).toEqual([0]);
	});

	it("hung up while digits are being sent: their end changes nothing", async () => {
		const { call, media, rooms, over } = await active();
		const out = gate();
		media.one.digitsOut = out.promise;
		rooms.one.emit({ type: "dtmf", digits: "1", participantIdentity: "agent" });
		call.onLeg({ type: "bye", headers: [] });
		out.resolve();
		await turns();
		expect(over).toHaveLength(1);
		expect(call.phase).toBe("over");
	});

	it("events after the end have no effect: no attribute, no digit, no second end", async () => {
		const { call, media, rooms, leg, over, log } = await active();
		call.onLeg({ type: "bye", headers: [] });
		await turns();
		const before = [[...leg.did], [...media.one.did], [...rooms.one.attributeChanges]];
		rooms.one.subscribe("TR_2");
		rooms.one.emit({ type: "track-muted", trackSid: "TR_1", muted: true });
		rooms.one.emit({ type: "track-unsubscribed", trackSid: "TR_1" });
		rooms.one.emit({ type: "closed", reason: "room-deleted", message: "gone" });
		media.one.emit({ type: "media-timeout", beforeFirstPacket: false });
		call.onLeg({ type: "bye-done" });
		call.dispatch({ type: "shutdown" });
		await turns();
		expect([leg.did, media.one.did, rooms.one.attributeChanges]).toEqual(before);
		expect(over).toHaveLength(1);
		expect(log.logs.filter(({ level }) => level !== "info")).toEqual([]);
	});

	it("the room ends between its join and the first event of it", async () => {
		const { call, rooms, leg, record } = world();
		call.dispatch({ type: "start" });
		await turns();
		rooms.one.emit({ type: "closed", reason: "removed", message: "" });
		await turns();
		expect(leg.did).toEqual(["ring 180", "reject 603 Decline"]);
		expect(await record()).toMatchObject({ end: { by: "api", reason: "participant-removed", sipStatus: 603 } });
	});
});

describe("what is below fails", () => {
	test.each<[string, Parameters<typeof world>[0], string, string]>([
		["matching", { decide: () => Promise.reject(new Error("table down")) }, "reject 503 Service Unavailable", "internal-error"],
		["the token", { deps: { token: () => Promise.reject(new Error("bad key")) } }, "reject 500 Server Internal Error", "internal-error"],
		["an offer without audio", { invite: { sdp: "v=0\r\n" } }, "reject 488 Not Acceptable Here", "media-mismatch"],
	])("%s", async (_, changes, answer, reason) => {
		const { call, leg, record, over } = world(changes);
		call.dispatch({ type: "start" });
		await turns();
		expect(leg.did.at(-1)).toBe(answer);
		expect(await record()).toMatchObject({ state: "ended", end: { reason } });
		expect(over).toEqual([0]);
	});

	it("no port: 503 and the join is aborted", async () => {
		const { call, media, rooms, leg } = world();
		const port = gate<never>();
		media.ready = port.promise;
		call.dispatch({ type: "start" });
		await turns();
		port.reject(new MediaUnavailableError("no free RTP port"));
		await turns();
		expect(leg.did.at(-1)).toBe("reject 503 Service Unavailable");
		expect(rooms.joins[0]?.signal?.aborted).toBe(true);
	});

	it("the room refuses: 503 with the reason on the record, and the port is closed", async () => {
		const { call, rooms, media, leg, record } = world();
		rooms.ready = Promise.reject(new RoomJoinError("unauthorized", "the token was not accepted"));
		call.dispatch({ type: "start" });
		await turns();
		expect(leg.did.at(-1)).toBe("reject 503 Service Unavailable");
		expect(media.one.did.at(-1)).toBe("close");
		expect(await record()).toMatchObject({ end: { reason: "room-failed", message: "the token was not accepted" } });
	});

	it("an answer that cannot be written ends the call instead of throwing into a socket", async () => {
		const { call, rooms, leg, media, record, over } = world();
		leg.throws.set("accept", new Error("header cannot be written"));
		call.dispatch({ type: "start" });
		await turns();
		rooms.one.subscribe("TR_1");
		expect(leg.did).toEqual(["ring 180", "accept", "bye"]);
		expect(media.one.did.at(-1)).toBe("close");
		call.onLeg({ type: "bye-done" });
		await turns();
		expect(over).toEqual([0]);
		expect(await record()).toMatchObject({ end: { reason: "internal-error", message: "effect accept: header cannot be written" } });
	});

	it("a fault while it is being ended is logged and does not go round", async () => {
		const { call, rooms, leg, over, log, clock } = await active();
		rooms.one.dtmfError = new Error("no data channel");
		leg.throws.set("bye", new Error("no dialog"));
		call.dispatch({ type: "digit", code: 1, digit: "1" });
		expect(call.phase).toBe("ending");
		clock.runFor(40_000);
		await turns();
		expect(over).toEqual([40_000]);
		expect(log.logs.filter(({ level }) => level === "error").map(({ fields }) => fields["what"])).toEqual([
			"effect digit-to-room",
			"effect bye",
		]);
	});

	it("an owner that throws when the call is over takes nothing down", async () => {
		const { call, log } = world({
			deps: {
				onOver: () => {
					throw new Error("owner");
				},
			},
		});
		call.dispatch({ type: "start" });
		call.onLeg({ type: "cancelled" });
		await turns();
		expect(log.text()).toContain("letting go of the call");
	});
});

describe("the table", () => {
	class DownStore extends MemoryCallStore {
		down: "refuses" | "hangs" | "up" = "up";
		override async createCall(...given: Parameters<MemoryCallStore["createCall"]>): Promise<boolean> {
			await this.#trouble();
			return super.createCall(...given);
		}
		override async transitionCall(...given: Parameters<MemoryCallStore["transitionCall"]>): ReturnType<MemoryCallStore["transitionCall"]> {
			await this.#trouble();
			return super.transitionCall(...given);
		}
		override async endCall(...given: Parameters<MemoryCallStore["endCall"]>): ReturnType<MemoryCallStore["endCall"]> {
			await this.#trouble();
			return super.endCall(...given);
		}
		async #trouble(): Promise<void> {
			if (this.down === "refuses") throw new Error("table down");
			if (this.down === "hangs") await new Promise(() => {});
		}
	}

	it("refuses all writes: the call is answered and ended as ever, within the retries of its end", async () => {
		const store = new DownStore({ now: () => START });
		store.down = "refuses";
		const { call, rooms, leg, over, clock, log } = world({ deps: { calls: store } });
		call.dispatch({ type: "start" });
		await turns();
		rooms.one.subscribe("TR_1");
		expect(leg.did).toEqual(["ring 180", "accept"]);
		call.onLeg({ type: "bye", headers: [] });
		await turns();
		for (let i = 0; i < 10; i++) {
			clock.runFor(1_000);
			await turns();
		}
		// One round for what came before the end, three for the end.
		expect(over).toEqual([5_000]);
		expect(log.logs.filter(({ level }) => level === "error").map(({ fields }) => fields["what"])).toEqual(["create", "ringing", "ended"]);
	});

	it("comes back while the call is being ended: the end is written all the same", async () => {
		const store = new DownStore({ now: () => START });
		const { call, over, clock } = world({ deps: { calls: store } });
		call.dispatch({ type: "start" });
		await turns();
		store.down = "refuses";
		call.onLeg({ type: "cancelled" });
		await turns();
		expect(over).toEqual([]);
		store.down = "up";
		clock.runFor(1_000);
		await turns();
		expect(over).toEqual([1_000]);
		expect(await store.getCall(CALL_ID)).toMatchObject({ state: "ended", endedAt: START, end: { reason: "cancelled" } });
	});

	it("never answers: the call is let go of after ten seconds, and so is one whose room never lets go", async () => {
		const store = new DownStore({ now: () => START });
		store.down = "hangs";
		const { call, rooms, over, clock } = world({ deps: { calls: store } });
		call.dispatch({ type: "start" });
		await turns();
		rooms.one.left = new Promise(() => {});
		call.onLeg({ type: "cancelled" });
		await turns();
		clock.runFor(9_999);
		await turns();
		expect(over).toEqual([]);
		clock.runFor(1);
		await turns();
		expect(over).toEqual([10_000]);
	});

	it("what a failed write should have brought goes out when it is tried again, and the next after it", async () => {
		const store = new DownStore({ now: () => START });
		const { call, rooms, media, clock } = world({ deps: { calls: store } });
		rooms.others = [];
		call.dispatch({ type: "start" });
		await turns(3);
		store.down = "refuses";
		await turns();
		store.down = "up";
		rooms.one.subscribe("TR_1");
		call.onLeg({ type: "acked" });
		media.one.emit({ type: "media-started" });
		await turns();
		const answeredAt = clock.now();
		clock.runFor(1_000);
		await turns();
		expect(await store.getCall(CALL_ID)).toMatchObject({ state: "active", participantId: "PA_1", answeredAt });
	});
});

it("leaving waits 300 ms at most for the hangup to be seen", async () => {
	const { call, rooms, clock, over } = await active();
	rooms.one.attributesSeen = new Promise(() => {});
	call.onLeg({ type: "bye", headers: [] });
	clock.runFor(299);
	await turns();
	expect(rooms.one.closed).toBe(0);
	clock.runFor(1);
	await turns();
	expect(rooms.one.closed).toBe(1);
	expect(over).toEqual([300]);
});

describe("transferred", () => {
	const command = {
		transferId: "STR_1",
		transferTo: "tel:+15550142",
		playDialtone: true,
		headers: { "X-A": "b" },
		ringingTimeoutMs: 30_000,
	};

	it("REFER with the participant's attributes, ringback meanwhile, NOTIFY answered, BYE a second after the success", async () => {
		const { call, leg, rooms, media, transfers, clock, record } = await active();
		rooms.one.own = { "sip.ruleID": "SDR_1", other: "x" };
		call.dispatch({ type: "transfer", command });
		expect(leg.did).toContain("refer STR_1");
		expect(leg.referHeaders).toEqual([
			[
				["Refer-To", "tel:+15550142"],
				["Referred-By", "<sip:+15550100@192.0.2.10>"],
				["X-A", "b"],
				["X-Rule", "SDR_1"],
			],
		]);
		expect(media.one.did.at(-1)).toBe("ring the telephone as in US");
		call.onLeg({ type: "refer-answered", refer: "STR_1", id: 2, status: 202, reason: "Accepted" });
		call.onLeg({ type: "refer-progress", transaction: "n1", terminated: true, progress: { status: 200, reason: "OK" } });
		expect(leg.did.at(-1)).toBe("respond n1 200");
		expect(media.one.did.at(-1)).toBe("room to the telephone");
		expect(transfers).toEqual(["STR_1 successful completed"]);
		clock.runFor(1_000);
		expect(leg.did.at(-1)).toBe("bye");
		await turns();
		const written = await record();
		expect(written?.timeline.slice(-3)).toMatchObject([
			{ event: "transfer-requested", detail: "tel:+15550142" },
			{ event: "transferred", detail: "tel:+15550142" },
			{ event: "ended", detail: "transferred" },
		]);
		expect(written?.end).toEqual({ by: "api", reason: "transferred" });
	});

	it("a target that no header can hold fails the transfer, not the call", async () => {
		const { call, leg, transfers } = await active();
		call.dispatch({ type: "transfer", command: { ...command, transferTo: "tel:+1\r\nX: y" } });
		expect(transfers).toEqual(["STR_1 failed unspecified"]);
		expect(leg.referHeaders).toEqual([]);
		expect(call.phase).toBe("active");
	});

	it("a NOTIFY of something else gets 489", async () => {
		const { call, leg } = await active();
		call.onLeg({ type: "in-dialog", transaction: "t9", method: "NOTIFY" });
		expect(leg.did.at(-1)).toBe("respond t9 489");
	});
});
