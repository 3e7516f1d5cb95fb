import { SimClock, type SimHost, SimNet, seededRandom, simEndpoint } from "@trunkline/testkit";
import { describe, expect, it } from "vitest";
import type { SipEndpoint } from "./endpoint.ts";
import type { Address, SipEvent } from "./endpoint-types.ts";

const A: Address = { host: "192.0.2.1", port: 5060, transport: "UDP" };
const B: Address = { host: "192.0.2.2", port: 5060, transport: "UDP" };
const SDP = { contentType: "application/sdp", bytes: new Uint8Array([118, 61, 48]) };
const IDLE = { transactions: 0, dialogs: 0, legs: 0, unanswered: 0, timers: 0 };

interface Side {
	host: SimHost<SipEndpoint>;
	/** re-INVITEs and UPDATEs that were asked for, and those that were answered for */
	asked: Map<string, number>;
	ended: Set<string>;
	outcomes: Map<string, number>;
}

/** Answered calls in which both sides send re-INVITEs and UPDATEs whenever they like, with session timers, over a bad network. */
function simulate(seed: number, calls: number, net: { loss: number; duplicate: number; delay: readonly [number, number] }) {
	const clock = new SimClock();
	const random = seededRandom(seed);
	const network = new SimNet(clock, { seed, ...net });
	const sessionTimer = { mode: "always", expiresSeconds: 90, minSeconds: 90 } as const;
	const side = (address: Address, allow: string[]): Side => ({
		host: simEndpoint(clock, network, address, { allow, supported: ["100rel", "timer"], sessionTimer, maxTransactions: 100_000 }),
		...{ asked: new Map<string, number>(), ended: new Set<string>(), outcomes: new Map<string, number>() },
	});
	const caller = side(A, ["UPDATE"]);
	const callee = side(B, random() < 0.5 ? ["UPDATE"] : []);
	let names = 0;
	let refreshed = 0;
	const after = (ms: number, run: () => void) => void clock.wakeAt(clock.now() + ms, run);
	const talk = ({ host, asked, ended }: Side, leg: string): void => {
		for (let at = random() * 40_000; at < 300_000; at += random() * 80_000) {
			after(at, () => {
				if (ended.has(leg)) return;
				const transaction = `${names++}`;
				asked.set(transaction, 0);
				host.handle({ kind: "request", leg, transaction, method: random() < 0.7 ? "INVITE" : "UPDATE", body: SDP });
			});
		}
		if (random() < 0.6) after(random() * 320_000, () => host.handle({ kind: "bye", leg }));
		// Nobody talks for longer: the clock is to come to its end.
		after(330_000, () => host.handle({ kind: "bye", leg }));
	};
	for (const one of [caller, callee]) {
		one.host.onEvent = (event: SipEvent) => {
			switch (event.type) {
				case "incoming":
					one.host.handle({ kind: "accept", leg: event.leg, body: SDP });
					return talk(one, event.leg);
				case "answered":
					return talk(one, event.leg);
				case "reinvite":
				case "update": {
					const { transaction } = event;
					const refuse = random() < 0.1;
					const method = event.request.method;
					return after(random() * 300, () =>
						one.host.handle(
							refuse
								? { kind: "respond", transaction, status: 488 }
								: method === "INVITE"
									? { kind: "accept", leg: event.leg, transaction, body: SDP }
									: { kind: "respond", transaction, status: 200, ...(event.request.body.length > 0 && { body: SDP }) },
						),
					);
				}
				case "in-dialog-response": {
					one.asked.set(event.transaction, (one.asked.get(event.transaction) ?? 0) + 1);
					const outcome = event.cause ?? String(event.response?.status);
					one.outcomes.set(outcome, (one.outcomes.get(outcome) ?? 0) + 1);
					return;
				}
				case "refreshed":
					refreshed++;
					return;
				case "ended":
				case "failed":
					one.outcomes.set(`end ${event.cause}`, (one.outcomes.get(`end ${event.cause}`) ?? 0) + 1);
					expect(one.ended.has(event.leg), `seed ${seed}: ${event.leg} ends once`).toBe(false);
					one.ended.add(event.leg);
					return;
				default:
			}
		};
	}
	for (let index = 0; index < calls; index++) {
		clock.wakeAt(random() * 100 * calls, () => {
			const uri = `sip:${index}@192.0.2.2`;
			caller.host.handle({
				...{ kind: "call", leg: `${index}`, requestUri: uri, from: { uri: "sip:a@192.0.2.1" }, to: { uri }, target: B, body: SDP },
			});
		});
	}
	clock.runUntilIdle(1_200_000 + 100 * calls);
	return { caller, callee, refreshed };
}

describe("both sides renegotiate whenever they like", () => {
	for (const net of [
		{ loss: 0, duplicate: 0, delay: [5, 200] as const },
		{ loss: 0.1, duplicate: 0.05, delay: [1, 400] as const },
		{ loss: 0.4, duplicate: 0.1, delay: [1, 900] as const },
	]) {
		for (const seed of [1, 2, 3]) {
			it(`100 calls, seed ${seed}, loss ${net.loss}: every request has one answer, every leg one end, and nothing is left`, () => {
				const { caller, callee, refreshed } = simulate(seed, 100, net);
				for (const { host, asked } of [caller, callee]) {
					expect(host.machine.stats()).toEqual(IDLE);
					expect(host.machine.nextTimeout()).toBeUndefined();
					expect([...asked].filter(([, answers]) => answers !== 1)).toEqual([]);
				}
				expect(caller.ended.size).toBe(100);
				expect(refreshed).toBeGreaterThan(20);
				// Nothing is lost here, so that only BYE ends a call; whatever met something of the other side's is there, too.
				if (net.loss === 0) expect([...caller.outcomes.keys()].filter((name) => name.startsWith("end "))).toEqual(["end bye"]);
				expect(["200", "488", "491", "glare"].filter((outcome) => !caller.outcomes.has(outcome))).toEqual([]);
			});
		}
	}
});
