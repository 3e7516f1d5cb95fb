import { SimClock } from "@trunkline/testkit";
import { describe, expect, it } from "vitest";
import { FakeLeg, FakeMediaSession, sdpOf } from "./fakes.testkit.ts";
import { withHold } from "./hold.ts";
import { initialInbound } from "./inbound.ts";
import { LocalDescription } from "./local-description.ts";
import { Renegotiation } from "./renegotiation.ts";
import { type CallEvent, type CallState, type Effect, ignore } from "./state.ts";

/** A call that was answered with PCMU; its hold reducer and its renegotiation, and nothing else. */
function answered() {
	const clock = new SimClock(0);
	const media = new FakeMediaSession(() => {});
	const leg = new FakeLeg();
	const local = new LocalDescription((length) => new Uint8Array(length).fill(7));
	const effects: Effect[] = [];
	let state: CallState = { ...initialInbound, phase: "active" };
	const dispatch = (event: CallEvent): void => {
		const step = withHold(state, event, clock.now(), (same) => ignore(same));
		state = step.state;
		for (const effect of step.effects) {
			effects.push(effect);
			if (effect.do === "hold") renegotiation.hold(effect.on);
			if (effect.do === "timer") clock.wakeAt(effect.at, () => dispatch({ type: "timer", name: effect.name }));
		}
	};
	const renegotiation = new Renegotiation({ local, media: () => media, leg: () => leg, peerAddress: () => "198.51.100.7", dispatch });
	const first = local.answer(sdpOf(), media);
	if (!first.ok) throw new Error(first.reason);
	media.start(first.negotiated, "198.51.100.7");
	return { clock, media, leg, local, effects, dispatch, renegotiation, firstSdp: first.sdp };
}

const version = (sdp: string | undefined): number => Number(/^o=- \d+ (\d+) /m.exec(sdp ?? "")?.[1]);
const direction = (sdp: string | undefined): string | undefined => /^a=(sendrecv|sendonly|recvonly|inactive)\r?$/m.exec(sdp ?? "")?.[1];
const attributes = (effects: readonly Effect[]) =>
	effects.flatMap((effect) => (effect.do === "attributes" ? [effect.attributes["sip.hold"]] : []));
const entries = (effects: readonly Effect[]) =>
	effects.flatMap((effect) => (effect.do === "record" ? [`${effect.event} ${effect.detail}`] : []));
const held = (how: string): string => sdpOf().replace("a=sendrecv", `a=${how}`);

describe("a re-INVITE of the telephone (RFC 3264 §8)", () => {
	it.each([
		["sendonly", "recvonly", true],
		["inactive", "inactive", true],
		["recvonly", "sendonly", false],
		["sendrecv", "sendrecv", false],
	])("§6.1: %s is answered with %s", (offered, ours, onHold) => {
		const { leg, media, renegotiation, effects } = answered();
		renegotiation.onReinvite({ type: "reinvite", transaction: "t1", sdp: held(offered) });
		expect(direction(leg.responses[0])).toBe(ours);
		expect(media.negotiated?.sends).toBe(ours === "sendrecv" || ours === "sendonly");
		expect(attributes(effects)).toEqual(onHold ? ["remote"] : []);
	});

	it("§8.4: the address 0.0.0.0 of old is a hold, too", () => {
		const { renegotiation, effects, media } = answered();
		renegotiation.onReinvite({ type: "reinvite", transaction: "t1", sdp: sdpOf("PCMU", "0.0.0.0") });
		expect(media.negotiated?.sends).toBe(false);
		expect(attributes(effects)).toEqual(["remote"]);
	});

	it("§8: the o= version grows when our description has changed, and only then", () => {
		const { leg, renegotiation, firstSdp } = answered();
		renegotiation.onReinvite({ type: "reinvite", transaction: "same", sdp: sdpOf() });
		renegotiation.onReinvite({ type: "reinvite", transaction: "moved", sdp: sdpOf("PCMU", "198.51.100.9", 41_000) });
		renegotiation.onReinvite({ type: "reinvite", transaction: "law", sdp: sdpOf("PCMA") });
		renegotiation.onReinvite({ type: "reinvite", transaction: "bad", sdp: "v=0\r\n" });
		renegotiation.onReinvite({ type: "reinvite", transaction: "law again", sdp: sdpOf("PCMA") });
		renegotiation.onReinvite({ type: "reinvite", transaction: "back", sdp: sdpOf() });
		const versions = leg.responses.map(version);
		expect([version(firstSdp), ...versions]).toEqual([1, 1, 1, 2, 2, 3]);
	});

	it("RFC 6337 §5.2.5: without SDP it gets a full offer, and the same one again when nothing has changed", () => {
		const { leg, media, renegotiation, effects } = answered();
		renegotiation.onReinvite({ type: "reinvite", transaction: "1", sdp: held("sendonly") });
		for (const transaction of ["2", "3"]) {
			renegotiation.onReinvite({ type: "reinvite", transaction });
			renegotiation.onAcknowledged(sdpOf("PCMA"));
		}
		expect(leg.responses.map(version)).toEqual([2, 3, 3]);
		expect(leg.responses[2]).toMatch(/RTP\/AVP 0 8 101[\s\S]*a=sendrecv/);
		expect(media.negotiated).toMatchObject({ codec: "PCMA", sends: true, receives: true });
		expect(attributes(effects)).toEqual(["remote", ""]);
	});

	it("RFC 3261 §14.2: what cannot be answered gets 488, and media stay as they were", () => {
		const { leg, media, renegotiation } = answered();
		const before = media.did.length;
		renegotiation.onReinvite({ type: "reinvite", transaction: "bad", sdp: sdpOf().replace("RTP/AVP 0 101", "RTP/AVP 18") });
		expect(leg.did).toEqual(["respond bad 488"]);
		expect(media.did.length).toBe(before);
	});

	it("hold and resume are told once each, however often they are offered", () => {
		const { renegotiation, effects } = answered();
		for (const how of ["sendonly", "sendonly", "inactive", "sendrecv", "sendrecv"]) {
			renegotiation.onReinvite({ type: "reinvite", transaction: how, sdp: held(how) });
		}
		expect(attributes(effects)).toEqual(["remote", ""]);
		expect(entries(effects)).toEqual(["held remote", "resumed remote"]);
	});

	it("a key that is pressed all day does not fill the record", () => {
		const { renegotiation, effects } = answered();
		for (let i = 0; i < 200; i++)
			renegotiation.onReinvite({ type: "reinvite", transaction: `${i}`, sdp: held(i % 2 === 0 ? "sendonly" : "sendrecv") });
		expect(attributes(effects)).toHaveLength(200);
		expect(entries(effects)).toHaveLength(32);
	});
});

describe("hold by us", () => {
	const taken = (name: string, how: string) => ({ type: "reinvite-answered", name, headers: [], status: 200, sdp: held(how) }) as const;

	it("offers sendonly, takes the answer, and sendrecv again to resume", () => {
		const { leg, media, dispatch, renegotiation, effects } = answered();
		dispatch({ type: "hold", on: true });
		expect([leg.did, direction(leg.reinvites[0]), version(leg.reinvites[0])]).toEqual([["reinvite hold"], "sendonly", 2]);
		// Media go on as agreed until the answer is there.
		expect(media.negotiated?.receives).toBe(true);
		renegotiation.onAnswered(taken("hold", "recvonly"));
		expect(media.negotiated).toMatchObject({ sends: true, receives: false });
		dispatch({ type: "hold", on: true });
		dispatch({ type: "hold", on: false });
		expect([direction(leg.reinvites[1]), version(leg.reinvites[1])]).toEqual(["sendrecv", 3]);
		renegotiation.onAnswered(taken("resume", "sendrecv"));
		expect(media.negotiated).toMatchObject({ sends: true, receives: true });
		expect(leg.reinvites).toHaveLength(2);
		expect(attributes(effects)).toEqual(["local", ""]);
	});

	it("RFC 3261 §14.1: after a 491 it waits as long as it is told, then offers what is wanted by then", () => {
		const { clock, leg, dispatch, renegotiation, effects } = answered();
		dispatch({ type: "hold", on: true });
		renegotiation.onAnswered({ type: "reinvite-answered", name: "hold", headers: [], status: 491, retryAfterMs: 2_500 });
		clock.runFor(2_499);
		expect(leg.reinvites).toHaveLength(1);
		clock.runFor(1);
		expect(leg.reinvites.map(direction)).toEqual(["sendonly", "sendonly"]);
		renegotiation.onAnswered(taken("hold", "recvonly"));
		expect(attributes(effects)).toEqual(["local"]);
	});

	it("meanwhile the telephone's own offer is answered with our direction of before", () => {
		const { leg, dispatch, renegotiation } = answered();
		dispatch({ type: "hold", on: true });
		renegotiation.onAnswered({ type: "reinvite-answered", name: "hold", headers: [], status: 491, retryAfterMs: 2_500 });
		renegotiation.onReinvite({ type: "reinvite", transaction: "theirs", sdp: sdpOf("PCMU", "198.51.100.9", 41_000) });
		expect(direction(leg.responses[0])).toBe("sendrecv");
		expect(version(leg.responses[0])).toBe(3);
	});

	it("a refusal leaves all as it was", () => {
		const { leg, media, dispatch, renegotiation, effects } = answered();
		dispatch({ type: "hold", on: true });
		renegotiation.onAnswered({ type: "reinvite-answered", name: "hold", headers: [], status: 488 });
		expect(media.negotiated).toMatchObject({ sends: true, receives: true });
		expect(attributes(effects)).toEqual([]);
		dispatch({ type: "hold", on: true });
		expect(leg.reinvites).toHaveLength(2);
	});

	it("resumed before the answer to the hold is there: resumed right after it", () => {
		const { leg, dispatch, renegotiation, effects } = answered();
		dispatch({ type: "hold", on: true });
		dispatch({ type: "hold", on: false });
		expect(leg.reinvites).toHaveLength(1);
		renegotiation.onAnswered(taken("hold", "recvonly"));
		expect(leg.reinvites.map(direction)).toEqual(["sendonly", "sendrecv"]);
		renegotiation.onAnswered(taken("resume", "sendrecv"));
		expect(attributes(effects)).toEqual(["local", ""]);
	});
});

describe("the answer to a refresh (RFC 4028 §7.4)", () => {
	it("moves the audio when the telephone has moved, and keeps its payload types", () => {
		const { media, renegotiation, local } = answered();
		const offer = sdpOf().replaceAll("101", "96");
		renegotiation.onReinvite({ type: "reinvite", transaction: "t1", sdp: offer });
		expect(media.negotiated?.telephoneEventReceivePayloadType).toBe(96);
		renegotiation.onRefreshed(sdpOf("PCMU", "198.51.100.9", 41_000).replaceAll("101", "96"));
		expect(media.negotiated).toMatchObject({
			remote: { address: "198.51.100.9", port: 41_000 },
			telephoneEventPayloadType: 96,
			telephoneEventReceivePayloadType: 96,
		});
		void local;
	});

	it("one that says nothing new, or nothing at all, changes nothing", () => {
		const { media, renegotiation, effects } = answered();
		const before = media.negotiated;
		renegotiation.onRefreshed(undefined);
		renegotiation.onRefreshed("v=0\r\n");
		renegotiation.onRefreshed(sdpOf());
		expect(media.negotiated).toEqual(before);
		expect(effects).toEqual([]);
	});
});
