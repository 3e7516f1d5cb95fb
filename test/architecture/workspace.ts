/** A throwaway copy of a fixture with the repository's own rule files, so that the rules under test are the ones that guard the tree. */
import { spawn } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = join(dirname(fileURLToPath(import.meta.url)), "../..");

export interface Workspace {
	readonly directory: string;
	remove(): void;
}

/**
 * Copies `fixture/<name>` and the named rule files into a new directory under the system's temporary one. Each `packages/*` (and
 * `functions`, `media-node`) becomes a workspace `@trunkline/<folder>`, linked as npm links it; `libraries` are one-line npm packages.
 */
export function copyFixture(name: string, ruleFiles: readonly string[], libraries: readonly string[] = []): Workspace {
	const directory = mkdtempSync(join(tmpdir(), `architecture-${name}-`));
	cpSync(join(root, "test/architecture/fixture", name), directory, { recursive: true });
	for (const file of ruleFiles) cpSync(join(root, file), join(directory, file));
	const scope = join(directory, "node_modules/@trunkline");
	mkdirSync(scope, { recursive: true });
	const packages = existsSync(join(directory, "packages"))
		? readdirSync(join(directory, "packages")).map((folder) => `packages/${folder}`)
		: [];
	for (const path of [...packages, "functions", "media-node"].filter((folder) => existsSync(join(directory, folder)))) {
		const folder = path.replace("packages/", "");
		const manifest = join(directory, path, "package.json");
		const workspaces = Object.fromEntries(readdirSync(join(directory, "packages")).map((other) => [`@trunkline/${other}`, "*"]));
		if (!existsSync(manifest))
			writeManifest(manifest, { name: `@trunkline/${folder}`, exports: { ".": "./src/index.ts" }, dependencies: workspaces });
		symlinkSync(join(directory, path), join(scope, folder), "dir");
	}
	for (const library of libraries) {
		const home = join(directory, "node_modules", library);
		mkdirSync(home, { recursive: true });
		writeManifest(join(home, "package.json"), { name: library, main: "index.js" });
		writeFileSync(join(home, "index.js"), "export const value = 1;\n");
	}
	return { directory, remove: () => rmSync(directory, { recursive: true, force: true }) };
}

function writeManifest(path: string, content: object): void {
	writeFileSync(path, JSON.stringify({ version: "1.0.0", type: "module", ...content }));
}

export interface Outcome {
	code: number | null;
	stdout: string;
	stderr: string;
}

/** Runs a tool of the repository (`node_modules/<tool>`) in `directory`, as scripts/checks.mjs does. */
export function runTool(tool: string, toolArguments: readonly string[], directory: string): Promise<Outcome> {
	return new Promise((resolve, reject) => {
		// NODE_PATH-free and colourless: what the tool finds depends on the directory alone.
		const child = spawn(process.execPath, [join(root, "node_modules", tool), ...toolArguments], {
			cwd: directory,
			env: { ...process.env, NO_COLOR: "1", FORCE_COLOR: "0" },
			stdio: ["ignore", "pipe", "pipe"],
		});
		let stdout = "";
		let stderr = "";
		child.stdout.setEncoding("utf8").on("data", (text: string) => {
			stdout += text;
		});
		child.stderr.setEncoding("utf8").on("data", (text: string) => {
			stderr += text;
		});
		child.on("error", reject);
		child.on("close", (code) => resolve({ code, stdout, stderr }));
	});
}

/** Every TypeScript file below `directory/<folders>`, as paths relative to `directory`, node_modules and fixtures left out. */
export function typescriptFiles(directory: string, folders: readonly string[]): string[] {
	return folders
		.filter((folder) => existsSync(join(directory, folder)))
		.flatMap((folder) =>
			readdirSync(join(directory, folder), { recursive: true, encoding: "utf8" })
				.map((file) => `${folder}/${file.replaceAll("\\", "/")}`)
				.filter((file) => file.endsWith(".ts") && !/(^|\/)(node_modules|dist|fixture)\//.test(file)),
		)
		.sort();
}

/** The rule a fixture file is named after (`break-<rule>.ts`), or undefined for a file that breaks none. */
export function brokenRule(file: string): string | undefined {
	return /(?:^|\/)break-([a-z-]+?)(?:-too)?(?:\.test)?\.ts$/.exec(file)?.[1];
}
