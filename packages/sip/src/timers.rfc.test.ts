import { SimClock, SimNet, simEndpoint } from "@trunkline/testkit";
import { describe, expect, it } from "vitest";
import type { Address, SipInput, SipTransport } from "./endpoint-types.ts";
import { utf8Encode } from "./grammar/text.ts";
import { header } from "./message/headers.ts";
import type { SipMessage } from "./message/message.ts";
import { parseMessage } from "./message/parse.ts";

// One endpoint against a peer that is the test itself: a recorder that answers only when told.
function setUp(transport: SipTransport = "UDP") {
	const us: Address = { host: "192.0.2.1", port: 5060, transport };
	const peer: Address = { host: "192.0.2.2", port: 5060, transport };
	const clock = new SimClock();
	const net = new SimNet(clock, { delay: [0, 0] });
	const host = simEndpoint(clock, net, us, { allow: ["INFO"] });
	/** instants at which messages with that start went out */
	const times = (start: string): number[] => ours(start).map(({ at }) => at);
	const ours = (start: string) => {
		const sent = net.sent.filter(({ from }) => from === us).map(({ at, bytes }) => ({ at, message: message(bytes) }));
		return sent.filter((one) => startLine(one.message).startsWith(start));
	};
	const last = (start: string): SipMessage => {
		const found = ours(start).at(-1);
		if (found === undefined) throw new Error(`nothing sent that begins with ${start}`);
		return found.message;
	};
	const receive = (text: string): void => host.handle({ kind: "received", bytes: utf8Encode(text.replaceAll("\n", "\r\n")), remote: peer });
	/** what the peer answers to a request of ours */
	const answer = (request: SipMessage, status: string, extra = ""): void => {
		const to = header(request, "to") ?? "";
		const tagged = to.includes(";tag=") || status.startsWith("100") ? to : `${to};tag=peer`;
		const lines = ["via", "from", "call-id", "cseq"].map((name) => `${name}: ${header(request, name)}`).join("\n");
		receive(`SIP/2.0 ${status}\n${lines}\nTo: ${tagged}\nContact: <sip:peer@192.0.2.2>\n${extra}\n`);
	};
	const call: SipInput = {
		kind: "call",
		leg: "out",
		requestUri: "sip:peer@192.0.2.2",
		from: { uri: "sip:us@192.0.2.1" },
		to: { uri: "sip:peer@192.0.2.2" },
		target: peer,
	};
	return { clock, net, host, times, ours, last, receive, answer, call, peer };
}

function message(bytes: Uint8Array): SipMessage {
	const parsed = parseMessage(bytes);
	if (!parsed.ok) throw new Error(parsed.detail);
	return parsed.message;
}

function startLine(one: SipMessage): string {
	return one.kind === "request" ? `${one.method} ` : `${one.status} ${header(one, "cseq")?.split(" ")[1]}`;
}

const request = (
	method: string,
	extra: { branch?: string; cseq?: number; toTag?: string; transport?: string; headers?: string } = {},
): string =>
	`${method} sip:us@192.0.2.1 SIP/2.0
Via: SIP/2.0/${extra.transport ?? "UDP"} 192.0.2.2:5060;branch=z9hG4bK${extra.branch ?? "in"}
Max-Forwards: 70
From: <sip:peer@192.0.2.2>;tag=peer
To: <sip:us@192.0.2.1>${extra.toTag === undefined ? "" : `;tag=${extra.toTag}`}
Call-ID: in@192.0.2.2
CSeq: ${extra.cseq ?? 1} ${method}
Contact: <sip:peer@192.0.2.2>
${extra.headers ?? ""}Content-Length: 0

`;

const idle = { transactions: 0, dialogs: 0, legs: 0, unanswered: 0, timers: 0 };

describe("RFC 3261 §17.1.1.2 INVITE client transaction", () => {
	it("timer A: the client transaction MUST retransmit with intervals that double after each transmission, over unreliable transports", () => {
		const { clock, host, times, call } = setUp();
		host.handle(call);
		clock.runFor(40_000);
		expect(times("INVITE")).toEqual([0, 500, 1500, 3500, 7500, 15_500, 31_500]);
	});

	it("timer B: after 64*T1 in Calling the client transaction SHOULD inform the TU that a timeout has occurred, and MUST NOT generate an ACK", () => {
		const { clock, host, times, call } = setUp();
		host.handle(call);
		clock.runFor(31_999);
		expect(host.events).toEqual([]);
		clock.runFor(1);
		expect(host.events).toEqual([{ type: "failed", leg: "out", cause: "timeout", provisionals: 0, message: "no answer to INVITE" }]);
		expect(times("ACK")).toEqual([]);
		expect(host.machine.stats()).toEqual(idle);
	});

	it("timer A: SHOULD NOT be started over a reliable transport; timer B is", () => {
		const { clock, host, times, call } = setUp("TCP");
		host.handle(call);
		clock.runFor(32_000);
		expect(times("INVITE")).toEqual([0]);
		expect(host.of("failed")).toMatchObject([{ cause: "timeout" }]);
	});

	it("Proceeding: the client transaction SHOULD NOT retransmit the request any longer, and has no timeout of its own", () => {
		const { clock, host, times, last, answer, call } = setUp();
		host.handle(call);
		clock.runFor(700);
		answer(last("INVITE"), "180 Ringing");
		clock.runFor(120_000);
		expect(times("INVITE")).toEqual([0, 500]);
		expect(host.of("provisional")).toHaveLength(1);
		expect(host.of("failed")).toEqual([]);
	});

	it("Completed: retransmissions of the final response MUST cause the ACK to be re-passed and MUST NOT reach the TU; timer D is at least 32 s", () => {
		const { clock, host, times, last, answer, call } = setUp();
		host.handle(call);
		answer(last("INVITE"), "486 Busy Here");
		clock.runFor(1000);
		answer(last("INVITE"), "486 Busy Here");
		clock.runFor(30_999);
		answer(last("INVITE"), "486 Busy Here");
		expect(times("ACK")).toEqual([0, 1000, 31_999]);
		expect(host.of("failed")).toHaveLength(1);
		clock.runFor(1);
		expect(host.machine.stats()).toEqual(idle);
		answer(last("INVITE"), "486 Busy Here");
		expect(times("ACK")).toHaveLength(3);
	});

	it("timer D is zero over a reliable transport", () => {
		const { clock, host, last, answer, call } = setUp("TLS");
		host.handle(call);
		answer(last("INVITE"), "486 Busy Here");
		clock.runFor(0);
		expect(host.machine.stats()).toEqual(idle);
	});

	it("§17.1.1.3: the ACK MUST have the INVITE's Call-ID, From, Request-URI, topmost Via and Route, the response's To, and the INVITE's CSeq number", () => {
		const { host, last, answer, call } = setUp();
		host.handle(call);
		const invite = last("INVITE");
		answer(invite, "404 Not Found");
		const ack = last("ACK");
		expect(ack).toMatchObject({ method: "ACK", uri: "sip:peer@192.0.2.2" });
		for (const name of ["call-id", "from", "via"]) expect(header(ack, name)).toBe(header(invite, name));
		expect(header(ack, "to")).toBe(`${header(invite, "to")};tag=peer`);
		expect(header(ack, "cseq")).toBe("1 ACK");
	});

	it("§18.4: a transport error in Calling is reported, and nothing is sent any more", () => {
		const { clock, host, times, call, peer } = setUp();
		host.handle(call);
		host.handle({ kind: "transport-error", remote: peer, message: "ECONNREFUSED" });
		clock.runFor(40_000);
		expect(host.events).toMatchObject([{ type: "failed", cause: "transport", message: "ECONNREFUSED" }]);
		expect(times("INVITE")).toEqual([0]);
		expect(host.machine.stats()).toEqual(idle);
	});

	it("RFC 6026 §8.4: in Accepted 2xx retransmissions reach the TU, which ACKs each; timer M ends it after 64*T1", () => {
		const { clock, host, times, last, answer, call } = setUp();
		host.handle(call);
		answer(last("INVITE"), "200 OK");
		clock.runFor(500);
		answer(last("INVITE"), "200 OK");
		clock.runFor(31_499);
		expect(host.machine.stats().transactions).toBe(1);
		clock.runFor(1);
		expect(host.machine.stats()).toMatchObject({ transactions: 0, dialogs: 1, legs: 1 });
		expect(times("ACK")).toEqual([0, 500]);
		expect(host.of("answered")).toHaveLength(1);
	});
});

describe("RFC 3261 §17.1.2.2 non-INVITE client transaction", () => {
	const answered = (transport: SipTransport = "UDP") => {
		const all = setUp(transport);
		all.host.handle(all.call);
		all.answer(all.last("INVITE"), "200 OK");
		all.clock.runUntil(100_000);
		all.host.handle({ kind: "bye", leg: "out" });
		return { ...all, since: (start: string) => all.times(start).map((at) => at - 100_000) };
	};

	it("timer E: the retransmission interval MUST double up to T2; timer F: 64*T1 ends it", () => {
		const { clock, host, since } = answered();
		clock.runFor(32_000);
		expect(since("BYE")).toEqual([0, 500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500]);
		expect(host.of("ended")).toMatchObject([{ by: "local", cause: "timeout" }]);
		expect(host.machine.stats()).toEqual(idle);
	});

	it("Proceeding: timer E is reset to T2; timer F still runs", () => {
		const { clock, since, last, answer, host } = answered();
		clock.runFor(600);
		answer(last("BYE"), "100 Trying");
		clock.runFor(31_400);
		expect(since("BYE")).toEqual([0, 500, 1500, 5500, 9500, 13_500, 17_500, 21_500, 25_500, 29_500]);
		expect(host.of("ended")).toMatchObject([{ cause: "timeout" }]);
	});

	it("timer K: T4 over unreliable transports, zero over reliable ones, then the transaction MUST be destroyed", () => {
		const udp = answered();
		udp.answer(udp.last("BYE"), "200 OK");
		udp.clock.runFor(4999);
		expect(udp.host.machine.stats()).toMatchObject({ transactions: 1, dialogs: 0, legs: 0 });
		udp.clock.runFor(1);
		expect(udp.host.machine.stats()).toEqual(idle);
		const tcp = answered("TCP");
		tcp.answer(tcp.last("BYE"), "200 OK");
		tcp.clock.runFor(0);
		expect(tcp.host.machine.stats()).toEqual(idle);
		expect(tcp.since("BYE")).toEqual([0]);
	});
});

describe("RFC 3261 §17.2.1 INVITE server transaction", () => {
	const incoming = (transport: SipTransport = "UDP") => {
		const all = setUp(transport);
		const invite = request("INVITE", { transport });
		all.receive(invite);
		return { ...all, invite, leg: all.host.of("incoming")[0]?.leg ?? "" };
	};

	it("100 (Trying) is sent at once and has no To tag; the INVITE is reported once, its retransmissions get the most recent response", () => {
		const { clock, host, receive, times, last, invite, leg } = incoming();
		expect(header(last("100 INVITE"), "to")).toBe("<sip:us@192.0.2.1>");
		receive(invite);
		host.handle({ kind: "ring", leg, status: 180 });
		clock.runFor(10);
		receive(invite);
		expect(times("100 INVITE")).toEqual([0, 0]);
		expect(times("180 INVITE")).toEqual([0, 10]);
		expect(host.of("incoming")).toHaveLength(1);
	});

	it("timer G: doubles up to T2 over unreliable transports; timer H: 64*T1 without ACK ends it", () => {
		const { clock, host, times, leg } = incoming();
		host.handle({ kind: "reject", leg, status: 486 });
		clock.runFor(40_000);
		expect(times("486 INVITE")).toEqual([0, 500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500]);
		expect(host.machine.stats()).toEqual(idle);
	});

	it("ACK stops timer G; timer I absorbs further ACKs for T4 (unreliable), zero (reliable)", () => {
		const { clock, host, receive, times, leg } = incoming();
		host.handle({ kind: "reject", leg, status: 486 });
		clock.runFor(600);
		const ack = request("ACK", { toTag: "any" });
		receive(ack);
		clock.runFor(4999);
		receive(ack);
		expect(times("486 INVITE")).toEqual([0, 500]);
		expect(host.machine.stats()).toMatchObject({ transactions: 1, dialogs: 0, legs: 0 });
		clock.runFor(1);
		expect(host.machine.stats()).toEqual(idle);
		const tcp = incoming("TCP");
		tcp.host.handle({ kind: "reject", leg: tcp.leg, status: 486 });
		tcp.clock.runFor(1000);
		tcp.receive(request("ACK", { toTag: "any", transport: "TCP" }));
		tcp.clock.runFor(0);
		expect(tcp.times("486 INVITE")).toEqual([0]);
		expect(tcp.host.machine.stats()).toEqual(idle);
	});

	it("§13.3.1.4: the 2xx MUST be retransmitted from T1 doubling to T2 until the ACK; 64*T1 without: BYE", () => {
		const { clock, host, times, leg } = incoming();
		host.handle({ kind: "accept", leg });
		clock.runFor(32_000);
		expect(times("200 INVITE")).toEqual([0, 500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500]);
		expect(host.of("ack-timeout")).toHaveLength(1);
		expect(times("BYE")).toEqual([32_000]);
		clock.runFor(32_000);
		expect(host.of("ended")).toMatchObject([{ by: "local", cause: "ack-timeout" }]);
		expect(host.machine.stats()).toEqual(idle);
	});

	it("§13.3.1.4: over a reliable transport too; the ACK stops it", () => {
		const { clock, host, times, receive, last, leg } = incoming("TCP");
		host.handle({ kind: "accept", leg });
		clock.runFor(600);
		const toTag = /tag=(\w+)/.exec(header(last("200 INVITE"), "to") ?? "")?.[1] ?? "";
		receive(request("ACK", { branch: "ack", toTag, transport: "TCP" }));
		clock.runFor(40_000);
		expect(times("200 INVITE")).toEqual([0, 500]);
		expect(host.of("acked")).toHaveLength(1);
		expect(host.of("ack-timeout")).toEqual([]);
	});

	it("RFC 6026 §7.1: in Accepted retransmissions of the INVITE are absorbed without an answer", () => {
		const { clock, host, times, receive, invite, leg } = incoming();
		host.handle({ kind: "accept", leg });
		clock.runFor(100);
		receive(invite);
		expect(times("200 INVITE")).toEqual([0]);
		expect(host.of("incoming")).toHaveLength(1);
	});

	it("§15: the callee MUST NOT send a BYE until it has received an ACK for its 2xx", () => {
		const { clock, host, times, receive, last, leg } = incoming();
		host.handle({ kind: "accept", leg });
		host.handle({ kind: "bye", leg });
		clock.runFor(400);
		expect(times("BYE")).toEqual([]);
		const toTag = /tag=(\w+)/.exec(header(last("200 INVITE"), "to") ?? "")?.[1] ?? "";
		receive(request("ACK", { branch: "ack", toTag }));
		expect(times("BYE")).toEqual([400]);
	});

	it("§13.3.1: an INVITE whose Expires runs out is answered 487", () => {
		const { clock, host, times, receive } = setUp();
		receive(request("INVITE", { headers: "Expires: 3\n" }));
		clock.runFor(2999);
		expect(times("487 INVITE")).toEqual([]);
		clock.runFor(1);
		expect(times("487 INVITE")).toEqual([3000]);
		expect(host.of("cancelled")).toHaveLength(1);
	});
});

describe("RFC 3261 §17.2.2 non-INVITE server transaction", () => {
	it("Trying: retransmissions are discarded; Completed: they get the final response again; timer J is 64*T1 (unreliable), zero (reliable)", () => {
		const { clock, host, times, receive } = setUp();
		const options = request("OPTIONS");
		receive(options);
		receive(options);
		expect(host.of("out-of-dialog")).toHaveLength(1);
		host.handle({ kind: "respond", transaction: host.of("out-of-dialog")[0]?.transaction ?? "", status: 200 });
		clock.runFor(31_999);
		receive(options);
		expect(times("200 OPTIONS")).toEqual([0, 31_999]);
		expect(host.machine.stats().transactions).toBe(1);
		clock.runFor(1);
		expect(host.machine.stats()).toEqual(idle);
		const tcp = setUp("TCP");
		tcp.receive(request("OPTIONS", { transport: "TCP" }));
		tcp.host.handle({ kind: "respond", transaction: tcp.host.of("out-of-dialog")[0]?.transaction ?? "", status: 503 });
		tcp.clock.runFor(0);
		expect(tcp.host.machine.stats()).toEqual(idle);
	});

	it("a request that the driver never answers is dropped when its sender has given up (RFC 4320 §4.1: without a 408)", () => {
		const { clock, net, host, receive } = setUp();
		receive(request("OPTIONS"));
		clock.runFor(32_000);
		expect(host.machine.stats()).toEqual(idle);
		expect(net.sent).toEqual([]);
	});
});

describe("RFC 3261 §9.1 CANCEL", () => {
	it("the client MUST wait for a provisional response before it sends CANCEL, with the INVITE's branch and CSeq number", () => {
		const { clock, host, times, last, answer, call } = setUp();
		host.handle(call);
		host.handle({ kind: "cancel", leg: "out", headers: [["Reason", "SIP;cause=487"]] });
		clock.runFor(700);
		expect(times("CANCEL")).toEqual([]);
		const invite = last("INVITE");
		answer(invite, "180 Ringing");
		expect(times("CANCEL")).toEqual([700]);
		const cancel = last("CANCEL");
		for (const name of ["via", "from", "to", "call-id"]) expect(header(cancel, name)).toBe(header(invite, name));
		expect(header(cancel, "cseq")).toBe("1 CANCEL");
		expect(header(cancel, "reason")).toBe("SIP;cause=487");
		answer(cancel, "200 OK");
		answer(invite, "487 Request Terminated");
		expect(host.of("failed")).toMatchObject([{ status: 487, cause: "cancelled", provisionals: 1 }]);
		expect(times("ACK")).toEqual([700]);
		clock.runFor(40_000);
		expect(host.of("failed")).toHaveLength(1);
		expect(host.machine.stats()).toEqual(idle);
	});

	it("without a final response in 64*T1 the client considers the transaction cancelled", () => {
		const { clock, host, last, answer, call } = setUp();
		host.handle(call);
		answer(last("INVITE"), "180 Ringing");
		host.handle({ kind: "cancel", leg: "out" });
		clock.runFor(31_999);
		expect(host.of("failed")).toEqual([]);
		clock.runFor(1);
		expect(host.of("failed")).toMatchObject([{ cause: "cancelled" }]);
		expect(host.machine.stats()).toEqual(idle);
	});

	it("a 200 that races the CANCEL is ACKed and BYEd, and the leg ends as cancelled", () => {
		const { clock, host, times, last, answer, call } = setUp();
		host.handle(call);
		answer(last("INVITE"), "180 Ringing");
		host.handle({ kind: "cancel", leg: "out" });
		answer(last("INVITE"), "200 OK");
		answer(last("CANCEL"), "200 OK");
		expect([times("CANCEL"), times("ACK"), times("BYE")]).toEqual([[0], [0], [0]]);
		expect(header(last("BYE"), "cseq")).toBe("2 BYE");
		expect(host.of("answered")).toEqual([]);
		expect(host.of("failed")).toMatchObject([{ cause: "cancelled", status: 200 }]);
		clock.runFor(300);
		answer(last("INVITE"), "200 OK");
		expect(times("ACK")).toEqual([0, 300]);
		answer(last("BYE"), "200 OK");
		clock.runFor(40_000);
		expect(host.machine.stats()).toEqual(idle);
	});

	it("§9.2: the server answers the CANCEL with 200 and the INVITE with 487; once answered, CANCEL has no effect; unknown → 481", () => {
		const { clock, host, times, last, receive } = setUp();
		receive(request("CANCEL", { branch: "none" }));
		expect(times("481 CANCEL")).toEqual([0]);
		receive(request("INVITE"));
		receive(request("CANCEL"));
		expect([times("200 CANCEL"), times("487 INVITE")]).toEqual([[0], [0]]);
		expect(host.of("cancelled")).toHaveLength(1);
		expect(header(last("200 CANCEL"), "to")).toBe(header(last("487 INVITE"), "to"));
		receive(request("ACK"));
		receive(request("INVITE", { branch: "two", cseq: 5 }));
		host.handle({ kind: "accept", leg: host.of("incoming")[1]?.leg ?? "" });
		receive(request("CANCEL", { branch: "two", cseq: 5 }));
		expect(times("200 CANCEL")).toEqual([0, 0]);
		expect(times("487 INVITE")).toEqual([0]);
		expect(host.of("cancelled")).toHaveLength(1);
		clock.runFor(100_000);
		expect(host.machine.stats()).toEqual(idle);
	});
});
