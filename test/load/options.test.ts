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
	test("another system is named by its port here, and by its process where that is known", () => {
		expect(readOptions(["--against", "sip:127.0.0.1:5070"]).against).toEqual({ sipPort: 5070, pid: undefined });
		expect(readOptions(["--against", "127.0.0.1:5070", "--against-pid", "4711"]).against).toEqual({ sipPort: 5070, pid: 4711 });
		expect(readOptions([])).not.toHaveProperty("against");
	});
	test.each([
		["--against", "sip:192.0.2.1:5060"],
		["--against", "sip:127.0.0.1"],
		["--against-pid", "4711"],
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
