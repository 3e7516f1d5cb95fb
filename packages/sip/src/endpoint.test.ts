import { SimClock, SimNet, type SimPacket, simEndpoint } from "@trunkline/testkit";
import { describe, expect, it } from "vitest";
import type { Address, EndpointOptions, SipInput } from "./endpoint-types.ts";
import { SipUsageError } from "./errors.ts";
import { utf8Encode } from "./grammar/text.ts";
import { header, headers } from "./message/headers.ts";
import type { SipMessage } from "./message/message.ts";
import { parseMessage } from "./message/parse.ts";

const A: Address = { host: "192.0.2.1", port: 5060, transport: "UDP" };
const B: Address = { host: "192.0.2.2", port: 5070, transport: "UDP" };

function pair(options: { a?: Partial<EndpointOptions>; b?: Partial<EndpointOptions> } = {}) {
	const clock = new SimClock();
	const net = new SimNet(clock);
	return { clock, net, a: simEndpoint(clock, net, A, options.a), b: simEndpoint(clock, net, B, options.b) };
}

const call = (extra: Partial<Extract<SipInput, { kind: "call" }>> = {}): SipInput => ({
	kind: "call",
	leg: "out",
	requestUri: "sip:bob@192.0.2.2:5070",
	from: { uri: "sip:alice@192.0.2.1" },
	to: { uri: "sip:bob@192.0.2.2" },
	target: B,
	...extra,
});

/** "INVITE" / "180 INVITE" of what was sent, in order. */
function summary(packets: readonly SimPacket[]): string[] {
	return packets.map(({ bytes }) => {
		const parsed = parseMessage(bytes);
		if (!parsed.ok) return parsed.code;
		const { message } = parsed;
		return message.kind === "request" ? message.method : `${message.status} ${header(message, "cseq")?.split(" ")[1]}`;
	});
}

describe("a call between two endpoints", () => {
	it("rings, is answered, is hung up, and leaves nothing behind", () => {
		const { clock, net, a, b } = pair();
		a.handle(call());
		clock.runFor(10);
		const leg = b.of("incoming")[0]?.leg ?? "";
		b.handle({ kind: "ring", leg, status: 180 });
		clock.runFor(10);
		b.handle({ kind: "accept", leg, body: { contentType: "application/sdp", bytes: new Uint8Array([118, 61, 48]) } });
		clock.runFor(10);
		expect(a.of("answered")[0]?.response.body).toEqual(new Uint8Array([118, 61, 48]));
		expect(b.of("acked")).toHaveLength(1);
		a.handle({ kind: "bye", leg: "out" });
		clock.runFor(10);
		expect(summary(net.sent)).toEqual(["INVITE", "100 INVITE", "180 INVITE", "200 INVITE", "ACK", "BYE", "200 BYE"]);
		expect(a.of("ended")).toMatchObject([{ by: "local", cause: "bye" }]);
		expect(b.of("ended")).toMatchObject([{ by: "remote", cause: "bye" }]);
		clock.runUntilIdle(64_000);
		expect(a.machine.stats()).toEqual({ transactions: 0, dialogs: 0, legs: 0, unanswered: 0, timers: 0 });
		expect(b.machine.stats()).toEqual({ transactions: 0, dialogs: 0, legs: 0, unanswered: 0, timers: 0 });
	});
});

/** One endpoint at A and a peer at B that is the test itself. */
function alone(options: Partial<EndpointOptions> = {}) {
	const clock = new SimClock();
	const net = new SimNet(clock, { delay: [0, 0] });
	const host = simEndpoint(clock, net, A, options);
	const receive = (text: string, remote: Address = B): void =>
		host.handle({ kind: "received", bytes: utf8Encode(text.replaceAll("\n", "\r\n")), remote });
	const sent = (): SipMessage[] => net.sent.map(({ bytes }) => parsed(bytes));
	const lastSent = (): SipMessage => {
		const last = sent().at(-1);
		if (last === undefined) throw new Error("nothing sent");
		return last;
	};
	/** the peer's answer to a request of ours */
	const answer = (request: SipMessage, status: string, tag: string, extra = ""): void => {
		const to = header(request, "to") ?? "";
		const lines = ["via", "from", "call-id", "cseq"].map((name) => `${name}: ${header(request, name)}`).join("\n");
		receive(
			`SIP/2.0 ${status}\n${lines}\nTo: ${to.includes(";tag=") ? to : `${to};tag=${tag}`}\nContact: <sip:${tag}@192.0.2.2:5070>\n${extra}\n`,
		);
	};
	return { clock, net, host, receive, sent, lastSent, answer };
}

function parsed(bytes: Uint8Array): SipMessage {
	const result = parseMessage(bytes);
	if (!result.ok) throw new Error(result.detail);
	return result.message;
}

interface Shape {
	uri?: string;
	via?: string;
	branch?: string;
	cseq?: string;
	toTag?: string;
	fromTag?: string;
	headers?: string;
	contact?: string;
}

const incoming = (method: string, shape: Shape = {}): string =>
	`${method} ${shape.uri ?? "sip:us@192.0.2.1"} SIP/2.0
Via: ${shape.via ?? `SIP/2.0/UDP 192.0.2.2:5070;branch=z9hG4bK${shape.branch ?? "b1"}`}
From: <sip:peer@192.0.2.2>${shape.fromTag === "" ? "" : `;tag=${shape.fromTag ?? "peer"}`}
To: <sip:us@192.0.2.1>${shape.toTag === undefined ? "" : `;tag=${shape.toTag}`}
Call-ID: in@192.0.2.2
CSeq: ${shape.cseq ?? `1 ${method}`}
${shape.contact ?? "Contact: <sip:peer@192.0.2.2:5070>\n"}${shape.headers ?? ""}
`;

describe("requests from strangers (RFC 3261 §8.2)", () => {
	it.each<[string, string, number, string?]>([
		["unknown method → 405 with what is served", incoming("REGISTER"), 405, "Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, INFO"],
		["BYE outside a dialog → 481", incoming("BYE"), 481],
		["a To tag that we never gave → 481", incoming("INVITE", { toTag: "x" }), 481],
		["a scheme that we do not know → 416", incoming("INVITE", { uri: "nobodyKnows:x" }), 416],
		["Request-URI without a scheme → 400", incoming("INVITE", { uri: "what" }), 400],
		["Require → 420 with Unsupported", incoming("INVITE", { headers: "Require: 100rel, x\n" }), 420, "Unsupported: 100rel, x"],
		["INVITE without Contact → 400", incoming("INVITE", { contact: "" }), 400],
		["INVITE without From tag → 400", incoming("INVITE", { fromTag: "" }), 400],
		["an encoded body → 415", incoming("INVITE", { headers: "Content-Encoding: gzip\n" }), 415, "Accept-Encoding: identity"],
		["CSeq method that differs → 400", incoming("INVITE", { cseq: "1 BYE" }), 400],
		["CSeq of 2**31 → 400", incoming("INVITE", { cseq: "2147483648 INVITE" }), 400],
		["two From → 400", incoming("INVITE", { headers: "From: <sip:x@y>;tag=z\n" }), 400],
		["two Call-IDs, one compact → 400", incoming("INVITE", { headers: "i: other\n" }), 400],
		["Max-Forwards 256 → 400", incoming("INVITE", { headers: "Max-Forwards: 256\n" }), 400],
		["version 7.0 → 505", incoming("INVITE").replace("SIP/2.0\n", "SIP/7.0\n"), 505],
		["white space in the Request-URI → 400", incoming("INVITE", { uri: "sip:us@192.0.2.1; lr" }), 400],
		["a Request-URI of 3000 characters → 414", incoming("INVITE", { uri: `sip:${"a".repeat(3000)}@h` }), 414],
		["201 header fields → 400", incoming("INVITE", { headers: "X: y\n".repeat(201) }), 400],
		["a header value of 9000 characters → 400", incoming("INVITE", { headers: `X: ${"y".repeat(9000)}\n` }), 400],
		["a NUL in a header value → 400", incoming("INVITE", { headers: "X: a\0b\n" }), 400],
		["negative Content-Length → 400", incoming("INVITE", { headers: "Content-Length: -999\n" }), 400],
		["two Content-Lengths that differ → 400", incoming("INVITE", { headers: "Content-Length: 0\nl: 1\n" }), 400],
		["a broken Via → 400", incoming("INVITE", { via: "SIP/2.0/UDP" }), 400],
		["a body cut short → 400", incoming("INVITE", { headers: "Content-Length: 5\n" }), 400],
		["a header line without a name → 400", incoming("INVITE", { headers: "no colon here\n" }), 400],
		["an unterminated quote in To → 400", incoming("INVITE").replace("To: <", 'To: "x <'), 400],
	])("%s", (_, text, status, line) => {
		const { host, receive, sent, net } = alone({ allow: ["INFO"] });
		receive(text);
		expect(sent()).toMatchObject([{ kind: "response", status }]);
		expect(net.sent[0]?.to).toEqual(B);
		if (line !== undefined) expect(sent()[0]?.headers.map(({ name, value }) => `${name}: ${value}`)).toContain(line);
		expect(host.events).toEqual([]);
		expect(host.machine.stats()).toEqual({ transactions: 0, dialogs: 0, legs: 0, unanswered: 0, timers: 0 });
	});

	it.each<[string, string]>([
		["no Via", incoming("INVITE").replace(/Via:.*\n/, "")],
		["an ACK to nothing", incoming("ACK", { toTag: "x" })],
		["a malformed ACK", incoming("ACK", { cseq: "x" })],
		[
			"a response to nothing",
			"SIP/2.0 200 OK\nVia: SIP/2.0/UDP h;branch=z9hG4bKq\nFrom: <sip:a@b>;tag=1\nTo: <sip:a@b>;tag=2\nCall-ID: x\nCSeq: 1 INVITE\n\n",
		],
		["keep-alive", "\n\n\n\n"],
		["something else", "GET / HTTP/1.1\nHost: x\n\n"],
	])("%s gets no answer", (_, text) => {
		const { host, receive, net } = alone();
		receive(text);
		expect(net.sent).toEqual([]);
		expect(host.events).toEqual([]);
	});

	it("§8.2.2.2: the same request by another way → 482 while the first is alive", () => {
		const { receive, sent } = alone();
		receive(incoming("INVITE", { branch: "first" }));
		receive(incoming("INVITE", { branch: "second" }));
		expect(sent().map((one) => one.kind === "response" && one.status)).toEqual([100, 482]);
	});

	it("§8.2.2.2: … and not afterwards", () => {
		const { clock, host, receive, lastSent } = alone();
		receive(incoming("OPTIONS", { branch: "first" }));
		host.handle({ kind: "respond", transaction: host.of("out-of-dialog")[0]?.transaction ?? "", status: 200 });
		receive(incoming("OPTIONS", { branch: "second" }));
		expect(lastSent()).toMatchObject({ status: 482 });
		clock.runFor(32_000);
		receive(incoming("OPTIONS", { branch: "third" }));
		expect(host.of("out-of-dialog")).toHaveLength(2);
	});

	it("§8.2.7: an answer that keeps no state has the same To tag each time", () => {
		const { receive, sent } = alone();
		for (let i = 0; i < 2; i++) receive(incoming("BYE"));
		expect(header(sent()[0] as SipMessage, "to")).toMatch(/;tag=[0-9a-f]{16}$/);
		expect(header(sent()[1] as SipMessage, "to")).toBe(header(sent()[0] as SipMessage, "to"));
	});

	it("beyond maxTransactions new INVITEs get 503 with Retry-After and cost nothing; calls that live go on", () => {
		const { receive, sent, host, lastSent } = alone({ maxTransactions: 2 });
		for (const n of [1, 2, 3]) receive(incoming("INVITE", { branch: `n${n}` }).replace("in@", `${n}@`));
		expect(sent().map((one) => one.kind === "response" && one.status)).toEqual([100, 100, 503]);
		expect(header(lastSent(), "retry-after")).toBe("5");
		expect(host.machine.stats().transactions).toBe(2);
		receive(incoming("CANCEL", { branch: "n1", cseq: "1 CANCEL" }).replace("in@", "1@"));
		expect(host.of("cancelled")).toHaveLength(1);
	});

	it("a flood of OPTIONS takes half of the transactions at most", () => {
		const { receive, host, lastSent } = alone({ maxTransactions: 6 });
		for (let n = 0; n < 9; n++) receive(incoming("OPTIONS", { branch: `n${n}` }).replace("in@", `${n}@`));
		expect(host.machine.stats()).toMatchObject({ transactions: 3, unanswered: 3 });
		expect(lastSent()).toMatchObject({ status: 503 });
		receive(incoming("INVITE"));
		expect(host.of("incoming")).toHaveLength(1);
	});

	it("RFC 4475 §3.3.11: Max-Forwards 0 is processed by the user agent that is the target", () => {
		const { receive, host } = alone();
		receive(incoming("INVITE", { headers: "Max-Forwards: 0\n" }));
		expect(host.of("incoming")).toHaveLength(1);
	});

	it("RFC 2543 peers: a branch without the cookie; retransmission, CANCEL and ACK find their INVITE", () => {
		const { receive, host, sent } = alone();
		const via = "SIP/2.0/UDP 192.0.2.2:5070;branch=old";
		receive(incoming("INVITE", { via }));
		receive(incoming("INVITE", { via }));
		expect(host.of("incoming")).toHaveLength(1);
		receive(incoming("CANCEL", { via, cseq: "1 CANCEL" }));
		expect(host.of("cancelled")).toHaveLength(1);
		receive(incoming("ACK", { via, toTag: "any", cseq: "1 ACK" }));
		expect(sent().map((one) => one.kind === "response" && one.status)).toEqual([100, 100, 200, 487]);
	});

	it("RFC 3581: rport and received are filled in and the response goes to the source; without rport to the sent-by port", () => {
		const source: Address = { host: "198.51.100.9", port: 40_000, transport: "UDP" };
		const { receive, net, lastSent } = alone();
		receive(incoming("OPTIONS", { via: "SIP/2.0/UDP 10.0.0.5:5066;branch=z9hG4bKr;rport, SIP/2.0/UDP x;branch=y", toTag: "gone" }), source);
		expect(net.sent.at(-1)?.to).toEqual(source);
		expect(header(lastSent(), "via")).toBe(
			"SIP/2.0/UDP 10.0.0.5:5066;branch=z9hG4bKr;received=198.51.100.9;rport=40000, SIP/2.0/UDP x;branch=y",
		);
		receive(incoming("OPTIONS", { via: "SIP/2.0/UDP 10.0.0.5:5066;branch=z9hG4bKs;maddr=203.0.113.1", toTag: "gone" }), source);
		expect(net.sent.at(-1)?.to).toEqual({ ...source, port: 5066 });
		expect(header(lastSent(), "via")).toBe("SIP/2.0/UDP 10.0.0.5:5066;branch=z9hG4bKs;maddr=203.0.113.1;received=198.51.100.9");
	});

	it("OPTIONS: asked of the driver, or answered at once; the answer says what is served", () => {
		const asked = alone();
		asked.receive(incoming("OPTIONS"));
		asked.host.handle({ kind: "respond", transaction: asked.host.of("out-of-dialog")[0]?.transaction ?? "", status: 200 });
		const answered = alone({ answerOptions: true });
		answered.receive(incoming("OPTIONS"));
		for (const { lastSent } of [asked, answered]) {
			expect(lastSent()).toMatchObject({ status: 200 });
			expect([header(lastSent(), "allow"), header(lastSent(), "accept")]).toEqual(["INVITE, ACK, CANCEL, BYE, OPTIONS", "application/sdp"]);
		}
		expect(answered.host.events).toEqual([]);
	});
});

describe("dialogs (RFC 3261 §12)", () => {
	/** An incoming call, answered and acknowledged; gives our tag. */
	function established(shape: Shape = {}, options: Partial<EndpointOptions> = {}) {
		const all = alone({ allow: ["INFO"], ...options });
		all.receive(incoming("INVITE", shape));
		const { leg = "", localTag = "" } = all.host.of("incoming")[0] ?? {};
		all.host.handle({ kind: "accept", leg });
		all.receive(incoming("ACK", { branch: "ack", toTag: localTag, cseq: (shape.cseq ?? "1 INVITE").replace("INVITE", "ACK") }));
		expect(all.host.of("acked")).toHaveLength(1);
		return { ...all, leg, localTag };
	}
	it("RFC 6026 §7.1: an ACK with the INVITE's own branch, as RFC 2543 peers send it, still acknowledges the 200", () => {
		const { receive, host, sent, clock } = alone();
		receive(incoming("INVITE"));
		const { leg = "", localTag = "" } = host.of("incoming")[0] ?? {};
		host.handle({ kind: "accept", leg });
		receive(incoming("ACK", { toTag: localTag, cseq: "1 ACK" }));
		expect(host.of("acked")).toHaveLength(1);
		clock.runFor(40_000);
		expect(sent().filter((one) => one.kind === "response" && one.status === 200)).toHaveLength(1);
		expect(host.of("ack-timeout")).toEqual([]);
	});

	it("RFC 6026 §7.1: the same in a re-INVITE", () => {
		const { receive, host, leg, localTag } = established();
		receive(incoming("INVITE", { branch: "again", toTag: localTag, cseq: "2 INVITE" }));
		host.handle({ kind: "accept", leg, transaction: host.of("reinvite")[0]?.transaction ?? "" });
		receive(incoming("ACK", { branch: "again", toTag: localTag, cseq: "2 ACK" }));
		expect(host.of("acked")).toHaveLength(2);
	});

	it("a flood inside a dialog keeps few transactions and is answered 500 without state; BYE is always taken", () => {
		const { receive, host, localTag, lastSent } = established();
		const flood = (method: string, from: number, count: number): void => {
			for (let n = from; n < from + count; n++) receive(incoming(method, { branch: `f${n}`, toTag: localTag, cseq: `${n} ${method}` }));
		};
		flood("OPTIONS", 2, 500);
		expect(host.machine.stats().transactions).toBe(129);
		expect(lastSent()).toMatchObject({ status: 500 });
		expect(header(lastSent(), "retry-after")).toBe("5");
		receive(incoming("BYE", { branch: "bye", toTag: localTag, cseq: "1000 BYE" }));
		expect(lastSent()).toMatchObject({ status: 200 });
		expect(host.of("ended")).toMatchObject([{ by: "remote" }]);
	});

	it("the place that a transaction had in its dialog is free when it is over", () => {
		const { receive, host, localTag, lastSent, clock } = established();
		for (let round = 0; round < 3; round++) {
			const cseq = 10 + round * 200;
			for (let n = 0; n < 128; n++) receive(incoming("OPTIONS", { branch: `r${cseq + n}`, toTag: localTag, cseq: `${cseq + n} OPTIONS` }));
			expect(lastSent()).toMatchObject({ status: 200 });
			clock.runFor(33_000);
		}
		expect(host.machine.stats().transactions).toBe(0);
	});

	const ROUTES = "Record-Route: <sip:192.0.2.50;lr>, <sip:p2.example;lr>\nRecord-Route: <sip:p3.example;lr>\n";

	it("callee: Record-Route is copied into the responses that make the dialog; the route set keeps its order", () => {
		const { host, sent, lastSent, net, leg } = established({ headers: ROUTES });
		const ok = sent().find((one) => one.kind === "response" && one.status === 200);
		expect(ok?.headers.filter(({ key }) => key === "record-route").map(({ value }) => value)).toEqual([
			"<sip:192.0.2.50;lr>, <sip:p2.example;lr>",
			"<sip:p3.example;lr>",
		]);
		expect(header(sent()[0] as SipMessage, "record-route")).toBeUndefined();
		expect(header(ok as SipMessage, "contact")).toBe("<sip:us@192.0.2.1:5060>");
		host.handle({ kind: "bye", leg });
		expect(lastSent()).toMatchObject({ method: "BYE", uri: "sip:peer@192.0.2.2:5070" });
		expect(headers(lastSent(), "route")).toEqual(["<sip:192.0.2.50;lr>", "<sip:p2.example;lr>", "<sip:p3.example;lr>"]);
		expect(net.sent.at(-1)?.to).toEqual({ host: "192.0.2.50", port: 5060, transport: "UDP" });
	});

	it("caller: the route set is Record-Route in reverse, for ACK and BYE", () => {
		const { host, sent, lastSent, answer, net } = alone();
		host.handle(call());
		answer(sent()[0] as SipMessage, "200 OK", "bob", ROUTES);
		expect(lastSent()).toMatchObject({ method: "ACK", uri: "sip:bob@192.0.2.2:5070" });
		expect(headers(lastSent(), "route")).toEqual(["<sip:p3.example;lr>", "<sip:p2.example;lr>", "<sip:192.0.2.50;lr>"]);
		// A host name is not resolved here: where the call went stands for it.
		expect(net.sent.at(-1)?.to).toEqual(B);
		host.handle({ kind: "bye", leg: "out" });
		expect(headers(lastSent(), "route")).toHaveLength(3);
		expect(header(lastSent(), "cseq")).toBe("2 BYE");
	});

	it("§12.2.1.1: a strict router gets the Request-URI, the target goes last", () => {
		const { host, lastSent, leg } = established({ headers: "Record-Route: <sip:192.0.2.60>, <sip:p2.example;lr>\n" });
		host.handle({ kind: "bye", leg });
		expect(lastSent()).toMatchObject({ method: "BYE", uri: "sip:192.0.2.60" });
		expect(headers(lastSent(), "route")).toEqual(["<sip:p2.example;lr>", "<sip:peer@192.0.2.2:5070>"]);
	});

	it("a private Contact of a public peer is not followed", () => {
		const { host, net, lastSent, leg } = established({ contact: "Contact: <sip:peer@10.1.2.3:5060>\n" });
		host.handle({ kind: "bye", leg });
		expect(lastSent()).toMatchObject({ uri: "sip:peer@10.1.2.3:5060" });
		expect(net.sent.at(-1)?.to).toEqual(B);
	});

	it("§12.2.2: a CSeq that is not higher → 500, whatever the method; a wrong tag or Call-ID → 481, and the call goes on", () => {
		const { receive, lastSent, host, localTag } = established({ cseq: "7 INVITE" });
		receive(incoming("BYE", { branch: "l", toTag: localTag, cseq: "6 BYE" }));
		expect(lastSent()).toMatchObject({ status: 500 });
		receive(incoming("BYE", { branch: "m", toTag: localTag, cseq: "8 BYE", fromTag: "other" }));
		expect(lastSent()).toMatchObject({ status: 481 });
		receive(incoming("BYE", { branch: "n", toTag: localTag, cseq: "8 BYE" }).replace("in@", "x@"));
		expect(lastSent()).toMatchObject({ status: 481 });
		expect(host.of("ended")).toEqual([]);
		receive(incoming("BYE", { branch: "o", toTag: localTag, cseq: "8 BYE" }));
		expect(lastSent()).toMatchObject({ status: 200 });
		expect(host.of("ended")).toMatchObject([{ by: "remote", cause: "bye", request: { method: "BYE" } }]);
	});

	it("inside a dialog: INFO for the driver, OPTIONS answered, others 405, Require 420", () => {
		const { receive, lastSent, host, localTag } = established();
		receive(incoming("INFO", { branch: "i", toTag: localTag, cseq: "2 INFO" }));
		const [info] = host.of("in-dialog");
		host.handle({ kind: "respond", transaction: info?.transaction ?? "", status: 200 });
		expect(lastSent()).toMatchObject({ status: 200 });
		receive(incoming("OPTIONS", { branch: "o", toTag: localTag, cseq: "3 OPTIONS" }));
		expect(lastSent()).toMatchObject({ status: 200 });
		receive(incoming("REFER", { branch: "r", toTag: localTag, cseq: "4 REFER" }));
		expect(lastSent()).toMatchObject({ status: 405 });
		receive(incoming("INFO", { branch: "q", toTag: localTag, cseq: "5 INFO", headers: "Require: x\n" }));
		expect(lastSent()).toMatchObject({ status: 420 });
		expect(host.of("in-dialog")).toHaveLength(1);
	});

	it("re-INVITE: reported, its 200 repeated until the ACK, the target refreshed; a second one meanwhile → 500 with Retry-After", () => {
		const { clock, receive, sent, lastSent, host, leg, localTag } = established();
		receive(incoming("INVITE", { branch: "re", toTag: localTag, cseq: "2 INVITE", contact: "Contact: <sip:moved@192.0.2.3>\n" }));
		receive(incoming("INVITE", { branch: "re2", toTag: localTag, cseq: "3 INVITE" }));
		expect(lastSent()).toMatchObject({ status: 500 });
		expect(Number(header(lastSent(), "retry-after"))).toBeLessThanOrEqual(10);
		const [reinvite] = host.of("reinvite");
		host.handle({ kind: "accept", leg, transaction: reinvite?.transaction ?? "" });
		clock.runFor(600);
		const oks = sent().filter((one) => one.kind === "response" && one.status === 200 && header(one, "cseq") === "2 INVITE");
		expect(oks).toHaveLength(2);
		receive(incoming("ACK", { branch: "a2", toTag: localTag, cseq: "2 ACK" }));
		clock.runFor(40_000);
		expect(host.of("ack-timeout")).toEqual([]);
		host.handle({ kind: "bye", leg });
		expect(lastSent()).toMatchObject({ method: "BYE", uri: "sip:moved@192.0.2.3" });
	});

	it("§15.1.2: a BYE ends it; what the driver has not answered gets 487, and its late answer does nothing", () => {
		const { receive, sent, host, localTag, clock } = established();
		receive(incoming("INFO", { branch: "i", toTag: localTag, cseq: "2 INFO" }));
		receive(incoming("BYE", { branch: "b", toTag: localTag, cseq: "3 BYE" }));
		host.handle({ kind: "respond", transaction: host.of("in-dialog")[0]?.transaction ?? "", status: 200 });
		expect(
			sent()
				.slice(-2)
				.map((one) => one.kind === "response" && `${one.status} ${header(one, "cseq")}`),
		).toEqual(["200 3 BYE", "487 2 INFO"]);
		clock.runUntilIdle(64_000);
		expect(host.machine.stats()).toEqual({ transactions: 0, dialogs: 0, legs: 0, unanswered: 0, timers: 0 });
	});

	it("a BYE before our answer ends the INVITE with 487", () => {
		const { receive, host, sent } = alone();
		receive(incoming("INVITE"));
		const localTag = host.of("incoming")[0]?.localTag ?? "";
		receive(incoming("BYE", { branch: "b", toTag: localTag, cseq: "2 BYE" }));
		expect(sent().map((one) => one.kind === "response" && one.status)).toEqual([100, 200, 487]);
		expect(host.of("cancelled")).toHaveLength(1);
		expect(host.machine.stats()).toMatchObject({ dialogs: 0, legs: 0 });
	});

	it("a re-INVITE of ours that only ever got a 1xx ends with the dialog", () => {
		const { clock, host, receive, lastSent, answer, leg, localTag } = established();
		host.handle({ kind: "request", leg, transaction: "re", method: "INVITE" });
		answer(lastSent(), "100 Trying", "peer");
		receive(incoming("BYE", { branch: "b", toTag: localTag, cseq: "2 BYE" }));
		expect(host.of("in-dialog-response")).toMatchObject([{ transaction: "re", cause: "ended" }]);
		clock.runUntilIdle(64_000);
		expect(host.machine.stats()).toEqual({ transactions: 0, dialogs: 0, legs: 0, unanswered: 0, timers: 0 });
	});

	it("both hang up at once: each gets 200, the leg ends once", () => {
		const { clock, a, b } = pair();
		a.handle(call());
		clock.runFor(5);
		const leg = b.of("incoming")[0]?.leg ?? "";
		b.handle({ kind: "accept", leg });
		clock.runFor(5);
		a.handle({ kind: "bye", leg: "out" });
		b.handle({ kind: "bye", leg });
		clock.runUntilIdle(64_000);
		for (const host of [a, b]) {
			expect(host.of("ended")).toMatchObject([{ by: "remote", cause: "bye" }]);
			expect(host.machine.stats()).toEqual({ transactions: 0, dialogs: 0, legs: 0, unanswered: 0, timers: 0 });
		}
	});

	it("§12.2.1.2: 481 to a request of ours means that the dialog is gone", () => {
		const { host, lastSent, answer, leg, clock } = established();
		host.handle({ kind: "request", leg, transaction: "t", method: "INFO", body: { contentType: "text/plain", bytes: utf8Encode("x") } });
		expect(lastSent()).toMatchObject({ method: "INFO", body: utf8Encode("x") });
		answer(lastSent(), "481 Gone", "peer");
		expect(host.of("in-dialog-response")).toMatchObject([{ transaction: "t", response: { status: 481 } }]);
		expect(lastSent()).toMatchObject({ method: "BYE" });
		answer(lastSent(), "481 Gone", "peer");
		expect(host.of("ended")).toMatchObject([{ by: "local", cause: "gone" }]);
		clock.runUntilIdle(64_000);
		expect(host.machine.stats()).toEqual({ transactions: 0, dialogs: 0, legs: 0, unanswered: 0, timers: 0 });
	});

	it("a re-INVITE of ours: its 2xx is ACKed, each time; a crossing one of theirs → 491", () => {
		const { host, receive, sent, lastSent, answer, leg, localTag } = established();
		host.handle({ kind: "request", leg, transaction: "re", method: "INVITE" });
		const reinvite = lastSent();
		receive(incoming("INVITE", { branch: "x", toTag: localTag, cseq: "2 INVITE" }));
		expect(lastSent()).toMatchObject({ status: 491 });
		answer(reinvite, "200 OK", "moved");
		answer(reinvite, "200 OK", "moved");
		expect(sent().slice(-2)).toMatchObject([
			{ method: "ACK", uri: "sip:moved@192.0.2.2:5070" },
			{ method: "ACK", uri: "sip:moved@192.0.2.2:5070" },
		]);
		expect(host.of("in-dialog-response")).toHaveLength(1);
	});
});

describe("calling", () => {
	it("§13.2.2.4: a 2xx of another fork is ACKed and hung up; the first one is the call", () => {
		const { clock, host, sent, answer } = alone();
		host.handle(call());
		const invite = sent()[0] as SipMessage;
		answer(invite, "180 Ringing", "one");
		answer(invite, "180 Ringing", "two");
		expect(host.machine.stats().dialogs).toBe(2);
		answer(invite, "200 OK", "two");
		answer(invite, "200 OK", "one");
		answer(invite, "200 OK", "one");
		const after = sent()
			.slice(1)
			.map((one) => (one.kind === "request" ? `${one.method} ${one.uri}` : ""));
		const [one, two] = ["sip:one@192.0.2.2:5070", "sip:two@192.0.2.2:5070"];
		expect(after).toEqual([`ACK ${two}`, `ACK ${one}`, `BYE ${one}`, `ACK ${one}`]);
		expect(host.of("answered")).toHaveLength(1);
		expect(host.machine.stats()).toMatchObject({ dialogs: 1, legs: 1 });
		clock.runFor(40_000);
		host.handle({ kind: "bye", leg: "out" });
		expect(sent().at(-1)).toMatchObject({ method: "BYE", uri: two });
	});

	it("a BYE on an early dialog, which no callee may send, does not spoil the answer that follows", () => {
		const { host, sent, answer, receive } = alone();
		host.handle(call({ callId: "in@192.0.2.2", localTag: "us" }));
		const invite = sent()[0] as SipMessage;
		answer(invite, "180 Ringing", "peer");
		receive(incoming("BYE", { toTag: "us" }));
		answer(invite, "200 OK", "peer");
		expect(host.machine.stats()).toMatchObject({ dialogs: 1, legs: 1 });
		receive(incoming("BYE", { branch: "again", toTag: "us", cseq: "2 BYE" }));
		expect(host.of("ended")).toMatchObject([{ by: "remote" }]);
		expect(host.machine.stats()).toMatchObject({ dialogs: 0, legs: 0 });
	});

	it("an option that could not be written is refused at once", () => {
		for (const bad of [
			{ userAgent: "a\r\nb" },
			{ contact: { host: "a b", port: 5060 } },
			{ contact: { host: "h", port: 0 } },
			{ allow: ["IN FO"] },
		]) {
			expect(() => alone(bad), JSON.stringify(bad)).toThrow(SipUsageError);
		}
		expect(() => alone({ contact: { host: "2001:db8::1", port: 5060 } })).not.toThrow();
	});

	it("§22: the challenged INVITE comes again with credentials: same Call-ID and From tag, CSeq one higher, new branch; the ACK of its 2xx has them too", () => {
		const { host, sent, lastSent, answer } = alone();
		host.handle(call({ auth: { username: "u", password: "p" }, requestUri: "sip:%62ob@192.0.2.2:5070;x=Y" }));
		const first = lastSent();
		answer(first, "407 Auth", "proxy", 'Proxy-Authenticate: Digest realm="r", nonce="n", qop="auth"\n');
		const [, ack, second] = sent() as [SipMessage, SipMessage, SipMessage];
		expect(ack).toMatchObject({ method: "ACK" });
		expect(second).toMatchObject({ method: "INVITE", uri: "sip:%62ob@192.0.2.2:5070;x=Y" });
		for (const name of ["call-id", "from", "to"]) expect(header(second, name)).toBe(header(first, name));
		expect([header(first, "cseq"), header(second, "cseq")]).toEqual(["1 INVITE", "2 INVITE"]);
		expect(header(second, "via")).not.toBe(header(first, "via"));
		expect(header(second, "proxy-authorization")).toContain('uri="sip:%62ob@192.0.2.2:5070;x=Y"');
		answer(second, "200 OK", "bob");
		expect(header(lastSent(), "proxy-authorization")).toBe(header(second, "proxy-authorization"));
		expect(header(lastSent(), "cseq")).toBe("2 ACK");
		expect(host.of("answered")).toHaveLength(1);
	});

	it("refused credentials, or none, end in cause auth", () => {
		const challenge = 'WWW-Authenticate: Digest realm="r", nonce="n"\n';
		for (const auth of [undefined, { username: "u", password: "p" }]) {
			const { clock, host, lastSent, answer, sent } = alone();
			host.handle(call(auth === undefined ? {} : { auth }));
			answer(lastSent(), "401 No", "x", challenge);
			if (auth !== undefined) answer(lastSent(), "401 No", "x", challenge);
			expect(host.of("failed")).toMatchObject([{ cause: "auth", status: 401 }]);
			expect(sent().filter((one) => one.kind === "request" && one.method === "INVITE")).toHaveLength(auth === undefined ? 1 : 2);
			clock.runUntilIdle(64_000);
			expect(host.machine.stats()).toEqual({ transactions: 0, dialogs: 0, legs: 0, unanswered: 0, timers: 0 });
		}
	});

	it("a challenged BYE is answered and comes again", () => {
		const { host, lastSent, answer } = alone();
		host.handle(call({ auth: { username: "u", password: "p" } }));
		answer(lastSent(), "200 OK", "bob");
		host.handle({ kind: "bye", leg: "out" });
		answer(lastSent(), "401 No", "bob", 'WWW-Authenticate: Digest realm="r", nonce="n"\n');
		expect(lastSent()).toMatchObject({ method: "BYE" });
		expect(header(lastSent(), "cseq")).toBe("3 BYE");
		expect(header(lastSent(), "authorization")).toContain('uri="sip:bob@192.0.2.2:5070"');
		answer(lastSent(), "200 OK", "bob");
		expect(host.of("ended")).toMatchObject([{ by: "local", cause: "bye" }]);
	});

	it("a response with two Vias, or to a branch that is not ours, is dropped", () => {
		const { host, lastSent, answer } = alone();
		host.handle(call());
		answer(lastSent(), "200 OK", "bob", "Via: SIP/2.0/UDP x;branch=z9hG4bKy\n");
		expect(host.events).toEqual([]);
	});

	it("what the driver gives is in the message, what could break it throws before anything is sent", () => {
		const { host, lastSent, net } = alone();
		host.handle(
			call({
				from: { uri: "sip:+1555@h", displayName: 'A "B" <sip:x>' },
				headers: [["X-Tag", "é"]],
				body: { contentType: "application/sdp", bytes: utf8Encode("v=0") },
				callId: "mine",
				localTag: "tag1",
			}),
		);
		const fields = lastSent().headers.map(({ name, value }) => `${name}: ${value}`);
		expect(fields).toContain('From: "A \\"B\\" <sip:x>" <sip:+1555@h>;tag=tag1');
		for (const line of [
			"X-Tag: é",
			"Content-Type: application/sdp",
			"Content-Length: 3",
			"Call-ID: mine",
			"Max-Forwards: 70",
			"User-Agent: sim",
		])
			expect(fields).toContain(line);
		const before = net.sent.length;
		for (const header of [
			["X", "a\r\nTo: b"],
			["X\r\nY", "z"],
			["To", "sip:x@y"],
			["t", "sip:x@y"],
			["content-length", "5"],
			["X", "\0"],
		] as const) {
			expect(() => host.handle(call({ leg: "other", headers: [header] })), String(header)).toThrow(SipUsageError);
		}
		expect(() => host.handle(call())).toThrow("leg exists");
		for (const bad of ["sip:a\r\nX: y@h", "", "sip:a b@h"])
			expect(() => host.handle(call({ leg: "other", requestUri: bad }))).toThrow(SipUsageError);
		expect(net.sent.length).toBe(before);
		expect(host.machine.stats()).toMatchObject({ legs: 1, transactions: 1 });
	});

	it("commands for legs that are gone, or make no sense now, do nothing", () => {
		const { host, net, receive } = alone();
		host.handle({ kind: "bye", leg: "none" });
		host.handle({ kind: "respond", transaction: "none", status: 200 });
		receive(incoming("INVITE"));
		const leg = host.of("incoming")[0]?.leg ?? "";
		host.handle({ kind: "reject", leg, status: 404 });
		const before = net.sent.length;
		host.handle({ kind: "ring", leg, status: 180 });
		host.handle({ kind: "accept", leg });
		host.handle({ kind: "reject", leg, status: 486 });
		host.handle({ kind: "bye", leg });
		expect(net.sent.length).toBe(before);
	});
});
