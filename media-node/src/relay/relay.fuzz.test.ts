import { createHmac } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { mark, type Origin, readMarked } from "./marker.ts";
import { betterPlace, type RelayPeer } from "./share.ts";
import { nodeOfTag, tagSuffix } from "./tag.ts";

const mac = (secret: string) => (bytes: Uint8Array) => createHmac("sha256", secret).update(bytes).digest();
const MINE = mac("the fleet's secret");
const NOW = 1_700_000_000_000;
const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const request = text("BYE sip:a@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1:5070;branch=z9hG4bKx\r\nContent-Length: 0\r\n\r\n");
const origin: Origin = { host: "192.0.2.7", port: 5060, transport: "UDP", silent: false, at: NOW };

describe("the marker of a request that a peer passes on", () => {
	it("comes back with the request as it was", () => {
		fc.assert(
			fc.property(
				fc.uint8Array({ maxLength: 200 }),
				fc.constantFrom("192.0.2.7", "2001:db8::7"),
				fc.nat(65_535),
				fc.constantFrom("UDP", "TCP", "TLS"),
				fc.boolean(),
				(body, host, port, transport, silent) => {
					const whole = new Uint8Array([...request, ...body]);
					const given: Origin = { host, port, transport: transport as Origin["transport"], silent, at: NOW };
					const read = readMarked(mark(whole, given, MINE), NOW + 10, MINE);
					expect(read?.origin).toEqual(given);
					expect(Buffer.from(read?.request ?? []).equals(whole)).toBe(true);
				},
			),
		);
	});

	it("is none with one bit changed anywhere, of another secret, or old", () => {
		const marked = mark(request, origin, MINE);
		for (let bit = 0; bit < marked.length * 8; bit++) {
			const changed = Uint8Array.from(marked);
			changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
			expect(readMarked(changed, NOW, MINE), `bit ${bit}`).toBeUndefined();
		}
		expect(readMarked(marked, NOW, mac("another"))).toBeUndefined();
		expect(readMarked(marked, NOW + 15_001, MINE)).toBeUndefined();
		expect(readMarked(marked, NOW - 15_001, MINE)).toBeUndefined();
		expect(readMarked(request, NOW, MINE)).toBeUndefined();
	});

	it("no bytes make it throw", () => {
		const line = fc.string({ maxLength: 60 }).map((rest) => `BYE x SIP/2.0\r\nTrunkline-Relay: ${rest}\r\n\r\n`);
		fc.assert(
			fc.property(fc.oneof(fc.uint8Array({ maxLength: 600 }), line.map(text)), (bytes) => {
				expect(readMarked(bytes, NOW, MINE)).toBeUndefined();
			}),
			{ numRuns: 2_000 },
		);
	});
});

describe("betterPlace", () => {
	const peer = (calls: number, over: Partial<RelayPeer> = {}): RelayPeer => ({
		...{
			nodeId: `ND_${calls}`,
			region: "r",
			state: "ready",
			relay: { address: "10.0.0.2", port: 1 },
			calls,
			maxCalls: 100,
			lateMs: 0,
			heartbeatAt: 0,
		},
		...over,
	});
	const own = (calls: number, full = false) => ({ calls, maxCalls: 100, full });

	it.each([
		["alone", own(50), [], undefined],
		["about its share", own(10), [peer(8), peer(7)], undefined],
		["above its share", own(40), [peer(8), peer(7)], 7],
		["above its share, peers full", own(40), [peer(100)], undefined],
		["full: whoever has room", own(100, true), [peer(99), peer(98)], 98],
		["full, and so is everybody", own(100, true), [peer(100)], undefined],
		["not to who drains or is late", own(100, true), [peer(1, { state: "draining" }), peer(2, { lateMs: 500 }), peer(60)], 60],
	])("%s", (_, load, peers, calls) => {
		expect(betterPlace(load, peers)?.calls).toBe(calls);
	});

	it("never gives a call to a node that takes none, nor to one with more load unless this one is full", () => {
		const some = fc.array(fc.record({ calls: fc.nat(120), late: fc.nat(200), draining: fc.boolean() }), { maxLength: 6 });
		fc.assert(
			fc.property(fc.nat(100), fc.boolean(), some, (calls, full, given) => {
				const peers = given.map((one) => peer(one.calls, { lateMs: one.late, state: one.draining ? "draining" : "ready" }));
				const place = betterPlace(own(calls, full), peers);
				if (place === undefined) return;
				expect(place.state === "ready" && place.calls < place.maxCalls && place.lateMs < 100).toBe(true);
				if (!full) expect(place.calls).toBeLessThan(calls);
			}),
		);
	});
});

describe("tags", () => {
	it("name their node, and those of others none of ours", () => {
		expect(tagSuffix("ND_3nVKGYxUmDbQ")).toBe("-3nVKGYxUmDbQ");
		expect(nodeOfTag("0123456789abcdef-3nVKGYxUmDbQ")).toBe("ND_3nVKGYxUmDbQ");
		expect(nodeOfTag("0123456789abcdef")).toBeUndefined();
		expect(tagSuffix("node-1")).toBeUndefined();
		fc.assert(fc.property(fc.string(), (tag) => void nodeOfTag(tag)));
	});
});
