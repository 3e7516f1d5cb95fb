import { createHmac, randomBytes } from "node:crypto";
import { type Address, type Arrival, parseMessage, type SipRequest } from "@trunkline/sip";
import { beforeEach, describe, expect, it } from "vitest";
import { mark } from "./marker.ts";
import { Relay, type RelayOptions } from "./relay.ts";
import type { RelayPeer } from "./share.ts";

const START = 1_700_000_000_000;
const mac = (bytes: Uint8Array): Uint8Array => createHmac("sha256", "the fleet's").update(bytes).digest();
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const bytesOf = (message: string): Uint8Array => new TextEncoder().encode(message.replaceAll("\n", "\r\n"));
const CARRIER: Address = { host: "192.0.2.7", port: 5060, transport: "UDP" };

let now: number;
let peers: RelayPeer[];
let sent: { bytes: Uint8Array; port: number }[];
let toSource: { bytes: Uint8Array; to: Address }[];
let delivered: Parameters<RelayOptions["deliver"]>[0][];
let load: { calls: number; maxCalls: number; full: boolean };
let relay: Relay;

beforeEach(() => {
	now = START;
	peers = [];
	sent = [];
	toSource = [];
	delivered = [];
	load = { calls: 50, maxCalls: 100, full: false };
	relay = new Relay({
		...{ nodeId: "ND_A", region: "r", own: { address: "10.0.0.1", port: 5070 }, mac, now: () => now, log: { warn: () => {} } },
		peers: () => peers,
		find: async () => undefined,
		load: () => load,
		toPeer: (bytes, { port }) => void sent.push({ bytes, port }),
		toSource: (bytes, to) => void toSource.push({ bytes, to }),
		deliver: (request) => void delivered.push(request),
		giveBack: () => {},
	});
});

const peer = (port: number, over: Partial<RelayPeer> = {}): RelayPeer => ({
	...{ nodeId: `ND_${port}`, region: "r", state: "ready", relay: { address: "10.0.0.2", port } },
	...{ calls: 0, maxCalls: 100, lateMs: 0, heartbeatAt: now },
	...over,
});
/** The same nodes, read from the registry once more. */
const readAgain = (): void => {
	peers = peers.map((one) => ({ ...one }));
};

let last = 0;
function request(method: string, headers = "Max-Forwards: 70\n"): SipRequest {
	const message = `${method} sip:x@10.0.0.1 SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.7:5060;branch=z9hG4bK${last}\n${headers}Call-ID: ${last}\nCSeq: 1 ${method}\n`;
	const parsed = parseMessage(bytesOf(`${message}From: <sip:a@192.0.2.7>;tag=1\nTo: <sip:x@10.0.0.1>\nContent-Length: 0\n\n`));
	if (!parsed.ok || parsed.message.kind !== "request") throw new Error("no request");
	return parsed.message;
}
const arrival = (found: Arrival["found"]): Arrival => ({
	...{ found, remote: CARRIER, responseTo: CARRIER, branch: `z9hG4bK${last}`, callId: String(last), fromTag: "1", toTag: "", cseq: 1 },
});
/** to whom it went; undefined: it is this node's */
function newCall(headers?: string): number | undefined {
	last += 1;
	return copy(headers);
}
function copy(headers?: string): number | undefined {
	return relay.handOver(request("INVITE", headers), arrival("invite")) ? sent.at(-1)?.port : undefined;
}

describe("a burst", () => {
	it("gives a peer no more than its share between two of its heartbeats, however often the registry is read", () => {
		peers = [peer(1, { maxCalls: 10 }), peer(2, { maxCalls: 10 })];
		load = { calls: 100, maxCalls: 100, full: true };
		const places: (number | undefined)[] = [];
		for (let i = 0; i < 30; i++) {
			now += 100;
			places.push(newCall());
			readAgain();
		}
		expect([1, 2, undefined].map((port) => places.filter((place) => place === port).length)).toEqual([10, 10, 10]);
		// Its next word says how many it has: five are over. One came after it had said so.
		peers = [peer(1, { maxCalls: 10, calls: 5, heartbeatAt: now })];
		now += 1;
		expect(newCall()).toBe(1);
		readAgain();
		expect(Array.from({ length: 6 }, () => newCall())).toEqual([1, 1, 1, 1, undefined, undefined]);
	});
});

describe("a peer that dies", () => {
	it("before it answered: copies of the INVITE go elsewhere as soon as it is known", () => {
		peers = [peer(1)];
		load.full = true;
		expect(newCall()).toBe(1);
		expect(copy()).toBe(1);
		peers = [peer(2)];
		expect(copy()).toBe(2);
		expect(copy()).toBe(2);
		expect(relay.counts.relayedCalls).toBe(2);
	});
});

describe("what strangers send", () => {
	it("a flood of CANCELs of nothing costs peers a bounded number of packets", () => {
		peers = [peer(1), peer(2), peer(3)];
		let answeredHere = 0;
		for (let i = 0; i < 1_000; i++) {
			last += 1;
			if (!relay.handOver(request("CANCEL"), arrival("cancel"))) answeredHere += 1;
		}
		expect([sent.length, answeredHere]).toEqual([150, 950]);
		now += 1_000;
		last += 1;
		expect(relay.handOver(request("CANCEL"), arrival("cancel"))).toBe(true);
	});

	it.each(["x", "-1", "0", "1e3", "", "99999999999"])("a Max-Forwards of %j is not passed on", (hops) => {
		peers = [peer(1)];
		load.full = true;
		expect(newCall(`Max-Forwards: ${hops}\n`)).toBeUndefined();
		expect(sent).toEqual([]);
	});

	it("a marker of their own, and our Via on a response to somebody else, are worth nothing at the relay's port", () => {
		peers = [peer(1)];
		load.full = true;
		newCall("Max-Forwards: 7\nTrunkline-Relay: Zm9yZ2Vk.Zm9yZ2Vk\n");
		const passed = text(sent[0]?.bytes ?? new Uint8Array());
		expect(passed).toContain("Max-Forwards: 6\r\n");
		// Ours is before theirs; the peer takes ours alone.
		relay.received(sent[0]?.bytes ?? new Uint8Array(), { host: "10.0.0.9", port: 1 });
		expect(delivered).toHaveLength(1);
		expect(delivered[0]?.remote).toEqual({ host: "192.0.2.7", port: 5060, transport: "UDP" });
		const via = /^Via: (.*)\r$/m.exec(passed)?.[1] ?? "";
		const response = (top: string): Uint8Array =>
			bytesOf(
				`SIP/2.0 200 OK\nVia: ${top}\nVia: SIP/2.0/UDP 192.0.2.7:5060;branch=z9hG4bK1\nCall-ID: 1\nCSeq: 1 INVITE\nFrom: <sip:a@b>;tag=1\nTo: <sip:x@c>;tag=2\nContent-Length: 0\n\n`,
			);
		const victim = Buffer.from(JSON.stringify({ host: "203.0.113.1", port: 53, transport: "UDP" })).toString("base64url");
		const seal = via.split(".").at(-1) ?? "";
		const forged = [
			via.replace(/branch=[^;]+/, "branch=z9hG4bKother"),
			via.replace(/tl=[^.]+\.[^;]*$/, `tl=${victim}.${seal}`),
			"SIP/2.0/UDP 10.0.0.1:5070;branch=z9hG4bK1;tl=x",
			"SIP/2.0/UDP 10.0.0.1:5070;branch=z9hG4bK1",
		];
		for (const top of forged) relay.received(response(top), { host: "203.0.113.9", port: 1 });
		expect(toSource).toEqual([]);
		expect(relay.counts.relayRefused).toBe(forged.length);
		relay.received(response(via), { host: "10.0.0.2", port: 1 });
		expect(toSource.map(({ to }) => to)).toEqual([CARRIER]);
	});

	it("garbage, responses of any size and what is too large are counted or dropped, and nothing comes of them", () => {
		for (let i = 0; i < 500; i++) relay.received(randomBytes(1 + ((i * 97) % 3_000)), { host: "203.0.113.9", port: 1 });
		relay.received(new Uint8Array(100_000).fill(65), { host: "203.0.113.9", port: 1 });
		// Sealed, and no request of ours inside.
		for (const inner of ["x\n\n", "BYE sip:x SIP/2.0\nCall-ID: 1\n\n", "SIP/2.0 200 OK\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\n\n"])
			relay.received(mark(bytesOf(inner), { ...CARRIER, transport: "UDP", silent: false, at: now }, mac), { host: "10.0.0.9", port: 1 });
		expect([delivered, toSource, sent]).toEqual([[], [], []]);
		expect(relay.counts.relayRefused).toBe(503);
	});
});
