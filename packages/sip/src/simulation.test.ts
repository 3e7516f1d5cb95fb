import { SimClock, type SimHost, SimNet, seededRandom, simEndpoint } from "@trunkline/testkit";
import { describe, expect, it } from "vitest";
import type { SipEndpoint } from "./endpoint.ts";
import type { Address, SipEvent } from "./endpoint-types.ts";

const A: Address = { host: "192.0.2.1", port: 5060, transport: "UDP" };
const B: Address = { host: "192.0.2.2", port: 5060, transport: "UDP" };
const CALLS = 300;
const SDP = { contentType: "application/sdp", bytes: new Uint8Array([118, 61, 48]) };
const IDLE = { transactions: 0, dialogs: 0, legs: 0, unanswered: 0, timers: 0 };

/** What the callee does with a call and what either side does later, drawn once for each call. */
function plan(random: () => number) {
	return {
		ringAfter: random() * 3000,
		finalAfter: random() * 8000,
		answer: random() < 0.7,
		cancelAfter: random() < 0.25 ? random() * 9000 : undefined,
		talk: random() * 20_000,
		byeFrom: random() < 0.4 ? "caller" : random() < 0.66 ? "callee" : "both",
		info: random() < 0.3,
		/** a 183 with SDP that wants a PRACK, after the 180 */
		early: random() < 0.5,
		/** the caller changes something before the answer, when it may */
		update: random() < 0.5,
	};
}

type Outcome = "none" | "failed" | "cancelled" | "rejected" | "ended";

/** Calls over a bad network, five a second; gives the end of each call as either side saw it. */
function simulate(seed: number, net: { loss: number; duplicate: number; delay: readonly [number, number] }, calls = CALLS) {
	const clock = new SimClock();
	const random = seededRandom(seed);
	const network = new SimNet(clock, { seed, ...net });
	const options = { allow: ["INFO", "UPDATE"], supported: ["100rel"], maxTransactions: 100_000 };
	const caller = simEndpoint(clock, network, A, options);
	const callee = simEndpoint(clock, network, B, options);
	const plans = Array.from({ length: calls }, () => plan(random));
	const ends = plans.map(() => ({ caller: "none" as Outcome, callee: "none" as Outcome, answered: 0, acked: 0, legEvents: 0 }));
	const legs = new Map<string, number>();
	const came = new Set<number>();
	const after = (ms: number, run: () => void) => void clock.wakeAt(clock.now() + ms, run);
	const hangUp = (host: SimHost<SipEndpoint>, leg: string) => host.handle({ kind: "bye", leg });

	plans.forEach((one, index) => {
		clock.wakeAt(random() * 200 * calls, () => {
			const uri = `sip:${index}@192.0.2.2`;
			caller.handle({
				kind: "call",
				leg: `${index}`,
				requestUri: uri,
				from: { uri: "sip:a@192.0.2.1" },
				to: { uri },
				target: B,
				reliable: true,
				body: SDP,
			});
			if (one.cancelAfter !== undefined) after(one.cancelAfter, () => caller.handle({ kind: "cancel", leg: `${index}` }));
		});
	});
	caller.onEvent = (event: SipEvent) => {
		if (!("leg" in event)) return;
		const [end, one] = [ends[Number(event.leg)], plans[Number(event.leg)]];
		if (end === undefined || one === undefined) throw new Error(`unknown leg ${event.leg}`);
		if (event.type === "answered") {
			end.answered++;
			if (one.byeFrom !== "callee") after(one.talk, () => hangUp(caller, event.leg));
			if (one.info) caller.handle({ kind: "request", leg: event.leg, transaction: "info", method: "INFO" });
		}
		if (event.type === "provisional" && event.response.status === 183 && one.update)
			caller.handle({ kind: "request", leg: event.leg, transaction: "update", method: "UPDATE", body: SDP });
		if (event.type === "failed" || event.type === "ended") end.legEvents++;
		if (event.type === "failed") end.caller = event.cause === "cancelled" ? "cancelled" : event.cause === "status" ? "rejected" : "failed";
		if (event.type === "ended") end.caller = "ended";
	};
	callee.onEvent = (event: SipEvent) => {
		if (event.type === "incoming") {
			const index = Number(/sip:(\d+)@/.exec(event.request.uri)?.[1]);
			if (came.has(index)) throw new Error(`call ${index} came in twice`);
			came.add(index);
			legs.set(event.leg, index);
			const one = plans[index];
			const end = ends[index];
			if (one === undefined || end === undefined) throw new Error("unknown call");
			after(one.ringAfter, () => {
				callee.handle({ kind: "ring", leg: event.leg, status: 180, reliable: one.early });
				if (one.early) callee.handle({ kind: "ring", leg: event.leg, status: 183, reliable: true, body: SDP });
			});
			after(one.finalAfter, () => {
				if (end.callee === "none") end.callee = one.answer ? "none" : "rejected";
				callee.handle(one.answer ? { kind: "accept", leg: event.leg } : { kind: "reject", leg: event.leg, status: 486 });
				if (one.byeFrom !== "caller") after(one.talk, () => hangUp(callee, event.leg));
			});
			return;
		}
		if (event.type === "in-dialog") callee.handle({ kind: "respond", transaction: event.transaction, status: 200 });
		if (event.type === "update") callee.handle({ kind: "respond", transaction: event.transaction, status: 200, body: SDP });
		const end = "leg" in event ? ends[legs.get(event.leg) ?? -1] : undefined;
		if (end === undefined) return;
		if (event.type === "acked") end.acked++;
		if (event.type === "cancelled") end.callee = "cancelled";
		if (event.type === "ended") end.callee = "ended";
	};
	clock.runUntilIdle(600_000 + 200 * calls);
	return { ends, caller, callee, packets: network.sent };
}

/** Nothing is left, and both sides agree how each call ended. */
function expectConsistent({ ends, caller, callee }: ReturnType<typeof simulate>, seed: number): void {
	expect(caller.machine.stats()).toEqual(IDLE);
	expect(callee.machine.stats()).toEqual(IDLE);
	expect([caller.machine.nextTimeout(), callee.machine.nextTimeout()]).toEqual([undefined, undefined]);
	ends.forEach((end, call) => {
		const where = `seed ${seed} call ${call}: ${JSON.stringify(end)}`;
		// Each leg of the caller ends with exactly one last event.
		expect(end.legEvents, where).toBe(1);
		expect(end.answered, where).toBeLessThanOrEqual(1);
		expect(end.acked, where).toBeLessThanOrEqual(1);
		expect(AGREE[end.caller], where).toContain(end.callee);
	});
}

/** What the callee may have seen of a call that ended thus for the caller. */
const AGREE: Readonly<Record<Outcome, readonly Outcome[]>> = {
	ended: ["ended"],
	// "ended": hung up by the callee while its 200 waited for a PRACK.
	rejected: ["rejected", "ended"],
	// may be an answer or rejection that crossed the CANCEL
	cancelled: ["cancelled", "ended", "rejected", "none"],
	failed: ["none"],
	none: [],
};

describe("two endpoints over a bad network", () => {
	const nets = [
		{ loss: 0, duplicate: 0, delay: [20, 20] },
		{ loss: 0.1, duplicate: 0, delay: [5, 60] },
		{ loss: 0.1, duplicate: 0.1, delay: [1, 400] },
		{ loss: 0.1, duplicate: 0.3, delay: [1, 1500] },
	] as const;
	for (const [index, net] of nets.entries()) {
		for (const seed of [1, 20_260, 77_771]) {
			const name = `${CALLS} calls, seed ${seed}, loss ${net.loss}, duplicates ${net.duplicate}, delay ${net.delay.join("..")} ms`;
			it(`${name}: both sides agree how each call ended, and nothing is left`, () => {
				const result = simulate(seed, net);
				expectConsistent(result, seed);
				if (index === 0) expect(new Set(result.ends.map((end) => end.caller))).toEqual(new Set(["ended", "rejected", "cancelled"]));
			});
		}
	}

	it("10,000 calls at 10 % loss, reordered and duplicated: both sides agree how each call ended, and nothing is left", () => {
		const seed = 10_004;
		const result = simulate(seed, { loss: 0.1, duplicate: 0.05, delay: [1, 400] }, 10_000);
		expectConsistent(result, seed);
		expect(result.ends.filter(({ caller }) => caller === "ended").length).toBeGreaterThan(4_000);
	}, 60_000);

	it("the same seed gives the same packets", () => {
		const net = { loss: 0.1, duplicate: 0.1, delay: [1, 400] } as const;
		const [first, second] = [simulate(5, net), simulate(5, net)];
		expect(first.packets.length).toBeGreaterThan(CALLS * 4);
		expect(second.packets).toEqual(first.packets);
	});
});
