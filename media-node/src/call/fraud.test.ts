import { DEFAULT_POLICY } from "@trunkline/contracts";
import { DomainError } from "@trunkline/domain";
import { describe, expect, it } from "vitest";
import { mayCallWith } from "./fraud.ts";

describe("toll fraud: the project's policy at the node", () => {
	it("premium and high-risk numbers are refused whatever form they are written in, numbers and users pass", async () => {
		const mayCall = mayCallWith();
		for (const target of ["+19005551234", "sip:+1-876-926-1234@carrier.example", "<tel:+18095551234>", "sip:%2B19005551234@x"])
			expect(await mayCall("p", [target]), target).toMatch(/may not be called/);
		for (const target of ["+15550100", "+442079460000", "alice", "<sip:100@pbx.example>"])
			expect(await mayCall("p", [target])).toBeUndefined();
	});

	it("one bad target of several is enough; each project has its own policy", async () => {
		const mayCall = mayCallWith(async (projectId) => ({ ...DEFAULT_POLICY, allowedPrefixes: projectId === "uk" ? ["+44"] : ["+"] }));
		expect(await mayCall("uk", ["+442079460000", "+33140205050"])).toMatch(/allowedPrefixes/);
		expect(await mayCall("all", ["+442079460000", "+33140205050"])).toBeUndefined();
	});

	it("fails closed: a project that is gone, a store that cannot be read", async () => {
		const gone = mayCallWith(async () => {
			throw new DomainError("unauthenticated", "the project is gone");
		});
		expect(await gone("p", ["+15550100"])).toBe("the project is gone");
		const broken = mayCallWith(async () => {
			throw new Error("no table");
		});
		expect(await broken("p", ["alice"])).toMatch(/could not be read: no table/);
	});
});
