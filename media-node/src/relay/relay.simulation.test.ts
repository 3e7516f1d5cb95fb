import { createHmac } from "node:crypto";
import { type Address, SipEndpoint, type SipInput } from "@trunkline/sip";
import { nodeHashes, SimClock, SimHost, SimNet, seededBytes, seededRandom } from "@trunkline/testkit";
import { expect, it } from "vitest";
import { Relay, RELAY_CONNECTION } from "./relay.ts";
import type { RelayPeer } from "./share.ts";

const udp = (host: string, port: number): Address => ({ host, port, transport: "UDP" });
const mac = (bytes: Uint8Array) => createHmac("sha256", "fleet").update(bytes).digest();

/** Two nodes behind one address that every packet of the carrier goes to: the first is full, and the second has all the calls. */
function fleet(seed: number) {
	const clock = new SimClock();
	const net = new SimNet(clock, { seed, loss: 0.2, duplicate: 0.2, delay: [1, 40] });
	const random = seededBytes(seededRandom(seed));
	const peers: RelayPeer[] = [];
	const node = (name: string, host: string, full: boolean) => {
		let relay: Relay | undefined;
		const sip = udp(host, 5060);
		const own = { address: host, port: 5070 };
		const machine = new SipEndpoint({
			userAgent: name,
			contact: { host, port: 5060 },
			random,
			hashes: nodeHashes,
			tagSuffix: `-${name}`,
			handOver: (request, arrival) => relay?.handOver(request, arrival) === true,
		});
		const out = new SimNet(clock);
		const simHost = new SimHost(clock, out, sip, machine);
		// What the endpoint sends goes back through the peer, or into the network.
		out.send = (_, to, bytes) =>
			to.connection?.startsWith(RELAY_CONNECTION) === true ? relay?.respond(bytes, to) : net.send(sip, to, bytes);
		net.bind(sip, ({ bytes, from }) => simHost.handle({ kind: "received", bytes, remote: from }));
		net.bind(udp(host, 5070), ({ bytes, from }) => relay?.received(bytes, from));
		relay = new Relay({
			...{ nodeId: `ND_${name}`, region: "r", own, mac, now: () => clock.now(), log: { warn: () => {} } },
			peers: () => peers.filter(({ nodeId }) => nodeId !== `ND_${name}`),
			find: async () => undefined,
			load: () => ({ calls: 0, maxCalls: 10, full }),
			toPeer: (bytes, to) => net.send(udp(own.address, own.port), udp(to.address, to.port), bytes),
			toSource: (bytes, to) => net.send(sip, to, bytes),
			deliver: (request) => simHost.handle({ kind: "received", ...request } as SipInput),
			giveBack: (bytes, remote) => simHost.handle({ kind: "received", bytes, remote, last: "answer" }),
		});
		peers.push({ nodeId: `ND_${name}`, region: "r", state: "ready", relay: own, calls: 0, maxCalls: 10, lateMs: 0, heartbeatAt: 0 });
		return simHost;
	};
	const full = node("A", "10.0.0.1", true);
	const free = node("B", "10.0.0.2", false);
	const address = udp("192.0.2.7", 5060);
	const carrier = new SimHost(
		clock,
		net,
		address,
		new SipEndpoint({ userAgent: "carrier", contact: { host: address.host, port: 5060 }, random, hashes: nodeHashes }),
	);
	const send = net.send.bind(net);
	// The carrier's packets all land on the first node, whatever Contact says.
	net.send = (from, to, bytes) => send(from, from === address && to.port === 5060 ? full.address : to, bytes);
	return { clock, full, free, carrier };
}

it.each(Array.from({ length: 30 }, (_, index) => index + 1))("one call, once, over a bad network: seed %i", (seed) => {
	const { clock, full, free, carrier } = fleet(seed);
	free.onEvent = (event) => {
		if (event.type === "incoming") {
			expect(event.remote).toMatchObject({ host: "192.0.2.7", port: 5060 });
			free.handle({ kind: "accept", leg: event.leg });
		}
	};
	carrier.handle({
		kind: "call",
		leg: "c",
		requestUri: "sip:x@10.0.0.1",
		from: { uri: "sip:a@192.0.2.7" },
		to: { uri: "sip:x@10.0.0.1" },
		target: full.address,
	});
	clock.runFor(31_000);
	expect(free.of("incoming")).toHaveLength(1);
	expect(full.of("incoming")).toEqual([]);
	expect(carrier.of("answered")).toHaveLength(1);
	expect(free.of("acked")).toHaveLength(1);
	carrier.handle({ kind: "bye", leg: "c" });
	clock.runFor(80_000);
	expect(carrier.of("ended")).toHaveLength(1);
	expect(free.of("ended")).toHaveLength(1);
	for (const host of [full, free, carrier])
		expect((host.machine as SipEndpoint).stats()).toMatchObject({ transactions: 0, dialogs: 0, legs: 0 });
});
