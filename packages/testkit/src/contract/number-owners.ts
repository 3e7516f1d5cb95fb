import type { InboundTrunk } from "@trunkline/contracts";
import { type ConfigStore, type NumberOwnerStore, numberOwnership } from "@trunkline/domain";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { inboundTrunk, outboundTrunk } from "../records.ts";

export interface NumberOwnersUnderTest {
	store: ConfigStore;
	owners: NumberOwnerStore;
	close?: () => Promise<void>;
}

const CARRIER = "192.0.2.0/24";
const OTHER_CARRIER = "198.51.100.0/24";

/** Who owns which number, on every pair of stores. Each test has projects and numbers of its own; wildcard networks too. */
export function numberOwnersContract(name: string, factory: () => Promise<NumberOwnersUnderTest>): void {
	let tested: NumberOwnersUnderTest;
	let count = 0;
	let a = "";
	let b = "";
	let number = "";
	let now = 0;
	let gone: string[] = [];

	const ownership = (fallbackProject?: string) =>
		numberOwnership({
			...tested,
			isProject: async (projectId) => !gone.includes(projectId),
			...(fallbackProject === undefined ? {} : { fallbackProject }),
			now: () => now,
		});
	const create = async (projectId: string, trunkId: string, changes: Partial<InboundTrunk> = {}, fallback?: string): Promise<string> =>
		ownership(fallback)
			.configStore.createTrunk(projectId, inboundTrunk({ trunkId: `ST_${count}${trunkId}`, numbers: [number], ...changes }))
			.then(
				() => "created",
				(error: { code: string }) => error.code,
			);
	const route = (source = "192.0.2.7", called = number, fallback?: string) => ownership(fallback).projectForInbound(called, source);

	describe(`owners of numbers: ${name}`, () => {
		beforeAll(async () => {
			tested = await factory();
		}, 60_000);
		afterAll(() => tested.close?.());
		beforeEach(() => {
			count++;
			a = `a-${count}`;
			b = `b-${count}`;
			number = `+1555010${String(count).padStart(4, "0")}`;
			now = 1_800_000_000_000;
			gone = [];
		});

		it("a call is the project's that has the number, however it is written", async () => {
			expect(await route()).toBeUndefined();
			expect(await create(a, "1")).toBe("created");
			expect(await route()).toBe(a);
			expect(await route("192.0.2.7", number.slice(1))).toBe(a);
			expect(await route("not an address")).toBe(a);
			expect(await route("192.0.2.7", "+15559999")).toBeUndefined();
			expect(await route("192.0.2.7", "+15559999", "default")).toBe("default");
		});

		it("another project cannot have it, nor take calls with a narrower trunk; the answer names nobody", async () => {
			await create(a, "1", { allowedAddresses: [CARRIER] });
			for (const allowedAddresses of [[], [CARRIER], ["192.0.2.128/25"], ["192.0.0.0/16"], [OTHER_CARRIER, "192.0.2.7"]])
				expect(await create(b, "2", { allowedAddresses })).toBe("already_exists");
			expect(await create(b, "2", { allowedNumbers: ["+15550199"] })).toBe("already_exists");
			const refusal = await ownership()
				.configStore.createTrunk(b, inboundTrunk({ trunkId: "ST_x", numbers: [number] }))
				.catch((error: Error) => error.message);
			expect(refusal).toBe(
				`calls to ${JSON.stringify(number)} from these addresses are taken on this deployment; name other numbers or narrower allowed_addresses`,
			);
			expect(await tested.store.getTrunk(b, `ST_${count}2`)).toBeUndefined();
			expect(await route()).toBe(a);
		});

		it("two carriers bring one number to two projects", async () => {
			expect(await create(a, "1", { allowedAddresses: [CARRIER] })).toBe("created");
			expect(await create(b, "2", { allowedAddresses: [OTHER_CARRIER] })).toBe("created");
			expect([await route("192.0.2.7"), await route("198.51.100.7"), await route("203.0.113.7")]).toEqual([a, b, undefined]);
		});

		it("of trunks without numbers each has its network, and named numbers come first", async () => {
			const [mine, theirs] = [`10.${count}.1.0/24`, `10.${count}.2.0/24`];
			expect(await create(a, "1", { numbers: [], allowedAddresses: [mine] })).toBe("created");
			expect(await create(b, "2", { numbers: [], allowedAddresses: [mine] })).toBe("already_exists");
			expect(await create(b, "2", { numbers: [], allowedAddresses: [`10.${count}.0.0/16`] })).toBe("already_exists");
			expect(await create(b, "2", { numbers: [], allowedAddresses: [theirs] })).toBe("created");
			for (const allowedAddresses of [[], ["0.0.0.0/0"], [theirs, "128.0.0.0/1"], ["2001:db8::/31"], ["::ffff:10.0.0.0/111"]])
				expect(await create(b, "3", { numbers: [], allowedAddresses })).toBe("invalid_argument");
			expect(await create(b, "4", { allowedAddresses: ["0.0.0.0/0"] })).toBe("created");
			await ownership().configStore.deleteTrunk(b, `ST_${count}4`);
			expect([await route(`10.${count}.1.9`), await route(`10.${count}.2.9`)]).toEqual([a, b]);
			expect(await create(b, "4")).toBe("created");
			expect(await route(`10.${count}.1.9`)).toBe(b);
		});

		it("the fallback project may take what nobody owns, and is in nobody's way", async () => {
			const main = `main-${count}`;
			expect(await create(main, "1", { numbers: [], allowedAddresses: [] }, main)).toBe("created");
			expect(await create(b, "2", { numbers: [], allowedAddresses: [`172.16.${count}.0/24`] }, main)).toBe("created");
			expect(await route(`172.16.${count}.9`, number, main)).toBe(b);
			expect(await route("203.0.113.9", number, main)).toBe(main);
			await ownership(main).configStore.deleteTrunk(main, `ST_${count}1`);
		});

		it("one of two projects that race has the number", async () => {
			const results = await Promise.all([a, b, a, b].map((project, i) => create(project, `r${i}`, { allowedNumbers: [`+1555019${i}`] })));
			const winners = new Set([a, b].filter((_, i) => results.some((result, j) => j % 2 === i && result === "created")));
			expect(winners.size).toBe(1);
			expect(winners).toContain(await route());
		});

		it("a deleted trunk's number is free", async () => {
			await create(a, "1");
			await ownership().configStore.deleteTrunk(a, `ST_${count}1`);
			expect(await route()).toBeUndefined();
			expect(await create(b, "2")).toBe("created");
			expect(await route()).toBe(b);
		});

		it("what a crash leaves behind, and a deleted project, own nothing once no write can be on its way", async () => {
			await create(a, "1");
			await tested.store.deleteTrunk(a, `ST_${count}1`);
			expect(await route()).toBeUndefined();
			expect(await create(b, "2")).toBe("already_exists");
			now += 90_000;
			expect(await create(b, "2")).toBe("created");
			expect(await route()).toBe(b);
			gone = [b];
			now += 90_000;
			expect(await route()).toBeUndefined();
			expect(await create(a, "3")).toBe("created");
			expect(await route()).toBe(a);
		});

		it("an update owns what it adds and frees what it drops", async () => {
			const { configStore } = ownership();
			const second = `${number}9`;
			const first = inboundTrunk({ trunkId: `ST_${count}1`, numbers: [number] });
			await configStore.createTrunk(a, first);
			await create(b, "2", { numbers: [second] });
			const taken = { ...first, numbers: [number, second], version: 2 };
			await expect(configStore.updateTrunk(a, first, taken)).rejects.toMatchObject({ code: "already_exists" });
			expect((await configStore.getTrunk(a, first.trunkId))?.version).toBe(1);
			const moved = { ...first, numbers: [`${number}8`], version: 2 };
			expect(await configStore.updateTrunk(a, first, moved)).toBe(true);
			expect([await route(), await route("192.0.2.7", `${number}8`), await route("192.0.2.7", second)]).toEqual([undefined, a, b]);
			expect(await configStore.updateTrunk(a, first, { ...first, numbers: [`${number}7`], version: 2 })).toBe(false);
			expect(await create(b, "5", { numbers: [`${number}7`] })).toBe("created");
			now += 90_000;
			expect(await create(b, "6")).toBe("created");
		});

		it("an update to other networks frees the old ones", async () => {
			const { configStore } = ownership();
			const first = inboundTrunk({ trunkId: `ST_${count}1`, numbers: [number], allowedAddresses: [CARRIER] });
			await configStore.createTrunk(a, first);
			expect(await configStore.updateTrunk(a, first, { ...first, allowedAddresses: [OTHER_CARRIER], version: 2 })).toBe(true);
			expect([await route("192.0.2.7"), await route("198.51.100.7")]).toEqual([undefined, a]);
			now += 90_000;
			expect(await create(b, "2", { allowedAddresses: [OTHER_CARRIER] })).toBe("already_exists");
			expect(await create(b, "2", { allowedAddresses: [CARRIER] })).toBe("created");
		});

		it("a creation that fails owns nothing", async () => {
			await create(a, "1");
			const other = `${number}9`;
			// The second one of an id is refused by the store, after its numbers were reserved.
			expect(await create(a, "1", { numbers: [other] })).toBe("already_exists");
			expect(await create(b, "2", { numbers: [other] })).toBe("created");
		});

		it("a creation that takes too long is taken back", async () => {
			const slow = numberOwnership({
				...tested,
				store: new Proxy(tested.store, {
					get: (store, method) =>
						method === "createTrunk"
							? async (...given: Parameters<ConfigStore["createTrunk"]>) => {
									now += 60_000;
									await store.createTrunk(...given);
								}
							: (Reflect.get(store, method) as () => unknown).bind(store),
				}),
				isProject: async () => true,
				now: () => now,
			});
			const trunk = inboundTrunk({ trunkId: `ST_${count}1`, numbers: [number] });
			await expect(slow.configStore.createTrunk(a, trunk)).rejects.toMatchObject({ code: "aborted" });
			expect(await tested.store.getTrunk(a, trunk.trunkId)).toBeUndefined();
			expect(await create(b, "2")).toBe("created");
		});

		it("everything else is the store's own", async () => {
			const { configStore } = ownership();
			const trunk = outboundTrunk({ trunkId: `ST_${count}o` });
			await configStore.createTrunk(a, trunk);
			expect(await configStore.listOutboundTrunks(a, {})).toEqual([trunk]);
			expect(await configStore.updateTrunk(a, trunk, { ...trunk, name: "x", version: 2 })).toBe(true);
			expect((await configStore.deleteTrunk(a, trunk.trunkId))?.name).toBe("x");
		});
	});
}
