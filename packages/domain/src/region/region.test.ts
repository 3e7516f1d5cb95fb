import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { direct, dispatchRule, inboundTrunk } from "../samples.ts";
import { inRegion, newCallId, regionCode, regionCodeOf } from "./call-id.ts";
import { checkRoom } from "./capacity.ts";
import { chooseRegion, type RegionQuestion, type ServedRegion } from "./choose.ts";
import { areaOfCountry, regionHomes } from "./countries.ts";
import { heldBack, turnedAway } from "./elsewhere.ts";
import { decideRuleIn } from "./inbound.ts";
import { commonPin } from "./pins.ts";

const at = (...regions: string[]): [ServedRegion, ...ServedRegion[]] => {
	const [home = "", ...others] = regions;
	return [{ region: home }, ...others.map((region) => ({ region }))];
};

describe("chooseRegion", () => {
	it.each<[string, RegionQuestion, string, readonly string[] | undefined]>([
		["not pinned: home", { served: at("us-east-1", "eu-west-1") }, "us-east-1", undefined],
		[
			"the trunk's first that is served",
			{ served: at("us-east-1", "eu-west-1"), trunk: ["ap-south-1", "eu-west-1"] },
			"eu-west-1",
			["ap-south-1", "eu-west-1"],
		],
		[
			"request within trunk",
			{ served: at("us-east-1", "eu-west-1"), trunk: ["us-east-1", "eu-west-1"], request: ["eu-west-1"] },
			"eu-west-1",
			["eu-west-1"],
		],
		["the country itself", { served: at("us-east-1", "eu-west-1", "eu-west-2"), country: "GB" }, "eu-west-2", ["eu-west-2"]],
		["near it", { served: at("us-east-1", "eu-west-1"), country: "PL" }, "eu-west-1", ["eu-west-1"]],
		[
			"what a region says",
			{ served: [{ region: "us-east-1", countries: ["GB"] }, { region: "eu-west-2" }], country: "GB" },
			"us-east-1",
			["us-east-1"],
		],
		["every country", { served: [{ region: "us-east-1", countries: ["*"] }], country: "IN" }, "us-east-1", ["us-east-1"]],
		["no region of AWS", { served: at("local"), country: "IN" }, "local", ["local"]],
		[
			"country and trunk",
			{ served: at("eu-west-1", "eu-central-1"), trunk: ["eu-central-1"], country: "PL" },
			"eu-central-1",
			["eu-central-1"],
		],
	])("%s", (_, question, region, pin) => {
		const choice = chooseRegion(question);
		expect([choice.region, choice.pin]).toEqual([region, pin]);
	});

	it.each<[string, RegionQuestion, string, string]>([
		["a region that is not there", { served: at("us-east-1"), request: ["eu-west-1"] }, "invalid_argument", '"eu-west-1" is not served'],
		["a trunk of elsewhere", { served: at("us-east-1"), trunk: ["eu-west-1"] }, "failed_precondition", "pins the call to eu-west-1"],
		[
			"contradiction",
			{ served: at("us-east-1", "eu-west-1"), trunk: ["us-east-1"], request: ["eu-west-1"] },
			"failed_precondition",
			"name different ones",
		],
		["India from Singapore", { served: at("ap-southeast-1"), country: "IN" }, "failed_precondition", "destination_country IN"],
		["a country of elsewhere", { served: at("us-east-1"), country: "GB" }, "failed_precondition", "destination_country GB"],
	])("never elsewhere: %s", (_, question, code, text) => {
		expect(() => chooseRegion(question)).toThrow(expect.objectContaining({ code, message: expect.stringContaining(text) }));
	});

	it("is in the pin, served, and the same each time", () => {
		const region = fc.constantFrom(...Object.keys(regionHomes()));
		const regions = fc.uniqueArray(region, { minLength: 1, maxLength: 4 });
		const country = fc.constantFrom("", "IN", "GB", "US", "BR", "AU", "AE", "DE");
		fc.assert(
			fc.property(regions, fc.option(regions), fc.option(regions), country, (served, trunk, request, to) => {
				const question: RegionQuestion = {
					served: at(...served),
					...(trunk === null ? {} : { trunk }),
					...(request === null ? {} : { request }),
					country: to,
				};
				let choice: ReturnType<typeof chooseRegion>;
				try {
					choice = chooseRegion(question);
				} catch (error) {
					expect(error).toMatchObject({ name: "DomainError" });
					return;
				}
				expect(served).toContain(choice.region);
				for (const pin of [trunk, request, choice.pin]) if (pin !== null && pin !== undefined) expect(pin).toContain(choice.region);
				if (to === "IN") expect(choice.region).toMatch(/^ap-south-/);
				expect(chooseRegion(question)).toEqual(choice);
			}),
			{ numRuns: 500 },
		);
	});
});

describe("ids of calls", () => {
	it.each([
		["eu-west-1", "euw1"],
		["ap-southeast-2", "apse2"],
		["ap-south-1", "aps1"],
		["us-gov-east-1", "usge1"],
		["local", ""],
		["far", ""],
	])("%s is %s", (region, code) => {
		expect(regionCode(region)).toBe(code);
		const id = newCallId(region, (length) => new Uint8Array(length).fill(3));
		expect(id).toBe(`SCL_${code}444444444444`);
		expect(regionCodeOf(id)).toBe(code);
	});

	it("no two regions have one code, and each has a country that is in its area", () => {
		const homes = Object.entries(regionHomes());
		expect(new Set(homes.map(([region]) => regionCode(region))).size).toBe(homes.length);
		for (const [, [country, area]] of homes) expect(areaOfCountry(country)).toBe(area);
	});

	it("a retry has the same id in the same region", () => {
		expect(inRegion("SCL_444444444444", "eu-west-1")).toBe("SCL_euw1444444444444");
	});
});

describe("an inbound call", () => {
	const here = { region: "eu-west-1", sipAddress: (region: string) => (region === "us-east-1" ? "sip.us.example.com" : undefined) };

	it("may be where trunk and rule both let it", () => {
		expect(commonPin([])).toBeUndefined();
		expect(
			commonPin([
				{ by: "trunk", regions: ["a", "b"] },
				{ by: "rule", regions: ["b"] },
			]),
		).toEqual({ by: "rule", regions: ["b"] });
		expect(
			commonPin([
				{ by: "trunk", regions: ["a"] },
				{ by: "rule", regions: ["b"] },
			]),
		).toEqual({ by: "rule", regions: [] });
	});

	it("is refused elsewhere, or redirected to an address that is known", () => {
		const pin = { by: "trunk", regions: ["us-east-1", "ap-south-1"] } as const;
		expect(turnedAway({ ...here, settings: undefined, pin })).toEqual({ status: 403, reason: "Wrong Region" });
		expect(turnedAway({ ...here, settings: { wrongRegion: "redirect" }, pin })).toMatchObject({
			status: 302,
			contacts: ["sip.us.example.com"],
		});
		expect(turnedAway({ ...here, region: "ap-south-1", settings: undefined, pin })).toBeUndefined();
		expect(turnedAway({ ...here, settings: { wrongRegion: "redirect" }, pin: { by: "rule", regions: [] } })).toMatchObject({ status: 403 });
		expect(heldBack("eu-west-1", ["us-east-1"])).toContain("us-east-1");
		expect(heldBack("eu-west-1", undefined)).toBeUndefined();
	});

	it("the best rule decides: one that is pinned elsewhere is not replaced by another", () => {
		const rules = [
			dispatchRule({ ruleId: "SDR_far", trunkIds: ["ST_1"], rule: direct("far"), settings: { regions: ["us-east-1"] } }),
			dispatchRule({ ruleId: "SDR_any", rule: direct("any") }),
		];
		const decided = decideRuleIn(here, rules, { from: "+1", to: "+2", trunk: inboundTrunk({ trunkId: "ST_1" }), strict: true });
		expect(decided.elsewhere).toMatchObject({ pin: { by: "rule", regions: ["us-east-1"] }, answer: { status: 403 } });
	});

	it("is asked for a PIN where some rule with a PIN may take it", () => {
		const far = dispatchRule({ ruleId: "SDR_1", rule: direct("a", "1111"), settings: { regions: ["us-east-1"] } });
		const near = dispatchRule({ ruleId: "SDR_2", rule: direct("b", "2222") });
		const question = { from: "+1", to: "+2", trunk: inboundTrunk({ trunkId: "ST_1" }), strict: true };
		expect(decideRuleIn(here, [far, near], question)).toMatchObject({ byRule: { asksForPin: { length: 4 }, rule: { ruleId: "SDR_2" } } });
		expect(decideRuleIn(here, [far], question).elsewhere).toBeDefined();
	});
});

describe("checkRoom", () => {
	const node = (calls: number, state: "ready" | "draining" = "ready") => ({ nodeId: "ND_1", state, calls, maxCalls: 2 });
	it("names the region that has none, or none left", () => {
		expect(() => checkRoom("eu-west-1", [node(2), node(1)], true)).not.toThrow();
		expect(() => checkRoom("eu-west-1", [node(2), node(2)], true)).toThrow(
			expect.objectContaining({
				code: "resource_exhausted",
				message: expect.stringMatching(/region eu-west-1, which the call is pinned to.*\(4 calls\)/),
			}),
		);
		expect(() => checkRoom("eu-west-1", [node(0, "draining")], false)).toThrow(
			expect.objectContaining({ code: "unavailable", message: expect.stringContaining("region eu-west-1") }),
		);
	});
});
