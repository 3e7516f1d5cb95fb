import { defineConfig } from "vitest/config";

export default defineConfig({
	test: {
		include: ["packages/**/*.test.ts", "functions/**/*.test.ts", "media-node/**/*.test.ts", "test/**/*.test.ts"],
		exclude: ["**/node_modules/**", "test/architecture/fixture/**"],
		testTimeout: 20_000,
		hookTimeout: 30_000,
		env: { AWS_EC2_METADATA_DISABLED: "true", AWS_ACCESS_KEY_ID: "local", AWS_SECRET_ACCESS_KEY: "local" },
	},
});
