import { globSync, readFileSync } from "node:fs";
import { defineConfig } from "vitest/config";

const TESTS = "{packages,functions,media-node,test}/**/*.test.ts";
const NOT_OURS = ["**/node_modules/**", "**/dist/**", "test/architecture/fixture/**"];

/**
 * Suites with real sockets, rooms and processes run after the others, two files at a time: they wait most of the time, and each has a process, ports
 * and a data directory of its own. Wherever it is, a suite that joins a room with LiveKit's own client is one of them.
 */
const joinsRooms = (file: string): boolean => readFileSync(file, "utf8").includes("@livekit/rtc-node");
const END_TO_END = [
	"test/{browser,e2e,interop,faults,fleet,load}/**/*.test.ts",
	"**/*.e2e.test.ts",
	...globSync(TESTS, { cwd: import.meta.dirname, exclude: NOT_OURS }).filter((file) => joinsRooms(`${import.meta.dirname}/${file}`)),
];

/** Those that keep both cores busy, or measure what a busy machine spoils (how audio sounds, how late it is), run last, one at a time. */
const ALONE = [
	"test/{browser,faults,fleet,load}/**/*.test.ts",
	"test/e2e/{bridge-media,noise,noise-module,quality}.test.ts",
	"packages/room-server/src/room-server.test.ts",
	"test/interop/{baresip,baresip-dtls,baresip-srtp,voice-agent}.test.ts",
];

const INFRA = "test/infra/**/*.test.ts";

/** The graphs of infra keep a core busy while end-to-end suites wait. */
const BESIDE_EACH_OTHER = { maxWorkers: 2, sequence: { groupOrder: 1 } };

/** Native WebRTC libraries want a process of their own. */
const endToEnd = {
	pool: "forks",
	setupFiles: ["test/quiet-rtc-node.ts"],
	testTimeout: 60_000,
	hookTimeout: 60_000,
} as const;

export default defineConfig({
	test: {
		testTimeout: 20_000,
		hookTimeout: 30_000,
		teardownTimeout: 10_000,
		// Nothing in a test may find real credentials or ask the instance metadata service for some.
		env: { AWS_EC2_METADATA_DISABLED: "true", AWS_ACCESS_KEY_ID: "local", AWS_SECRET_ACCESS_KEY: "local" },
		projects: [
			{
				extends: true,
				test: {
					name: "unit",
					include: [TESTS],
					exclude: [...NOT_OURS, ...END_TO_END, INFRA],
					// By itself vitest leaves one core alone, which of two is half.
					maxWorkers: "100%",
					sequence: { groupOrder: 0 },
				},
			},
			{
				extends: true,
				test: {
					name: "infra",
					include: [INFRA],
					// Brings SST's sources, once; each graph is a process of its own.
					globalSetup: "test/infra/setup.ts",
					// A graph takes two seconds, and many times that where others use the machine.
					testTimeout: 240_000,
					hookTimeout: 400_000,
					...BESIDE_EACH_OTHER,
				},
			},
			{
				extends: true,
				test: {
					...endToEnd,
					name: "e2e",
					include: END_TO_END,
					exclude: [...NOT_OURS, ...ALONE],
					...BESIDE_EACH_OTHER,
				},
			},
			{
				extends: true,
				test: {
					...endToEnd,
					name: "alone",
					include: ALONE,
					exclude: NOT_OURS,
					fileParallelism: false,
					sequence: { groupOrder: 2 },
				},
			},
		],
	},
});
