import { SimClock, SimNet, simEndpoint } from "@trunkline/testkit";
import { describe, expect, it } from "vitest";
import type { Address, EndpointOptions, SipInput } from "../endpoint-types.ts";
import { utf8Encode } from "../grammar/text.ts";
import { header } from "../message/headers.ts";
import type { SipMessage } from "../message/message.ts";
import { parseMessage } from "../message/parse.ts";

const A: Address = { host: "192.0.2.1", port: 5060, transport: "UDP" };
const B: Address = { host: "192.0.2.2", port: 5070, transport: "UDP" };
const sdp = (text: string) => ({ contentType: "application/sdp", bytes: utf8Encode(text) });
const WITH_100REL: Partial<EndpointOptions> = { supported: ["100rel"], allow: ["UPDATE"] };
const IDLE = { transactions: 0, dialogs: 0, legs: 0, unanswered: 0, timers: 0 };

const call = (extra: Partial<Extract<SipInput, { kind: "call" }>> = {}): SipInput => ({
	kind: "call",
	leg: "out",
	requestUri: "sip:bob@192.0.2.2:5070",
	from: { uri: "sip:alice@192.0.2.1" },
	to: { uri: "sip:bob@192.0.2.2" },
	target: B,
	reliable: true,
	body: sdp("offer"),
	...extra,
});

function read(bytes: Uint8Array): SipMessage {
	const result = parseMessage(bytes);
	if (!result.ok) throw new Error(result.detail);
	return result.message;
}

const text = (message: SipMessage | undefined): string => new TextDecoder().decode(message?.body);
const what = (message: SipMessage): string =>
	message.kind === "request" ? message.method : `${message.status} ${header(message, "cseq")?.split(" ")[1]}`;

/** Caller at A, callee at B, both of ours; the call has come in. */
function ringingPair(invite: SipInput = call(), b: Partial<EndpointOptions> = WITH_100REL) {
	const clock = new SimClock();
	const net = new SimNet(clock);
	const caller = simEndpoint(clock, net, A, WITH_100REL);
	const callee = simEndpoint(clock, net, B, b);
	caller.handle(invite);
	clock.runFor(10);
	const leg = callee.of("incoming")[0]?.leg ?? "";
	const sent = (): SipMessage[] => net.sent.map(({ bytes }) => read(bytes));
	const names = (): string[] => sent().map(what);
	return { clock, net, caller, callee, leg, sent, names };
}

/** One endpoint at A; the test is its peer at B. */
function alone(options: Partial<EndpointOptions> = WITH_100REL) {
	const clock = new SimClock();
	const net = new SimNet(clock, { delay: [0, 0] });
	const host = simEndpoint(clock, net, A, options);
	const receive = (message: string): void =>
		host.handle({ kind: "received", bytes: utf8Encode(message.replaceAll("\n", "\r\n")), remote: B });
	const sent = (): SipMessage[] => net.sent.map(({ bytes }) => read(bytes));
	const answer = (request: SipMessage | undefined, status: string, tag: string, extra = "", body = ""): void => {
		if (request === undefined) throw new Error("no request to answer");
		const lines = ["via", "from", "call-id", "cseq"].map((name) => `${name}: ${header(request, name)}`).join("\n");
		const to = header(request, "to") ?? "";
		const type = body === "" ? "" : "Content-Type: application/sdp\n";
		receive(
			`SIP/2.0 ${status}\n${lines}\nTo: ${to.includes(";tag=") ? to : `${to};tag=${tag}`}\nContact: <sip:${tag}@192.0.2.2:5070>\n${extra}${type}Content-Length: ${body.length}\n\n${body}`,
		);
	};
	return {
		clock,
		net,
		host,
		receive,
		sent,
		answer,
		of: (method: string) => sent().filter((one) => one.kind === "request" && one.method === method),
	};
}

/** A request of the peer; inside the dialog with `toTag`. */
function incoming(
	method: string,
	cseq: number,
	options: { toTag?: string; headers?: string; body?: string; branch?: string } = {},
): string {
	const { toTag, headers = "", body = "", branch = `${method}${cseq}` } = options;
	const type = body === "" ? "" : "Content-Type: application/sdp\n";
	return `${method} sip:us@192.0.2.1 SIP/2.0
Via: SIP/2.0/UDP 192.0.2.2:5070;branch=z9hG4bK${branch}
From: <sip:peer@192.0.2.2>;tag=peer
To: <sip:us@192.0.2.1>${toTag === undefined ? "" : `;tag=${toTag}`}
Call-ID: in@192.0.2.2
CSeq: ${cseq} ${method}
Contact: <sip:peer@192.0.2.2:5070>
${headers}${type}Content-Length: ${body.length}

${body}`;
}

/** The peer has called with these headers and this SDP; the endpoint has not rung yet. */
function called(headers: string, body = "offer") {
	const world = alone();
	world.receive(incoming("INVITE", 1, { headers, body }));
	const event = world.host.of("incoming")[0];
	if (event === undefined) throw new Error("no call came in");
	const { leg, localTag } = event;
	const statuses = (): number[] => world.sent().flatMap((one) => (one.kind === "response" ? [one.status] : []));
	const last = (): SipMessage | undefined => world.sent().at(-1);
	const prack = (rack: string, options: { cseq?: number; body?: string } = {}): void =>
		world.receive(
			incoming("PRACK", options.cseq ?? 2, { toTag: localTag, headers: `RAck: ${rack}\n`, ...(options.body && { body: options.body }) }),
		);
	const rseq = (): number => Number(header(last() as SipMessage, "rseq"));
	return { ...world, leg, localTag, statuses, last, prack, rseq };
}

const ring = (leg: string, extra: Partial<Extract<SipInput, { kind: "ring" }>> = {}): SipInput => ({
	kind: "ring",
	leg,
	status: 180,
	...extra,
});

describe("RFC 3262 §3, the called side", () => {
	it("MUST send all non-100 provisional responses reliably when the INVITE requires 100rel; the 100 never", () => {
		const { host, leg, sent } = called("Require: 100rel\n");
		host.handle(ring(leg));
		const [trying, ringing] = sent();
		expect(header(trying as SipMessage, "require")).toBeUndefined();
		expect(ringing).toMatchObject({ status: 180 });
		expect(header(ringing as SipMessage, "require")).toBe("100rel");
		expect(Number(header(ringing as SipMessage, "rseq"))).toBeGreaterThanOrEqual(1);
		expect(Number(header(ringing as SipMessage, "rseq"))).toBeLessThan(2 ** 31);
	});

	it.each<[string, string, boolean, boolean]>([
		["supported, and we want it", "Supported: timer, 100rel\n", true, true],
		["supported, and we do not", "Supported: 100rel\n", false, false],
		["MUST NOT be sent reliably when the INVITE has neither", "", true, false],
	])("%s", (_, headers, reliable, sentReliably) => {
		const { host, leg, last } = called(headers);
		host.handle(ring(leg, { reliable }));
		expect(header(last() as SipMessage, "rseq") !== undefined).toBe(sentReliably);
	});

	it("rejects with 420 and Unsupported what requires 100rel where we do not have it", () => {
		const { receive, sent } = alone({ supported: [] });
		receive(incoming("INVITE", 1, { headers: "Require: 100rel\n" }));
		expect(sent().at(-1)).toMatchObject({ status: 420 });
		expect(header(sent().at(-1) as SipMessage, "unsupported")).toBe("100rel");
	});

	it("is retransmitted after T1, doubling each time, not bounded by T2, until the PRACK", () => {
		const { host, leg, clock, net, prack, rseq, statuses } = called("Require: 100rel\n");
		const started = clock.now();
		host.handle(ring(leg));
		clock.runFor(16_000);
		const times = net.sent.filter(({ bytes }) => what(read(bytes)) === "180 INVITE").map(({ at }) => at - started);
		expect(times).toEqual([0, 500, 1_500, 3_500, 7_500, 15_500]);
		prack(`${rseq()} 1 INVITE`);
		expect(statuses().at(-1)).toBe(200);
		const before = net.sent.length;
		clock.runFor(40_000);
		expect(net.sent.length).toBe(before);
		expect(host.of("pracked")).toHaveLength(1);
	});

	it("rejects the INVITE with a 5xx after 64*T1 without PRACK", () => {
		const { host, leg, clock, statuses, receive } = called("Require: 100rel\n");
		host.handle(ring(leg));
		clock.runFor(31_999);
		expect(statuses()).not.toContain(504);
		clock.runFor(1);
		expect(statuses().at(-1)).toBe(504);
		expect(host.of("cancelled")).toMatchObject([{ leg, cause: "prack-timeout" }]);
		receive(incoming("ACK", 1, { branch: "INVITE1" }));
		clock.runUntilIdle(64_000);
		expect(host.machine.stats()).toEqual(IDLE);
	});

	it.each<[string, (rseq: number) => string]>([
		["another RSeq", (rseq) => `${rseq + 1} 1 INVITE`],
		["another CSeq", (rseq) => `${rseq} 2 INVITE`],
		["another method", (rseq) => `${rseq} 1 BYE`],
		["no number", () => "x 1 INVITE"],
	])("MUST answer 481 to a PRACK that matches no unacknowledged response: %s", (_, rack) => {
		const { host, leg, prack, rseq, statuses } = called("Require: 100rel\n");
		host.handle(ring(leg));
		prack(rack(rseq()));
		expect(statuses().at(-1)).toBe(481);
		expect(host.of("pracked")).toEqual([]);
	});

	it("answers 481 to a second PRACK for the same response, and 200 again to the first one repeated", () => {
		const { host, leg, prack, rseq, statuses } = called("Require: 100rel\n");
		host.handle(ring(leg));
		const rack = `${rseq()} 1 INVITE`;
		prack(rack);
		prack(rack);
		expect(statuses().slice(-2)).toEqual([200, 200]);
		prack(rack, { cseq: 3 });
		expect(statuses().at(-1)).toBe(481);
		expect(host.of("pracked")).toHaveLength(1);
	});

	it("MUST NOT send a second reliable response until the first is acknowledged; RSeq then is one greater", () => {
		const { host, leg, prack, rseq, statuses, last } = called("Require: 100rel\n");
		host.handle(ring(leg));
		host.handle(ring(leg, { status: 183, body: sdp("answer") }));
		host.handle(ring(leg, { status: 183 }));
		expect(statuses()).toEqual([100, 180]);
		const first = rseq();
		prack(`${first} 1 INVITE`);
		expect(statuses()).toEqual([100, 180, 200, 183]);
		expect(rseq()).toBe(first + 1);
		expect(text(last())).toBe("answer");
		prack(`${first + 1} 1 INVITE`, { cseq: 3 });
		// the keep-alive that waited behind it said nothing new
		expect(statuses()).toEqual([100, 180, 200, 183, 200]);
	});

	it("MUST NOT send a 2xx while a reliable response with a session description waits for its PRACK", () => {
		const { host, leg, prack, rseq, statuses, clock } = called("Require: 100rel\n");
		host.handle(ring(leg, { status: 183, body: sdp("answer") }));
		host.handle({ kind: "accept", leg });
		clock.runFor(100);
		expect(statuses()).toEqual([100, 183]);
		prack(`${rseq()} 1 INVITE`);
		expect(statuses().slice(2)).toEqual([200, 200]);
	});

	it("may send a 2xx before the PRACK of one without; it is not repeated then, and its PRACK is still taken", () => {
		const { host, leg, prack, rseq, statuses, clock, receive, localTag } = called("Require: 100rel\n");
		host.handle(ring(leg));
		const rack = `${rseq()} 1 INVITE`;
		host.handle({ kind: "accept", leg, body: sdp("answer") });
		receive(incoming("ACK", 1, { toTag: localTag, branch: "ack" }));
		clock.runFor(2_000);
		expect(statuses()).toEqual([100, 180, 200]);
		prack(rack);
		expect(statuses().at(-1)).toBe(200);
	});

	it("a CANCEL while the 200 waits for its PRACK ends the call with 487", () => {
		const { host, leg, statuses, receive, clock } = called("Require: 100rel\n");
		host.handle(ring(leg, { status: 183, body: sdp("answer") }));
		host.handle({ kind: "accept", leg });
		receive(incoming("CANCEL", 1, { branch: "INVITE1" }));
		expect(statuses()).toContain(487);
		expect(statuses().filter((status) => status === 200)).toHaveLength(1);
		expect(host.of("cancelled")).toHaveLength(1);
		receive(incoming("ACK", 1, { branch: "INVITE1" }));
		clock.runUntilIdle(64_000);
		expect(host.machine.stats()).toEqual(IDLE);
	});

	it("hung up by the driver while the 200 waits: 480, and the driver hears an end", () => {
		const { host, leg, statuses } = called("Require: 100rel\n");
		host.handle(ring(leg, { status: 183, body: sdp("answer") }));
		host.handle({ kind: "accept", leg });
		host.handle({ kind: "bye", leg });
		expect(statuses().at(-1)).toBe(480);
		expect(host.of("ended")).toMatchObject([{ by: "local", cause: "bye" }]);
	});

	it("a PRACK outside any dialog gets 481", () => {
		const { receive, sent } = alone();
		receive(incoming("PRACK", 2, { headers: "RAck: 1 1 INVITE\n" }));
		expect(sent().at(-1)).toMatchObject({ status: 481 });
	});
});

describe("RFC 3262 §4, the calling side", () => {
	const RELIABLE = (rseq: number): string => `Require: 100rel\nRSeq: ${rseq}\n`;
	function calling() {
		const world = alone();
		world.host.handle(call());
		return { ...world, invite: world.sent()[0] };
	}

	it("says Supported: 100rel in the INVITE, and not when it is off", () => {
		const { host, invite, of } = calling();
		expect(header(invite as SipMessage, "supported")).toBe("100rel, 199");
		host.handle(call({ leg: "other", reliable: false }));
		expect(header(of("INVITE")[1] as SipMessage, "supported")).toBeUndefined();
	});

	it("MUST create a PRACK with RAck inside the early dialog", () => {
		const { answer, invite, of, host } = calling();
		answer(invite, "180 Ringing", "bob", RELIABLE(4711));
		const [prack] = of("PRACK");
		expect(header(prack as SipMessage, "rack")).toBe("4711 1 INVITE");
		expect(header(prack as SipMessage, "to")).toContain(";tag=bob");
		expect(header(prack as SipMessage, "cseq")).toBe("2 PRACK");
		expect(prack).toMatchObject({ uri: "sip:bob@192.0.2.2:5070" });
		expect(host.of("provisional")).toMatchObject([{ reliable: true }]);
	});

	it("MUST NOT acknowledge or report a retransmission again", () => {
		const { answer, invite, of, host } = calling();
		answer(invite, "180 Ringing", "bob", RELIABLE(1));
		answer(invite, "180 Ringing", "bob", RELIABLE(1));
		expect(of("PRACK")).toHaveLength(1);
		expect(host.of("provisional")).toHaveLength(1);
	});

	it("MUST NOT acknowledge nor process one whose RSeq is not one higher than the last", () => {
		const { answer, invite, of, host } = calling();
		answer(invite, "180 Ringing", "bob", RELIABLE(1));
		answer(invite, "183 Session Progress", "bob", RELIABLE(3));
		expect(of("PRACK")).toHaveLength(1);
		expect(host.of("provisional")).toHaveLength(1);
		answer(invite, "182 Queued", "bob", RELIABLE(2));
		answer(invite, "183 Session Progress", "bob", RELIABLE(3));
		expect(of("PRACK").map((one) => header(one, "rack"))).toEqual(["1 1 INVITE", "2 1 INVITE", "3 1 INVITE"]);
		expect(host.of("provisional").map(({ response }) => response.status)).toEqual([180, 182, 183]);
	});

	it("keeps an RSeq space of its own for each early dialog", () => {
		const { answer, invite, of } = calling();
		answer(invite, "180 Ringing", "bob", RELIABLE(9));
		answer(invite, "180 Ringing", "carol", RELIABLE(1));
		answer(invite, "183 Session Progress", "bob", RELIABLE(10));
		expect(of("PRACK").map((one) => [header(one, "to")?.split("tag=")[1], header(one, "rack")])).toEqual([
			["bob", "9 1 INVITE"],
			["carol", "1 1 INVITE"],
			["bob", "10 1 INVITE"],
		]);
	});

	it.each([
		["RSeq of 0", "Require: 100rel\nRSeq: 0\n"],
		["no RSeq", "Require: 100rel\n"],
		["no Require", "RSeq: 1\n"],
	])("treats as unreliable: %s", (_, headers) => {
		const { answer, invite, of, host } = calling();
		answer(invite, "180 Ringing", "bob", headers);
		expect(of("PRACK")).toEqual([]);
		expect(host.of("provisional")).toMatchObject([{ reliable: false }]);
	});

	it("MUST answer in the PRACK an offer that came in a reliable 1xx (§5)", () => {
		const { host, answer, sent, of } = alone();
		host.handle({ ...(call() as Extract<SipInput, { kind: "call" }>), body: undefined } as unknown as SipInput);
		answer(sent()[0], "183 Session Progress", "bob", RELIABLE(1), "their offer");
		expect(of("PRACK")).toEqual([]);
		const { prack } = host.of("provisional")[0] ?? {};
		host.handle({ kind: "prack", leg: "out", prack: prack ?? "", body: sdp("our answer") });
		host.handle({ kind: "prack", leg: "out", prack: prack ?? "", body: sdp("again") });
		expect(of("PRACK").map(text)).toEqual(["our answer"]);
	});

	it("a PRACK that a later request has overtaken (500) is sent again with a number of its own, a few times", () => {
		const { answer, invite, of } = calling();
		answer(invite, "180 Ringing", "bob", RELIABLE(7));
		for (let i = 0; i < 10; i++) answer(of("PRACK").at(-1), "500 Out Of Order", "bob");
		expect(of("PRACK").map((one) => `${header(one, "cseq")} ${header(one, "rack")}`)).toEqual([
			"2 PRACK 7 1 INVITE",
			"3 PRACK 7 1 INVITE",
			"4 PRACK 7 1 INVITE",
			"5 PRACK 7 1 INVITE",
		]);
	});

	it("a PRACK that is refused does not end the call", () => {
		const { host, answer, invite, of } = calling();
		answer(invite, "180 Ringing", "bob", RELIABLE(1));
		answer(invite, "200 OK", "bob", "", "answer");
		answer(of("PRACK")[0], "481 Gone", "bob");
		expect(of("BYE")).toEqual([]);
		expect(host.of("answered")).toHaveLength(1);
	});
});

describe("both sides over a network that loses the first PRACK", () => {
	it("offer in the INVITE, answer in a reliable 183, 200 without SDP", () => {
		const { clock, net, caller, callee, leg, names } = ringingPair();
		let lost = 0;
		net.filter = ({ bytes }) => what(read(bytes)) !== "PRACK" || lost++ > 0;
		callee.handle(ring(leg, { status: 183, body: sdp("answer"), reliable: true }));
		clock.runFor(5);
		callee.handle({ kind: "accept", leg });
		clock.runFor(1_000);
		expect(names()).toEqual([...["INVITE", "100 INVITE", "183 INVITE", "PRACK", "183 INVITE", "PRACK", "200 PRACK", "200 INVITE", "ACK"]]);
		expect(caller.of("provisional").filter(({ response }) => response.status === 183)).toHaveLength(1);
		expect(caller.of("answered")).toHaveLength(1);
		caller.handle({ kind: "bye", leg: "out" });
		clock.runUntilIdle(64_000);
		expect(caller.machine.stats()).toEqual(IDLE);
		expect(callee.machine.stats()).toEqual(IDLE);
	});
});

describe("RFC 3311, UPDATE", () => {
	/** early dialog whose first offer has been answered reliably */
	function agreed() {
		const world = ringingPair();
		world.callee.handle(ring(world.leg, { status: 183, body: sdp("answer"), reliable: true }));
		world.clock.runFor(10);
		return world;
	}
	const update = (leg: string, extra: Partial<Extract<SipInput, { kind: "request" }>> = {}): SipInput => ({
		kind: "request",
		leg,
		transaction: "u",
		method: "UPDATE",
		...extra,
	});

	it("is in Allow (§4)", () => {
		const { sent } = ringingPair();
		expect(header(sent()[0] as SipMessage, "allow")).toContain("UPDATE");
		expect(header(sent()[0] as SipMessage, "allow")).toContain("PRACK");
	});

	it("with an offer in an early dialog is answered with SDP, from either side", () => {
		const { clock, caller, callee, leg } = agreed();
		caller.handle(update("out", { body: sdp("offer 2") }));
		clock.runFor(10);
		const [event] = callee.of("update");
		expect(text(event?.request)).toBe("offer 2");
		callee.handle({ kind: "respond", transaction: event?.transaction ?? "", status: 200, body: sdp("answer 2") });
		clock.runFor(10);
		expect(text(caller.of("in-dialog-response")[0]?.response)).toBe("answer 2");
		callee.handle(update(leg, { body: sdp("offer 3") }));
		clock.runFor(10);
		expect(caller.of("update")).toHaveLength(1);
	});

	it("refreshes the remote target (§5.2)", () => {
		const { receive, host, localTag, leg, of } = called("");
		host.handle({ kind: "accept", leg, body: sdp("answer") });
		receive(incoming("ACK", 1, { toTag: localTag, branch: "ack" }));
		receive(incoming("UPDATE", 2, { toTag: localTag }).replace("Contact: <sip:peer@", "Contact: <sip:moved@"));
		host.handle({ kind: "respond", transaction: host.of("update")[0]?.transaction ?? "", status: 200 });
		host.handle({ kind: "bye", leg });
		expect(of("BYE")[0]).toMatchObject({ uri: "sip:moved@192.0.2.2:5070" });
	});

	it("MUST be rejected with 500 and Retry-After while a previous UPDATE has no final response", () => {
		const { receive, host, localTag, leg, last } = called("");
		host.handle({ kind: "accept", leg, body: sdp("answer") });
		receive(incoming("UPDATE", 2, { toTag: localTag }));
		receive(incoming("UPDATE", 3, { toTag: localTag }));
		expect(last()).toMatchObject({ status: 500 });
		expect(Number(header(last() as SipMessage, "retry-after"))).toBeLessThanOrEqual(10);
		expect(host.of("update")).toHaveLength(1);
	});

	it("MUST be rejected with 500 and Retry-After when it has an offer and the offer of the INVITE is not answered yet", () => {
		const { receive, host, localTag, last, leg } = called("");
		host.handle(ring(leg, { status: 183, body: sdp("preview") }));
		receive(incoming("UPDATE", 2, { toTag: localTag, body: "offer 2" }));
		expect(last()).toMatchObject({ status: 500 });
		expect(header(last() as SipMessage, "retry-after")).toMatch(/^(10|\d)$/);
		expect(host.of("update")).toEqual([]);
	});

	it("without an offer is let in then", () => {
		const { receive, host, localTag, leg } = called("");
		host.handle(ring(leg));
		receive(incoming("UPDATE", 2, { toTag: localTag }));
		expect(host.of("update")).toHaveLength(1);
	});

	it("MUST be rejected with 491 when it has an offer and one of ours has no answer yet", () => {
		const { receive, host, localTag, leg, last } = called("");
		host.handle({ kind: "accept", leg, body: sdp("answer") });
		receive(incoming("ACK", 1, { toTag: localTag, branch: "ack" }));
		host.handle(update(leg, { body: sdp("our offer") }));
		receive(incoming("UPDATE", 2, { toTag: localTag, body: "their offer" }));
		expect(last()).toMatchObject({ status: 491 });
		receive(incoming("INVITE", 3, { toTag: localTag, body: "their offer" }));
		expect(last()).toMatchObject({ status: 491 });
	});

	it("MUST NOT be sent with an offer while another waits for its answer (§5.1): glare is reported and nothing leaves", () => {
		const { clock, caller, callee, leg, names } = ringingPair();
		callee.handle(ring(leg));
		clock.runFor(10);
		caller.handle(update("out", { body: sdp("offer 2") }));
		clock.runFor(10);
		expect(names()).not.toContain("UPDATE");
		expect(caller.of("in-dialog-response")).toMatchObject([{ transaction: "u", cause: "glare" }]);
	});

	it("goes to the early dialog that is named", () => {
		const { host, sent, answer, of } = alone();
		host.handle(call());
		answer(sent()[0], "180 Ringing", "bob");
		answer(sent()[0], "180 Ringing", "carol");
		host.handle(update("out", { dialog: "carol" }));
		expect(of("UPDATE").map((one) => header(one, "to")?.split("tag=")[1])).toEqual(["carol"]);
	});

	it("where the driver does not serve it: 405", () => {
		const { receive, sent, host } = alone({ supported: ["100rel"] });
		receive(incoming("INVITE", 1, { body: "offer" }));
		receive(incoming("UPDATE", 2, { toTag: host.of("incoming")[0]?.localTag ?? "" }));
		expect(sent().at(-1)).toMatchObject({ status: 405 });
	});
});

describe("delayed offer (RFC 3261 §13.2.1, RFC 3262 §5)", () => {
	const withoutBody = call({ delayedOffer: true });
	Reflect.deleteProperty(withoutBody, "body");

	it("caller: the ACK MUST carry the answer to the offer in the 2xx, and waits for it", () => {
		const { host, sent, answer, of } = alone();
		host.handle(withoutBody);
		const [invite] = sent();
		expect(invite?.body).toHaveLength(0);
		answer(invite, "180 Ringing", "bob");
		answer(invite, "200 OK", "bob", "", "their offer");
		answer(invite, "200 OK", "bob", "", "their offer");
		expect(of("ACK")).toEqual([]);
		expect(text(host.of("answered")[0]?.response)).toBe("their offer");
		host.handle({ kind: "ack", leg: "out", body: sdp("our answer") });
		host.handle({ kind: "ack", leg: "out", body: sdp("another") });
		answer(invite, "200 OK", "bob", "", "their offer");
		expect(of("ACK").map(text)).toEqual(["our answer", "our answer"]);
	});

	it("caller: without SDP in the 2xx, or when the exchange is over, the ACK leaves at once", () => {
		const { host, sent, answer, of } = alone();
		host.handle(withoutBody);
		answer(sent()[0], "183 Session Progress", "bob", "Require: 100rel\nRSeq: 1\n", "their offer");
		host.handle({ kind: "prack", leg: "out", prack: host.of("provisional")[0]?.prack ?? "", body: sdp("our answer") });
		answer(sent()[0], "200 OK", "bob", "", "their offer");
		expect(of("ACK")).toHaveLength(1);
		expect(of("ACK")[0]?.body).toHaveLength(0);
	});

	it("caller: hung up instead of answered: ACK, then BYE", () => {
		const { host, sent, answer } = alone();
		host.handle(withoutBody);
		answer(sent()[0], "200 OK", "bob", "", "their offer");
		host.handle({ kind: "bye", leg: "out" });
		expect(sent().map(what)).toEqual(["INVITE", "ACK", "BYE"]);
	});

	it("offer in a reliable 183, answer in the PRACK, 200 without SDP", () => {
		const { host, leg, prack, rseq, statuses, last } = called("Require: 100rel\n", "");
		host.handle(ring(leg, { status: 183, body: sdp("our offer") }));
		expect(text(last())).toBe("our offer");
		prack(`${rseq()} 1 INVITE`, { body: "their answer" });
		const [event] = host.of("pracked");
		expect(event?.transaction).toBeUndefined();
		expect(text(event?.request)).toBe("their answer");
		expect(statuses().at(-1)).toBe(200);
	});

	it("SDP in the PRACK of an answer is a new offer, which the driver answers in its 200", () => {
		const { host, leg, prack, rseq, last } = called("Require: 100rel\n");
		host.handle(ring(leg, { status: 183, body: sdp("answer") }));
		prack(`${rseq()} 1 INVITE`, { body: "another offer" });
		const [event] = host.of("pracked");
		host.handle({ kind: "respond", transaction: event?.transaction ?? "", status: 200, body: sdp("another answer") });
		expect(last()).toMatchObject({ status: 200 });
		expect(text(last())).toBe("another answer");
	});

	it("offer in the 200, answer in the ACK; an UPDATE with an offer between them gets 491", () => {
		const { host, leg, receive, localTag, last } = called("", "");
		host.handle({ kind: "accept", leg, body: sdp("our offer") });
		receive(incoming("UPDATE", 2, { toTag: localTag, body: "their offer" }));
		expect(last()).toMatchObject({ status: 491 });
		receive(incoming("ACK", 1, { toTag: localTag, branch: "ack", body: "their answer" }));
		expect(text(host.of("acked")[0]?.request)).toBe("their answer");
		receive(incoming("UPDATE", 3, { toTag: localTag, body: "their offer" }));
		expect(host.of("update")).toHaveLength(1);
	});
});

describe("a refresh by re-INVITE (RFC 4028 §7.4) offers what was agreed before the 200 and ACK", () => {
	const sessionTimer = { mode: "accept", expiresSeconds: 1800, minSeconds: 90 } as const;
	const sdpOf = (messages: readonly SipMessage[]): string[] => messages.map(text);

	it("callee: the answer of a reliable 183", () => {
		const { clock, host, leg, prack, rseq, receive, localTag, of } = called(
			"Require: 100rel\nSupported: timer\nSession-Expires: 1800;refresher=uas\nAllow: INVITE, ACK, BYE, CANCEL, PRACK\n",
		);
		host.handle(ring(leg, { status: 183, body: sdp("agreed") }));
		prack(`${rseq()} 1 INVITE`);
		host.handle({ kind: "accept", leg, sessionTimer });
		receive(incoming("ACK", 1, { toTag: localTag, branch: "ack" }));
		clock.runFor(900_001);
		expect(of("UPDATE")).toEqual([]);
		expect(sdpOf(of("INVITE"))).toEqual(["agreed"]);
	});

	it("callee: the offer of a reliable 183", () => {
		const { clock, host, leg, prack, rseq, receive, localTag, of } = called(
			"Require: 100rel\nSupported: timer\nSession-Expires: 1800;refresher=uas\nAllow: INVITE, ACK, BYE, CANCEL, PRACK\n",
			"",
		);
		host.handle(ring(leg, { status: 183, body: sdp("our offer") }));
		prack(`${rseq()} 1 INVITE`, { body: "their answer" });
		host.handle({ kind: "accept", leg, sessionTimer });
		receive(incoming("ACK", 1, { toTag: localTag, branch: "ack" }));
		clock.runFor(900_001);
		expect(sdpOf(of("INVITE"))).toEqual(["our offer"]);
	});

	it("caller: what was agreed by UPDATE while it rang, not the offer of the INVITE", () => {
		const { clock, host, sent, answer, of, receive } = alone();
		host.handle(call({ sessionTimer: { ...sessionTimer, mode: "always" } }));
		const [invite] = sent();
		answer(invite, "183 Session Progress", "bob", "Require: 100rel\nRSeq: 1\n", "their answer");
		const dialog = `From: ${header(invite as SipMessage, "to")};tag=bob\nTo: ${header(invite as SipMessage, "from")}\nCall-ID: ${header(invite as SipMessage, "call-id")}`;
		receive(
			`UPDATE sip:us@192.0.2.1 SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.2:5070;branch=z9hG4bKup\n${dialog}\nCSeq: 7 UPDATE\nContact: <sip:bob@192.0.2.2:5070>\nContent-Type: application/sdp\nContent-Length: 11\n\ntheir offer`,
		);
		host.handle({ kind: "respond", transaction: host.of("update")[0]?.transaction ?? "", status: 200, body: sdp("our answer") });
		answer(invite, "200 OK", "bob", "Session-Expires: 1800;refresher=uac\nAllow: INVITE, ACK, BYE\n");
		clock.runFor(900_001);
		expect(sdpOf(of("INVITE"))).toEqual(["offer", "our answer"]);
	});

	it("caller: the answer in the ACK", () => {
		const { clock, host, sent, answer, of } = alone();
		const invite = call({ delayedOffer: true, sessionTimer: { ...sessionTimer, mode: "always" } });
		Reflect.deleteProperty(invite, "body");
		host.handle(invite);
		answer(sent()[0], "200 OK", "bob", "Session-Expires: 1800;refresher=uac\nAllow: INVITE, ACK, BYE\n", "their offer");
		host.handle({ kind: "ack", leg: "out", body: sdp("our answer") });
		clock.runFor(900_001);
		expect(sdpOf(of("INVITE")).slice(1)).toEqual(["our answer"]);
	});
});
