import type { InboundTrunk } from "@trunkline/contracts";
import { type ConfigStore, normalizeNumber } from "@trunkline/domain";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { inboundTrunk } from "../records.ts";

const NUMBERS = ["+15550100", "1-555-0100", "+15550101", "+15550102", "desk"];
/** Each run is some dozens of requests to an emulator. */
const RUNS = 8;

/** What holds for any sequence of writes to a ConfigStore; part of configStoreContract. `newProject` gives one that nobody has used. */
export function configPropertiesContract(tested: () => { store: ConfigStore; newProject: () => string }): void {
	describe("for any sequence of writes", () => {
		it("what was written last is what is read, by id, in lists and by number", async () => {
			const updates = fc.array(fc.record({ numbers: fc.subarray(NUMBERS, { minLength: 1 }), name: fc.string({ maxLength: 8 }) }), {
				minLength: 1,
				maxLength: 5,
			});
			await fc.assert(
				fc.asyncProperty(updates, async (changes) => {
					const { store, newProject } = tested();
					const project = newProject();
					let current: InboundTrunk = inboundTrunk({ trunkId: "ST_a", numbers: ["+15550199"] });
					await store.createTrunk(project, current);
					for (const change of changes) {
						const next = { ...current, ...change, version: current.version + 1 };
						expect(await store.updateTrunk(project, current, next)).toBe(true);
						expect(await store.updateTrunk(project, current, next)).toBe(false);
						current = next;
						expect(await store.getTrunk(project, "ST_a")).toStrictEqual(current);
						expect(await store.listInboundTrunks(project, {})).toStrictEqual([current]);
						const named = new Set(current.numbers.map(normalizeNumber));
						for (const number of [...NUMBERS, "+15550199"]) {
							expect(await store.inboundTrunksFor(project, number)).toStrictEqual(named.has(normalizeNumber(number)) ? [current] : []);
						}
					}
				}),
				{ numRuns: RUNS },
			);
		});

		it("pages of lists neither skip nor repeat what is there all the time", async () => {
			const ids = fc.uniqueArray(fc.integer({ min: 0, max: 99 }), { minLength: 3, maxLength: 12 });
			const writes = fc.array(fc.record({ id: fc.integer({ min: 100, max: 199 }), remove: fc.boolean() }), { maxLength: 12 });
			await fc.assert(
				fc.asyncProperty(ids, writes, fc.integer({ min: 1, max: 4 }), async (stable, others, limit) => {
					const { store, newProject } = tested();
					const project = newProject();
					// the lasting and the passing ones lie between each other in the order of ids
					const idOf = (number: number): string => `ST_${String(number % 100).padStart(2, "0")}${number < 100 ? "a" : "b"}`;
					const create = (number: number): Promise<void> =>
						store.createTrunk(project, inboundTrunk({ trunkId: idOf(number), numbers: [`+1555${1000 + number}`] }));
					await Promise.all(stable.map(create));
					const write = async (): Promise<void> => {
						for (const { id, remove } of others) {
							if (remove) await store.deleteTrunk(project, idOf(id));
							else await create(id).catch(() => undefined);
						}
					};
					const writing = write();
					const seen: string[] = [];
					for (let after = ""; ; after = seen.at(-1) ?? "") {
						const page = await store.listInboundTrunks(project, { afterId: after, limit });
						expect(page.length).toBeLessThanOrEqual(limit);
						if (page.length === 0) break;
						seen.push(...page.map(({ trunkId }) => trunkId));
					}
					await writing;
					expect(seen).toEqual([...new Set(seen)].sort());
					expect(seen.filter((id) => id.endsWith("a"))).toEqual(stable.map(idOf).sort());
				}),
				{ numRuns: RUNS },
			);
		});
	});
}
