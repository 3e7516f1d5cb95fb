import type { Address } from "@trunkline/sip";
import { captureLogs, nodeHashes, seededBytes, seededRandom, SimClock, simEndpoint, SimNet } from "@trunkline/testkit";
import { beforeEach, describe, expect, it, test } from "vitest";
import { type InviteRouting, type OutgoingInvite, type SipLeg, type SipLegEvent, UnreachableError } from "../call/ports.ts";
import { SipUserAgent } from "./user-agent.ts";

const OURS: Address = { host: "192.0.2.10", port: 5060, transport: "UDP" };
const [A, B, C]: [Address, Address, Address] = [target("198.51.100.1"), target("198.51.100.2"), target("198.51.100.3")];
const SDP = "v=0\r\n";
const body = { contentType: "application/sdp", bytes: new TextEncoder().encode(SDP) };

let clock: SimClock;
let net: SimNet;
let userAgent: SipUserAgent;
let events: SipLegEvent[];
let resolved: Record<string, readonly Address[]>;

function target(host: string): Address {
	return { host, port: 5060, transport: "UDP" };
}

beforeEach(() => {
	clock = new SimClock(1_000_000);
	net = new SimNet(clock);
	events = [];
	resolved = { "carrier.example": [A, B] };
	userAgent = new SipUserAgent({
		endpoint: {
			userAgent: "Trunkline",
			contact: { host: OURS.host, port: OURS.port },
			random: seededBytes(seededRandom(5)),
			hashes: nodeHashes,
		},
		clock,
		resolve: async ({ host }) => {
			const targets = resolved[host];
			if (targets === undefined) throw new UnreachableError(`the name ${host} cannot be resolved`);
			return targets;
		},
		send: (bytes, to) => net.send(OURS, to, bytes),
		onInvite: () => () => {},
		refusal: () => undefined,
		log: captureLogs(),
	});
	net.bind(OURS, (packet) => userAgent.received(packet.bytes, packet.from));
});

const invite: OutgoingInvite = {
	callId: "SCL_1",
	localTag: "SCL_1",
	requestUri: "sip:+15550199@carrier.example",
	from: { uri: "sip:+15550100@192.0.2.10" },
	to: { uri: "sip:+15550199@carrier.example" },
	headers: [],
	sdp: SDP,
};

const call = (routing?: InviteRouting): Promise<SipLeg> =>
	userAgent.invite("carrier.example", "UDP", { ...invite, ...(routing && { routing }) }, (event) => void events.push(event));

/** A carrier's edge that answers every INVITE so. */
function edge(address: Address, ...answers: (number | readonly [status: number, name: string, value: string])[]) {
	const host = simEndpoint(clock, net, address);
	host.onEvent = (event) => {
		if (event.type !== "incoming") return;
		for (const answer of answers) {
			const [status, ...field] = typeof answer === "number" ? [answer] : answer;
			const headers = field.length === 2 ? [[field[0], field[1]] as const] : [];
			if (status < 200) host.handle({ kind: "ring", leg: event.leg, status });
			else if (status < 300) host.handle({ kind: "accept", leg: event.leg, body });
			else host.handle({ kind: "reject", leg: event.leg, status, headers });
		}
	};
	return host;
}

const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const sentTo = (to: Address, method = "INVITE"): string[] =>
	net.sent
		.filter((packet) => packet.to.host === to.host && textOf(packet.bytes).startsWith(`${method} `))
		.map(({ bytes }) => textOf(bytes));
const attempts = () => events.flatMap((event) => (event.type === "attempt" ? [[event.target, event.outcome]] : []));
const last = () => events.at(-1);
const headerIn = (message: string | undefined, name: string) => new RegExp(`^${name}: (.*)\r$`, "m").exec(message ?? "")?.[1];

/** Nothing is kept of all that. */
function expectIdle(): void {
	clock.runUntilIdle(200_000);
	expect(userAgent.stats()).toEqual({ transactions: 0, dialogs: 0, legs: 0, unanswered: 0, timers: 0 });
}

describe("RFC 3263 §4.3: the next target", () => {
	it("503: a new transaction with a new branch, the same Call-ID and a higher CSeq; the answer is the call's", async () => {
		edge(A, 503);
		const second = edge(B, 180, 200);
		const leg = await call();
		clock.runFor(50);
		expect(events.map(({ type }) => type)).toEqual(["provisional", "attempt", "provisional", "attempt", "provisional", "answered"]);
		expect(attempts()).toEqual([
			["UDP 198.51.100.1:5060", "503 Service Unavailable"],
			["UDP 198.51.100.2:5060", "took the call"],
		]);
		expect(last()).toMatchObject({ source: B.host, sipCallId: "SCL_1" });
		const [first, next] = [sentTo(A)[0], sentTo(B)[0]];
		expect(headerIn(next, "Call-ID")).toBe(headerIn(first, "Call-ID"));
		expect([headerIn(first, "CSeq"), headerIn(next, "CSeq")]).toEqual(["1 INVITE", "11 INVITE"]);
		expect(headerIn(next, "Via")).not.toBe(headerIn(first, "Via"));
		leg.bye();
		clock.runFor(50);
		expect(second.of("ended")).toMatchObject([{ by: "remote" }]);
		expect(last()?.type).toBe("bye-done");
		expectIdle();
	});

	it("no answer at all for 4 s: the next one is tried, the first gets no more INVITEs", async () => {
		edge(B, 200);
		await call();
		clock.runFor(3_999);
		expect(sentTo(B)).toHaveLength(0);
		clock.runFor(51);
		expect(attempts()[0]).toEqual(["UDP 198.51.100.1:5060", "no answer within 4000 ms"]);
		expect(last()?.type).toBe("answered");
		const before = sentTo(A).length;
		clock.runFor(40_000);
		expect(sentTo(A)).toHaveLength(before);
		expect(events.filter(({ type }) => type === "failed")).toEqual([]);
	});

	it("the first one wakes up late: it is cancelled or hung up, never a second call", async () => {
		const first = simEndpoint(clock, net, A);
		edge(B, 200);
		net.filter = ({ from }) => from.host !== A.host || clock.now() > 1_004_500;
		first.onEvent = (event) => {
			if (event.type === "incoming") first.handle({ kind: "ring", leg: event.leg, status: 180 });
		};
		await call();
		clock.runFor(10_000);
		expect(last()?.type).toBe("answered");
		// What it says from 4.5 s on is a repeated 180 or 200.
		const [{ leg } = { leg: "" }] = first.of("incoming");
		first.handle({ kind: "accept", leg, body });
		clock.runFor(1_000);
		expect(sentTo(A, "ACK")).toHaveLength(1);
		expect(first.of("ended")).toMatchObject([{ by: "remote" }]);
		expect(events.filter(({ type }) => type === "answered")).toHaveLength(1);
	});

	it("a transport error: the next one at once", async () => {
		edge(B, 200);
		await call();
		userAgent.unreachable(A, "ECONNREFUSED");
		clock.runFor(50);
		expect(attempts()[0]).toEqual(["UDP 198.51.100.1:5060", "ECONNREFUSED"]);
		expect(last()?.type).toBe("answered");
	});

	test.each([404, 480, 486, 487, 500, 603])("%i is the answer: nobody else is called", async (status) => {
		edge(A, status);
		edge(B, 200);
		await call();
		clock.runFor(40_000);
		expect(sentTo(B)).toHaveLength(0);
		expect(last()).toMatchObject({ type: "failed", status });
		expectIdle();
	});

	test.each([486, 603, 404])("%i is the answer even where the profile names it", async (status) => {
		edge(A, status);
		await call({ failoverStatuses: [status, 480] });
		clock.runFor(50);
		expect(sentTo(B)).toHaveLength(0);
	});

	it("codes that the provider's profile names lead on", async () => {
		edge(A, 480);
		edge(B, 200);
		await call({ failoverStatuses: [480] });
		clock.runFor(50);
		expect(last()?.type).toBe("answered");
	});

	it("a target that rang is not left for another, not even with 503; one that said 100 is not for its silence", async () => {
		edge(A, 180, 503);
		await call();
		clock.runFor(50);
		expect(last()).toMatchObject({ type: "failed", status: 503 });
		expect(sentTo(B)).toHaveLength(0);
		events = [];
		resolved["carrier.example"] = [C, B];
		// Sends its 100 and says nothing else.
		simEndpoint(clock, net, C);
		await call();
		clock.runFor(60_000);
		expect(events.map(({ type }) => type)).toEqual(["provisional"]);
		expect(sentTo(B)).toHaveLength(0);
	});

	it("cancelled between the targets: nobody is called any more", async () => {
		const leg = await call();
		clock.runFor(1_000);
		leg.cancel();
		clock.runFor(40_000);
		expect(sentTo(B)).toHaveLength(0);
		expect(last()).toMatchObject({ type: "failed", cause: "cancelled" });
		expectIdle();
	});

	it("cancelled at the second: the CANCEL goes there", async () => {
		edge(A, 503);
		const second = edge(B, 180);
		const leg = await call();
		clock.runFor(50);
		leg.cancel();
		clock.runFor(50);
		expect(second.of("cancelled")).toHaveLength(1);
		expect(last()).toMatchObject({ type: "failed", cause: "cancelled", status: 487 });
		expectIdle();
	});

	it("nobody is left: the last answer, with what came before", async () => {
		edge(A, 503);
		edge(B, 503);
		await call();
		clock.runFor(50);
		expect(last()).toMatchObject({
			type: "failed",
			status: 503,
			message: "Service Unavailable (before: UDP 198.51.100.1:5060: 503 Service Unavailable)",
		});
		expect(attempts().map(([to]) => to)).toEqual(["UDP 198.51.100.1:5060", "UDP 198.51.100.2:5060"]);
		expectIdle();
	});

	it("what failed is tried last, for as long as Retry-After says, or 30 s", async () => {
		const first = edge(A, [503, "Retry-After", "120 (overload)"]);
		edge(B, 486);
		await call();
		clock.runFor(1_000);
		expect(first.of("incoming")).toHaveLength(1);
		clock.runFor(118_000);
		await call();
		clock.runFor(100);
		expect(first.of("incoming")).toHaveLength(1);
		clock.runFor(2_000);
		await call();
		clock.runFor(100);
		expect(first.of("incoming")).toHaveLength(2);
	});
});

describe("a carrier that has several addresses", () => {
	const byeFrom = (from: Address): void => {
		const [invite] = sentTo(A);
		const tag = events.flatMap((event) => (event.type === "answered" ? [event.remoteTag] : []))[0];
		const bye = [
			`BYE sip:us@${OURS.host} SIP/2.0`,
			`Via: SIP/2.0/UDP ${from.host}:5060;branch=z9hG4bKbye`,
			`From: ${headerIn(invite, "To")};tag=${tag}`,
			`To: ${headerIn(invite, "From")}`,
			`Call-ID: ${headerIn(invite, "Call-ID")}`,
			"CSeq: 1 BYE",
			"Content-Length: 0",
			"",
			"",
		].join("\r\n");
		net.send(from, OURS, new TextEncoder().encode(bye));
		clock.runFor(50);
	};

	it("may hang up from any of those that the trunk's name has, and from no other", async () => {
		edge(A, 200);
		await call();
		clock.runFor(50);
		byeFrom(C);
		expect(last()?.type).toBe("answered");
		byeFrom(B);
		expect(last()?.type).toBe("bye");
		expectIdle();
	});
});

describe("RFC 3261 §8.1.3.4: a 3xx", () => {
	const follow = (changes: Partial<NonNullable<InviteRouting["redirects"]>> = {}): InviteRouting => ({
		redirects: { hosts: ["carrier.example", "*.elsewhere.example"], mayCall: async () => undefined, ...changes },
	});
	const settle = async (ms = 50): Promise<void> => {
		for (let i = 0; i < 10; i++) {
			clock.runFor(ms / 10);
			for (let turn = 0; turn < 8; turn++) await Promise.resolve();
		}
	};

	it("ends the call with the setting that would allow it, unless the trunk follows", async () => {
		edge(A, [302, "Contact", "<sip:+15550177@edge.elsewhere.example>"]);
		await call();
		clock.runFor(50);
		expect(last()).toMatchObject({
			type: "failed",
			status: 302,
			message: "redirected to edge.elsewhere.example (302 Moved Temporarily); the trunk's setting followRedirects is off",
		});
		expectIdle();
	});

	it("goes to the Contacts by q, with the Contact as Request-URI and To as it was", async () => {
		resolved["edge.elsewhere.example"] = [C];
		edge(A, [
			302,
			"Contact",
			"<sip:no@not.allowed.example>;q=0.9, <sip:low@other.elsewhere.example>;q=0.1, <sip:+15550177@edge.elsewhere.example>;q=0.5",
		]);
		const third = edge(C, 180, 200);
		const leg = await call(follow());
		await settle();
		expect(last()).toMatchObject({ type: "answered", source: C.host });
		const request = third.of("incoming")[0]?.request;
		expect(request?.uri).toBe("sip:+15550177@edge.elsewhere.example");
		expect(request?.headers.find(({ key }) => key === "to")?.value).toBe("<sip:+15550199@carrier.example>");
		leg.bye();
		await settle();
		expectIdle();
	});

	it("after the telephone rang (forwarded when nobody answers), and on to the Contact's next target", async () => {
		resolved["edge.elsewhere.example"] = [B, C];
		edge(A, 180, [302, "Contact", "<sip:a@edge.elsewhere.example>"]);
		edge(B, 503);
		edge(C, 200);
		await call(follow());
		await settle();
		expect(last()).toMatchObject({ type: "answered", source: C.host });
		expect(attempts().map(([, outcome]) => outcome)).toEqual(["302 Moved Temporarily", "503 Service Unavailable", "took the call"]);
	});

	it("only to addresses of the IP family that the call's media has", async () => {
		const sdp = "v=0\r\nc=IN IP4 192.0.2.10\r\n";
		const callIt = (callId: string) =>
			userAgent.invite("carrier.example", "UDP", { ...invite, callId, sdp, routing: follow() }, (event) => void events.push(event));
		resolved["edge.elsewhere.example"] = [target("2001:db8::7"), C];
		edge(A, [302, "Contact", "<sip:a@edge.elsewhere.example>"]);
		edge(C, 200);
		await callIt("SCL_1");
		await settle();
		expect(last()).toMatchObject({ type: "answered", source: C.host });
		resolved["edge.elsewhere.example"] = [target("2001:db8::7")];
		await callIt("SCL_2");
		await settle();
		expect(last()).toMatchObject({ type: "failed", message: expect.stringContaining("no address of the IP family") });
	});

	it("never further than five times, and never in a circle", async () => {
		resolved["edge.elsewhere.example"] = [C];
		edge(A, [302, "Contact", "<sip:a@edge.elsewhere.example>"]);
		edge(C, [302, "Contact", "<sip:a@edge.elsewhere.example>"]);
		await call(follow());
		await settle();
		expect(last()).toMatchObject({ type: "failed", message: expect.stringContaining("it leads back to where the call was") });
		let hops = 0;
		const endless = simEndpoint(clock, net, B);
		resolved["carrier.example"] = [B];
		resolved["edge.elsewhere.example"] = [B];
		endless.onEvent = (event) => {
			hops += event.type === "incoming" ? 1 : 0;
			if (event.type === "incoming")
				endless.handle({ kind: "reject", leg: event.leg, status: 302, headers: [["Contact", `<sip:h${hops}@edge.elsewhere.example>`]] });
		};
		await call(follow());
		await settle(500);
		expect(hops).toBe(6);
		expect(last()).toMatchObject({ type: "failed", message: expect.stringContaining("redirected more than 5 times") });
		expectIdle();
	});

	it("not to where the project may not call, and not away from TLS", async () => {
		resolved["edge.elsewhere.example"] = [C];
		edge(A, [302, "Contact", "<sip:+19005550177@edge.elsewhere.example>"]);
		edge(C, 200);
		const asked: (readonly string[])[] = [];
		const mayCall = async (targets: readonly string[]): Promise<string> => {
			asked.push(targets);
			return "premium numbers may not be called";
		};
		await call(follow({ mayCall }));
		await settle();
		expect(asked).toEqual([["sip:+19005550177@edge.elsewhere.example"]]);
		expect(last()).toMatchObject({ type: "failed", status: 302, message: expect.stringContaining("premium numbers may not be called") });
		expect(sentTo(C)).toHaveLength(0);
	});

	it("cancelled while it is looked up: the call ends at once, and nobody is called", async () => {
		resolved["edge.elsewhere.example"] = [C];
		edge(A, [302, "Contact", "<sip:a@edge.elsewhere.example>"]);
		const asked = Promise.withResolvers<undefined>();
		const leg = await call(follow({ mayCall: () => asked.promise }));
		await settle();
		leg.cancel();
		expect(last()).toMatchObject({ type: "failed", cause: "cancelled" });
		asked.resolve(undefined);
		await settle();
		expect(sentTo(C)).toHaveLength(0);
		expectIdle();
	});
});
