import type { DispatchRule, InboundTrunk, Trunk } from "@trunkline/contracts";
import type { ConfigStore, DomainError } from "@trunkline/domain";
import { describe, expect, it } from "vitest";
import { dispatchRule, inboundTrunk, outboundTrunk } from "../records.ts";

interface Tested {
	store: ConfigStore;
	project: string;
}

const many = (from: number, count: number): string[] => Array.from({ length: count }, (_, i) => `+1555${from + i}`);
const next = <T extends Trunk | DispatchRule>(item: T, changes: Partial<T>): T => ({ ...item, ...changes, version: item.version + 1 });
const codeOf = (result: PromiseSettledResult<unknown>): unknown =>
	result.status === "rejected" ? (result.reason as DomainError).code : result.value;
const refusal = (request: Promise<unknown>): Promise<DomainError> =>
	request.then(
		() => expect.fail("the request passed"),
		(error: unknown) => error as DomainError,
	);

/** What updates do in every ConfigStore; part of configStoreContract. */
export function configUpdatesContract(tested: () => Tested): void {
	const created = async (changes: Partial<InboundTrunk>): Promise<InboundTrunk> => {
		const trunk = inboundTrunk(changes);
		await tested().store.createTrunk(tested().project, trunk);
		return trunk;
	};
	const update = (previous: Trunk, changed: Trunk): Promise<boolean> => tested().store.updateTrunk(tested().project, previous, changed);
	const trunkIdsFor = async (number: string): Promise<string[]> =>
		(await tested().store.inboundTrunksFor(tested().project, number)).map(({ trunkId }) => trunkId).sort();
	const stored = (trunkId: string): Promise<Trunk | undefined> => tested().store.getTrunk(tested().project, trunkId);

	describe("updates of trunks", () => {
		it("put the new version in the place of the old one", async () => {
			const trunk = await created({ trunkId: "ST_a", numbers: ["+15550100", "+15550101"], authUsername: "u", authPassword: "p" });
			const changed = next(trunk, { numbers: ["+15550101", "+15550102"], name: "other", authPassword: "q", updatedAt: 2 });
			expect(await update(trunk, changed)).toBe(true);
			expect(await stored("ST_a")).toStrictEqual(changed);
			expect(await tested().store.listInboundTrunks(tested().project, {})).toStrictEqual([changed]);
			expect(await trunkIdsFor("+15550100")).toEqual([]);
			expect(await tested().store.inboundTrunksFor(tested().project, "+15550101")).toStrictEqual([changed]);
			expect(await trunkIdsFor("+15550102")).toEqual(["ST_a"]);
		});

		it("of outbound trunks too", async () => {
			const { store, project } = tested();
			const trunk = outboundTrunk({ trunkId: "ST_o", numbers: ["+15550100"] });
			await store.createTrunk(project, trunk);
			const changed = next(trunk, { numbers: ["1 (555) 0101", "*"], address: "b.example.com" });
			expect(await update(trunk, changed)).toBe(true);
			const idsFor = async (number: string): Promise<string[]> =>
				(await store.outboundTrunksFor(project, number)).map(({ trunkId }) => trunkId);
			expect(await store.outboundTrunksFor(project, "+15550101")).toStrictEqual([changed]);
			// found as one that has "*"
			expect(await idsFor("+15550100")).toEqual(["ST_o"]);
			expect(await update(changed, next(changed, { numbers: ["+15550102"] }))).toBe(true);
			expect(await idsFor("+15550101")).toEqual([]);
			expect(await idsFor("+15550102")).toEqual(["ST_o"]);
		});

		it("turn registration on and off: those that register are found in all projects", async () => {
			const { store, project } = tested();
			const registering = async (): Promise<string[]> =>
				(await store.registeringTrunks()).filter(({ projectId }) => projectId === project).map(({ trunk }) => trunk.trunkId);
			const trunk = outboundTrunk({ trunkId: "ST_r", numbers: ["+15550100"], authUsername: "u", authPassword: "p" });
			await store.createTrunk(project, trunk);
			await store.createTrunk(project, outboundTrunk({ trunkId: "ST_s", settings: { registration: { enabled: true } } }));
			expect(await registering()).toEqual(["ST_s"]);
			const on = next(trunk, { settings: { registration: { enabled: true, user: "line" } } });
			expect(await update(trunk, on)).toBe(true);
			expect((await store.registeringTrunks()).find((one) => one.projectId === project && one.trunk.trunkId === "ST_r")).toStrictEqual({
				projectId: project,
				trunk: on,
			});
			expect(await update(on, next(on, { settings: { registration: { enabled: false } } }))).toBe(true);
			expect(await registering()).toEqual(["ST_s"]);
			await store.deleteTrunk(project, "ST_s");
			expect(await registering()).toEqual([]);
		});

		it("change what a trunk may be called and who may call it, when its provider does", async () => {
			const trunk = await created({ trunkId: "ST_a", numbers: ["+12025550123"] });
			await created({ trunkId: "ST_t", numbers: ["+12025550123"], settings: { provider: "twilio" } });
			const telnyx = next(trunk, { settings: { provider: "telnyx", earlyMedia: { toRoom: true } } });
			expect(await update(trunk, telnyx)).toBe(true);
			expect(await stored("ST_a")).toStrictEqual(telnyx);
			// numbers in national form, as Telnyx may send them
			expect(await trunkIdsFor("2025550123")).toEqual(["ST_a"]);
			expect(await trunkIdsFor("+12025550123")).toEqual(["ST_a", "ST_t"]);
			const twilio = next(telnyx, { settings: { provider: "twilio" } });
			expect((await refusal(update(telnyx, twilio))).message).toContain('"ST_t"');
			expect(await update(telnyx, next(telnyx, { settings: { provider: "exotel" } }))).toBe(true);
			expect(await trunkIdsFor("2025550123")).toEqual([]);
		});

		it("hold for the version they were made from, and for nothing that is gone", async () => {
			const trunk = await created({ trunkId: "ST_a", numbers: ["+15550100"] });
			const second = next(trunk, { numbers: ["+15550101"] });
			expect(await update(trunk, second)).toBe(true);
			expect(await update(trunk, next(trunk, { numbers: ["+15550102"] }))).toBe(false);
			expect(await stored("ST_a")).toStrictEqual(second);
			expect(await trunkIdsFor("+15550102")).toEqual([]);
			await created({ trunkId: "ST_b", numbers: ["+15550102"] });
			await tested().store.deleteTrunk(tested().project, "ST_a");
			expect(await update(second, next(second, {}))).toBe(false);
			expect(await stored("ST_a")).toBeUndefined();
			expect(await update(outboundTrunk(), next(outboundTrunk(), {}))).toBe(false);
		});

		it("give numbers to others and take free ones", async () => {
			const trunk = await created({ trunkId: "ST_a", numbers: ["+15550100"] });
			await created({ trunkId: "ST_b", numbers: ["+15550101"] });
			const error = await refusal(update(trunk, next(trunk, { numbers: ["+15550102", "1-555-0101"] })));
			expect([error.code, error.message]).toEqual([
				"invalid_argument",
				'Conflicting inbound SIP Trunks: "ST_a" and "ST_b", using the same number(s) ["+15550101"] without AllowedNumbers set',
			]);
			expect(await stored("ST_a")).toStrictEqual(trunk);
			expect(await trunkIdsFor("+15550102")).toEqual([]);
			await created({ trunkId: "ST_c", numbers: ["+15550102"] });
			expect(await update(trunk, next(trunk, { numbers: ["+15550103"] }))).toBe(true);
			await created({ trunkId: "ST_d", numbers: ["+15550100"] });
			expect(await trunkIdsFor("+15550100")).toEqual(["ST_d"]);
		});

		it("let one of 20 from the same version pass", async () => {
			const trunk = await created({ trunkId: "ST_a", numbers: ["+15550100"] });
			const results = await Promise.allSettled(
				Array.from({ length: 20 }, (_, i) => update(trunk, next(trunk, { numbers: [`+1555${2000 + i}`, "+15550100"] }))),
			);
			const passed = results.flatMap((result, i) => (codeOf(result) === true ? [i] : []));
			// Whoever is told `aborted` was in too many others' way: nothing was written for it.
			expect(results.map(codeOf).filter((result) => result !== false && result !== true && result !== "aborted")).toEqual([]);
			expect(passed).toHaveLength(1);
			expect(await stored("ST_a")).toMatchObject({ version: 2, numbers: [`+1555${2000 + (passed[0] ?? 0)}`, "+15550100"] });
			for (let i = 0; i < 20; i++) expect(await trunkIdsFor(`+1555${2000 + i}`)).toEqual(i === passed[0] ? ["ST_a"] : []);
		});

		it("and creates want one number: one gets it", async () => {
			const trunks = await Promise.all(many(1000, 10).map((number, i) => created({ trunkId: `ST_${i}`, numbers: [number] })));
			const wanted = "+15550199";
			const results = await Promise.allSettled([
				...trunks.map((trunk) => update(trunk, next(trunk, { numbers: [...trunk.numbers, wanted] }))),
				...many(2000, 10).map((number, i) => created({ trunkId: `ST_new${i}`, numbers: [number, wanted] })),
			]);
			const outcomes = results.map(({ status }) => status);
			expect(outcomes.filter((status) => status === "fulfilled").length).toBe(1);
			expect(results.filter(({ status }) => status === "rejected").every((result) => codeOf(result) === "invalid_argument")).toBe(true);
			expect(await trunkIdsFor(wanted)).toHaveLength(1);
		});

		it("and a delete at the same time leave a whole or nothing", async () => {
			for (let round = 0; round < 5; round++) {
				const trunkId = `ST_${round}`;
				const trunk = await created({ trunkId, numbers: [`+1555${3000 + round}`] });
				const added = `+1555${4000 + round}`;
				await Promise.allSettled([update(trunk, next(trunk, { numbers: [added] })), tested().store.deleteTrunk(tested().project, trunkId)]);
				const left = await stored(trunkId);
				expect(await trunkIdsFor(added)).toEqual(left?.numbers.includes(added) ? [trunkId] : []);
				if (left) await tested().store.deleteTrunk(tested().project, trunkId);
				// whatever happened, the numbers are free
				await created({ trunkId: `ST_after${round}`, numbers: [added, `+1555${3000 + round}`] });
			}
		});
	});

	describe("updates of trunks with several hundred numbers", () => {
		it("exchange half of them", async () => {
			const trunk = await created({ trunkId: "ST_big", numbers: many(100_000, 300) });
			const changed = next(trunk, { numbers: many(100_150, 300) });
			expect(await update(trunk, changed)).toBe(true);
			expect(await stored("ST_big")).toStrictEqual(changed);
			expect(await trunkIdsFor("+1555100149")).toEqual([]);
			for (const number of ["+1555100150", "+1555100299", "+1555100449"]) expect(await trunkIdsFor(number)).toEqual(["ST_big"]);
			await created({ trunkId: "ST_first", numbers: many(100_000, 150) });
			expect((await refusal(created({ trunkId: "ST_x", numbers: ["+1555100449"] }))).message).toContain('"ST_big"');
			expect(await update(changed, next(changed, { numbers: ["+1555100150"] }))).toBe(true);
			await created({ trunkId: "ST_rest", numbers: many(100_151, 299) });
		});

		it("leave everything as it was when one number is taken", async () => {
			await created({ trunkId: "ST_small", numbers: ["+1555200299"] });
			const trunk = await created({ trunkId: "ST_big", numbers: ["+15550100"] });
			const error = await refusal(update(trunk, next(trunk, { numbers: many(200_000, 300) })));
			expect(error.message).toContain('"ST_big" and "ST_small"');
			expect(await stored("ST_big")).toStrictEqual(trunk);
			expect(await trunkIdsFor("+1555200000")).toEqual([]);
			expect(await trunkIdsFor("+15550100")).toEqual(["ST_big"]);
			await created({ trunkId: "ST_other", numbers: many(200_000, 299) });
			expect(await update(trunk, next(trunk, { numbers: ["+15550101"] }))).toBe(true);
		});

		it("pass at most once when several are made at once", async () => {
			const trunk = await created({ trunkId: "ST_big", numbers: ["+15550100"] });
			const lists = [many(300_000, 150), many(300_100, 150), ["+15550100", "+15550101"]];
			const results = await Promise.allSettled(lists.map((numbers) => update(trunk, next(trunk, { numbers }))));
			const passed = lists.filter((_, i) => codeOf(results[i] ?? { status: "rejected", reason: {} }) === true);
			expect(passed.length).toBeLessThanOrEqual(1);
			const left = await stored("ST_big");
			const expected = passed[0] ?? trunk.numbers;
			expect(left).toMatchObject({ version: 1 + passed.length, numbers: expected });
			for (const number of new Set(lists.flat())) {
				if (Number(number.slice(-2)) % 25 === 0) expect(await trunkIdsFor(number)).toEqual(expected.includes(number) ? ["ST_big"] : []);
			}
			const free = [...new Set(lists.flat())].filter((number) => !expected.includes(number));
			await created({ trunkId: "ST_after", numbers: free });
		});
	});

	describe("updates of rules", () => {
		it("move a rule to other trunks, or tell who is in the way", async () => {
			const { store, project } = tested();
			const rule = dispatchRule({ ruleId: "SDR_a", trunkIds: ["ST_a"] });
			await store.createRule(project, rule);
			await store.createRule(project, dispatchRule({ ruleId: "SDR_b", name: "before", trunkIds: ["ST_b"] }));
			const other = dispatchRule({ ruleId: "SDR_b", name: "before", trunkIds: ["ST_b"] });
			expect(await store.updateRule(project, other, next(other, { name: "night" }))).toBe(true);
			const error = await refusal(store.updateRule(project, rule, next(rule, { trunkIds: ["ST_c", "ST_b"] })));
			expect([error.code, error.message]).toEqual([
				"invalid_argument",
				'Dispatch rule for the same trunk, inbound number, number, and PIN combination already exists in dispatch rule "SDR_b" "night"',
			]);
			const moved = next(rule, { trunkIds: ["ST_c"], rule: { type: "direct", roomName: "r", pin: "1" } });
			expect(await store.updateRule(project, rule, moved)).toBe(true);
			expect(await store.getRule(project, "SDR_a")).toStrictEqual(moved);
			expect(await store.rulesFor(project, "ST_a")).toEqual([]);
			expect(await store.rulesFor(project, "ST_c")).toStrictEqual([moved]);
			expect(await store.updateRule(project, rule, next(rule, {}))).toBe(false);
			const anywhere = next(moved, { trunkIds: [] });
			expect(await store.updateRule(project, moved, anywhere)).toBe(true);
			expect(await store.rulesFor(project, undefined)).toStrictEqual([anywhere]);
			expect(await store.rulesNaming(project, "ST_c")).toEqual([]);
			expect((await store.rulesNaming(project, "ST_b")).map(({ ruleId }) => ruleId)).toEqual(["SDR_b"]);
		});
	});

	describe("reads by ids", () => {
		it("give what exists of the kind, once", async () => {
			const { store, project } = tested();
			const [a, b] = [await created({ trunkId: "ST_a", numbers: ["1"] }), await created({ trunkId: "ST_b", numbers: ["2"] })];
			const out = outboundTrunk({ trunkId: "ST_o" });
			await store.createTrunk(project, out);
			await store.createRule(project, dispatchRule({ ruleId: "SDR_a" }));
			const byId = (x: InboundTrunk, y: InboundTrunk): number => (x.trunkId < y.trunkId ? -1 : 1);
			const found = await store.inboundTrunksById(project, ["ST_b", "ST_none", "ST_a", "ST_b", "ST_o", "", "x".repeat(5000)]);
			expect(found.sort(byId)).toStrictEqual([a, b]);
			expect(await store.outboundTrunksById(project, ["ST_o", "ST_a"])).toStrictEqual([out]);
			expect(await store.inboundTrunksById(project, [])).toEqual([]);
			expect((await store.rulesById(project, ["SDR_a", "SDR_b"])).map(({ ruleId }) => ruleId)).toEqual(["SDR_a"]);
			expect(await store.rulesById(`${project}-other`, ["SDR_a"])).toEqual([]);
		});
	});
}
