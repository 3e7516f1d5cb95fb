import type { InboundTrunk } from "@trunkline/contracts";
import type { ConfigStore, DomainError } from "@trunkline/domain";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { dispatchRule, inboundTrunk, outboundTrunk } from "../records.ts";
import { configPropertiesContract } from "./config-properties.ts";
import { configUpdatesContract } from "./config-updates.ts";

export interface ConfigStoreUnderTest {
	store: ConfigStore;
	close?: () => Promise<void>;
}

/** What every ConfigStore does. One store serves all tests, each test has a project of its own. */
export function configStoreContract(name: string, factory: () => Promise<ConfigStoreUnderTest>): void {
	let tested: ConfigStoreUnderTest;
	let store: ConfigStore;
	let projects = 0;
	let project = "";

	const createNumbered = (trunkId: string, numbers: string[], changes: Partial<InboundTrunk> = {}): Promise<void> =>
		store.createTrunk(project, inboundTrunk({ trunkId, numbers, ...changes }));
	const refusal = (request: Promise<unknown>): Promise<DomainError> =>
		request.then(
			() => expect.fail("the request passed"),
			(error: unknown) => error as DomainError,
		);
	const trunkIdsFor = async (number: string): Promise<string[]> =>
		(await store.inboundTrunksFor(project, number)).map((trunk) => trunk.trunkId).sort();
	const ruleIdsFor = async (trunkId: string | undefined): Promise<string[]> =>
		(await store.rulesFor(project, trunkId)).map((rule) => rule.ruleId).sort();

	describe(`ConfigStore: ${name}`, () => {
		beforeAll(async () => {
			tested = await factory();
			store = tested.store;
		}, 60_000);
		afterAll(() => tested.close?.());
		beforeEach(() => {
			project = `project-${++projects}`;
		});

		describe("trunks", () => {
			it("come back whole", async () => {
				const full = inboundTrunk({
					trunkId: "ST_full",
					numbers: ["+1 555-0100", "desk"],
					allowedAddresses: ["192.0.2.0/24"],
					allowedNumbers: ["+15550123"],
					authUsername: "user",
					authPassword: "s3cret",
					authRealm: "realm",
					headers: { "X-A": "", "x.b": "c" },
					headersToAttributes: { "X-From": "from" },
					attributesToHeaders: { "a.b": "X-B" },
					includeHeaders: "X_HEADERS",
					ringingTimeoutMs: 20_000,
					krispEnabled: true,
					mediaEncryption: "ALLOW",
					media: { onlyListedCodecs: true, codecs: [{ name: "PCMU", rate: 8000 }], encryption: "REQUIRE", mediaTimeoutMs: 15_000 },
				});
				await store.createTrunk(project, full);
				expect(await store.getTrunk(project, "ST_full")).toStrictEqual(full);
				expect(await store.inboundTrunksFor(project, "+15550100")).toStrictEqual([full]);
				expect(await store.listInboundTrunks(project, {})).toStrictEqual([full]);

				const out = outboundTrunk({ trunkId: "ST_out", authUsername: "user", authPassword: "0ther" });
				await store.createTrunk(project, out);
				expect(await store.getTrunk(project, "ST_out")).toStrictEqual(out);
				expect(await store.listOutboundTrunks(project, {})).toStrictEqual([out]);
				expect(await store.listInboundTrunks(project, {})).toHaveLength(1);
			});

			it("belong to their project", async () => {
				await createNumbered("ST_a", ["+15550100"]);
				await store.createTrunk(`${project}-other`, inboundTrunk({ trunkId: "ST_b", numbers: ["+15550100"] }));
				expect(await store.getTrunk(project, "ST_b")).toBeUndefined();
				expect(await trunkIdsFor("+15550100")).toEqual(["ST_a"]);
				expect(await store.deleteTrunk(project, "ST_b")).toBeUndefined();
				expect(await store.listInboundTrunks(`${project}-other`, {})).toHaveLength(1);
			});

			it("have one owner of an id", async () => {
				await createNumbered("ST_a", ["+15550100"]);
				expect((await refusal(createNumbered("ST_a", ["+15550101"]))).code).toBe("already_exists");
				await store.createTrunk(project, outboundTrunk({ trunkId: "ST_o" }));
				expect((await refusal(store.createTrunk(project, outboundTrunk({ trunkId: "ST_o" })))).code).toBe("already_exists");
				expect(await trunkIdsFor("+15550101")).toEqual([]);
			});

			it("are found by called number in any notation, wildcards by every number", async () => {
				await createNumbered("ST_num", ["+1 (555) 010-0", "+15550111"]);
				await createNumbered("ST_user", ["reception"]);
				await createNumbered("ST_any", []);
				expect(await trunkIdsFor("+15550100")).toEqual(["ST_any", "ST_num"]);
				expect(await trunkIdsFor("1-555-0111")).toEqual(["ST_any", "ST_num"]);
				expect(await trunkIdsFor("reception")).toEqual(["ST_any", "ST_user"]);
				expect(await trunkIdsFor("*")).toEqual(["ST_any"]);
				expect(await trunkIdsFor("")).toEqual(["ST_any"]);
				expect(await trunkIdsFor("9".repeat(5000))).toEqual(["ST_any"]);
			});

			it("are listed by id, in pages", async () => {
				for (const id of ["ST_c", "ST_a", "ST_e", "ST_b", "ST_d"]) await createNumbered(id, [`+1555${id.charCodeAt(3)}`]);
				const ids = async (page: { afterId?: string; limit?: number }): Promise<string[]> =>
					(await store.listInboundTrunks(project, page)).map((trunk) => trunk.trunkId);
				expect(await ids({})).toEqual(["ST_a", "ST_b", "ST_c", "ST_d", "ST_e"]);
				expect(await ids({ limit: 0 })).toHaveLength(5);
				expect(await ids({ limit: 2 })).toEqual(["ST_a", "ST_b"]);
				expect(await ids({ limit: 2, afterId: "ST_b" })).toEqual(["ST_c", "ST_d"]);
				expect(await ids({ afterId: "ST_bb" })).toEqual(["ST_c", "ST_d", "ST_e"]);
				expect(await ids({ afterId: "ST_e" })).toEqual([]);
				await store.createTrunk(project, outboundTrunk({ trunkId: "ST_z" }));
				await store.createTrunk(project, outboundTrunk({ trunkId: "ST_y" }));
				expect((await store.listOutboundTrunks(project, { limit: 1 })).map((trunk) => trunk.trunkId)).toEqual(["ST_y"]);
			});

			it("give their numbers back when deleted", async () => {
				await createNumbered("ST_a", ["+15550100", "+15550101"]);
				expect((await store.deleteTrunk(project, "ST_a"))?.trunkId).toBe("ST_a");
				expect(await store.deleteTrunk(project, "ST_a")).toBeUndefined();
				expect(await store.getTrunk(project, "ST_a")).toBeUndefined();
				expect(await trunkIdsFor("+15550100")).toEqual([]);
				await createNumbered("ST_b", ["+15550101"]);
				expect(await trunkIdsFor("+15550101")).toEqual(["ST_b"]);
				await store.createTrunk(project, outboundTrunk({ trunkId: "ST_o" }));
				expect((await store.deleteTrunk(project, "ST_o"))?.kind).toBe("outbound");
				expect(await store.listOutboundTrunks(project, {})).toEqual([]);
			});
		});

		describe("trunk conflicts", () => {
			it("tell the other trunk in LiveKit's words", async () => {
				await createNumbered("ST_first", ["+15550100"]);
				const error = await refusal(createNumbered("ST_second", ["15550100", "+15550199"]));
				expect([error.code, error.message]).toEqual([
					"invalid_argument",
					'Conflicting inbound SIP Trunks: "<new>" and "ST_first", using the same number(s) ["+15550100"] without AllowedNumbers set',
				]);
				expect(await store.getTrunk(project, "ST_second")).toBeUndefined();
				expect(await trunkIdsFor("+15550199")).toEqual([]);
				await createNumbered("ST_third", ["+15550199"]);
			});

			it("look at the allowed callers", async () => {
				await createNumbered("ST_a", ["+15550100"], { allowedNumbers: ["+15550111", "+15550112"] });
				await createNumbered("ST_b", ["+15550100"], { allowedNumbers: ["+15550113"] });
				await createNumbered("ST_open", ["+15550100"]);
				const error = await refusal(createNumbered("ST_c", ["+15550100"], { allowedNumbers: ["+15550114", "1 555 0112"] }));
				expect(error.message).toContain('"<new>" and "ST_a"');
				expect(error.message).toContain('and AllowedNumber "+15550112"');
				expect(await trunkIdsFor("+15550100")).toEqual(["ST_a", "ST_b", "ST_open"]);
			});

			it("hold for wildcards", async () => {
				await createNumbered("ST_a", []);
				expect((await refusal(createNumbered("ST_b", []))).message).toContain('"<new>" and "ST_a"');
			});

			it("let exactly one of 20 concurrent creates with the same number pass", async () => {
				const results = await Promise.allSettled(
					Array.from({ length: 20 }, (_, i) => createNumbered(`ST_${i}`, [`+1555${1000 + i}`, "+15550100"])),
				);
				const failures = results.filter((result) => result.status === "rejected");
				expect(failures.map(({ reason }) => (reason as DomainError).code)).toEqual(Array.from({ length: 19 }, () => "invalid_argument"));
				const stored = await store.listInboundTrunks(project, {});
				expect(stored).toHaveLength(1);
				expect(await trunkIdsFor("+15550100")).toEqual([stored[0]?.trunkId]);
			});
		});

		describe("a trunk with several hundred numbers", () => {
			const many = (from: number, count = 300): string[] => Array.from({ length: count }, (_, i) => `+1555${from + i}`);

			it("is created, found by each number and deleted as a whole", async () => {
				await createNumbered("ST_big", many(100_000));
				expect(await trunkIdsFor("+1555100000")).toEqual(["ST_big"]);
				expect(await trunkIdsFor("+1555100299")).toEqual(["ST_big"]);
				expect((await refusal(createNumbered("ST_x", ["+1555100299"]))).message).toContain('"<new>" and "ST_big"');
				expect((await store.deleteTrunk(project, "ST_big"))?.trunkId).toBe("ST_big");
				expect(await trunkIdsFor("+1555100000")).toEqual([]);
				await createNumbered("ST_again", many(100_000));
				expect(await trunkIdsFor("+1555100299")).toEqual(["ST_again"]);
			});

			it("leaves nothing behind when one number is taken", async () => {
				await createNumbered("ST_small", ["+1555200299"]);
				expect((await refusal(createNumbered("ST_big", many(200_000)))).message).toContain('"<new>" and "ST_small"');
				expect(await store.getTrunk(project, "ST_big")).toBeUndefined();
				expect(await store.listInboundTrunks(project, {})).toHaveLength(1);
				expect(await trunkIdsFor("+1555200000")).toEqual([]);
				await createNumbered("ST_other", many(200_000, 299));
				expect(await trunkIdsFor("+1555200000")).toEqual(["ST_other"]);
			});

			it("is created by at most one of several at once", async () => {
				const results = await Promise.allSettled(Array.from({ length: 4 }, (_, i) => createNumbered(`ST_${i}`, many(300_000, 150))));
				const passed = results.filter((result) => result.status === "fulfilled").length;
				expect(passed).toBeLessThanOrEqual(1);
				expect(await store.listInboundTrunks(project, {})).toHaveLength(passed);
				expect(await trunkIdsFor("+1555300149")).toHaveLength(passed);
				// whatever was left by those that failed does not stand in the way
				if (passed === 0) await createNumbered("ST_after", many(300_000, 150));
			});
		});

		describe("dispatch rules", () => {
			it("come back whole", async () => {
				const full = dispatchRule({
					ruleId: "SDR_full",
					rule: { type: "callee", roomPrefix: "call", pin: "0123", randomize: true },
					trunkIds: ["ST_a", "ST_b"],
					inboundNumbers: ["+15550100"],
					numbers: ["+15550111"],
					attributes: { "a.b": "", c: "d" },
					roomConfig: { agents: [{ agentName: "bot", metadata: "" }], maxParticipants: 3 },
					media: { onlyListedCodecs: false, codecs: [] },
				});
				await store.createRule(project, full);
				expect(await store.getRule(project, "SDR_full")).toStrictEqual(full);
				expect(await store.rulesFor(project, "ST_b")).toStrictEqual([full]);
				expect(await store.listRules(project, {})).toStrictEqual([full]);
				expect(await store.getRule(`${project}-other`, "SDR_full")).toBeUndefined();
			});

			it("are found by trunk, and by none", async () => {
				await store.createRule(project, dispatchRule({ ruleId: "SDR_any" }));
				await store.createRule(project, dispatchRule({ ruleId: "SDR_ab", trunkIds: ["ST_a", "ST_b"] }));
				await store.createRule(project, dispatchRule({ ruleId: "SDR_b", trunkIds: ["ST_b"], numbers: ["+15550100"] }));
				expect(await ruleIdsFor("ST_a")).toEqual(["SDR_ab", "SDR_any"]);
				expect(await ruleIdsFor("ST_b")).toEqual(["SDR_ab", "SDR_any", "SDR_b"]);
				expect(await ruleIdsFor("ST_c")).toEqual(["SDR_any"]);
				expect(await ruleIdsFor(undefined)).toEqual(["SDR_any"]);
			});

			it("are found by called number too, in any notation", async () => {
				const numbers = { SDR_any: [], SDR_one: ["+1 (555) 0100"], SDR_two: ["+15550100", "+15550101"], SDR_hash: ["1#2"] };
				for (const [ruleId, called] of Object.entries(numbers))
					await store.createRule(project, dispatchRule({ ruleId, trunkIds: ruleId === "SDR_two" ? ["ST_a"] : [], numbers: called }));
				const idsFor = async (trunkId: string | undefined, called: string): Promise<string[]> =>
					(await store.rulesFor(project, trunkId, called)).map((rule) => rule.ruleId).sort();
				expect(await idsFor("ST_a", "15550100")).toEqual(["SDR_any", "SDR_one", "SDR_two"]);
				expect(await idsFor("ST_a", "+15550101")).toEqual(["SDR_any", "SDR_two"]);
				expect(await idsFor("ST_b", "1 555 0100")).toEqual(["SDR_any", "SDR_one"]);
				expect(await idsFor(undefined, "+15550199")).toEqual(["SDR_any"]);
				expect(await idsFor(undefined, "1#2")).toEqual(["SDR_any", "SDR_hash"]);
				expect(await idsFor(undefined, "1")).toEqual(["SDR_any"]);
				expect(await idsFor(undefined, "")).toEqual(["SDR_any"]);
				expect(await idsFor("ST_a", "9".repeat(5000))).toEqual(["SDR_any"]);
				expect(await idsFor("ST_a", "half a pair \ud800")).toEqual(["SDR_any"]);
				const two = await store.getRule(project, "SDR_two");
				if (two) await store.updateRule(project, two, { ...two, numbers: ["+15550102"], version: 2 });
				expect(await idsFor("ST_a", "+15550101")).toEqual(["SDR_any"]);
				expect(await idsFor("ST_a", "+15550102")).toEqual(["SDR_any", "SDR_two"]);
				expect(await ruleIdsFor("ST_a")).toEqual(["SDR_any", "SDR_hash", "SDR_one", "SDR_two"]);
				expect((await store.rulesNaming(project, "ST_a")).map((rule) => rule.ruleId)).toEqual(["SDR_two"]);
			});

			it("are listed by id, in pages", async () => {
				for (const id of ["SDR_c", "SDR_a", "SDR_b"]) await store.createRule(project, dispatchRule({ ruleId: id, trunkIds: [id] }));
				const ids = async (page: { afterId?: string; limit?: number }): Promise<string[]> =>
					(await store.listRules(project, page)).map((rule) => rule.ruleId);
				expect(await ids({})).toEqual(["SDR_a", "SDR_b", "SDR_c"]);
				expect(await ids({ limit: 1 })).toEqual(["SDR_a"]);
				expect(await ids({ afterId: "SDR_a", limit: 5 })).toEqual(["SDR_b", "SDR_c"]);
			});

			it("conflict on trunk, caller, number and PIN, told in LiveKit's words", async () => {
				await store.createRule(
					project,
					dispatchRule({ ruleId: "SDR_one", name: "night", trunkIds: ["ST_a", "ST_b"], numbers: ["+15550100"] }),
				);
				const error = await refusal(
					store.createRule(project, dispatchRule({ ruleId: "SDR_two", trunkIds: ["ST_c", "ST_b"], numbers: ["1 555-0100"] })),
				);
				expect([error.code, error.message]).toEqual([
					"invalid_argument",
					'Dispatch rule for the same trunk, inbound number, number, and PIN combination already exists in dispatch rule "SDR_one" "night"',
				]);
				expect(await ruleIdsFor("ST_c")).toEqual([]);
				const pin = { type: "direct", roomName: "lobby", pin: "1234" } as const;
				await store.createRule(project, dispatchRule({ ruleId: "SDR_pin", rule: pin, trunkIds: ["ST_b"], numbers: ["+15550100"] }));
				expect((await refusal(store.createRule(project, dispatchRule({ ruleId: "SDR_one", trunkIds: ["ST_z"] })))).code).toBe(
					"already_exists",
				);
			});

			it("give their place back when deleted", async () => {
				await store.createRule(project, dispatchRule({ ruleId: "SDR_one", trunkIds: ["ST_a"] }));
				expect((await store.deleteRule(project, "SDR_one"))?.ruleId).toBe("SDR_one");
				expect(await store.deleteRule(project, "SDR_one")).toBeUndefined();
				expect(await ruleIdsFor("ST_a")).toEqual([]);
				await store.createRule(project, dispatchRule({ ruleId: "SDR_two", trunkIds: ["ST_a"] }));
				expect(await ruleIdsFor("ST_a")).toEqual(["SDR_two"]);
			});

			it("let exactly one of 20 concurrent creates of the same rule pass", async () => {
				const results = await Promise.allSettled(
					Array.from({ length: 20 }, (_, i) =>
						store.createRule(project, dispatchRule({ ruleId: `SDR_${i}`, trunkIds: [`ST_${i}`, "ST_same"] })),
					),
				);
				expect(results.filter((result) => result.status === "fulfilled")).toHaveLength(1);
				expect(await ruleIdsFor("ST_same")).toHaveLength(1);
			});
		});

		configUpdatesContract(() => ({ store, project }));
		configPropertiesContract(() => ({ store, newProject: () => `project-${++projects}` }));
	});
}
