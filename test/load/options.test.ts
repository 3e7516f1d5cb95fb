import { describe, expect, test } from "vitest";
import { readOptions } from "./options.ts";

describe("the command line of the benchmark", () => {
	test("nothing given", () => {
		expect(readOptions([])).toEqual({
			help: false,
			calls: [2, 10, 20],
			seconds: 8,
			dials: 20,
			joins: 0,
			crowd: 0,
			opus: false,
			profileHeap: false,
			workers: 1,
			whole: true,
		});
	});
	test("everything given", () => {
		const more = ["--srtp", "--suite", "AEAD_AES_128_GCM", "--workers", "2", "--profile-heap"];
		expect(
			readOptions(["--calls", "10, 40", "--seconds", "3", "--dials", "0", "--opus", "--no-whole", ...more, "--profile", "profiles"]),
		).toEqual({
			help: false,
			calls: [10, 40],
			seconds: 3,
			dials: 0,
			joins: 0,
			crowd: 0,
			opus: true,
			srtp: "AEAD_AES_128_GCM",
			profileHeap: true,
			workers: 2,
			whole: false,
			profile: "profiles",
		});
	});
	test.each([
		["--calls", "3"],
		["--calls", ""],
		["--calls", "1e2"],
		["--calls", "2,"],
		["--seconds", "0"],
		["--dials", "-1"],
		["--what"],
		["--suite", "X", "--srtp"],
	])("%s %s is refused", (...args) => {
		expect(() => readOptions(args)).toThrow(args[0] ?? "");
	});
});
