import { type ChildProcess, spawn } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { root } from "./workspace.ts";

/** A tree with nothing but the bootstrap script, a lock file and a stand-in for npm; "installing" takes 300 ms. */
let tree: string;
let running: ChildProcess[];

const LOCK = {
	packages: { "": {}, "node_modules/node": { version: "24.0.0" }, "node_modules/other-platform": { version: "1.0.0", optional: true } },
};
const RECORD = { packages: { "node_modules/node": { version: "24.0.0" } } };

const NPM = `
const { appendFileSync, mkdirSync, symlinkSync, writeFileSync } = require("node:fs");
appendFileSync("npm.log", process.argv.slice(2).join(" ") + "\\n");
if (process.env.NPM_FAILS) process.exit(7);
setTimeout(() => {
	mkdirSync("node_modules/node/bin", { recursive: true });
	if (!process.env.NPM_IGNORES_SCRIPTS) symlinkSync(process.execPath, "node_modules/node/bin/node");
	writeFileSync("node_modules/.package-lock.json", ${JSON.stringify(JSON.stringify(RECORD))});
}, 300);
`;

beforeEach(() => {
	tree = mkdtempSync(join(tmpdir(), "bootstrap-"));
	running = [];
	mkdirSync(join(tree, "scripts"));
	copyFileSync(join(root, "scripts/bootstrap.mjs"), join(tree, "scripts/bootstrap.mjs"));
	write("package-lock.json", JSON.stringify(LOCK));
	write("npm-cli.js", NPM);
});
afterEach(() => {
	for (const child of running) child.kill("SIGKILL");
	rmSync(tree, { recursive: true, force: true });
});

function write(file: string, text: string): void {
	mkdirSync(dirname(join(tree, file)), { recursive: true });
	writeFileSync(join(tree, file), text);
}

function installed(): void {
	write("node_modules/.package-lock.json", JSON.stringify(RECORD));
	mkdirSync(join(tree, "node_modules/node/bin"), { recursive: true });
	symlinkSync(process.execPath, join(tree, "node_modules/node/bin/node"));
}

const npmRuns = (): string[] => (existsSync(join(tree, "npm.log")) ? readFileSync(join(tree, "npm.log"), "utf8").trim().split("\n") : []);

interface Run {
	child: ChildProcess;
	/** resolves when the output contains the text */
	says(text: string): Promise<void>;
	ended: Promise<{ code: number | null; output: string }>;
}

function bootstrap(script: string, options: { args?: string[]; env?: NodeJS.ProcessEnv } = {}): Run {
	const environment: NodeJS.ProcessEnv = { ...process.env, npm_execpath: join(tree, "npm-cli.js"), ...options.env };
	for (const name of ["INIT_CWD", "NODE_ENV", "npm_lifecycle_event"]) if (options.env?.[name] === undefined) delete environment[name];
	const child = spawn(process.execPath, [join(tree, "scripts/bootstrap.mjs"), script, ...(options.args ?? [])], {
		cwd: tree,
		env: environment,
		stdio: ["ignore", "pipe", "pipe"],
	});
	running.push(child);
	let output = "";
	const listeners = new Set<() => void>();
	for (const stream of [child.stdout, child.stderr]) {
		stream.setEncoding("utf8").on("data", (text: string) => {
			output += text;
			for (const listener of listeners) listener();
		});
	}
	return {
		child,
		says: (text) =>
			new Promise((resolve) => {
				const listener = (): void => {
					if (output.includes(text)) resolve();
				};
				listeners.add(listener);
				listener();
			}),
		ended: new Promise((resolve) => child.on("close", (code) => resolve({ code, output }))),
	};
}

describe("scripts/bootstrap.mjs", () => {
	test("hands over arguments, directory, environment and exit code; touches no network when all is installed", async () => {
		installed();
		write(
			"say.mjs",
			`console.log(JSON.stringify([process.argv.slice(2), process.cwd(), process.env.NODE_ENV, process.env.npm_config_color])); process.exit(5);`,
		);
		const { code, output } = await bootstrap("say.mjs", { args: ["--play", "a b.wav"], env: { INIT_CWD: tmpdir(), npm_config_color: "x" } })
			.ended;
		expect(JSON.parse(output)).toEqual([["--play", "a b.wav"], tmpdir(), "production", null]);
		expect(code).toBe(5);
		expect(npmRuns()).toEqual([]);
	});

	test("a first run says that it installs, and installs development dependencies whatever NODE_ENV is", async () => {
		write("say.mjs", `console.log("started");`);
		const { code, output } = await bootstrap("say.mjs", { env: { NODE_ENV: "production" } }).ended;
		expect(output).toMatch(/^trunkline: installing dependencies .*\nstarted\n$/);
		expect(code).toBe(0);
		expect(npmRuns()).toHaveLength(1);
		expect(npmRuns()[0]).toMatch(/^install --no-save --include=dev /);
		expect(existsSync(join(tree, ".trunkline/install.lock"))).toBe(false);
	});

	test("two first runs at once install once; both start", async () => {
		write("say.mjs", `console.log("started");`);
		const results = await Promise.all([bootstrap("say.mjs").ended, bootstrap("say.mjs").ended]);
		expect(results.map(({ code }) => code)).toEqual([0, 0]);
		expect(results.filter(({ output }) => output.includes("another terminal is installing"))).toHaveLength(1);
		expect(npmRuns()).toHaveLength(1);
	});

	test("the lock of an installer that was killed is taken over", async () => {
		write("say.mjs", `console.log("started");`);
		const gone = spawn(process.execPath, ["-e", ""]);
		await new Promise((resolve) => gone.on("close", resolve));
		write(".trunkline/install.lock", String(gone.pid));
		expect((await bootstrap("say.mjs").ended).output).toContain("started");
	});

	test("an install that was cut off starts over; a lock file that asks for another version installs again", async () => {
		write("say.mjs", "");
		write("node_modules/half/package.json", "{}");
		await bootstrap("say.mjs").ended;
		expect(existsSync(join(tree, "node_modules/half"))).toBe(false);
		rmSync(join(tree, "node_modules/node"), { recursive: true });
		installed();
		write("package-lock.json", JSON.stringify({ packages: { ...LOCK.packages, "node_modules/ws": { version: "8.0.0" } } }));
		write("npm-cli.js", "require('node:fs').appendFileSync('npm.log', 'again\\n');");
		await bootstrap("say.mjs").ended;
		expect(npmRuns().at(-1)).toBe("again");
	});

	test("npm's failure is exit code 1 and one line", async () => {
		const { code, output } = await bootstrap("say.mjs", { env: { NPM_FAILS: "1" } }).ended;
		expect(output).toContain("trunkline: npm install failed with exit code 7");
		expect(code).toBe(1);
	});

	test("where npm may not run install scripts the message says what to type", async () => {
		const { code, output } = await bootstrap("say.mjs", { env: { NPM_IGNORES_SCRIPTS: "1" } }).ended;
		expect(output).toContain("npm rebuild node --ignore-scripts=false");
		expect(code).toBe(1);
	});

	test.each([
		["SIGINT", 0],
		["SIGTERM", 0],
	] as const)("%s reaches the program once, which may take its time to end", async (signal, expected) => {
		installed();
		write(
			"stay.mjs",
			`process.on("${signal}", () => { console.log("got it"); setTimeout(() => process.exit(0), 200); }); setInterval(() => {}, 1000); console.log("ready");`,
		);
		const run = bootstrap("stay.mjs");
		await run.says("ready");
		run.child.kill(signal);
		run.child.kill(signal);
		const { code, output } = await run.ended;
		expect(output).toBe("ready\ngot it\n");
		expect(code).toBe(expected);
	});

	test("a program that dies of a signal gives 128 + its number", async () => {
		installed();
		write("die.mjs", `process.kill(process.pid, "SIGKILL"); setInterval(() => {}, 1000);`);
		const { code, output } = await bootstrap("die.mjs").ended;
		expect(output).toContain("die.mjs was ended by SIGKILL");
		expect(code).toBe(137);
	});

	test("when npm and its shell are gone the program is asked to end", async () => {
		installed();
		write(
			"stay.mjs",
			`process.on("SIGTERM", () => process.exit(0)); setInterval(() => {}, 1000); console.log("ready " + process.pid + " ");`,
		);
		// npm's shell, which does not wait for anybody
		const command = `"${process.execPath}" scripts/bootstrap.mjs stay.mjs`;
		const shell = spawn("sh", ["-c", `${command}; true`], {
			cwd: tree,
			env: { ...process.env, INIT_CWD: tree, npm_lifecycle_event: "start" },
			stdio: ["ignore", "pipe", "inherit"],
		});
		running.push(shell);
		let output = "";
		await new Promise<void>((resolve) => {
			shell.stdout.setEncoding("utf8").on("data", (text: string) => {
				output += text;
				if (/ready \d+ /.test(output)) resolve();
			});
		});
		const program = Number(/ready (\d+) /.exec(output)?.[1]);
		shell.kill("SIGKILL");
		// The pipe closes when the last process that holds it is gone.
		await new Promise((resolve) => shell.on("close", resolve));
		expect(() => process.kill(program, 0)).toThrow("ESRCH");
	});
});
