import { expect, it } from "vitest";
import { SourceGuard } from "./source-guard.ts";

/** a packet that is the peer's, if it comes from the right place */
function accepts(guard: SourceGuard, address: string, port: number): boolean {
	if (!guard.admits(address, port)) return false;
	guard.latch(address, port);
	return true;
}

it("latches the first packet from where SDP or signalling says, and refuses everybody else", () => {
	const guard = new SourceGuard();
	guard.reset("192.0.2.1", 4000, "198.51.100.7");
	expect([guard.address, guard.port]).toEqual(["192.0.2.1", 4000]);
	expect(accepts(guard, "203.0.113.9", 4000), "a stranger first").toBe(false);
	expect(accepts(guard, "198.51.100.7", 61_000), "NAT: from the signalling's address").toBe(true);
	expect([guard.address, guard.port]).toEqual(["198.51.100.7", 61_000]);
	expect(accepts(guard, "192.0.2.1", 4000), "no second latch").toBe(false);
	expect(accepts(guard, "198.51.100.7", 61_001)).toBe(false);
	expect(guard.refused).toBe(3);
});

it("a packet that did not prove to be the peer's latches nothing", () => {
	const guard = new SourceGuard();
	guard.reset("192.0.2.1", 4000, "198.51.100.7");
	expect(guard.admits("198.51.100.7", 9_999)).toBe(true);
	expect([guard.address, guard.port]).toEqual(["192.0.2.1", 4000]);
	expect(accepts(guard, "192.0.2.1", 4000)).toBe(true);
	expect(guard.refused).toBe(0);
});

it("is opened again only by an offer/answer that changes the address", () => {
	const guard = new SourceGuard();
	guard.reset("192.0.2.1", 4000, "192.0.2.1");
	accepts(guard, "192.0.2.1", 4000);
	guard.reset("192.0.2.1", 4000, "192.0.2.1");
	expect(accepts(guard, "192.0.2.1", 4002), "a session refresh changes nothing").toBe(false);
	guard.reset("192.0.2.1", 4002, "192.0.2.1");
	expect(accepts(guard, "192.0.2.1", 4002)).toBe(true);
	expect(accepts(guard, "192.0.2.1", 4000)).toBe(false);
});

it.each(["127.0.0.1", "127.1.2.3", "169.254.169.254", "::1", "fe80::1", "::ffff:127.0.0.1"])(
	"%s from elsewhere is not this machine: packets go to where the signalling comes from",
	(address) => {
		const guard = new SourceGuard();
		guard.reset(address, 4000, "198.51.100.7");
		expect([guard.address, guard.port]).toEqual(["198.51.100.7", 4000]);
		expect(accepts(guard, address, 4000)).toBe(false);
	},
);

it.each([
	["127.0.0.1", "127.0.0.1"],
	["10.0.0.9", "198.51.100.7"],
	["192.0.2.1", "127.0.0.1"],
])("%s with signalling from %s is taken as it is", (address, signalling) => {
	const guard = new SourceGuard();
	guard.reset(address, 4000, signalling);
	expect(guard.address).toBe(address);
});

it("the telephone whose place another one has taken latches nothing, though it is on the same machine and still speaks", () => {
	const guard = new SourceGuard();
	guard.reset("192.0.2.1", 4000, "192.0.2.1");
	expect(accepts(guard, "192.0.2.1", 4000)).toBe(true);
	guard.replaced();
	guard.reset("192.0.2.1", 5000, "192.0.2.1");
	expect(accepts(guard, "192.0.2.1", 4000), "the former one").toBe(false);
	expect([guard.address, guard.port]).toEqual(["192.0.2.1", 5000]);
	expect(accepts(guard, "192.0.2.1", 5000)).toBe(true);
});

it("the former one is not heard either while the telephone in its place begins on hold", () => {
	const guard = new SourceGuard();
	guard.reset("192.0.2.1", 4000, "192.0.2.1");
	expect(accepts(guard, "192.0.2.1", 4000)).toBe(true);
	guard.replaced();
	guard.reset("0.0.0.0", 5000, "192.0.2.9");
	expect(accepts(guard, "192.0.2.1", 4000)).toBe(false);
	expect(guard.latched).toBe(false);
});

it("what still comes from the former port while the peer moves to another one is heard, and keeps nobody from the new one", () => {
	for (const [source, port] of [
		["192.0.2.1", 4000],
		["198.51.100.7", 61_000],
	] as const) {
		const guard = new SourceGuard();
		guard.reset("192.0.2.1", 4000, "198.51.100.7");
		expect(accepts(guard, source, port)).toBe(true);
		// its re-INVITE says so, and it goes on at the former port until it has our 200
		guard.reset("192.0.2.1", 5000, "198.51.100.7");
		for (let i = 0; i < 20; i++) expect(accepts(guard, source, port), "in flight").toBe(true);
		expect([guard.address, guard.port], "not there any more").toEqual(["192.0.2.1", 5000]);
		expect(accepts(guard, "203.0.113.9", 5000), "a stranger").toBe(false);
		expect(accepts(guard, source, 5000)).toBe(true);
		expect([guard.address, guard.port]).toEqual([source, 5000]);
		expect(accepts(guard, source, port), "overtaken").toBe(false);
	}
});

it("a peer that says another port and stays at the former one is there after two seconds", () => {
	const guard = new SourceGuard();
	guard.reset("192.0.2.1", 4000, "192.0.2.1");
	accepts(guard, "192.0.2.1", 6000);
	guard.reset("192.0.2.1", 5000, "192.0.2.1");
	for (let i = 0; i < 100; i++) expect(accepts(guard, "192.0.2.1", 6000)).toBe(true);
	expect([guard.address, guard.port]).toEqual(["192.0.2.1", 6000]);
	expect(accepts(guard, "192.0.2.1", 6001)).toBe(false);
});

it("hold by 0.0.0.0 and back: the peer, behind NAT too, is where it was, and nobody else gets in meanwhile", () => {
	const guard = new SourceGuard();
	guard.reset("10.0.0.5", 4000, "192.0.2.1");
	accepts(guard, "192.0.2.1", 61_000);
	guard.reset("0.0.0.0", 4000, "192.0.2.1");
	expect(accepts(guard, "192.0.2.1", 61_001)).toBe(false);
	guard.reset("10.0.0.5", 4000, "192.0.2.1");
	expect([guard.address, guard.port]).toEqual(["192.0.2.1", 61_000]);
	expect(accepts(guard, "192.0.2.1", 61_000)).toBe(true);
	expect(accepts(guard, "192.0.2.1", 61_001)).toBe(false);
});
