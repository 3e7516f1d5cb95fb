import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { ROOT } from "./graph.ts";

declare module "vitest" {
	interface ProvidedContext {
		/** why there is no graph; "" = there is */
		sstMissing: string;
	}
}

const TIMEOUT_MS = 240_000;

/** SST's components are not on npm: `sst install` unpacks them and gets what they need from the registry, into .sst/platform, once for each version. */
export default async function setup({ provide }: TestProject): Promise<void> {
	provide("sstMissing", isInstalled() ? "" : await install());
}

function isInstalled(): boolean {
	const wanted = (JSON.parse(readFileSync(join(ROOT, "node_modules/sst/package.json"), "utf8")) as { version: string }).version;
	const present = join(ROOT, ".sst/platform/version");
	const parts = [".sst/provider-lock.json", ".sst/platform/src/auto/run.ts", ".sst/platform/node_modules/@pulumi/aws/package.json"];
	return existsSync(present) && readFileSync(present, "utf8").trim() === wanted && parts.every((part) => existsSync(join(ROOT, part)));
}

/** Gives why it could not be, in the words of a skipped test. */
async function install(): Promise<string> {
	process.stderr.write("test/infra: getting SST's components (once, about a minute) …\n");
	const environment = {
		...process.env,
		SST_SKIP_DEPENDENCY_CHECK: "1",
		SST_NO_BUN: "1",
		SST_TELEMETRY_DISABLED: "1",
		// With "production" npm leaves out the types that SST's sources need.
		NODE_ENV: "development",
	};
	const child = spawn(join(ROOT, "node_modules/.bin/sst"), ["install", "--stage", "ci"], {
		cwd: ROOT,
		stdio: ["ignore", "pipe", "pipe"],
		env: environment,
		shell: process.platform === "win32",
	});
	let said = "";
	for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text: string) => (said += text));
	const timer = setTimeout(() => child.kill("SIGKILL"), TIMEOUT_MS);
	const code = await new Promise((resolve) => {
		child.on("error", () => resolve("cannot start"));
		child.on("close", resolve);
	});
	clearTimeout(timer);
	if (code === 0 && isInstalled()) return "";
	const last = said.trim().split("\n").at(-1) ?? "";
	process.stderr.write(`test/infra: sst install failed (${String(code)}): ${last}\n`);
	return "needs SST's components, which sst install gets from the npm registry";
}
