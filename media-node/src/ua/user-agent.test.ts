import { type Address, type SipEvent, SipUsageError } from "@trunkline/sip";
import { captureLogs, nodeHashes, seededBytes, seededRandom, SimClock, simEndpoint, SimNet } from "@trunkline/testkit";
import { beforeEach, describe, expect, it, test } from "vitest";
import { type OutgoingInvite, type SipLeg, type SipLegEvent, UnreachableError } from "../call/ports.ts";
import { SipResolver } from "./dns.ts";
import { SipUserAgent, type UserAgentOptions } from "./user-agent.ts";

const OURS: Address = { host: "192.0.2.10", port: 5060, transport: "UDP" };
const THEIRS: Address = { host: "198.51.100.7", port: 5060, transport: "UDP" };
const SDP = "v=0\r\n";

let clock: SimClock;
let net: SimNet;
let log: ReturnType<typeof captureLogs>;
let refusal: ReturnType<UserAgentOptions["refusal"]>;
/** legs of INVITEs that came in */
let incoming: { leg: SipLeg; events: SipLegEvent[]; from: string; sdp: string | undefined }[];
/** called for each event of an incoming leg */
let onEvent: (event: SipLegEvent, leg: SipLeg) => void;
let onInvite: () => void;

beforeEach(() => {
	clock = new SimClock(1_000_000);
	net = new SimNet(clock);
	log = captureLogs();
	refusal = undefined;
	incoming = [];
	onEvent = () => {};
	onInvite = () => {};
});

function agent(changes: Partial<UserAgentOptions> = {}): SipUserAgent {
	const userAgent = new SipUserAgent({
		endpoint: {
			userAgent: "Trunkline",
			contact: { host: OURS.host, port: OURS.port },
			random: seededBytes(seededRandom(5)),
			hashes: nodeHashes,
		},
		clock,
		resolve: async () => [THEIRS],
		send: (bytes, to) => net.send(OURS, to, bytes),
		onInvite: (invite, _request, leg) => {
			onInvite();
			const one = { leg, events: [] as SipLegEvent[], from: invite.from.user, sdp: invite.sdp };
			incoming.push(one);
			return (event) => {
				one.events.push(event);
				onEvent(event, leg);
			};
		},
		refusal: () => refusal,
		log,
		...changes,
	});
	net.bind(OURS, (packet) => userAgent.received(packet.bytes, packet.from));
	return userAgent;
}

const phone = () => simEndpoint(clock, net, THEIRS);
const body = { contentType: "application/sdp", bytes: new TextEncoder().encode(SDP) };
const party = (user: string, host: Address) => ({ uri: `sip:${user}@${host.host}` });
const dial = (leg = "1") =>
	({
		kind: "call",
		leg,
		requestUri: `sip:+15550100@${OURS.host}`,
		from: party("+15551111", THEIRS),
		to: party("+15550100", OURS),
		target: OURS,
		body,
	}) as const;
const invite: OutgoingInvite = {
	callId: "SCL_1",
	localTag: "SCL_1",
	requestUri: "sip:+15550199@carrier.example",
	from: { uri: "sip:+15550100@192.0.2.10" },
	to: { uri: "sip:+15550199@carrier.example" },
	headers: [["X-Sent", "yes"]],
	sdp: SDP,
};
const types = (events: readonly { type: string }[]) => events.map(({ type }) => type);
const responses = (events: SipEvent[]) => events.flatMap((event) => ("response" in event && event.response ? [event.response.status] : []));
const headerOf = (event: SipEvent | undefined, key: string) =>
	event !== undefined && "response" in event ? event.response?.headers.find((one) => one.key === key)?.value : undefined;
/** packets of ours that begin like that */
const sentByUs = (start: string) =>
	net.sent.filter(({ from, bytes }) => from === OURS && new TextDecoder().decode(bytes).startsWith(start)).length;
const IDLE = { transactions: 0, dialogs: 0, legs: 0, unanswered: 0, timers: 0 };

/** Everything has timed out, nothing is kept, and no timer is set. */
function expectIdle(userAgent: SipUserAgent): void {
	clock.runUntilIdle(200_000);
	expect(userAgent.stats()).toEqual(IDLE);
}

describe("requests outside calls", () => {
	function answerTo(method: string): { first: string; text: string } {
		const text = [
			`${method} sip:192.0.2.10 SIP/2.0`,
			"Via: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bKo;rport",
			"Max-Forwards: 70",
			"From: <sip:monitor@198.51.100.7>;tag=t",
			"To: <sip:192.0.2.10>",
			`Call-ID: ${method}@198.51.100.7`,
			`CSeq: 1 ${method}`,
			"Content-Length: 0",
			"",
			"",
		].join("\r\n");
		let answer = "";
		net.bind(THEIRS, ({ bytes }) => (answer = new TextDecoder().decode(bytes)));
		net.send(THEIRS, OURS, new TextEncoder().encode(text));
		clock.runFor(10);
		return { first: answer.split("\r\n")[0] ?? "", text: answer };
	}

	it("OPTIONS: 200 with what is served", () => {
		const userAgent = agent();
		const { first, text } = answerTo("OPTIONS");
		expect(first).toBe("SIP/2.0 200 OK");
		expect(text).toContain("Allow: INVITE, ACK, CANCEL, BYE, OPTIONS");
		expect(text).toContain("Accept: application/sdp");
		expectIdle(userAgent);
	});

	it("OPTIONS while draining: 503, so that a load balancer sends its calls elsewhere", () => {
		agent();
		refusal = { why: "full", reason: "Shutting Down", retryAfterSeconds: 30 };
		const { first, text } = answerTo("OPTIONS");
		expect(first).toBe("SIP/2.0 503 Shutting Down");
		expect(text).toContain("Retry-After: 30\r\n");
	});

	test.each(["REGISTER", "SUBSCRIBE", "MESSAGE"])("%s: 405", (method) => {
		agent();
		expect(answerTo(method).first).toBe("SIP/2.0 405 Method Not Allowed");
	});

	it("rubbish is answered or not, but never thrown at the socket", () => {
		const userAgent = agent();
		for (const text of ["", "\r\n\r\n", "INVITE", "INVITE sip:x SIP/2.0\r\n\r\n", "SIP/2.0 200 OK\r\n\r\n", "\u0000\u00ff"]) {
			userAgent.received(new TextEncoder().encode(text), THEIRS);
		}
		expect(userAgent.stats()).toEqual(IDLE);
		expect(log.logs).toEqual([]);
	});
});

describe("an INVITE that comes in", () => {
	it("rings, is answered, acknowledged, re-negotiated and hung up; nothing is kept", () => {
		const userAgent = agent();
		const caller = phone();
		caller.handle(dial());
		clock.runFor(10);
		expect(incoming).toMatchObject([{ from: "+15551111", sdp: SDP }]);
		incoming[0]?.leg.ring(180);
		incoming[0]?.leg.accept(SDP, [["X-Answer", "yes"]]);
		clock.runFor(10);
		expect(responses(caller.events)).toEqual([100, 180, 200]);
		expect(headerOf(caller.events.at(-1), "x-answer")).toBe("yes");
		expect(types(incoming[0]?.events ?? [])).toEqual(["acked"]);
		caller.handle({ kind: "bye", leg: "1" });
		clock.runFor(10);
		expect(types(incoming[0]?.events ?? [])).toEqual(["acked", "bye"]);
		expectIdle(userAgent);
	});

	it("a re-INVITE: the 200 is sent again until the ACK comes", () => {
		const userAgent = agent();
		const caller = phone();
		onEvent = (event, leg) => {
			if (event.type === "reinvite") leg.respond(event.transaction, 200, "OK", SDP);
		};
		caller.handle(dial());
		clock.runFor(10);
		incoming[0]?.leg.accept(SDP);
		clock.runFor(10);
		const before = sentByUs("SIP/2.0 200");
		// Their ACKs to the re-INVITE are lost for two seconds.
		const blockedUntil = clock.now() + 2_000;
		net.filter = ({ from, bytes }) => from !== THEIRS || clock.now() > blockedUntil || !new TextDecoder().decode(bytes).startsWith("ACK");
		caller.handle({ kind: "request", leg: "1", transaction: "re", method: "INVITE", body });
		clock.runFor(10_000);
		// RFC 3261 §13.3.1.4: after 500, 1000 and 2000 ms, then the ACK is in.
		expect(sentByUs("SIP/2.0 200") - before).toBe(4);
		caller.handle({ kind: "bye", leg: "1" });
		expectIdle(userAgent);
		expect(types(incoming[0]?.events ?? [])).toEqual(["acked", "reinvite", "acked", "bye"]);
	});

	it("a re-INVITE refused with 488 leaves the call as it is", () => {
		agent();
		const caller = phone();
		onEvent = (event, leg) => {
			if (event.type === "reinvite") leg.respond(event.transaction, 488, "Not Acceptable Here");
		};
		caller.handle(dial());
		clock.runFor(10);
		incoming[0]?.leg.accept(SDP);
		clock.runFor(10);
		caller.handle({ kind: "request", leg: "1", transaction: "re", method: "INVITE", body });
		clock.runFor(1_000);
		expect(caller.of("in-dialog-response")[0]?.response?.status).toBe(488);
		expect(caller.of("ended")).toEqual([]);
	});

	it("REFER goes out inside the dialog; its answer and its NOTIFYs come back, and nothing else of other events", () => {
		const userAgent = agent({
			endpoint: {
				userAgent: "Trunkline",
				contact: { host: OURS.host, port: OURS.port },
				random: seededBytes(seededRandom(5)),
				hashes: nodeHashes,
				allow: ["NOTIFY"],
			},
		});
		const caller = simEndpoint(clock, net, THEIRS, { allow: ["REFER"] });
		onEvent = (event, leg) => {
			if (event.type === "refer-progress") leg.respond(event.transaction, 200);
			if (event.type === "in-dialog") leg.respond(event.transaction, 489);
		};
		caller.handle(dial());
		clock.runFor(10);
		incoming[0]?.leg.accept(SDP);
		clock.runFor(10);
		incoming[0]?.leg.refer("STR_1", [["Refer-To", "<sip:+1@carrier.example>"]]);
		clock.runFor(10);
		const [referred] = caller.of("in-dialog");
		expect(referred?.request).toMatchObject({ method: "REFER" });
		expect(referred?.request.headers.find(({ key }) => key === "refer-to")?.value).toBe("<sip:+1@carrier.example>");
		caller.handle({ kind: "respond", transaction: referred?.transaction ?? "", status: 202 });
		const notify = (transaction: string, event: string, text: string): void => {
			const headers = [
				["Event", event],
				["Subscription-State", "terminated;reason=noresource"],
			] as const;
			const fragment = { contentType: "message/sipfrag", bytes: new TextEncoder().encode(text) };
			caller.handle({ kind: "request", leg: "1", transaction, method: "NOTIFY", headers, body: fragment });
			clock.runFor(10);
		};
		notify("n1", "refer;id=2", "SIP/2.0 200 OK\r\n");
		notify("n2", "presence", "SIP/2.0 200 OK\r\n");
		expect(caller.of("in-dialog-response").map(({ response }) => response?.status)).toEqual([200, 489]);
		expect(incoming[0]?.events.slice(1)).toMatchObject([
			{ type: "refer-answered", refer: "STR_1", id: expect.any(Number), status: 202, reason: "Accepted" },
			{ type: "refer-progress", id: 2, terminated: true, progress: { status: 200, reason: "OK" } },
			{ type: "in-dialog", method: "NOTIFY" },
		]);
		caller.handle({ kind: "bye", leg: "1" });
		expectIdle(userAgent);
	});

	it("a REFER that gets 481 ends the call: nobody is there any more", () => {
		const userAgent = agent();
		const caller = simEndpoint(clock, net, THEIRS, { allow: ["REFER"] });
		caller.handle(dial());
		clock.runFor(10);
		incoming[0]?.leg.accept(SDP);
		clock.runFor(10);
		incoming[0]?.leg.refer("STR_1", [["Refer-To", "tel:+1"]]);
		clock.runFor(10);
		caller.handle({ kind: "respond", transaction: caller.of("in-dialog")[0]?.transaction ?? "", status: 481 });
		clock.runFor(100);
		expect(types(incoming[0]?.events ?? [])).toEqual(["acked", "refer-answered", "bye-done"]);
		expectIdle(userAgent);
	});

	it("at capacity: 503 with Retry-After, and no call is made of it", () => {
		const userAgent = agent();
		refusal = { why: "full", reason: "At Capacity", retryAfterSeconds: 10 };
		const caller = phone();
		caller.handle(dial());
		clock.runFor(10);
		const [failed] = caller.of("failed");
		expect(failed).toMatchObject({ status: 503, response: { reason: "At Capacity" } });
		expect(headerOf(failed, "retry-after")).toBe("10");
		expect(incoming).toEqual([]);
		expectIdle(userAgent);
	});

	it("cancelled: the call hears of it once, and what it still says does nothing", () => {
		const userAgent = agent();
		const caller = phone();
		caller.handle(dial());
		clock.runFor(10);
		incoming[0]?.leg.ring(180);
		caller.handle({ kind: "cancel", leg: "1" });
		clock.runFor(10);
		expect(types(incoming[0]?.events ?? [])).toEqual(["cancelled"]);
		expect(caller.of("failed")).toMatchObject([{ status: 487, cause: "cancelled" }]);
		incoming[0]?.leg.accept(SDP);
		incoming[0]?.leg.bye();
		expect(types(incoming[0]?.events ?? [])).toEqual(["cancelled"]);
		expectIdle(userAgent);
	});

	it("hung up before it was answered: 480, and the call hears that this is done", () => {
		const userAgent = agent();
		const caller = phone();
		caller.handle(dial());
		clock.runFor(10);
		incoming[0]?.leg.bye();
		clock.runFor(10);
		expect(types(incoming[0]?.events ?? [])).toEqual(["bye-done"]);
		expect(caller.of("failed")[0]?.status).toBe(480);
		expectIdle(userAgent);
	});

	it("our BYE after the answer: done when the peer has answered it", () => {
		const userAgent = agent();
		const caller = phone();
		caller.handle(dial());
		clock.runFor(10);
		incoming[0]?.leg.accept(SDP);
		clock.runFor(10);
		incoming[0]?.leg.bye();
		expect(types(incoming[0]?.events ?? [])).toEqual(["acked"]);
		clock.runFor(10);
		expect(types(incoming[0]?.events ?? [])).toEqual(["acked", "bye-done"]);
		expectIdle(userAgent);
	});

	it("no ACK ever: the call is told, BYE goes out, nothing is kept", () => {
		const userAgent = agent();
		const caller = phone();
		caller.handle(dial());
		clock.runFor(10);
		net.filter = ({ from }) => from !== THEIRS;
		incoming[0]?.leg.accept(SDP);
		clock.runFor(32_000);
		expect(types(incoming[0]?.events ?? [])).toEqual(["ack-timeout"]);
		expect(sentByUs("BYE")).toBeGreaterThan(0);
		expectIdle(userAgent);
		expect(types(incoming[0]?.events ?? [])).toEqual(["ack-timeout", "bye-done"]);
	});

	it("the same INVITE again, and by another way: one call", () => {
		agent();
		const caller = phone();
		caller.handle(dial());
		clock.runFor(10);
		const [first] = net.sent;
		if (first === undefined) throw new Error("nothing was sent");
		net.send(THEIRS, OURS, first.bytes);
		// RFC 3261 §8.2.2.2: another branch, everything else the same
		const text = new TextDecoder().decode(first.bytes);
		const merged = text.replace(/branch=[^;\r]+/, "branch=z9hG4bKmerged");
		net.send(THEIRS, OURS, new TextEncoder().encode(merged));
		clock.runFor(10);
		expect(incoming).toHaveLength(1);
		expect(sentByUs("SIP/2.0 482")).toBe(1);
	});
});

describe("a call that fails in our hands", () => {
	it("whose start throws is refused with 500; the next one is taken", () => {
		const userAgent = agent();
		onInvite = () => {
			throw new Error("no call could be made");
		};
		const caller = phone();
		caller.handle(dial());
		clock.runFor(10);
		expect(caller.of("failed")[0]?.status).toBe(500);
		onInvite = () => {};
		caller.handle(dial("2"));
		clock.runFor(10);
		expect(incoming).toHaveLength(1);
		incoming[0]?.leg.reject(603, "Decline");
		expectIdle(userAgent);
	});

	it("whose listener throws: the re-INVITE is answered 500 and other calls go on", () => {
		agent();
		const caller = phone();
		caller.handle(dial("1"));
		caller.handle(dial("2"));
		clock.runFor(10);
		for (const { leg } of incoming) leg.accept(SDP);
		clock.runFor(10);
		onEvent = () => {
			throw new Error("listener");
		};
		caller.handle({ kind: "request", leg: "1", transaction: "re", method: "INVITE", body });
		caller.handle({ kind: "bye", leg: "2" });
		clock.runFor(1_000);
		expect(caller.of("in-dialog-response")[0]?.response?.status).toBe(500);
		expect(caller.of("ended")).toMatchObject([{ leg: "2", cause: "bye" }]);
		expect(log.logs.map(({ level }) => level)).toEqual(["error", "error"]);
	});

	it("commands from inside an event are carried out in order", () => {
		agent();
		const caller = phone();
		onEvent = (event, leg) => {
			if (event.type === "acked") leg.bye();
		};
		caller.handle(dial());
		clock.runFor(10);
		incoming[0]?.leg.ring(180);
		incoming[0]?.leg.accept(SDP);
		clock.runFor(10);
		expect(responses(caller.events)).toEqual([100, 180, 200]);
		expect(caller.of("ended")).toMatchObject([{ by: "remote" }]);
		expect(types(incoming[0]?.events ?? [])).toEqual(["acked", "bye-done"]);
	});

	it("no event comes while the one before it is being handled", async () => {
		let down = false;
		const userAgent = agent({
			send: (bytes, to) => {
				if (down) throw new Error("network is down");
				net.send(OURS, to, bytes);
			},
		});
		const callee = phone();
		callee.onEvent = (event) => {
			if (event.type === "incoming") callee.handle({ kind: "accept", leg: event.leg, body });
		};
		const order: string[] = [];
		const leg: SipLeg = await userAgent.invite("carrier.example", "UDP", invite, (event) => {
			order.push(`begin ${event.type}`);
			if (event.type === "answered") {
				down = true;
				leg.bye();
			}
			order.push(`end ${event.type}`);
		});
		clock.runFor(10);
		expect(order.slice(-4)).toEqual(["begin answered", "end answered", "begin bye-done", "end bye-done"]);
	});

	it("a destination that cannot be sent to fails its own call, and the packets behind it still leave", async () => {
		const userAgent = agent({
			resolve: async () => [{ ...THEIRS, host: "203.0.113.1" }],
			send: (bytes, to) => {
				if (to.host === "203.0.113.1") throw new RangeError("bad port");
				net.send(OURS, to, bytes);
			},
		});
		const caller = phone();
		const events: SipLegEvent[] = [];
		await userAgent.invite("203.0.113.1", "UDP", invite, (event) => void events.push(event));
		expect(events).toMatchObject([{ type: "failed", cause: "transport", message: "bad port" }]);
		caller.handle(dial());
		clock.runFor(10);
		expect(responses(caller.events)).toEqual([100]);
	});
});

describe("an INVITE of ours", () => {
	it("goes to the resolved address, is answered and hung up by the peer", async () => {
		const userAgent = agent();
		const callee = phone();
		const events: SipLegEvent[] = [];
		await userAgent.invite("carrier.example", "AUTO", invite, (event) => void events.push(event));
		clock.runFor(10);
		const [call] = callee.of("incoming");
		expect(call?.request.headers.find(({ key }) => key === "x-sent")?.value).toBe("yes");
		callee.handle({ kind: "ring", leg: call?.leg ?? "", status: 180 });
		callee.handle({ kind: "accept", leg: call?.leg ?? "", body });
		clock.runFor(10);
		expect(types(events)).toEqual(["provisional", "provisional", "answered"]);
		expect(events.at(-1)).toMatchObject({ sdp: SDP, sipCallId: "SCL_1", source: THEIRS.host });
		callee.handle({ kind: "bye", leg: call?.leg ?? "" });
		clock.runFor(10);
		expect(types(events).at(-1)).toBe("bye");
		expectIdle(userAgent);
	});

	it("refused: the reason is reported, the leg is free", async () => {
		const userAgent = agent();
		const callee = phone();
		callee.onEvent = (event) => {
			if (event.type === "incoming") callee.handle({ kind: "reject", leg: event.leg, status: 486 });
		};
		const events: SipLegEvent[] = [];
		await userAgent.invite("carrier.example", "UDP", invite, (event) => void events.push(event));
		clock.runFor(10);
		expect(events.at(-1)).toMatchObject({ type: "failed", cause: "status", status: 486, reason: "Busy Here" });
		expectIdle(userAgent);
	});

	it("cancelled while it rings", async () => {
		const userAgent = agent();
		const callee = phone();
		callee.onEvent = (event) => {
			if (event.type === "incoming") callee.handle({ kind: "ring", leg: event.leg, status: 180 });
		};
		const events: SipLegEvent[] = [];
		const leg = await userAgent.invite("carrier.example", "UDP", invite, (event) => void events.push(event));
		clock.runFor(10);
		leg.cancel();
		clock.runFor(10);
		expect(callee.of("cancelled")).toHaveLength(1);
		expect(events.at(-1)).toMatchObject({ type: "failed", cause: "cancelled", status: 487 });
		expectIdle(userAgent);
	});

	it("nobody there: time-out after 32 s", async () => {
		const userAgent = agent();
		const events: SipLegEvent[] = [];
		await userAgent.invite("carrier.example", "UDP", invite, (event) => void events.push(event));
		clock.runFor(31_999);
		expect(events).toEqual([]);
		clock.runFor(1);
		expect(events).toMatchObject([{ type: "failed", cause: "timeout" }]);
		expectIdle(userAgent);
	});

	it("an address that the socket says cannot be reached fails at once", async () => {
		const userAgent = agent();
		const events: SipLegEvent[] = [];
		await userAgent.invite("carrier.example", "UDP", invite, (event) => void events.push(event));
		userAgent.unreachable(THEIRS, "ECONNREFUSED");
		expect(events).toMatchObject([{ type: "failed", cause: "transport", message: "ECONNREFUSED" }]);
		expectIdle(userAgent);
	});

	it("goes to addresses of the family that its media has, and to no other", async () => {
		const sdp = "v=0\r\nc=IN IP4 192.0.2.10\r\n";
		const six: Address = { ...THEIRS, host: "2001:db8::7" };
		const userAgent = agent({ resolve: async () => [six, THEIRS] });
		const leg = await userAgent.invite("carrier.example", "UDP", { ...invite, sdp }, () => {});
		expect(net.sent.map(({ to }) => to.host)).toEqual([THEIRS.host]);
		leg.cancel();
		await expect(agent({ resolve: async () => [six] }).invite("carrier.example", "UDP", { ...invite, sdp }, () => {})).rejects.toThrow(
			"carrier.example has no address of the IP family that the call's media has",
		);
	});

	it("given up while the name is looked up: no packet leaves", async () => {
		const looked = Promise.withResolvers<Address[]>();
		const userAgent = agent({ resolve: () => looked.promise });
		const controller = new AbortController();
		const calling = userAgent.invite("carrier.example", "UDP", invite, () => {}, controller.signal);
		controller.abort();
		looked.resolve([THEIRS]);
		await expect(calling).rejects.toThrow(UnreachableError);
		expect(net.sent).toEqual([]);
		expectIdle(userAgent);
	});

	test.each(["TCP", "TLS"])("%s is refused, never sent over UDP instead", async (transport) => {
		const resolver = new SipResolver({ families: [4], transports: () => ["UDP"], now: () => clock.now(), random: () => 0 });
		const userAgent = agent({ resolve: (destination) => resolver.resolve(destination) });
		await expect(userAgent.invite("carrier.example", transport, invite, () => {})).rejects.toThrow(
			`SIP over ${transport} cannot be sent; this node has UDP only`,
		);
		expect(net.sent).toEqual([]);
	});

	test.each([
		["a Request-URI with a space", { requestUri: "sip:a b@carrier.example" }],
		["a header with a line break", { headers: [["X-A", "1\r\nX-B: 2"]] as const }],
		["a header of the endpoint's", { headers: [["Via", "x"]] as const }],
	])("%s: rejected, nothing is kept", async (_, changes) => {
		const userAgent = agent();
		await expect(userAgent.invite("carrier.example", "UDP", { ...invite, ...changes }, () => {})).rejects.toThrow(SipUsageError);
		expect(net.sent).toEqual([]);
		expectIdle(userAgent);
	});
});

it("a peer is one for as long after the end of its call as after the beginning", async () => {
	const trusted: string[] = [];
	const guard = {
		admits: () => true,
		admitsConnection: () => true,
		trust: (host: string) => void trusted.push(`${clock.now() - 1_000_000} ${host}`),
		isKnown: () => true,
		strike: () => {},
		sameParty: () => false,
	};
	const theirs = phone();
	const userAgent = agent({ guard });
	onEvent = () => {};
	theirs.handle(dial());
	clock.runFor(10);
	incoming[0]?.leg.accept(SDP);
	clock.runFor(7_200_000);
	theirs.handle({ kind: "bye", leg: "1" });
	clock.runFor(10);
	expect(trusted.map((line) => line.split(" ")[1])).toEqual([THEIRS.host, THEIRS.host]);
	expect(Number(trusted[1]?.split(" ")[0])).toBeGreaterThan(7_200_000);
	trusted.length = 0;
	theirs.onEvent = (event) => {
		if (event.type === "incoming") theirs.handle({ kind: "accept", leg: event.leg, body });
	};
	const leg = await userAgent.invite("carrier.example", "UDP", invite, () => {});
	clock.runFor(10);
	leg.bye();
	clock.runFor(10);
	expect(trusted).toHaveLength(2);
});

describe("close", () => {
	it("stops the clock: nothing is sent, received or set any more", async () => {
		const userAgent = agent();
		const caller = phone();
		caller.handle(dial());
		clock.runFor(10);
		incoming[0]?.leg.accept(SDP);
		const { length } = net.sent;
		userAgent.close();
		userAgent.close();
		incoming[0]?.leg.bye();
		expect(net.sent).toHaveLength(length);
		await expect(userAgent.invite("carrier.example", "UDP", invite, () => {})).rejects.toThrow(UnreachableError);
		caller.handle({ kind: "bye", leg: "1" });
		clock.runFor(100);
		expect(sentByUs("SIP/2.0 200")).toBe(1);
	});

	it("one timer, whatever the number of calls", () => {
		const set = new Set<number>();
		let next = 0;
		const counting = {
			now: () => clock.now(),
			wakeAt: (at: number, callback: () => void) => {
				const id = next++;
				set.add(id);
				const cancel = clock.wakeAt(at, () => {
					set.delete(id);
					callback();
				});
				return () => {
					set.delete(id);
					cancel();
				};
			},
		};
		const userAgent = agent({ clock: counting });
		const caller = phone();
		for (let i = 0; i < 20; i++) caller.handle(dial(String(i)));
		clock.runFor(10);
		for (const { leg } of incoming) leg.reject(486, "Busy Here");
		expect(set.size).toBe(1);
		clock.runFor(100);
		expect(set.size).toBe(1);
		expectIdle(userAgent);
		expect(set.size).toBe(0);
	});
});
