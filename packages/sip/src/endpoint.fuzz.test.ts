import { SimClock, SimNet, simEndpoint } from "@trunkline/testkit";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Address, SipInput } from "./endpoint-types.ts";
import { utf8Encode } from "./grammar/text.ts";
import { header } from "./message/headers.ts";
import type { SipMessage } from "./message/message.ts";
import { parseMessage } from "./message/parse.ts";

const US: Address = { host: "192.0.2.1", port: 5060, transport: "UDP" };
const PEER: Address = { host: "192.0.2.2", port: 5060, transport: "UDP" };

/** One thing that happens to an endpoint: a command of its driver, a message of a peer that knows all tags, or time. */
type Step =
	| { do: "command"; kind: (typeof COMMANDS)[number]; pick: number; status: number; sdp: boolean }
	| { do: "call"; auth: boolean; sdp: boolean; reliable: boolean }
	| { do: "request"; method: string; branch: number; cseq: number; tagged: boolean; pick: number; sdp: boolean; reliable: boolean }
	| { do: "answer"; status: number; tag: number; pick: number; challenge: boolean; sdp: boolean; rseq: number }
	| { do: "transport-error" }
	| { do: "wait"; ms: number };

const COMMANDS = ["ring", "accept", "reject", "cancel", "bye", "info", "reinvite", "update", "respond", "prack", "ack"] as const;

/** index from the end: mostly what happened last, so that steps follow from each other */
const recent = fc.constantFrom(0, 0, 0, 0, 1, 1, 1, 2, 3);

const step: fc.Arbitrary<Step> = fc.oneof(
	fc.record({
		do: fc.constant("command" as const),
		kind: fc.constantFrom(...COMMANDS),
		sdp: fc.boolean(),
		pick: recent,
		status: fc.constantFrom(200, 302, 404, 487, 500),
	}),
	fc.record({ do: fc.constant("call" as const), auth: fc.boolean(), sdp: fc.boolean(), reliable: fc.boolean() }),
	fc.record({
		do: fc.constant("request" as const),
		method: fc.constantFrom("INVITE", "ACK", "CANCEL", "BYE", "INFO", "OPTIONS", "UPDATE", "PRACK"),
		...{ sdp: fc.boolean(), reliable: fc.boolean() },
		...{ branch: fc.nat(5), cseq: fc.nat(6), tagged: fc.boolean(), pick: recent },
	}),
	fc.record({
		do: fc.constant("answer" as const),
		...{ sdp: fc.boolean(), rseq: fc.nat(3) },
		status: fc.constantFrom(100, 180, 183, 183, 199, 200, 200, 302, 401, 407, 481, 486, 487, 491, 503, 603),
		...{ tag: fc.nat(2), pick: recent, challenge: fc.boolean() },
	}),
	fc.constant({ do: "transport-error" as const }),
	fc.record({ do: fc.constant("wait" as const), ms: fc.constantFrom(0, 100, 499, 500, 4000, 32_000) }),
);

function message(bytes: Uint8Array): SipMessage {
	const parsed = parseMessage(bytes);
	if (!parsed.ok) throw new Error(`sent what is no SIP: ${parsed.detail}`);
	return parsed.message;
}

const sdpPart = (sdp: boolean): string => (sdp ? "Content-Type: application/sdp\nContent-Length: 3\n\nv=0" : "\n");

function world() {
	const clock = new SimClock();
	const net = new SimNet(clock, { delay: [0, 0] });
	const host = simEndpoint(clock, net, US, { allow: ["INFO", "UPDATE"], supported: ["100rel"] });
	let calls = 0;
	const sent = (): SipMessage[] => net.sent.map(({ bytes }) => message(bytes));
	const receive = (text: string): void => host.handle({ kind: "received", bytes: utf8Encode(text.replaceAll("\n", "\r\n")), remote: PEER });
	const legs = (): string[] => [...host.of("incoming").map(({ leg }) => leg), ...Array.from({ length: calls }, (_, n) => `out${n}`)];
	const at = <T>(list: readonly T[], pick: number): T | undefined => list[list.length - 1 - pick];

	const command = (one: Extract<Step, { do: "command" }>): void => {
		const leg = at(legs(), one.pick) ?? "none";
		const waiting = host.events.flatMap((event) =>
			"transaction" in event && event.type !== "in-dialog-response" ? [event.transaction] : [],
		);
		const body = one.sdp ? { body: { contentType: "application/sdp", bytes: utf8Encode("v=0") } } : {};
		const offers = host.of("provisional").flatMap(({ prack }) => (prack === undefined ? [] : [prack]));
		const inputs: Record<typeof one.kind, SipInput> = {
			ring: { kind: "ring", leg, status: 180, reliable: true, ...body },
			accept: { kind: "accept", leg, ...body },
			reject: { kind: "reject", leg, status: Math.max(one.status, 300) },
			cancel: { kind: "cancel", leg },
			bye: { kind: "bye", leg },
			info: { kind: "request", leg, transaction: "t", method: "INFO" },
			reinvite: { kind: "request", leg, transaction: "t", method: "INVITE", ...body },
			update: { kind: "request", leg, transaction: "t", method: "UPDATE", ...body },
			prack: { kind: "prack", leg, prack: at(offers, one.pick) ?? "none", ...body },
			ack: { kind: "ack", leg, ...body },
			respond: { kind: "respond", transaction: at(waiting, one.pick) ?? "none", status: one.status },
		};
		host.handle(inputs[one.kind]);
	};
	const request = (one: Extract<Step, { do: "request" }>): void => {
		const tag = one.tagged ? `;tag=${at(host.of("incoming"), one.pick)?.localTag ?? "none"}` : "";
		receive(
			`${one.method} sip:us@192.0.2.1 SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK${one.branch}\nFrom: <sip:p@h>;tag=peer\nTo: <sip:us@h>${tag}\nCall-ID: in\nCSeq: ${one.cseq} ${one.method}\nContact: <sip:p@192.0.2.2>\n${one.reliable ? "Require: 100rel\n" : "Supported: 100rel\n"}${rack()}${sdpPart(one.sdp)}`,
		);
	};
	/** of the latest reliable response of ours */
	const rack = (): string => {
		const reliable = sent().findLast((candidate) => header(candidate, "rseq") !== undefined);
		return reliable === undefined ? "" : `RAck: ${header(reliable, "rseq")} ${header(reliable, "cseq")}\n`;
	};
	const answer = (one: Extract<Step, { do: "answer" }>): void => {
		const target = at(
			sent().filter((candidate) => candidate.kind === "request" && candidate.method !== "ACK"),
			one.pick,
		);
		if (target === undefined) return;
		const to = header(target, "to") ?? "";
		const lines = ["via", "from", "call-id", "cseq"].map((name) => `${name}: ${header(target, name)}`).join("\n");
		const name = one.status === 407 ? "Proxy-Authenticate" : "WWW-Authenticate";
		const challenge = one.challenge ? `${name}: Digest realm="r", nonce="n${one.tag}", stale=${one.tag > 0}\n` : "";
		receive(
			`SIP/2.0 ${one.status} X\n${lines}\nTo: ${to.includes("tag=") ? to : `${to};tag=p${one.tag}`}\nContact: <sip:p@192.0.2.2>\n${challenge}${one.rseq > 0 ? `Require: 100rel\nRSeq: ${one.rseq}\n` : ""}${sdpPart(one.sdp)}`,
		);
	};
	const apply = (one: Step): void => {
		switch (one.do) {
			case "command":
				return command(one);
			case "request":
				return request(one);
			case "answer":
				return answer(one);
			case "transport-error":
				return host.handle({ kind: "transport-error", remote: PEER, message: "x" });
			case "wait":
				return clock.runFor(one.ms);
			case "call":
				return host.handle({
					...{
						kind: "call",
						leg: `out${calls++}`,
						requestUri: "sip:p@192.0.2.2",
						from: { uri: "sip:us@h" },
						to: { uri: "sip:p@h" },
						target: PEER,
					},
					...(one.auth && { auth: { username: "u", password: "p" } }),
					...(one.sdp ? { body: { contentType: "application/sdp", bytes: utf8Encode("v=0") } } : { delayedOffer: true }),
					reliable: one.reliable,
				});
		}
	};
	/** The driver gives everything up; nobody answers any more. */
	const giveUp = (): void => {
		for (const leg of legs()) for (const kind of ["cancel", "bye"] as const) host.handle({ kind, leg });
		clock.runUntilIdle(300_000);
	};
	return { host, sent, apply, giveUp };
}

describe("an endpoint between any driver and any peer", () => {
	it("never throws; each leg has one last event and none after it; when the driver gives up nothing is left", () => {
		fc.assert(
			fc.property(fc.array(step, { minLength: 1, maxLength: 40 }), (steps) => {
				const { host, sent, apply, giveUp } = world();
				for (const one of steps) apply(one);
				giveUp();
				sent();
				expect(host.machine.stats()).toEqual({ transactions: 0, dialogs: 0, legs: 0, unanswered: 0, timers: 0 });
				const over = new Set<string>();
				for (const event of host.events) {
					if (!("leg" in event)) continue;
					expect(over.has(event.leg), `${event.type} after the end of ${event.leg}`).toBe(false);
					if (event.type === "failed" || event.type === "ended" || event.type === "cancelled") over.add(event.leg);
				}
				// A call of ours that began has ended.
				for (const event of host.events) if ("leg" in event && event.leg.startsWith("out")) expect(over).toContain(event.leg);
			}),
			{ numRuns: 1500 },
		);
	});
});
