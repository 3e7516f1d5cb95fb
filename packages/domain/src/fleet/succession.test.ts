import { describe, expect, it } from "vitest";
import { deployedAtOf, reasonToDrain } from "./succession.ts";

const node = (nodeId: string, deployedAt: number, state: "ready" | "draining" = "ready") => ({
	nodeId,
	deployedAt,
	build: `b${deployedAt}`,
	state,
});
const own = node("ND_own", 100);
const terms = { startedAt: 100, now: 1_000 };

describe("reasonToDrain", () => {
	it.each([
		["alone", [own], false],
		["a newer one, and one of its own beside it", [own, node("a", 100), node("b", 200)], false],
		["as many newer ones", [own, node("a", 100), node("b", 200), node("c", 300)], true],
		["newer ones that drain do not count", [own, node("b", 200, "draining")], false],
		["older ones that drain need nobody", [own, node("a", 50, "draining"), node("b", 200)], true],
		["it has not written itself down yet", [node("b", 200)], true],
		["the same build, as another clock saw it", [own, { ...node("b", 101), build: "b100" }], false],
	])("%s", (_, live, drains) => {
		expect(reasonToDrain(own, live, terms) !== undefined).toBe(drains);
	});

	it("age is a reason when somebody is left", () => {
		const old = { ...terms, maxAgeMs: 900 };
		expect(reasonToDrain(own, [own, node("a", 100)], old)).toMatch(/old/);
		expect(reasonToDrain(own, [own, node("a", 100)], { ...old, maxAgeMs: 901 })).toBeUndefined();
		expect(reasonToDrain(own, [own], old)).toBeUndefined();
	});
});

it("a build is as old as its first node", () => {
	expect(deployedAtOf({ build: "2", startedAt: 500 }, [])).toBe(500);
	expect(
		deployedAtOf({ build: "2", startedAt: 500 }, [
			{ build: "1", deployedAt: 1 },
			{ build: "2", deployedAt: 300 },
		]),
	).toBe(300);
});
