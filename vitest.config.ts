import { defineConfig } from "vitest/config";

/** Suites with real sockets, rooms and processes: one file at a time, after the others, so that their delays mean something. */
const END_TO_END = ["test/{e2e,interop,faults,load}/**/*.test.ts", "**/*.e2e.test.ts"];
const NOT_OURS = ["**/node_modules/**", "**/dist/**", "test/architecture/fixture/**"];

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
					include: ["{packages,functions,media-node,test}/**/*.test.ts"],
					exclude: [...NOT_OURS, ...END_TO_END],
					sequence: { groupOrder: 0 },
				},
			},
			{
				extends: true,
				test: {
					name: "e2e",
					include: END_TO_END,
					exclude: NOT_OURS,
					// Native WebRTC libraries want a process of their own.
					pool: "forks",
					fileParallelism: false,
					testTimeout: 60_000,
					hookTimeout: 60_000,
					sequence: { groupOrder: 1 },
				},
			},
		],
	},
});
