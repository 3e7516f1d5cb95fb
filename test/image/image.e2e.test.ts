// The file set of the media node's image, as the Dockerfile puts it together, run as the container runs it: as nobody special, from a tree that cannot
// be written to, and with everything outside it out of reach.
import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, copyFileSync, existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { measureTone } from "@trunkline/audio";
import { Phone } from "@trunkline/phone";
import { dispatchRule, inboundTrunk } from "@trunkline/testkit";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { buildNode } from "../../scripts/build-node.mjs";
import { settle } from "../e2e/tones.ts";
import { startCloud } from "./cloud.ts";

const NUMBER = "+15550100";
/** Calls to it have the noise taken out, tones included. */
const QUIET_NUMBER = "+15550101";
/** As the container's user; where tests may not become another, they are none with rights already. */
const USER = process.getuid?.() === 0 ? { uid: 65_532, gid: 65_532 } : {};
const DOCKERFILE = readFileSync(new URL("../../media-node/Dockerfile", import.meta.url), "utf8");

const folder = mkdtempSync(join(tmpdir(), "trunkline-image-"));
const set = join(folder, "app");
const scratch = join(folder, "scratch");
const nodeProgram = join(folder, "node");
let built: ReturnType<typeof buildNode>;

beforeAll(() => {
	built = buildNode(set);
	mkdirSync(scratch);
	chmodSync(scratch, 0o777);
	copyFileSync(process.execPath, nodeProgram);
	for (const entry of readdirSync(set, { recursive: true, withFileTypes: true })) {
		const path = join(entry.parentPath, entry.name);
		if (!entry.isSymbolicLink()) chmodSync(path, entry.isDirectory() ? 0o555 : 0o444);
	}
	for (const path of [set, nodeProgram, folder]) chmodSync(path, 0o555);
}, 60_000);

afterAll(() => {
	chmodSync(folder, 0o755);
	for (const entry of readdirSync(set, { recursive: true, withFileTypes: true }))
		if (entry.isDirectory()) chmodSync(join(entry.parentPath, entry.name), 0o755);
	chmodSync(set, 0o755);
	rmSync(folder, { recursive: true, force: true });
});

type LogLine = Record<string, unknown>;

/** Node with the arguments of the Dockerfile; it may read the set and write its scratch folder, and nothing else. */
function run(arguments_: string[], env: Record<string, string>) {
	const permissions = [
		"--permission",
		`--allow-fs-read=${set}`,
		`--allow-fs-read=${scratch}`,
		`--allow-fs-write=${scratch}`,
		"--allow-worker",
		"--allow-addons",
	];
	const child = spawn(
		nodeProgram,
		["--disable-warning=ExperimentalWarning", "--disable-warning=SecurityWarning", ...permissions, ...arguments_],
		{
			...USER,
			cwd: scratch,
			env: { NODE_ENV: "production", HOME: "/nonexistent", TMPDIR: scratch, ...env },
			stdio: ["ignore", "pipe", "pipe"],
		},
	);
	const output = { lines: [] as LogLine[], stdout: "", stderr: "", exitCode: undefined as number | null | undefined };
	child.stdout.setEncoding("utf8").on("data", (text: string) => {
		output.stdout += text;
		const complete = output.stdout.slice(0, output.stdout.lastIndexOf("\n") + 1);
		output.lines = complete
			.split("\n")
			.filter((line) => line.startsWith("{"))
			.map((line) => JSON.parse(line) as LogLine);
	});
	child.stderr.setEncoding("utf8").on("data", (text: string) => (output.stderr += text));
	child.on("close", (code) => (output.exitCode = code));
	return { child: child as ChildProcess, output };
}

async function until(condition: () => boolean, what: () => string, timeout = 20_000): Promise<void> {
	await vi.waitUntil(condition, { timeout, interval: 5 }).catch(() => {
		throw new Error(`waited in vain for ${what()}`);
	});
}

describe("the file set", () => {
	it("has what a node needs and nothing of tests, development or one processor", () => {
		const paths = readdirSync(set, { recursive: true, encoding: "utf8" });
		for (const needed of [
			"media-node/src/main.ts",
			"media-node/src/engine/worker.ts",
			"media-node/assets/prompts/en/goodbye.wav",
			"packages/noise-suppression/model/dtln.f16",
			"node_modules/@evan/opus/wasm/simd.wasm",
		])
			expect(paths, needed).toContain(needed);
		expect(paths.filter((path) => /\.(test|testkit|bench)\.ts$|\.so$|\.env|\.pem$/.test(path))).toEqual([]);
		// ELF's e_machine: 62 = x86-64, 183 = AArch64.
		const natives = paths.filter((path) => path.endsWith(".node")).map((path) => [path, readFileSync(join(set, path)).readUInt16LE(18)]);
		expect(Object.fromEntries(natives)).toEqual({
			"node_modules/@evan/opus/node/arm64-linux.node": 183,
			"node_modules/@evan/opus/node/x64-linux.node": 62,
		});
		const workspaces = readdirSync(join(set, "packages"));
		for (const name of ["testkit", "emulators", "room-server", "phone", "local", "console", "cli"]) expect(workspaces).not.toContain(name);
		for (const name of ["vitest", "typescript", "node", "sst", "dynalite"]) expect(existsSync(join(set, "node_modules", name))).toBe(false);
		for (const entry of readdirSync(join(set, "node_modules/@trunkline"))) {
			expect(lstatSync(join(set, "node_modules/@trunkline", entry)).isSymbolicLink(), entry).toBe(true);
		}
		process.stdout.write(`image: ${built.packages.length} packages, ${built.files} files, ${(built.bytes / 1e6).toFixed(1)} MB\n`);
		expect(built.bytes).toBeLessThan(100e6);
	});

	it("is run by the Dockerfile as it is run here", () => {
		expect(DOCKERFILE).toMatch(/^ENTRYPOINT \["node", "--disable-warning=ExperimentalWarning"\]$/m);
		expect(DOCKERFILE).toMatch(/^CMD \["media-node\/src\/main\.ts"\]$/m);
		expect(DOCKERFILE).toMatch(/node scripts\/build-node\.mjs \/set$/m);
		expect(DOCKERFILE).toMatch(/^USER 65532:65532$/m);
		expect(DOCKERFILE).toMatch(/^STOPSIGNAL SIGTERM$/m);
		// What the set has been put together for is the major version that runs here.
		const [major] = process.versions.node.split(".");
		expect(DOCKERFILE).toContain(`node:${major}-`);
		expect(DOCKERFILE).toContain(`distroless/nodejs${major}-`);
	});

	it("cannot reach what is outside it, nor write to itself", async () => {
		const script = `
			import { readFileSync, writeFileSync } from "node:fs";
			const codes = [];
			for (const attempt of [
				() => readFileSync(${JSON.stringify(join(import.meta.dirname, "../../package.json"))}),
				() => readFileSync("/etc/hostname"),
				() => writeFileSync(${JSON.stringify(join(set, "x"))}, ""),
			]) try { attempt(); codes.push("none"); } catch ({ code }) { codes.push(code); }
			console.log(JSON.stringify({ codes }));`;
		const { output } = run(["--input-type=module", "--eval", script], {});
		await until(
			() => output.exitCode !== undefined,
			() => "the script",
		);
		expect(output.lines).toEqual([{ codes: ["ERR_ACCESS_DENIED", "ERR_ACCESS_DENIED", "ERR_ACCESS_DENIED"] }]);
	});

	it("has every module that any of its sources imports", async () => {
		const script = `
			import { globSync } from "node:fs";
			const failed = [];
			const sources = globSync("{media-node,packages/*}/src/**/*.ts", { cwd: ${JSON.stringify(set)} })
				.filter((path) => !/media-node.src.(main|engine.worker|engine.thread-main)\\.ts$/.test(path));
			for (const path of sources) {
				try { await import(${JSON.stringify(`file://${set}/`)} + path); }
				catch (error) { if (/ERR_MODULE_NOT_FOUND|ERR_ACCESS_DENIED|MODULE_NOT_FOUND/.test(error.code)) failed.push(path + ": " + error.message); }
			}
			console.log(JSON.stringify({ failed, sources: sources.length }));
			process.exit(0);`;
		const { output } = run(["--input-type=module", "--eval", script], {});
		await until(
			() => output.exitCode !== undefined,
			() => "the imports",
			50_000,
		);
		expect(output.stderr).toBe("");
		expect(output.lines).toEqual([{ failed: [], sources: expect.any(Number) }]);
	});
});

describe("a node from the file set", () => {
	let cloud: Awaited<ReturnType<typeof startCloud>>;
	beforeAll(async () => {
		cloud = await startCloud();
		await cloud.config.createTrunk("project", inboundTrunk({ numbers: [NUMBER] }));
		const quiet = { trunkId: "ST_333333333333", numbers: [QUIET_NUMBER], krispEnabled: true };
		await cloud.config.createTrunk("project", inboundTrunk(quiet));
		await cloud.config.createRule("project", dispatchRule());
	});
	afterAll(() => cloud.close());

	it("starts, takes a call, and on SIGTERM lets it end before it exits with 0", async () => {
		const phones = await Promise.all([Phone.open({ host: "127.0.0.1" }), Phone.open({ host: "127.0.0.1" })]);
		const [first, second] = phones;
		if (first === undefined || second === undefined) throw new Error("no phones");
		const began = performance.now();
		const { child, output } = run([join(set, "media-node/src/main.ts")], cloud.environment);
		try {
			const line = (message: string): LogLine | undefined => output.lines.find(({ msg }) => msg === message);
			await until(
				() => line("ready") !== undefined || output.exitCode !== undefined,
				() => `the node: ${output.stderr}`,
			);
			const readyMs = performance.now() - began;
			const ready = line("ready");
			if (ready === undefined) throw new Error(`the node did not start: ${output.stderr}${output.stdout}`);
			const uri = (number: string) => `sip:${number}@127.0.0.1:${String(ready["sipPort"])}`;
			// Two telephones in one room: each is somebody who hears the other.
			const [anna, bert] = await Promise.all([
				first.call(uri(NUMBER), { from: "+15551111" }),
				second.call(uri(QUIET_NUMBER), { from: "+15552222" }),
			]);
			anna.tone(440, -20);
			await Promise.all([anna.answered(), bert.answered()]);
			const callMs = performance.now() - began;
			process.stdout.write(`image: ready ${readyMs.toFixed(0)} ms after start, first call answered ${callMs.toFixed(0)} ms after it\n`);
			await settle(1_000);
			bert.received.clear();
			bert.tone(1_000, -20);
			await settle(1_000);
			expect(measureTone(bert.received.pcm(), 8_000, 440).levelDb).toBeGreaterThan(-30);
			// The weights of the noise suppressor are in the set, and read by a thread.
			anna.received.clear();
			await settle(1_000);
			expect(measureTone(anna.received.pcm(), 8_000, 1_000).levelDb).toBeLessThan(-40);

			child.kill("SIGTERM");
			await until(
				() => line("draining") !== undefined,
				() => "the drain",
			);
			const probe = await fetch(`http://127.0.0.1:${String(ready["healthPort"])}/ready`);
			expect(probe.status).toBe(503);
			expect([anna.state, bert.state]).toEqual(["answered", "answered"]);
			for (const call of [anna, bert]) call.hangup();
			await until(
				() => output.exitCode !== undefined,
				() => "the exit",
			);
			expect(output.exitCode).toBe(0);
			expect(output.stderr).toBe("");
			expect(output.lines.filter(({ level }) => level === "error")).toEqual([]);
		} finally {
			if (output.exitCode === undefined) child.kill("SIGKILL");
			await Promise.all(phones.map((phone) => phone.close()));
		}
	});
});
