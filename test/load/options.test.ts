import { describe, expect, test } from "vitest";
import { readOptions } from "./options.ts";

describe("the command line of the benchmark", () => {
	test("nothing given", () => {
		expect(readOptions([])).toEqual({ help: false, calls: [2, 10, 20], seconds: 8, dials: 20, opus: false, whole: true });
	});
	test("everything given", () => {
		expect(readOptions(["--calls", "10, 40", "--seconds", "3", "--dials", "0", "--opus", "--no-whole", "--profile", "profiles"])).toEqual({
			help: false,
			calls: [10, 40],
			seconds: 3,
			dials: 0,
			opus: true,
			whole: false,
			profile: "profiles",
		});
	});
	test.each([["--calls", "3"], ["--calls", ""], ["--calls", "1e2"], ["--calls", "2,"], ["--seconds", "0"], ["--dials", "-1"], ["--what"]])(
		"%s %s is refused",
		(...args) => {
			expect(() => readOptions(args)).toThrow(args[0] ?? "");
		},
	);
});
