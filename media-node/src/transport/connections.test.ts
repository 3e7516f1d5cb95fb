import type { Address } from "@trunkline/sip";
import { SimClock } from "@trunkline/testkit";
import { beforeEach, describe, expect, it, test } from "vitest";
import type { ConnectionLimits } from "./connection-limits.ts";
import { Connections } from "./connections.ts";
import type { StreamSocket, StreamSocketEvents } from "./stream-socket.ts";

const PEER: Address = { host: "198.51.100.7", port: 5060, transport: "TCP" };
const OPTIONS = "OPTIONS sip:a SIP/2.0\r\nl: 0\r\n\r\n";
const OK = "SIP/2.0 200 OK\r\nl: 0\r\n\r\n";
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

interface FakeSocket extends StreamSocket {
	written: string;
	queuedBytes: number;
	destroyed: boolean;
}
interface Dialled {
	to: Address;
	socket: FakeSocket;
	events: StreamSocketEvents;
}

let clock: SimClock;
let dialled: Dialled[];
let heard: { text: string; remote: Address }[];
let unreachable: { to: Address; message: string }[];
let table: Connections;

function fakeSocket(): FakeSocket {
	return {
		written: "",
		queuedBytes: 0,
		destroyed: false,
		write(data) {
			this.written += new TextDecoder().decode(data);
		},
		destroy() {
			this.destroyed = true;
		},
	};
}

function connections(limits: Partial<ConnectionLimits> = {}, admits = (_host: string): boolean => true, isKnown = admits): Connections {
	return new Connections({
		clock,
		dial: (to, events) => {
			const socket = fakeSocket();
			dialled.push({ to, socket, events });
			return socket;
		},
		limits,
		admits,
		isKnown,
		onMessage: (data, remote) => heard.push({ text: new TextDecoder().decode(data), remote }),
		onUnreachable: (to, message) => unreachable.push({ to, message }),
	});
}

beforeEach(() => {
	clock = new SimClock(1_000_000);
	dialled = [];
	heard = [];
	unreachable = [];
	table = connections();
});

function come(remote: Address = { ...PEER, port: 40_000 }, over: Connections = table): { socket: FakeSocket; events: StreamSocketEvents } {
	const socket = fakeSocket();
	const events = over.accept(remote, socket);
	if (events === undefined) throw new Error("refused");
	events.onOpen();
	return { socket, events };
}
const send = (text: string, to: Address): void => table.send(bytes(text), to);
const last = (): Dialled => {
	const one = dialled.at(-1);
	if (one === undefined) throw new Error("nothing was dialled");
	return one;
};

describe("reuse", () => {
	it("what is sent before the connection is open goes out in order then; later messages use it too", () => {
		send("a", PEER);
		send("b", PEER);
		expect(dialled.map(({ to }) => to)).toEqual([PEER]);
		expect(last().socket.written).toBe("");
		last().events.onOpen();
		send("c", PEER);
		expect(last().socket.written).toBe("abc");
		expect(table.stats()).toMatchObject({ inbound: 0, outbound: 1 });
	});

	test.each<[string, Partial<Address>]>([
		["port", { port: 5070 }],
		["transport", { transport: "TLS" }],
	])("another %s is another connection", (_, other) => {
		send("a", PEER);
		send("a", { ...PEER, ...other });
		expect(dialled).toHaveLength(2);
	});

	it("over TLS only where name, version and certificate of ours are the same", () => {
		const peer: Address = { ...PEER, transport: "TLS", port: 5061 };
		const identities = [
			{},
			{ serverName: "a" },
			{ serverName: "b" },
			{ serverName: "a", minVersion: "TLSv1.3" },
			{ clientCertificate: "a" },
		] as const;
		for (const tls of [...identities, ...identities]) send("x", { ...peer, tls });
		expect(dialled).toHaveLength(5);
	});

	it("RFC 3261 §18.2.2: a response goes by the connection of its request, and by a new one when that is gone", () => {
		const { socket, events } = come();
		events.onBytes(bytes(OPTIONS));
		const { connection } = heard[0]?.remote ?? {};
		expect(connection).toMatch(/./);
		const to: Address = { ...PEER, port: 5070, ...(connection !== undefined && { connection }) };
		send(OK, to);
		expect(socket.written).toBe(OK);
		events.onClose("reset");
		send(OK, to);
		expect(last().to).toEqual({ ...PEER, port: 5070 });
	});

	it("a TCP peer that comes from the port it listens at is reached by its connection; a TLS one, unverified, is not", () => {
		const { socket } = come(PEER);
		send("a", PEER);
		expect(socket.written).toBe("a");
		const tls: Address = { ...PEER, transport: "TLS" };
		come(tls);
		send("a", tls);
		expect(dialled.map(({ to }) => to.transport)).toEqual(["TLS"]);
	});
});

describe("RFC 3261 §18.4: errors are told to whoever sent a request", () => {
	it("a connection that cannot be had", () => {
		send(OPTIONS, PEER);
		last().events.onClose("ECONNREFUSED");
		expect(unreachable).toEqual([]);
		clock.runFor(0);
		expect(unreachable).toEqual([{ to: PEER, message: "ECONNREFUSED" }]);
		expect(table.stats().outbound).toBe(0);
	});

	it("or that takes too long", () => {
		send(OPTIONS, PEER);
		clock.runFor(6_000);
		expect(unreachable).toEqual([{ to: PEER, message: "no connection in time" }]);
		expect(last().socket.destroyed).toBe(true);
	});

	it("a connection that breaks, for each address whose requests went by it; responses expect nothing", () => {
		const { events } = come();
		events.onBytes(bytes(OPTIONS));
		const remote = heard[0]?.remote as Address;
		send(OK, remote);
		send(OPTIONS, { ...remote, port: 5080 });
		events.onClose("reset by peer");
		events.onClose("twice");
		clock.runFor(0);
		expect(unreachable.map(({ to, message }) => [to.port, message])).toEqual([[5_080, "reset by peer"]]);
	});

	it("more than may wait: the peer is cut off", () => {
		table = connections({ queuedBytes: 100 });
		send("x".repeat(60), PEER);
		send("x".repeat(60), PEER);
		clock.runFor(0);
		expect(unreachable).toMatchObject([{ to: PEER, message: "the peer does not read what it is sent" }]);
		expect(table.stats()).toMatchObject({ outbound: 0, cut: 1 });
		send("x", PEER);
		last().events.onOpen();
		last().socket.queuedBytes = 100;
		send("y", PEER);
		expect(last().socket.destroyed).toBe(true);
	});

	it("nothing is reported from inside send, nor after close", () => {
		table = connections({ outbound: 0 });
		send(OPTIONS, PEER);
		expect(unreachable).toEqual([]);
		table.close();
		clock.runFor(10);
		expect(unreachable).toEqual([]);
	});
});

describe("limits on who connects", () => {
	it("per source address, where IPv6 counts by its /64, and in all", () => {
		table = connections({ perSource: 2, inbound: 4 });
		come();
		const second = come();
		expect(table.accept(PEER, fakeSocket())).toBeUndefined();
		come({ ...PEER, host: "2001:db8::1" });
		come({ ...PEER, host: "2001:db8:0:0:1::2" });
		expect(table.accept({ ...PEER, host: "2001:db8::3:1" }, fakeSocket())).toBeUndefined();
		second.events.onClose("bye");
		come({ ...PEER, host: "2001:db8:0:1::1" });
		expect(table.accept({ ...PEER, host: "192.0.2.200" }, fakeSocket())).toBeUndefined();
		expect(table.stats()).toMatchObject({ inbound: 4, refused: 3 });
	});

	it("strangers leave half of the room to those that are known", () => {
		const known = new Set(["192.0.2.1", "192.0.2.2"]);
		const over = connections({ inbound: 4, perSource: 4 }, undefined, (host) => known.has(host));
		const stranger = { ...PEER, port: 1 };
		come(stranger, over);
		come(stranger, over);
		expect(over.accept(stranger, fakeSocket())).toBeUndefined();
		come({ ...PEER, host: "192.0.2.1" }, over);
		come({ ...PEER, host: "192.0.2.2" }, over);
		expect(over.accept({ ...PEER, host: "192.0.2.1" }, fakeSocket())).toBeUndefined();
		expect(over.stats()).toMatchObject({ inbound: 4, refused: 2 });
	});

	it("and not from an address that is banned", () => {
		table = connections({}, (host) => host !== PEER.host);
		expect(table.accept(PEER, fakeSocket())).toBeUndefined();
		come({ ...PEER, host: "192.0.2.200" });
		expect(table.stats()).toMatchObject({ inbound: 1, refused: 1 });
	});

	it("a connection that says nothing is closed", () => {
		const { socket } = come();
		clock.runFor(9_000);
		expect(socket.destroyed).toBe(false);
		clock.runFor(1_000);
		expect(socket.destroyed).toBe(true);
		expect(table.stats()).toMatchObject({ inbound: 0, cut: 1 });
	});

	it("slow-loris: one that says its first message a byte at a time too, and one that begins a later one so", () => {
		const [first, later] = [come(), come()];
		later.events.onBytes(bytes(OPTIONS));
		for (let second = 0; second < 12; second++) {
			clock.runFor(1_000);
			first.events.onBytes(bytes("I"));
			later.events.onBytes(bytes("I"));
		}
		expect([first.socket.destroyed, later.socket.destroyed]).toEqual([true, true]);
	});

	it("line ends alone are no message", () => {
		const { socket, events } = come();
		for (let second = 0; second < 10; second++) {
			events.onBytes(bytes("\r\n\r\n"));
			clock.runFor(1_000);
		}
		expect(socket.destroyed).toBe(true);
	});

	it("what is no SIP ends the connection at once; what came before it counts", () => {
		const { socket, events } = come();
		events.onBytes(bytes(`${OPTIONS}GET / HTTP/1.1\r\n\r\n`));
		expect(heard.map(({ text }) => text)).toEqual([OPTIONS]);
		expect(socket.destroyed).toBe(true);
		events.onBytes(bytes(OPTIONS));
		expect(heard).toHaveLength(1);
	});

	it("an idle connection is closed, not one that somebody holds", () => {
		const [idle, held] = [come(), come({ ...PEER, port: 40_001 })];
		for (const { events } of [idle, held]) events.onBytes(bytes(OPTIONS));
		const letGo = table.hold(heard[1]?.remote as Address);
		clock.runFor(301_000);
		expect([idle.socket.destroyed, held.socket.destroyed]).toEqual([true, false]);
		letGo();
		letGo();
		clock.runFor(2_000);
		expect(held.socket.destroyed).toBe(true);
	});
});

describe("RFC 5626 keep-alive", () => {
	it("§3.5.1: a ping is answered by a CRLF", () => {
		const { socket, events } = come();
		events.onBytes(bytes(`${OPTIONS}\r\n`));
		expect(socket.written).toBe("");
		events.onBytes(bytes("\r\n"));
		expect(socket.written).toBe("\r\n");
	});

	it("a peer that reads no pong gets no more of them", () => {
		table = connections({ queuedBytes: 100 });
		const { socket, events } = come();
		socket.queuedBytes = 100;
		events.onBytes(bytes("\r\n\r\n"));
		expect(socket.written).toBe("");
	});

	it("§4.4.1: a connection of ours that is held is pinged; the flow has failed when a peer that answers pings does not any more", () => {
		table.hold(PEER);
		send("", PEER);
		last().events.onOpen();
		const { socket, events } = last();
		clock.runFor(101_000);
		expect(socket.written).toBe("\r\n\r\n");
		events.onBytes(bytes("\r\n"));
		clock.runFor(101_000);
		expect(socket.written).toBe("\r\n\r\n\r\n\r\n");
		clock.runFor(10_000);
		expect(socket.destroyed).toBe(true);
	});

	it("a peer that has never answered a ping is not given up for it", () => {
		table.hold(PEER);
		send("", PEER);
		last().events.onOpen();
		clock.runFor(1_000_000);
		expect(last().socket.destroyed).toBe(false);
		expect(last().socket.written.length).toBeGreaterThan(30);
	});
});

it("nothing is left when all connections are gone", () => {
	const { events } = come();
	events.onClose("bye");
	clock.runUntilIdle(5_000);
	expect(table.stats()).toMatchObject({ inbound: 0, outbound: 0 });
});
