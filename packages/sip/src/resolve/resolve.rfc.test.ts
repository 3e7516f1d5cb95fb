import { describe, expect, it, test } from "vitest";
import type { Address, SipTransport } from "../endpoint-types.ts";
import { DeadTargets } from "./dead-targets.ts";
import { destinationOf, destinationOfUri } from "./destination.ts";
import { AnswerCache, type DnsAnswer, questionKey, type SrvRecord } from "./dns.ts";
import { orderSrv } from "./order.ts";
import { Resolution, type ResolutionOptions } from "./resolution.ts";

const ALL: readonly SipTransport[] = ["UDP", "TCP", "TLS"];
const HOUR = 3_600_000;

type Table = Readonly<Record<string, Omit<DnsAnswer, "ttl">>>;
const a = (...addresses: string[]) => ({ addresses });
const srv = (...records: [priority: number, weight: number, port: number, name: string][]) => ({
	srv: records.map(([priority, weight, port, name]): SrvRecord => ({ priority, weight, port, name })),
});
const naptr = (...records: [order: number, preference: number, service: string, replacement: string][]) => ({
	naptr: records.map(([order, preference, service, replacement]) => ({ order, preference, flags: "s", service, replacement })),
});

/** Runs a resolution against a table; what the table has not is answered with nothing. */
function resolve(
	address: string,
	table: Table,
	changes: Partial<ResolutionOptions> & { transport?: SipTransport } = {},
): { targets: string[]; asked: string[]; failed?: string } {
	const { transport, ...options } = changes;
	const destination = address.startsWith("sip") ? destinationOfUri(address) : destinationOf(address, transport);
	if (destination === undefined) throw new Error("no destination");
	const resolution = new Resolution(destination, { transports: ALL, families: [4], random: () => 0, ...options }, 0);
	const asked: string[] = [];
	for (let output = resolution.pollOutput(); output !== undefined; output = resolution.pollOutput()) {
		if (output.kind === "resolved") return { targets: output.targets.map(text), asked };
		if (output.kind === "failed") return { targets: [], asked, failed: output.message };
		const key = questionKey(output.question);
		asked.push(key);
		resolution.handle({ kind: "answer", question: output.question, answer: { ttl: HOUR, ...table[key] } }, 0);
	}
	throw new Error(`neither resolved nor failed; asked ${asked.join(", ")}`);
}

const text = ({ host, port, transport }: Address): string => `${transport} ${host} ${port}`;

describe("RFC 3263 §4.1: the transport", () => {
	test.each([
		["sip:x@192.0.2.1", "UDP 192.0.2.1 5060"],
		["sips:x@192.0.2.1", "TLS 192.0.2.1 5061"],
		["sip:x@192.0.2.1:5070", "UDP 192.0.2.1 5070"],
		["sip:x@192.0.2.1;transport=tcp", "TCP 192.0.2.1 5060"],
		["sips:x@192.0.2.1;transport=tcp", "TLS 192.0.2.1 5061"],
		["sip:x@192.0.2.1;transport=tls", "TLS 192.0.2.1 5061"],
		["sip:x@[2001:db8::1]", "UDP 2001:db8::1 5060"],
		["192.0.2.1:5099", "UDP 192.0.2.1 5099"],
		["2001:db8::1", "UDP 2001:db8::1 5060"],
	])("%s: a numeric TARGET asks no name service", (uri, target) => {
		expect(resolve(uri, {})).toEqual({ targets: [target], asked: [] });
	});

	it("a port without a transport: UDP for SIP, TLS for SIPS, and addresses only", () => {
		const table = { "A carrier.example": a("192.0.2.7") };
		expect(resolve("carrier.example:5070", table)).toEqual({ targets: ["UDP 192.0.2.7 5070"], asked: ["A carrier.example"] });
		expect(resolve("sips:carrier.example:5070", table).targets).toEqual(["TLS 192.0.2.7 5070"]);
	});

	it("NAPTR by order and preference; services that we lack are discarded", () => {
		const table = {
			"NAPTR carrier.example": naptr(
				[100, 10, "SIP+D2T", "_sip._tcp.carrier.example"],
				[50, 60, "SIP+D2U", "_sip._udp.carrier.example"],
				[50, 50, "SIPS+D2T", "_sips._tcp.carrier.example"],
				[10, 10, "SIP+D2S", "_sip._sctp.carrier.example"],
				[10, 20, "E2U+sip", "x.carrier.example"],
			),
			"SRV _sip._tcp.carrier.example": srv([0, 1, 5060, "tcp.carrier.example"]),
			"SRV _sip._udp.carrier.example": srv([0, 1, 5070, "udp.carrier.example"]),
			"SRV _sips._tcp.carrier.example": srv([0, 1, 5061, "tls.carrier.example"]),
			"A tcp.carrier.example": a("192.0.2.1"),
			"A udp.carrier.example": a("192.0.2.2"),
			"A tls.carrier.example": a("192.0.2.3"),
		};
		expect(resolve("carrier.example", table).targets).toEqual(["TLS 192.0.2.3 5061", "UDP 192.0.2.2 5070", "TCP 192.0.2.1 5060"]);
		expect(resolve("carrier.example", table, { transports: ["UDP"] }).targets).toEqual(["UDP 192.0.2.2 5070"]);
		expect(resolve("sips:carrier.example", table).targets).toEqual(["TLS 192.0.2.3 5061"]);
	});

	it("without NAPTR: SRV for each transport that we have, the preferred first", () => {
		const table = {
			"SRV _sip._udp.carrier.example": srv([0, 0, 5060, "192.0.2.9"]),
			"SRV _sip._tcp.carrier.example": srv([0, 0, 5062, "edge.carrier.example"]),
			"A edge.carrier.example": a("192.0.2.8"),
		};
		const found = resolve("carrier.example", table);
		expect(found.targets).toEqual(["UDP 192.0.2.9 5060", "TCP 192.0.2.8 5062"]);
		expect(found.asked.slice(0, 4)).toEqual([
			"NAPTR carrier.example",
			"SRV _sip._udp.carrier.example",
			"SRV _sip._tcp.carrier.example",
			"SRV _sips._tcp.carrier.example",
		]);
	});

	it("TLS is never left for another transport, whatever the domain offers", () => {
		const table = {
			"NAPTR carrier.example": naptr([1, 1, "SIP+D2U", "_sip._udp.carrier.example"]),
			"SRV _sip._udp.carrier.example": srv([0, 0, 5060, "192.0.2.9"]),
			"A carrier.example": a("192.0.2.7"),
		};
		expect(resolve("carrier.example", table, { transport: "TLS" }).targets).toEqual(["TLS 192.0.2.7 5061"]);
		expect(resolve("sips:carrier.example", table).targets).toEqual(["TLS 192.0.2.7 5061"]);
		expect(resolve("carrier.example", table, { transport: "TLS", transports: ["UDP", "TCP"] })).toEqual({
			targets: [],
			asked: [],
			failed: "SIP over TLS cannot be sent; this node has UDP, TCP only",
		});
	});
});

describe("RFC 3263 §4.2: port and address", () => {
	it("no SRV records: the addresses of the name, at the default port", () => {
		const table = { "A carrier.example": a("192.0.2.7", "192.0.2.8") };
		expect(resolve("carrier.example", table, { transport: "TCP" })).toEqual({
			targets: ["TCP 192.0.2.7 5060", "TCP 192.0.2.8 5060"],
			asked: ["SRV _sip._tcp.carrier.example", "A carrier.example"],
		});
	});

	it("A and AAAA as the node has them, in its order", () => {
		const table = { "A carrier.example": a("192.0.2.7"), "AAAA carrier.example": a("2001:db8::7") };
		expect(resolve("carrier.example:5060", table, { families: [6, 4] }).targets).toEqual(["UDP 2001:db8::7 5060", "UDP 192.0.2.7 5060"]);
		expect(resolve("carrier.example:5060", table, { families: [4] }).asked).toEqual(["A carrier.example"]);
	});

	it("SRV by priority; each server's addresses stay together", () => {
		const table = {
			"SRV _sip._udp.carrier.example": srv([20, 0, 5060, "b.example"], [10, 0, 5080, "a.example"]),
			"A a.example": a("192.0.2.1", "192.0.2.2"),
			"A b.example": a("192.0.2.3"),
		};
		const { targets } = resolve("carrier.example", table, { transport: "UDP" });
		expect(targets).toEqual(["UDP 192.0.2.1 5080", "UDP 192.0.2.2 5080", "UDP 192.0.2.3 5060"]);
	});

	it('RFC 2782: a target of "." means that there is no such service: nothing is sent', () => {
		const table = { "SRV _sip._udp.carrier.example": srv([0, 0, 0, "."]), "A carrier.example": a("192.0.2.7") };
		expect(resolve("carrier.example", table, { transport: "UDP" }).failed).toContain("cannot be resolved");
	});

	it.each(["localhost", "edge.localhost"])("RFC 6761 §6.3: %s is on this machine, so only its address is asked for", (name) => {
		expect(resolve(name, { [`A ${name}`]: a("127.0.0.1") })).toEqual({ targets: ["UDP 127.0.0.1 5060"], asked: [`A ${name}`] });
	});

	it("a name service that fails is said in words", () => {
		const failure = { failure: "ESERVFAIL" };
		const table = { "NAPTR carrier.example": failure, "A carrier.example": failure };
		expect(resolve("carrier.example", table).failed).toBe("the name carrier.example cannot be resolved: ESERVFAIL");
		expect(resolve("carrier.example", {}).failed).toBe(
			"the name carrier.example cannot be resolved: it has no address that this node can reach",
		);
	});

	it("what is not answered in time is done without", () => {
		const destination = destinationOf("carrier.example", undefined);
		if (destination === undefined) throw new Error("no destination");
		const resolution = new Resolution(destination, { transports: ["UDP"], families: [4], random: () => 0, patience: 3_000 }, 1_000);
		expect(resolution.pollOutput()).toEqual({ kind: "query", question: { type: "NAPTR", name: "carrier.example" } });
		expect(resolution.nextTimeout()).toBe(4_000);
		resolution.handleTimeout(3_999);
		expect(resolution.pollOutput()).toBeUndefined();
		resolution.handleTimeout(4_000);
		expect(resolution.pollOutput()).toEqual({
			kind: "failed",
			message: "the name carrier.example cannot be resolved: the name service did not answer in time",
		});
		expect(resolution.nextTimeout()).toBeUndefined();
	});

	it("a zone with too many records costs a bounded number of questions and targets", () => {
		const many = Array.from({ length: 500 }, (_, i): [number, number, number, string] => [i, 0, 5060, `h${i}.example`]);
		const table: Record<string, Omit<DnsAnswer, "ttl">> = { "SRV _sip._udp.carrier.example": srv(...many) };
		for (const [, , , name] of many) table[`A ${name}`] = a(...Array.from({ length: 100 }, (_, i) => `192.0.2.${i}`));
		const { targets, asked } = resolve("carrier.example", table, { transport: "UDP" });
		expect(asked.length).toBeLessThanOrEqual(17);
		expect(targets.length).toBeLessThanOrEqual(24);
	});

	it("records that lead to themselves end", () => {
		const table = {
			"NAPTR carrier.example": naptr([1, 1, "SIP+D2U", "carrier.example"]),
			"SRV carrier.example": srv([0, 0, 5060, "carrier.example"]),
		};
		expect(resolve("carrier.example", table).failed).toContain("cannot be resolved");
	});

	it.each(["", "a b", "host:0", "host:99999", "sip:x@y:z", "host:"])("%j is no destination", (bad) => {
		expect(destinationOf(bad, undefined)).toBeUndefined();
	});
	it.each(["tel:+1", "sips:x@y;transport=udp", "sip:x@y;transport=sctp", "http://x"])("%j is no destination", (bad) => {
		expect(destinationOfUri(bad)).toBeUndefined();
	});
});

describe("RFC 2782: weights", () => {
	it("servers of one priority are drawn in proportion to their weight, zero hardly ever first", () => {
		const records: SrvRecord[] = [
			{ priority: 1, weight: 0, port: 1, name: "zero" },
			{ priority: 1, weight: 3, port: 1, name: "three" },
			{ priority: 1, weight: 1, port: 1, name: "one" },
		];
		const first: Record<string, number> = { zero: 0, three: 0, one: 0 };
		for (let i = 0; i < 5_000; i++) {
			const [one] = orderSrv(records, () => i / 5_000);
			if (one !== undefined) first[one.name] = (first[one.name] ?? 0) + 1;
		}
		// 0..4 inclusive: 0 is the zero's, 1..3 and 4 the others'.
		expect(first).toEqual({ zero: 1_000, three: 3_000, one: 1_000 });
		expect(orderSrv(records, () => 0.999).map(({ name }) => name)).toEqual(["one", "three", "zero"]);
	});
});

describe("RFC 3263 §4.3: targets that failed", () => {
	const [one, two]: [Address, Address] = [
		{ host: "192.0.2.1", port: 5060, transport: "UDP" },
		{ host: "192.0.2.2", port: 5060, transport: "UDP" },
	];

	it("are tried last, until their time is over or they answer", () => {
		const dead = new DeadTargets();
		dead.mark(one, 1_000);
		expect(dead.order([one, two], 999)).toEqual([two, one]);
		expect(dead.order([one, { ...one, transport: "TCP" }], 999)[0]?.transport).toBe("TCP");
		expect(dead.order([one, two], 1_000)).toEqual([one, two]);
		expect(dead.size).toBe(0);
		dead.mark(one, 5_000);
		dead.clear(one);
		expect(dead.order([one, two], 1_001)).toEqual([one, two]);
	});

	it("a bounded number is remembered", () => {
		const dead = new DeadTargets();
		for (let port = 1; port <= 5_000; port++) dead.mark({ ...one, port }, 1_000);
		expect(dead.size).toBe(1_000);
		expect(dead.isDead({ ...one, port: 5_000 }, 0)).toBe(true);
	});
});

describe("answers are kept for their TTL", () => {
	const question = { type: "A", name: "Carrier.example" } as const;

	it("whatever the case of the name", () => {
		const cache = new AnswerCache();
		cache.put(question, { addresses: ["192.0.2.1"], ttl: 60_000 }, 0);
		expect(cache.get({ type: "A", name: "carrier.EXAMPLE" }, 59_999)?.addresses).toEqual(["192.0.2.1"]);
		expect(cache.get({ type: "AAAA", name: "carrier.example" }, 0)).toBeUndefined();
		expect(cache.get(question, 60_000)).toBeUndefined();
	});

	it("nothing for 30 s, a failure for 2 s, nothing forever, and not too many", () => {
		const cache = new AnswerCache();
		cache.put(question, { addresses: [], ttl: HOUR }, 0);
		expect(cache.get(question, 29_999)).toBeDefined();
		expect(cache.get(question, 30_000)).toBeUndefined();
		cache.put(question, { ttl: HOUR, failure: "ETIMEOUT" }, 0);
		expect(cache.get(question, 2_000)).toBeUndefined();
		cache.put(question, { addresses: ["192.0.2.1"], ttl: 1_000 * HOUR }, 0);
		expect(cache.get(question, HOUR)).toBeUndefined();
		for (let i = 0; i < 3_000; i++) cache.put({ type: "A", name: `${i}` }, { addresses: [], ttl: 0 }, 0);
		expect(cache.size).toBe(2_000);
	});
});
