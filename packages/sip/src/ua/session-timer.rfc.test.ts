import { SimClock, SimNet, type SimPacket, simEndpoint } from "@trunkline/testkit";
import { describe, expect, it } from "vitest";
import type { Address, EndpointOptions, SipInput } from "../endpoint-types.ts";
import { utf8Encode } from "../grammar/text.ts";
import { field, header, headers } from "../message/headers.ts";
import type { SipMessage, SipRequest } from "../message/message.ts";
import { parseMessage } from "../message/parse.ts";
import { parseMinSe, parseSessionExpires, SessionTimer, type SessionTimerOptions } from "./session-timer.ts";

const A: Address = { host: "192.0.2.1", port: 5060, transport: "UDP" };
const B: Address = { host: "192.0.2.2", port: 5070, transport: "UDP" };
const OFFER = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\n";
const ANSWER = "v=0\r\no=- 9 1 IN IP4 192.0.2.2\r\ns=-\r\n";
const sdp = (text: string) => ({ contentType: "application/sdp", bytes: utf8Encode(text) });

const timer = (mode: SessionTimerOptions["mode"], expiresSeconds = 1800, minSeconds = 90): SessionTimerOptions => ({
	mode,
	expiresSeconds,
	minSeconds,
});

interface Sides {
	a?: SessionTimerOptions;
	b?: SessionTimerOptions;
	/** in both sides' Allow */
	allow?: string[];
	/** of each packet, ms */
	delay?: number;
}

/** A calls B, who answers; the clock stands right after the ACK. */
function talking({ a, b, allow = [], delay = 0 }: Sides) {
	const clock = new SimClock();
	const net = new SimNet(clock, { delay: [delay, delay] });
	const options = (sessionTimer: SessionTimerOptions | undefined): Partial<EndpointOptions> => ({
		allow,
		...(sessionTimer === undefined ? {} : { sessionTimer, supported: ["timer"] }),
	});
	const caller = simEndpoint(clock, net, A, options(a));
	const callee = simEndpoint(clock, net, B, options(b));
	for (const [host, body] of [
		[caller, OFFER],
		[callee, ANSWER],
	] as const) {
		host.onEvent = (event) => {
			if (event.type === "reinvite") host.handle({ kind: "accept", leg: event.leg, transaction: event.transaction, body: sdp(body) });
			else if ("transaction" in event && "request" in event) host.handle({ kind: "respond", transaction: event.transaction, status: 200 });
			if (event.type === "incoming") host.handle({ kind: "accept", leg: event.leg, body: sdp(body) });
		};
	}
	caller.handle(call());
	clock.runFor(3 * delay + 1);
	const leg = callee.of("incoming")[0]?.leg ?? "";
	return { clock, net, caller, callee, leg };
}

const call = (): SipInput => ({
	kind: "call",
	leg: "out",
	requestUri: "sip:bob@192.0.2.2:5070",
	from: { uri: "sip:alice@192.0.2.1" },
	to: { uri: "sip:bob@192.0.2.2" },
	target: B,
	body: sdp(OFFER),
});

const messages = (packets: readonly SimPacket[]): SipMessage[] =>
	packets.map(({ bytes }) => {
		const result = parseMessage(bytes);
		if (!result.ok) throw new Error(result.detail);
		return result.message;
	});
const named = (all: readonly SipMessage[]): string[] =>
	all.map((message) => (message.kind === "request" ? message.method : `${message.status} ${header(message, "cseq")?.split(" ")[1]}`));
const find = (all: readonly SipMessage[], name: string): SipMessage => {
	const found = all.find((message) => named([message])[0] === name);
	if (found === undefined) throw new Error(`no ${name} among ${named(all).join(", ")}`);
	return found;
};
const said = (message: SipMessage) => ({
	expires: header(message, "session-expires"),
	minSe: header(message, "min-se"),
	supported: headers(message, "supported"),
	require: header(message, "require"),
});

describe("Session-Expires and Min-SE (RFC 4028 §4, §5)", () => {
	it.each([
		["1800", { seconds: 1800 }],
		["1800;refresher=uac", { seconds: 1800, refresher: "uac" }],
		[" 90 ; x=y ; Refresher = UAS ", { seconds: 90, refresher: "uas" }],
		["1800;refresher=nobody", { seconds: 1800 }],
		["999999999", { seconds: 864_000 }],
		["", undefined],
		["-1", undefined],
		["soon", undefined],
		["18e2", undefined],
	])("%s", (value, read) => expect(parseSessionExpires(value)).toEqual(read));

	it("Min-SE with and without parameters", () => {
		expect([parseMinSe("120"), parseMinSe("120;a=b"), parseMinSe("x"), parseMinSe(undefined)]).toEqual([120, 120, undefined, undefined]);
	});
});

describe("the UAC (RFC 4028 §7)", () => {
	it("§7.1: Supported: timer goes with every INVITE; Session-Expires only when it is wanted", () => {
		expect(said(find(messages(talking({ a: timer("accept") }).net.sent), "INVITE"))).toEqual({
			expires: undefined,
			minSe: undefined,
			supported: ["timer"],
			require: undefined,
		});
		expect(said(find(messages(talking({ a: timer("always", 600) }).net.sent), "INVITE"))).toMatchObject({
			expires: "600",
			supported: ["timer"],
		});
		expect(said(find(messages(talking({ a: timer("off") }).net.sent), "INVITE"))).toMatchObject({ expires: undefined, supported: [] });
	});

	it("§7.3: a 422 is answered by the same call with the larger Min-SE, higher CSeq and the same Call-ID", () => {
		const { net, caller } = talking({ a: timer("always", 100), b: timer("accept", 1800, 300) });
		const invites = messages(net.sent).filter((message) => message.kind === "request" && message.method === "INVITE");
		expect(named(messages(net.sent)).slice(0, 4)).toEqual(["INVITE", "422 INVITE", "ACK", "INVITE"]);
		expect(header(find(messages(net.sent), "422 INVITE"), "min-se")).toBe("300");
		expect(invites.map((invite) => said(invite).expires)).toEqual(["100", "300"]);
		expect(invites.map((invite) => said(invite).minSe)).toEqual([undefined, "300"]);
		expect(new Set(invites.map((invite) => header(invite, "call-id"))).size).toBe(1);
		expect(invites.map((invite) => header(invite, "cseq"))).toEqual(["1 INVITE", "2 INVITE"]);
		expect(caller.of("answered")).toHaveLength(1);
	});

	it("§7.2: a peer that knows no timers is refreshed all the same, by the UAC alone", () => {
		const { clock, net, caller } = talking({ a: timer("always", 600) });
		net.sent.length = 0;
		clock.runFor(299_000);
		expect(net.sent).toEqual([]);
		clock.runFor(2_000);
		expect(named(messages(net.sent))).toEqual(["INVITE", "100 INVITE", "200 INVITE", "ACK"]);
		clock.runFor(3_600_000);
		expect(caller.of("ended")).toEqual([]);
	});

	it("§7.4: a refresh has the SDP of before, its o= line unchanged, and names the refresher", () => {
		const { clock, net, caller } = talking({ a: timer("always", 600), b: timer("accept") });
		const refresher = header(find(messages(net.sent), "200 INVITE"), "session-expires");
		expect(refresher).toBe("600;refresher=uac");
		net.sent.length = 0;
		clock.runFor(301_000);
		const refresh = find(messages(net.sent), "INVITE");
		expect(new TextDecoder().decode(refresh.body)).toBe(OFFER);
		expect(said(refresh)).toMatchObject({ expires: "600;refresher=uac", supported: ["timer"] });
		expect(caller.of("refreshed")).toHaveLength(1);
		expect(new TextDecoder().decode(caller.of("refreshed")[0]?.response.body)).toBe(ANSWER);
	});

	it("§7.4: by UPDATE without a body where the peer's Allow has it", () => {
		const { clock, net } = talking({ a: timer("always", 600), b: timer("accept"), allow: ["UPDATE"] });
		net.sent.length = 0;
		clock.runFor(301_000);
		expect(named(messages(net.sent))).toEqual(["UPDATE", "200 UPDATE"]);
		expect(find(messages(net.sent), "UPDATE").body).toHaveLength(0);
		expect(said(find(messages(net.sent), "200 UPDATE"))).toMatchObject({ expires: "600;refresher=uac", require: "timer" });
		clock.runFor(300_000);
		expect(named(messages(net.sent)).filter((name) => name === "UPDATE")).toHaveLength(2);
	});
});

describe("the UAS (RFC 4028 §8, §9)", () => {
	const answered = (a: SessionTimerOptions | undefined, b: SessionTimerOptions) =>
		said(find(messages(talking({ ...(a === undefined ? {} : { a }), b }).net.sent), "200 INVITE"));

	it.each<[string, SessionTimerOptions | undefined, SessionTimerOptions, ReturnType<typeof said>["expires"], string | undefined]>([
		["asked for: as asked, the UAC refreshes, Require: timer", timer("always", 600), timer("accept"), "600;refresher=uac", "timer"],
		["not asked for: none", timer("accept"), timer("accept"), undefined, undefined],
		["not asked for, but wanted: ours", timer("accept"), timer("always", 300), "300;refresher=uac", "timer"],
		["the UAC knows no timers: the UAS refreshes, and requires nothing", undefined, timer("always", 300), "300;refresher=uas", undefined],
		["shorter than asked is allowed", timer("always", 3600), timer("always", 300), "300;refresher=uac", "timer"],
		["longer than asked is not", timer("always", 200), timer("always", 300), "200;refresher=uac", "timer"],
		["off: none", timer("always", 600), timer("off"), undefined, undefined],
	])("table 2: %s", (_, a, b, expires, require) => {
		const two = answered(a, b);
		expect([two.expires, two.require]).toEqual([expires, require]);
	});

	it("a re-INVITE that says nothing of timers, from a peer that has them, leaves the one that runs as it is", () => {
		const timerOf = new SessionTimer(timer("accept"));
		const request = (lines: [string, string][]): SipRequest => ({
			kind: "request",
			method: "INVITE",
			uri: "sip:us@192.0.2.2",
			headers: lines.map(([name, value]) => field(name, value)),
			body: new Uint8Array(0),
		});
		timerOf.answer(
			request([
				["Supported", "timer"],
				["Session-Expires", "600;refresher=uas"],
			]),
			0,
		);
		expect(timerOf.next()).toEqual({ what: "refresh", at: 300_000 });
		expect(timerOf.answer(request([["Supported", "timer"]]), 100_000)).toEqual([
			["Session-Expires", "600;refresher=uas"],
			["Require", "timer"],
		]);
		expect(timerOf.next()).toEqual({ what: "refresh", at: 400_000 });
		expect(timerOf.answer(request([]), 200_000)).toEqual([["Session-Expires", "600;refresher=uas"]]);
		const peers = new SessionTimer(timer("accept"));
		peers.answer(
			request([
				["Supported", "timer"],
				["Session-Expires", "600;refresher=uac"],
			]),
			0,
		);
		// §7.2: it has switched the timer off; nobody would refresh
		expect(peers.answer(request([]), 100_000)).toEqual([]);
		expect(peers.next()).toBeUndefined();
	});

	it("§10: as the refresher it refreshes at half time", () => {
		const { clock, net, callee } = talking({ b: timer("always", 300) });
		net.sent.length = 0;
		clock.runFor(151_000);
		expect(named(messages(net.sent))).toEqual(["INVITE", "100 INVITE", "200 INVITE", "ACK"]);
		expect(new TextDecoder().decode(find(messages(net.sent), "INVITE").body)).toBe(ANSWER);
		expect(callee.of("refreshed")).toHaveLength(1);
	});

	it("§9: a re-INVITE and an UPDATE below the call's own minimum get 422 with it, and the timer that runs goes on", () => {
		const clock = new SimClock();
		const net = new SimNet(clock, { delay: [0, 0] });
		const callee = simEndpoint(clock, net, B, { allow: ["UPDATE"], supported: ["timer"], sessionTimer: timer("accept") });
		const request = (method: string, cseq: number, seconds: number, toTag = ""): Uint8Array =>
			utf8Encode(
				`${method} sip:b@192.0.2.2 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK${cseq}${method}\r\nFrom: <sip:a@192.0.2.1>;tag=a\r\nTo: <sip:b@192.0.2.2>${toTag}\r\nCall-ID: c\r\nCSeq: ${cseq} ${method}\r\nContact: <sip:a@192.0.2.1>\r\nSupported: timer\r\nSession-Expires: ${seconds}\r\nContent-Length: 0\r\n\r\n`,
			);
		const receive = (bytes: Uint8Array): void => callee.handle({ kind: "received", bytes, remote: A });
		receive(request("INVITE", 1, 600));
		const [event] = callee.of("incoming");
		callee.handle({ kind: "accept", leg: event?.leg ?? "", body: sdp(ANSWER), sessionTimer: timer("accept", 1800, 300) });
		const toTag = `;tag=${event?.localTag}`;
		receive(request("ACK", 1, 600, toTag));
		for (const [index, method] of ["INVITE", "UPDATE"].entries()) {
			receive(request(method, 2 + index, 120, toTag));
			const answer = messages(net.sent).at(-1);
			expect(answer && [named([answer])[0], header(answer, "min-se")]).toEqual([`422 ${method}`, "300"]);
		}
		expect(callee.of("reinvite")).toEqual([]);
		clock.runFor(567_999);
		expect(named(messages(net.sent))).not.toContain("BYE");
		clock.runFor(2);
		expect(named(messages(net.sent))).toContain("BYE");
	});

	it("§9: a UAC that has not said to know the extension gets no 422", () => {
		const clock = new SimClock();
		const net = new SimNet(clock, { delay: [0, 0] });
		const callee = simEndpoint(clock, net, B, { sessionTimer: timer("accept"), supported: ["timer"] });
		const invite = (headerLines: string): string =>
			`INVITE sip:b@192.0.2.2 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK${headerLines.length}\r\nFrom: <sip:a@x.test>;tag=${headerLines.length}\r\nTo: <sip:b@x.test>\r\nCall-ID: c${headerLines.length}\r\nCSeq: 1 INVITE\r\nContact: <sip:a@192.0.2.1>\r\n${headerLines}\r\n`;
		callee.handle({ kind: "received", bytes: utf8Encode(invite("x: 30\r\n")), remote: A });
		expect(callee.of("incoming")).toHaveLength(1);
		callee.handle({ kind: "received", bytes: utf8Encode(invite("x: 30\r\nk: timer\r\n")), remote: A });
		expect(callee.of("incoming")).toHaveLength(1);
		expect(named(messages(net.sent)).at(-1)).toBe("422 INVITE");
	});
});

describe("the end of a session that nobody refreshes (RFC 4028 §10)", () => {
	it("the side that does not refresh sends BYE 32 s before the end, and says why (RFC 3326)", () => {
		const { clock, net, callee } = talking({ a: timer("always", 600), b: timer("accept") });
		net.filter = () => false;
		net.sent.length = 0;
		const ofCallee = (): SipMessage[] => messages(net.sent.filter(({ from }) => from.port === B.port));
		clock.runFor(567_000);
		expect(ofCallee()).toEqual([]);
		clock.runFor(1_500);
		expect(header(find(ofCallee(), "BYE"), "reason")).toBe('SIP ;cause=408 ;text="Session timer expired"');
		clock.runFor(40_000);
		expect(callee.of("ended")).toMatchObject([{ by: "local", cause: "session-expired" }]);
	});

	it("the refresher whose refresh nobody answers ends it too (RFC 3261 §12.2.1.2)", () => {
		const { clock, net, caller } = talking({ a: timer("always", 600), b: timer("accept") });
		net.filter = () => false;
		clock.runFor(300_000 + 32_000 + 33_000);
		expect(caller.of("ended")).toMatchObject([{ by: "local", cause: "gone" }]);
		clock.runFor(100_000);
		expect(caller.machine.stats()).toEqual({ transactions: 0, dialogs: 0, legs: 0, unanswered: 0, timers: 0 });
	});

	it("one third of the interval, when that is less", () => {
		const { clock, net, callee } = talking({ a: timer("always", 90), b: timer("accept") });
		net.filter = () => false;
		net.sent.length = 0;
		clock.runFor(59_000);
		const ofCallee = (): string[] => named(messages(net.sent.filter(({ from }) => from.port === B.port)));
		expect(ofCallee()).toEqual([]);
		clock.runFor(1_500);
		expect(ofCallee()[0]).toBe("BYE");
		clock.runFor(40_000);
		expect(callee.of("ended")).toMatchObject([{ cause: "session-expired" }]);
	});

	it("a refresh by the peer starts the time anew", () => {
		const { clock, caller, callee } = talking({ a: timer("always", 600), b: timer("accept") });
		clock.runFor(3 * 3_600_000);
		expect([...caller.of("ended"), ...callee.of("ended")]).toEqual([]);
		expect(caller.of("refreshed")).toHaveLength(36);
	});

	it("a refresh that gets 481 ends the call (RFC 3261 §12.2.1.2)", () => {
		const { clock, net, caller } = talking({ a: timer("always", 600), b: timer("accept") });
		// The peer was started anew meanwhile and knows nothing of the call.
		simEndpoint(clock, net, B);
		clock.runFor(301_000);
		expect(caller.of("ended")).toMatchObject([{ by: "local", cause: "gone" }]);
	});
});

describe("glare (RFC 3261 §14.1, §14.2)", () => {
	it("a refresh that meets the peer's re-INVITE comes again after the wait of its side", () => {
		const { clock, net, caller, callee, leg } = talking({ a: timer("always", 600), b: timer("accept"), delay: 50 });
		clock.runFor(299_900);
		net.sent.length = 0;
		callee.handle({ kind: "request", leg, transaction: "own", method: "INVITE", body: sdp(ANSWER) });
		clock.runFor(1_000);
		const all = named(messages(net.sent));
		expect(all.filter((name) => name === "491 INVITE").length).toBeGreaterThan(0);
		expect(caller.of("refreshed")).toHaveLength(0);
		clock.runFor(4_000);
		expect(caller.of("refreshed")).toHaveLength(1);
	});

	it("the driver is told how long to wait: the owner of the Call-ID 2.1 to 4 s, the other up to 2 s", () => {
		for (let round = 0; round < 20; round++) {
			const { clock, caller, callee, leg } = talking({ delay: 50 });
			caller.handle({ kind: "request", leg: "out", transaction: "1", method: "INVITE", body: sdp(OFFER) });
			callee.handle({ kind: "request", leg, transaction: "2", method: "INVITE", body: sdp(ANSWER) });
			clock.runFor(1_000);
			const [mine, theirs] = [caller.of("in-dialog-response")[0], callee.of("in-dialog-response")[0]];
			expect([mine?.response?.status, theirs?.response?.status]).toEqual([491, 491]);
			expect(mine?.retryAfter).toBeGreaterThanOrEqual(2_100);
			expect(mine?.retryAfter).toBeLessThanOrEqual(4_000);
			expect(theirs?.retryAfter).toBeGreaterThanOrEqual(0);
			expect(theirs?.retryAfter).toBeLessThanOrEqual(2_000);
			expect((mine?.retryAfter ?? 1) % 10).toBe(0);
		}
	});

	it("§14.1: no INVITE leaves while another is in progress", () => {
		const { clock, net, caller } = talking({ delay: 50 });
		net.sent.length = 0;
		caller.handle({ kind: "request", leg: "out", transaction: "1", method: "INVITE", body: sdp(OFFER) });
		caller.handle({ kind: "request", leg: "out", transaction: "2", method: "INVITE", body: sdp(OFFER) });
		clock.runFor(1_000);
		expect(named(messages(net.sent)).filter((name) => name === "INVITE")).toHaveLength(1);
		expect(caller.of("in-dialog-response").map(({ transaction, cause }) => [transaction, cause])).toEqual([
			["2", "glare"],
			["1", undefined],
		]);
	});
});

describe("an hour on a bad network", () => {
	it.each([1, 2, 3])(
		"seed %i: at 10 % loss, with the shortest interval and either refresher, no call is lost and nothing is left",
		(seed) => {
			const clock = new SimClock();
			const net = new SimNet(clock, { seed, loss: 0.1, duplicate: 0.05, delay: [5, 80] });
			const sessionTimer = timer("always", 90);
			const caller = simEndpoint(clock, net, A, { sessionTimer, supported: ["timer"] });
			// one in two knows no timers: the caller refreshes alone
			const callee = simEndpoint(clock, net, B, seed === 2 ? {} : { sessionTimer, supported: ["timer"] });
			for (const host of [caller, callee]) {
				host.onEvent = (event) => {
					if (event.type === "reinvite") host.handle({ kind: "accept", leg: event.leg, transaction: event.transaction, body: sdp(ANSWER) });
					if (event.type === "incoming") host.handle({ kind: "accept", leg: event.leg, body: sdp(ANSWER) });
				};
			}
			const calls = 20;
			for (let i = 0; i < calls; i++) caller.handle({ ...(call() as Extract<SipInput, { kind: "call" }>), leg: `${i}` });
			clock.runFor(3_600_000);
			expect(caller.of("answered")).toHaveLength(calls);
			expect([...caller.of("ended"), ...callee.of("ended"), ...caller.of("failed")]).toEqual([]);
			expect(caller.of("refreshed").length).toBeGreaterThan(calls * 70);
			for (let i = 0; i < calls; i++) caller.handle({ kind: "bye", leg: `${i}` });
			clock.runUntilIdle(120_000);
			for (const host of [caller, callee])
				expect(host.machine.stats()).toMatchObject({ transactions: 0, dialogs: 0, legs: 0, unanswered: 0, timers: 0 });
		},
	);
});
