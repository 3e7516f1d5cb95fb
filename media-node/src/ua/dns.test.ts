import { destinationOf, destinationOfUri, type SipTransport } from "@trunkline/sip";
import { DnsServer, type DnsZone } from "@trunkline/testkit";
import { afterEach, describe, expect, it } from "vitest";
import { UnreachableError } from "../call/ports.ts";
import { type DnsOptions, SipResolver } from "./dns.ts";

let server: DnsServer | undefined;
let now: number;

afterEach(async () => {
	await server?.close();
	server = undefined;
});

async function resolver(zone: DnsZone, changes: Partial<DnsOptions> = {}): Promise<SipResolver> {
	server = await DnsServer.start(zone);
	now = 1_000;
	return new SipResolver({
		servers: [server.address],
		families: [4],
		transports: () => ["UDP", "TCP", "TLS"],
		now: () => now,
		random: () => 0,
		...changes,
	});
}

const to = (address: string, transport?: SipTransport) => {
	const destination = address.startsWith("sip") ? destinationOfUri(address) : destinationOf(address, transport);
	if (destination === undefined) throw new Error("no destination");
	return destination;
};

const CARRIER: DnsZone = {
	"NAPTR carrier.test": {
		naptr: [
			{ order: 20, preference: 1, flags: "s", service: "SIP+D2U", replacement: "_sip._udp.carrier.test" },
			{ order: 10, preference: 1, flags: "S", service: "SIPS+D2T", replacement: "_sips._tcp.carrier.test" },
		],
	},
	"SRV _sips._tcp.carrier.test": { srv: [{ priority: 1, weight: 5, port: 5061, name: "tls.carrier.test" }] },
	"SRV _sip._udp.carrier.test": {
		srv: [
			{ priority: 20, weight: 0, port: 5060, name: "second.carrier.test" },
			{ priority: 10, weight: 0, port: 5080, name: "first.carrier.test" },
		],
	},
	"A tls.carrier.test": { addresses: ["192.0.2.3"] },
	"A first.carrier.test": { addresses: ["192.0.2.1"] },
	"AAAA first.carrier.test": { addresses: ["2001:db8::1"] },
	"A second.carrier.test": { addresses: ["192.0.2.2"] },
};

describe("against a name server on the wire", () => {
	it("NAPTR, SRV and A lead to the targets in order, and are kept for their time", async () => {
		const dns = await resolver(CARRIER);
		const targets = [
			{ transport: "TLS", host: "192.0.2.3", port: 5061, tls: { serverName: "carrier.test" } },
			{ transport: "UDP", host: "192.0.2.1", port: 5080, largeByTcp: true },
			{ transport: "UDP", host: "192.0.2.2", port: 5060, largeByTcp: true },
		];
		expect(await dns.resolve(to("carrier.test"))).toEqual(targets);
		const asked = server?.asked.length ?? 0;
		expect(asked).toBe(6);
		expect(await dns.resolve(to("carrier.test"))).toEqual(targets);
		expect(server?.asked.length).toBe(asked);
		now += 61_000;
		await dns.resolve(to("carrier.test"));
		expect(server?.asked.length).toBeGreaterThan(asked);
	});

	it("many at a time ask once; both families come when the node has them", async () => {
		const dns = await resolver(CARRIER, { families: [6, 4] });
		const destination = to("first.carrier.test:5080", "UDP");
		const all = await Promise.all(Array.from({ length: 50 }, () => dns.resolve(destination)));
		expect(all[49]?.map(({ host }) => host)).toEqual(["2001:db8::1", "192.0.2.1"]);
		expect(server?.asked.toSorted()).toEqual(["A first.carrier.test", "AAAA first.carrier.test"]);
	});

	it("no NAPTR, no SRV: the name's own address at the default port", async () => {
		const dns = await resolver({ "A plain.test": { addresses: ["192.0.2.9"] } });
		expect(await dns.resolve(to("plain.test"))).toEqual([{ transport: "UDP", host: "192.0.2.9", port: 5060, largeByTcp: true }]);
		expect(await dns.resolve(to("plain.test", "TLS"))).toEqual([
			{ transport: "TLS", host: "192.0.2.9", port: 5061, tls: { serverName: "plain.test" } },
		]);
	});

	it("localhost and IP literals never reach it", async () => {
		const dns = await resolver({});
		expect(await dns.resolve(to("localhost:5070", "UDP"))).toEqual([{ transport: "UDP", host: "127.0.0.1", port: 5070 }]);
		expect(await dns.resolve(to("192.0.2.1", "UDP"))).toEqual([{ transport: "UDP", host: "192.0.2.1", port: 5060 }]);
		expect(await dns.resolve(to("sips:x@[2001:db8::1]"))).toEqual([{ transport: "TLS", host: "2001:db8::1", port: 5061 }]);
		expect(server?.asked).toEqual([]);
	});

	it("a server that says nothing: given up in time, in words", async () => {
		const dns = await resolver({ "SRV _sip._udp.slow.test": "silent" }, { patienceMs: 60, now: () => performance.now() });
		await expect(dns.resolve(to("slow.test", "UDP"))).rejects.toThrow(UnreachableError);
		dns.close();
	});

	it("given up by its caller: rejects at once", async () => {
		const dns = await resolver({ "SRV _sip._udp.slow.test": "silent" });
		const giving = new AbortController();
		const resolving = dns.resolve(to("slow.test", "UDP"), giving.signal);
		giving.abort();
		await expect(resolving).rejects.toThrow("given up while the name was looked up");
		dns.close();
	});

	it("a transport that this node lacks is refused without asking", async () => {
		const dns = await resolver(CARRIER, { transports: () => ["UDP"] });
		await expect(dns.resolve(to("carrier.test", "TLS"))).rejects.toThrow("SIP over TLS cannot be sent; this node has UDP only");
		expect(server?.asked).toEqual([]);
	});
});
