import { type RegistrarOptions, seededRandom, SimClock, type SimHost, simEndpoint, SimNet, TestRegistrar } from "@trunkline/testkit";
import { beforeEach, describe, expect, it, test } from "vitest";
import type { Address, RegisterOptions, RegistrationEvent } from "../endpoint-types.ts";
import { header } from "../message/headers.ts";
import { backOff, refreshAfter } from "./schedule.ts";

const OURS: Address = { host: "192.0.2.10", port: 5060, transport: "UDP" };
const REGISTRAR: Address = { host: "198.51.100.1", port: 5060, transport: "UDP" };
const OTHER: Address = { host: "198.51.100.2", port: 5060, transport: "UDP" };

let clock: SimClock;
let net: SimNet;
let registrar: TestRegistrar;
let ours: SimHost;

beforeEach(() => {
	clock = new SimClock(1_000_000);
	net = new SimNet(clock);
	ours = simEndpoint(clock, net, OURS);
});

function serve(options: RegistrarOptions = {}, at = REGISTRAR): void {
	registrar = new TestRegistrar(options);
	net.bind(at, ({ bytes, from }) => {
		const answer = registrar.answer(bytes, from);
		if (answer !== undefined) net.send(at, from, answer);
	});
}

const options = (changes: Partial<RegisterOptions> = {}): RegisterOptions => ({
	registrar: "sip:carrier.example",
	aor: "sip:alice@carrier.example",
	user: "alice",
	expiresSeconds: 600,
	auth: { username: "alice", password: "secret" },
	...changes,
});

const register = (changes: Partial<RegisterOptions> = {}, target = REGISTRAR): void =>
	ours.handle({ kind: "register", registration: "r", target, options: options(changes) });
const told = (): RegistrationEvent[] => ours.of("registration");
const headers = (name: string) => registrar.requests.map((request) => header(request, name));
const CONTACT = "sip:alice@192.0.2.10:5060";

describe("RFC 3261 §10.2: REGISTER", () => {
	it("goes to the domain, with the address of record in To and From, a Contact and what is served", () => {
		serve();
		register();
		clock.runFor(100);
		const [request] = registrar.requests;
		expect(request?.uri).toBe("sip:carrier.example");
		expect(headers("to")).toEqual(["<sip:alice@carrier.example>"]);
		expect(headers("from")[0]).toMatch(/^<sip:alice@carrier\.example>;tag=/);
		expect(headers("contact")).toEqual([`<${CONTACT}>;expires=600`]);
		expect(headers("cseq")).toEqual(["1 REGISTER"]);
		expect(told()).toMatchObject([{ state: "registered", contact: CONTACT, until: 1_000_002 + 600_000 }]);
	});

	it("§10.2.7, §22: 401 is answered with credentials, with the same Call-ID and a CSeq that goes up", () => {
		serve({ user: "alice", password: "secret" });
		register();
		clock.runFor(100);
		expect(told()).toMatchObject([{ state: "registered" }]);
		expect(new Set(headers("call-id")).size).toBe(1);
		expect(headers("cseq")).toEqual(["1 REGISTER", "2 REGISTER"]);
		expect([...(registrar.bindings.get("sip:alice@carrier.example") ?? [])]).toEqual([[CONTACT, 600]]);
	});

	it("refused credentials are not sent again and again: tried anew after a quarter of an hour at the earliest", () => {
		serve({ user: "alice", password: "another" });
		register();
		clock.runFor(800_000);
		expect(registrar.requests).toHaveLength(2);
		expect(told()).toMatchObject([{ state: "failed", cause: "auth", status: 401, message: "credentials refused", until: 0 }]);
	});

	it("§10.2.8: 423 is met with the Min-Expires it names", () => {
		serve({ minExpires: 1800 });
		register();
		clock.runFor(100);
		expect(headers("expires")).toEqual(["600", "1800"]);
		expect(told()).toMatchObject([{ state: "registered", until: 1_000_004 + 1_800_000 }]);
	});

	test.each(["0", "600", "999999999", "soon"])("a 423 with Min-Expires %s leads nowhere: no loop", (least) => {
		serve({ refuse: { status: 423, headers: [["Min-Expires", least]] } });
		register();
		clock.runFor(100);
		expect(registrar.requests).toHaveLength(1);
		expect(told()).toMatchObject([{ state: "failed", cause: "status", status: 423 }]);
	});

	it("a registrar that asks for more each time is not followed for ever", () => {
		serve({ minExpires: 700 });
		net.bind(REGISTRAR, ({ bytes, from }) => {
			const answer = registrar.answer(bytes, from);
			registrar.options = { minExpires: (registrar.options.minExpires ?? 0) + 100 };
			if (answer !== undefined) net.send(REGISTRAR, from, answer);
		});
		register();
		clock.runFor(100);
		expect(headers("expires")).toEqual(["600", "700", "800"]);
		expect(told()).toMatchObject([{ state: "failed", status: 423 }]);
	});

	it("§10.2.4: the time is that of our own Contact in the 200, and the refresh comes before it is over", () => {
		serve({ grants: 120 });
		register();
		clock.runFor(100);
		expect(told()).toMatchObject([{ state: "registered", until: 1_000_002 + 120_000 }]);
		clock.runFor(70_000);
		expect(registrar.requests).toHaveLength(1);
		clock.runFor(15_000);
		expect(registrar.requests).toHaveLength(2);
		clock.runFor(3_600_000);
		expect(told().every(({ state }) => state === "registered")).toBe(true);
		// RFC 3261 §10.2: one Call-ID for all
		expect(new Set(headers("call-id")).size).toBe(1);
	});

	it("§10.2.2: unregister takes away our own binding, and nothing goes on", () => {
		serve({ user: "alice", password: "secret" });
		register();
		clock.runFor(100);
		ours.handle({ kind: "unregister", registration: "r" });
		clock.runFor(100);
		expect(registrar.contacts()).toEqual([]);
		expect(headers("contact").at(-1)).toBe(`<${CONTACT}>;expires=0`);
		expect(told().at(-1)).toMatchObject({ state: "unregistered" });
		const sent = registrar.requests.length;
		clock.runUntilIdle(100_000);
		expect(registrar.requests).toHaveLength(sent);
	});

	it("unregister while nothing was ever bound is over at once, and while REGISTER is out takes back what may be bound", () => {
		serve({ refuse: { status: 403 } });
		register();
		clock.runFor(100);
		ours.handle({ kind: "unregister", registration: "r" });
		expect(told().at(-1)).toMatchObject({ state: "unregistered" });
		expect(registrar.requests).toHaveLength(1);
		serve();
		register();
		ours.handle({ kind: "unregister", registration: "r" });
		clock.runFor(100);
		expect(headers("expires")).toEqual(["600", "0"]);
		expect(registrar.contacts()).toEqual([]);
		clock.runUntilIdle(100_000);
	});
});

describe("RFC 3581: where the registrar sees us", () => {
	it("behind a NAT the Contact becomes the address it sees, and the binding is kept open", () => {
		serve({ sees: () => ({ host: "203.0.113.7", port: 40_001 }) });
		register();
		clock.runFor(100);
		expect(headers("contact")).toEqual([`<${CONTACT}>;expires=600`, "<sip:alice@203.0.113.7:40001>;expires=600"]);
		expect(told()).toMatchObject([{ state: "registered", contact: "sip:alice@203.0.113.7:40001" }]);
		const before = net.sent.length;
		clock.runFor(101_000);
		expect(net.sent.slice(before).map(({ bytes }) => [...bytes])).toEqual(Array.from({ length: 4 }, () => [13, 10, 13, 10]));
	});

	it("a NAT that gives another port each time is not chased for ever", () => {
		let port = 40_000;
		serve({ sees: () => ({ host: "203.0.113.7", port: port++ }) });
		register();
		clock.runFor(100);
		expect(registrar.requests).toHaveLength(4);
		expect(told()).toMatchObject([{ state: "registered" }]);
	});

	it("without NAT nothing but REGISTER is sent", () => {
		serve();
		register();
		clock.runFor(300_000);
		expect(net.sent.filter(({ from }) => from.host === OURS.host)).toHaveLength(1);
	});
});

describe("failures", () => {
	it("nobody there: told after 32 s, due after the back-off, and then at the target that was given", () => {
		register();
		clock.runFor(31_999);
		expect(told()).toEqual([]);
		clock.runFor(1);
		expect(told()).toMatchObject([{ state: "failed", cause: "timeout", message: "the registrar does not answer" }]);
		clock.runFor(60_000);
		expect(told().at(-1)).toMatchObject({ state: "due" });
		serve({}, OTHER);
		register({}, OTHER);
		clock.runFor(100);
		expect(told().at(-1)).toMatchObject({ state: "registered" });
	});

	it("503 with Retry-After: not before", () => {
		serve({ refuse: { status: 503, headers: [["Retry-After", "400"]] } });
		register();
		clock.runFor(100);
		expect(told()).toMatchObject([{ state: "failed", status: 503, retryAt: 1_000_002 + 400_000 }]);
		clock.runFor(399_000);
		expect(told()).toHaveLength(1);
		clock.runFor(2_000);
		expect(told()[1]).toMatchObject({ state: "due" });
	});

	it("a refresh that fails says until when the binding from before holds", () => {
		serve({ grants: 200 });
		register();
		clock.runFor(100);
		const [bound] = told();
		net.filter = () => false;
		clock.runFor(199_000);
		expect(told()[1]).toMatchObject({ state: "failed", until: bound?.state === "registered" ? bound.until : undefined });
		expect(told()[1]).toMatchObject({ until: 1_200_002 });
	});

	it("RFC 5626 §4.5: a connection that is lost is replaced after 15 to 30 s; a lost datagram is no lost flow", () => {
		const tcp: Address = { ...REGISTRAR, transport: "TCP" };
		const byTcp: Address = { ...OURS, transport: "TCP" };
		registrar = new TestRegistrar();
		net.bind(tcp, ({ bytes }) => {
			const answer = registrar.answer(bytes, byTcp);
			if (answer !== undefined) net.send(tcp, OURS, answer);
		});
		register({}, tcp);
		clock.runFor(100);
		expect(told()).toMatchObject([{ state: "registered" }]);
		ours.handle({ kind: "transport-error", remote: { ...tcp, port: 5070 }, message: "reset" });
		ours.handle({ kind: "transport-error", remote: REGISTRAR, message: "ICMP" });
		expect(told()).toHaveLength(1);
		ours.handle({ kind: "transport-error", remote: tcp, message: "reset" });
		expect(told()[1]).toMatchObject({ state: "failed", cause: "transport", message: "the connection to the registrar was lost: reset" });
		clock.runFor(14_900);
		expect(told()).toHaveLength(2);
		clock.runFor(15_100);
		expect(told()[2]).toMatchObject({ state: "due" });
		register({}, tcp);
		clock.runFor(100);
		expect(told().at(-1)).toMatchObject({ state: "registered" });
	});

	it("RFC 5626 §4.5: the wait doubles from 30 s to half an hour, half of it by chance", () => {
		expect([1, 2, 3].map((failures) => backOff(failures, 1))).toEqual([60_000, 120_000, 240_000]);
		expect(backOff(1, 0)).toBe(30_000);
		expect([backOff(6, 1), backOff(50, 1), backOff(50, 0)]).toEqual([1_800_000, 1_800_000, 900_000]);
	});

	it("a refresh is over before the binding is, whatever was granted, and floods nobody", () => {
		const random = seededRandom(3);
		for (const granted of [60, 90, 120, 600, 3_600, 86_400]) {
			for (let i = 0; i < 100; i++) {
				const after = refreshAfter(granted * 1_000, random());
				expect(after).toBeLessThanOrEqual(granted * 900);
				expect(after).toBeGreaterThanOrEqual(granted * 450);
				if (granted >= 120) expect(granted * 1_000 - after).toBeGreaterThanOrEqual(40_000);
			}
		}
		expect(refreshAfter(1_000, 0)).toBe(15_000);
	});
});
