import { expect, it, test } from "vitest";
import { UnreachableError } from "../call/ports.ts";
import { resolveTarget } from "./resolve.ts";

const known = async (host: string): Promise<string> => {
	if (host === "carrier.example") return "192.0.2.7";
	throw new Error("ENOTFOUND");
};

test.each([
	["192.0.2.1", { host: "192.0.2.1", port: 5060 }],
	["192.0.2.1:5070", { host: "192.0.2.1", port: 5070 }],
	["[2001:db8::1]", { host: "2001:db8::1", port: 5060 }],
	["[2001:db8::1]:5070", { host: "2001:db8::1", port: 5070 }],
	["carrier.example", { host: "192.0.2.7", port: 5060 }],
	["carrier.example:5099", { host: "192.0.2.7", port: 5099 }],
])("%s", async (address, expected) => {
	expect(await resolveTarget(address, known)).toEqual(expected);
});

it("a name that does not exist and an address that is none are said in words", async () => {
	await expect(resolveTarget("nowhere.example", known)).rejects.toThrow("the name nowhere.example cannot be resolved: ENOTFOUND");
	for (const bad of ["", "a b", "host:0", "host:99999", "sip:x@y", "host:"]) {
		await expect(resolveTarget(bad, known), bad).rejects.toThrow(UnreachableError);
	}
});
