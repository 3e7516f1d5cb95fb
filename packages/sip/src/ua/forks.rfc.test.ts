import { SimClock, SimNet, simEndpoint } from "@trunkline/testkit";
import { describe, expect, it } from "vitest";
import type { Address, SipInput } from "../endpoint-types.ts";
import { utf8Encode } from "../grammar/text.ts";
import { header } from "../message/headers.ts";
import type { SipMessage } from "../message/message.ts";
import { parseMessage } from "../message/parse.ts";

const A: Address = { host: "192.0.2.1", port: 5060, transport: "UDP" };
const B: Address = { host: "192.0.2.2", port: 5070, transport: "UDP" };
const IDLE = { transactions: 0, dialogs: 0, legs: 0, unanswered: 0, timers: 0 };

function read(bytes: Uint8Array): SipMessage {
	const result = parseMessage(bytes);
	if (!result.ok) throw new Error(result.detail);
	return result.message;
}

/** An INVITE of ours at A; the test is the proxy at B, and all the forks behind it. */
function calling(extra: Partial<Extract<SipInput, { kind: "call" }>> = {}) {
	const clock = new SimClock();
	const net = new SimNet(clock, { delay: [0, 0] });
	const host = simEndpoint(clock, net, A, { supported: ["100rel"], allow: ["UPDATE"] });
	host.handle({
		kind: "call",
		leg: "out",
		requestUri: "sip:bob@192.0.2.2:5070",
		from: { uri: "sip:alice@192.0.2.1" },
		to: { uri: "sip:bob@192.0.2.2" },
		target: B,
		reliable: true,
		body: { contentType: "application/sdp", bytes: utf8Encode("offer") },
		...extra,
	});
	const sent = (): SipMessage[] => net.sent.map(({ bytes }) => read(bytes));
	const [invite] = sent();
	if (invite === undefined) throw new Error("no INVITE");
	const receive = (text: string): void => host.handle({ kind: "received", bytes: utf8Encode(text.replaceAll("\n", "\r\n")), remote: B });
	const answer = (status: string, tag: string, headers = "", request: SipMessage = invite): void => {
		const lines = ["via", "from", "call-id", "cseq"].map((name) => `${name}: ${header(request, name)}`).join("\n");
		const to = header(request, "to") ?? "";
		receive(
			`SIP/2.0 ${status}\n${lines}\nTo: ${to.includes(";tag=") ? to : `${to};tag=${tag}`}\nContact: <sip:${tag}@192.0.2.2:5070>\n${headers}\n`,
		);
	};
	/** a request of that fork inside its dialog */
	const request = (method: string, tag: string, cseq: number): void => {
		const [from, to, callId] = ["to", "from", "call-id"].map((name) => header(invite, name));
		receive(
			`${method} sip:alice@192.0.2.1 SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.2:5070;branch=z9hG4bK${method}${tag}${cseq}\nFrom: ${from};tag=${tag}\nTo: ${to}\nCall-ID: ${callId}\nCSeq: ${cseq} ${method}\nContact: <sip:${tag}@192.0.2.2:5070>\n\n`,
		);
	};
	const to = (method: string): (string | undefined)[] =>
		sent().flatMap((one) => (one.kind === "request" && one.method === method ? [header(one, "to")?.split("tag=")[1]] : []));
	const statuses = (): number[] => sent().flatMap((one) => (one.kind === "response" ? [one.status] : []));
	const of = (method: string): SipMessage[] => sent().filter((one) => one.kind === "request" && one.method === method);
	return { clock, host, answer, request, to, of, statuses };
}

describe("an INVITE that forks (RFC 3261 §12.1.2, §13.2.2.4)", () => {
	it("each fork has its own early dialog: PRACK and requests of each are its own", () => {
		const { host, answer, request, to, statuses } = calling();
		answer("180 Ringing", "one", "Require: 100rel\nRSeq: 5\n");
		answer("183 Session Progress", "two", "Require: 100rel\nRSeq: 5\n");
		expect(to("PRACK")).toEqual(["one", "two"]);
		expect(host.machine.stats().dialogs).toBe(2);
		request("UPDATE", "two", 1);
		expect(host.of("update")).toMatchObject([{ dialog: "two" }]);
		request("OPTIONS", "one", 1);
		expect(statuses()).toEqual([200]);
	});

	it("one wins: the others' early dialogs are over, and a request in one gets 481", () => {
		const { host, answer, request, statuses } = calling();
		answer("180 Ringing", "one");
		answer("180 Ringing", "two");
		answer("200 OK", "two");
		expect(host.machine.stats().dialogs).toBe(1);
		request("UPDATE", "one", 1);
		expect(statuses()).toEqual([481]);
	});

	it('a late 2xx of another fork, with an early dialog or without: "MUST generate an ACK", and BYE ends it; ours goes on', () => {
		const { host, answer, to, clock, of } = calling();
		answer("180 Ringing", "one");
		answer("200 OK", "two");
		answer("200 OK", "one");
		answer("200 OK", "three");
		expect(to("ACK")).toEqual(["two", "one", "three"]);
		expect(to("BYE")).toEqual(["one", "three"]);
		expect(host.of("answered")).toHaveLength(1);
		expect(host.of("ended")).toEqual([]);
		for (const bye of of("BYE")) answer("200 OK", "", "", bye);
		host.handle({ kind: "bye", leg: "out" });
		for (const bye of of("BYE").slice(2)) answer("200 OK", "", "", bye);
		clock.runUntilIdle(64_000);
		expect(host.machine.stats()).toEqual(IDLE);
	});

	it("a 2xx of a fork is acknowledged and hung up even when our own call is over already", () => {
		const { host, answer, to, of } = calling();
		answer("200 OK", "one");
		host.handle({ kind: "bye", leg: "out" });
		answer("200 OK", "", "", of("BYE")[0]);
		answer("200 OK", "two");
		expect(to("ACK")).toEqual(["one", "two"]);
		expect(to("BYE")).toEqual(["one", "two"]);
	});

	it("§12.2.1.1: numbers of requests go up within each dialog, also in the BYE to a fork that nobody wants", () => {
		const { answer, of } = calling();
		for (const rseq of [1, 2, 3]) answer("183 Session Progress", "one", `Require: 100rel\nRSeq: ${rseq}\n`);
		answer("200 OK", "two");
		answer("200 OK", "one");
		expect(of("PRACK").map((one) => header(one, "cseq"))).toEqual(["2 PRACK", "3 PRACK", "4 PRACK"]);
		expect(of("BYE").map((one) => header(one, "cseq"))).toEqual(["5 BYE"]);
	});

	it("the route set and target of the 2xx replace those of its early dialog", () => {
		const { host, answer, of } = calling();
		answer("180 Ringing", "one", "Record-Route: <sip:192.0.2.50;lr>\n");
		answer("200 OK", "one", "Record-Route: <sip:192.0.2.60;lr>\n");
		host.handle({ kind: "bye", leg: "out" });
		expect(header(of("BYE")[0] as SipMessage, "route")).toBe("<sip:192.0.2.60;lr>");
	});

	it("a final refusal ends all early dialogs", () => {
		const { host, answer, clock } = calling();
		answer("180 Ringing", "one", "Require: 100rel\nRSeq: 1\n");
		answer("180 Ringing", "two");
		answer("486 Busy Here", "proxy");
		expect(host.of("failed")).toMatchObject([{ status: 486 }]);
		clock.runUntilIdle(128_000);
		expect(host.machine.stats()).toEqual(IDLE);
	});

	it("a peer that invents forks without end gets no more memory", () => {
		const { host, answer, to } = calling();
		for (let i = 0; i < 100; i++) answer("183 Session Progress", `fork${i}`, "Require: 100rel\nRSeq: 1\n");
		expect(host.machine.stats().dialogs).toBe(16);
		expect(to("PRACK")).toHaveLength(16);
		for (let i = 0; i < 100; i++) answer("199 Early Dialog Terminated", `fork${i}`);
		for (let i = 0; i < 100; i++) answer("183 Session Progress", `again${i}`);
		expect(host.machine.stats().dialogs).toBe(0);
	});
});

describe("RFC 6228: 199 Early Dialog Terminated", () => {
	it("§4: ends its early dialog and no other; it is reported, and a repeated one makes no new dialog", () => {
		const { host, answer, request, statuses } = calling();
		answer("180 Ringing", "one");
		answer("180 Ringing", "two");
		answer("199 Early Dialog Terminated", "one");
		answer("199 Early Dialog Terminated", "one");
		expect(host.machine.stats().dialogs).toBe(1);
		request("UPDATE", "one", 1);
		expect(statuses()).toEqual([481]);
		expect(host.of("provisional").map(({ response }) => response.status)).toEqual([180, 180, 199, 199]);
		answer("200 OK", "two");
		expect(host.of("answered")).toHaveLength(1);
	});

	it("a reliable one is acknowledged", () => {
		const { answer, to } = calling();
		answer("180 Ringing", "one", "Require: 100rel\nRSeq: 1\n");
		answer("199 Early Dialog Terminated", "one", "Require: 100rel\nRSeq: 2\n");
		expect(to("PRACK")).toEqual(["one", "one"]);
	});

	it("the fork may answer all the same", () => {
		const { host, answer, to } = calling();
		answer("180 Ringing", "one");
		answer("199 Early Dialog Terminated", "one");
		answer("200 OK", "one");
		expect(host.of("answered")).toHaveLength(1);
		expect(to("ACK")).toEqual(["one"]);
	});
});

describe("a call that comes back to us", () => {
	it("is no merged request (RFC 3261 §8.2.2.2 is about server transactions): an endpoint can call itself, and both legs are apart", () => {
		const clock = new SimClock();
		const net = new SimNet(clock);
		const host = simEndpoint(clock, net, A, { allow: ["INFO"] });
		host.handle({
			...{ kind: "call", leg: "out", requestUri: "sip:me@192.0.2.1", target: A },
			...{ from: { uri: "sip:me@192.0.2.1" }, to: { uri: "sip:me@192.0.2.1" } },
		});
		clock.runFor(10);
		const leg = host.of("incoming")[0]?.leg ?? "";
		host.handle({ kind: "accept", leg });
		clock.runFor(10);
		expect(host.of("answered")).toMatchObject([{ leg: "out" }]);
		expect(host.of("acked")).toMatchObject([{ leg }]);
		host.handle({ kind: "request", leg: "out", transaction: "i", method: "INFO" });
		clock.runFor(10);
		expect(host.of("in-dialog")).toMatchObject([{ leg }]);
		host.handle({ kind: "bye", leg });
		clock.runFor(10);
		expect(
			host
				.of("ended")
				.map(({ leg: ended, by }) => `${ended === "out" ? "out" : "in"} ${by}`)
				.sort(),
		).toEqual(["in local", "out remote"]);
	});
});
