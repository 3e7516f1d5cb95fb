import { captureLogs, inboundTrunk, MemoryConfigStore } from "@trunkline/testkit";
import { describe, expect, it } from "vitest";
import { AllowedSources } from "./allowed-sources.ts";
import { Guard, type GuardOptions } from "./guard.ts";
import { inboundTrunksOf } from "./inbound-trunks.ts";

const INVITE = new TextEncoder().encode("INVITE sip:1@x SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\n\r\n");
const CARRIER = "192.0.2.7";
const STRANGER = "198.51.100.9";

async function world(addresses: readonly (readonly string[])[], options: Partial<GuardOptions> = {}) {
	const store = new MemoryConfigStore();
	for (const [index, allowedAddresses] of addresses.entries())
		await store.createTrunk(
			"p",
			inboundTrunk({ trunkId: `ST_${index}`, numbers: [`+1555010${index}`], allowedAddresses: [...allowedAddresses] }),
		);
	const log = captureLogs();
	const sources = new AllowedSources({ trunks: inboundTrunksOf(store, async () => ["p"]), log });
	await sources.refresh();
	let now = 0;
	const live = new Set<string>();
	const guard = new Guard({ sources, unknownSources: "auto", live: (host) => live.has(host), now: () => now, log, ...options });
	return { guard, sources, store, log, live, at: (ms: number) => (now = ms) };
}

describe("unknown sources", () => {
	it("auto: dropped once every trunk says who may call, answered while one takes calls from anywhere", async () => {
		const closed = await world([["192.0.2.0/24"], ["203.0.113.5", "2001:db8::/48"]]);
		expect([CARRIER, "203.0.113.5", "2001:db8:0:9::1"].map((host) => closed.guard.admits(INVITE, host))).toEqual([true, true, true]);
		expect(closed.guard.admits(INVITE, STRANGER)).toBe(false);
		const open = await world([["192.0.2.0/24"], []]);
		expect(open.guard.admits(INVITE, STRANGER)).toBe(true);
		const none = await world([]);
		expect(none.guard.admits(INVITE, STRANGER)).toBe(true);
	});

	it("drop and answer are what they say", async () => {
		expect((await world([[]], { unknownSources: "drop" })).guard.admits(INVITE, STRANGER)).toBe(false);
		expect((await world([["192.0.2.0/24"]], { unknownSources: "answer" })).guard.admits(INVITE, STRANGER)).toBe(true);
	});

	it("a carrier that we call may send requests although no list has it", async () => {
		const { guard } = await world([["192.0.2.0/24"]]);
		guard.trust("203.0.113.99");
		expect(guard.admits(INVITE, "203.0.113.99")).toBe(true);
	});

	it("a trunk that is added counts after the next reading; while the store fails the last list holds", async () => {
		const { guard, sources, store, log } = await world([["192.0.2.0/24"]]);
		await store.createTrunk("p", inboundTrunk({ trunkId: "ST_new", numbers: ["+15550199"], allowedAddresses: [STRANGER] }));
		expect(guard.admits(INVITE, STRANGER)).toBe(false);
		await sources.refresh();
		expect(guard.admits(INVITE, STRANGER)).toBe(true);
		store.listInboundTrunks = async () => {
			throw new Error("no table");
		};
		await sources.refresh();
		expect(guard.admits(INVITE, STRANGER)).toBe(true);
		expect(guard.admits(INVITE, "198.51.100.10")).toBe(false);
		expect(log.logs.map(({ level }) => level)).toEqual(["warn"]);
	});

	it("too many trunks to know are no list", async () => {
		const store = new MemoryConfigStore();
		await store.createTrunk("p", inboundTrunk({ numbers: ["+15550100"], allowedAddresses: ["192.0.2.1"] }));
		const trunks = inboundTrunksOf(store, async () => ["p"]);
		expect(await trunks(0)).toBeUndefined();
		expect(await trunks(1)).toHaveLength(1);
	});
});

describe("bans", () => {
	const offend = (guard: Guard, host: string) => {
		for (let i = 0; i < 20; i++) guard.strike(host, "no-trunk");
	};

	it("are told in one line each, and counted", async () => {
		const { guard, log } = await world([[]]);
		offend(guard, STRANGER);
		for (let i = 0; i < 50; i++) guard.admits(INVITE, STRANGER);
		expect(log.logs).toHaveLength(1);
		expect(log.logs[0]).toMatchObject({ level: "warn", fields: { source: STRANGER, ms: 60_000, strike: "no-trunk" } });
		expect(guard.counts()).toMatchObject({ bans: 1, banned: 1, "dropped-banned": 50 });
	});

	it("never hit an address of a trunk, one with a live call, or this machine", async () => {
		const { guard, live } = await world([["192.0.2.0/24"]]);
		live.add("203.0.113.9");
		for (const host of [CARRIER, "203.0.113.9", "127.0.0.1", "::1"]) {
			offend(guard, host);
			expect(guard.admits(INVITE, host)).toBe(true);
		}
	});
});

it("one party is who one trunk names", async () => {
	const { guard } = await world([["192.0.2.0/24"], ["203.0.113.5"]]);
	expect(guard.sameParty(CARRIER, "192.0.2.200")).toBe(true);
	expect(guard.sameParty(CARRIER, "203.0.113.5")).toBe(false);
	expect(guard.sameParty(STRANGER, STRANGER)).toBe(false);
});

describe("a list that has everybody on it is none", () => {
	it.each([[["0.0.0.0/0"]], [["0.0.0.0/1", "128.0.0.0/1"]], [["::/0", "0.0.0.0/0"]]])(
		"%j: makes nobody a party of somebody else's call, protects nobody from bans, and does not close the node",
		async (everybody) => {
			const { guard, sources } = await world([["192.0.2.0/24"], everybody]);
			expect(guard.sameParty(CARRIER, STRANGER)).toBe(false);
			expect(guard.sameParty(CARRIER, "192.0.2.200")).toBe(true);
			expect([guard.isKnown(CARRIER), guard.isKnown(STRANGER)]).toEqual([true, false]);
			expect(sources.closed).toBe(false);
			for (let i = 0; i < 20; i++) guard.strike(STRANGER, "no-trunk");
			expect(guard.admits(INVITE, STRANGER)).toBe(false);
		},
	);
});
