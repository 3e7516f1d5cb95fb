// Plain JavaScript for whatever Node (>= 20) the machine has: installs what is missing, then hands over to the pinned Node 24.
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const windows = process.platform === "win32";
const pinnedNode = join(root, "node_modules/node/bin", windows ? "node.exe" : "node");
/** npm writes this after the last step of an install. */
const npmRecord = join(root, "node_modules/.package-lock.json");
const lockFile = join(root, ".trunkline/install.lock");
/** A program that was asked to stop gets 5 s to hang up its calls; what is still there after this long is stuck. */
const KILL_AFTER_MS = 8_000;
/** Node's numbers, for the shell's convention 128 + n. */
const SIGNALS = { SIGHUP: 1, SIGINT: 2, SIGQUIT: 3, SIGILL: 4, SIGABRT: 6, SIGBUS: 7, SIGKILL: 9, SIGSEGV: 11, SIGTERM: 15 };

const [script, ...args] = process.argv.slice(2);
if (script === undefined) fail(usage());
if (Number(process.versions.node.split(".")[0]) < 20) {
	fail(`Node ${process.versions.node} is too old to start from; install Node 20 or newer (24 itself is then installed by npm).`);
}
if (script === "--help") {
	process.stdout.write(`${usage()}\n`);
	process.exit(0);
}
await installOnce();
if (!existsSync(join(root, script))) fail(`there is no ${script}; ${usage()}`);
await handOver();

async function installOnce() {
	if (isInstalled()) return;
	const unlock = await lock();
	try {
		// Whoever held the lock before us has probably installed everything by now.
		if (isInstalled()) return;
		process.stderr.write("trunkline: installing dependencies (once, about half a minute) …\n");
		// Without npm's record an install was cut off, perhaps in the middle of a package: start over.
		if (!existsSync(npmRecord)) rmSync(join(root, "node_modules"), { recursive: true, force: true });
		// Not `npm ci`: it refuses a lock file without the other platforms' optional binaries (npm/cli#9846), which is what npm writes where
		// the registry does not offer those. --no-save keeps to the lock file and leaves it alone. --include=dev: a NODE_ENV=production of the
		// machine must not leave the test tools out.
		await npm(["install", "--no-save", "--include=dev", "--prefer-offline", "--loglevel=error", "--no-fund", "--no-audit"]);
	} finally {
		unlock();
	}
	if (existsSync(pinnedNode)) return;
	fail(
		"npm has installed everything but Node 24: its settings do not let the package `node` run its install script (ignore-scripts or allow-scripts).\n" +
			"Run this once, then try again:  npm rebuild node --ignore-scripts=false",
	);
}

/**
 * True when node_modules holds what package-lock.json asks for. npm writes node_modules/.package-lock.json after the last install step, so
 * an interrupted install and a changed lock file both show, an `npm install <package>` by hand counts, and no network is touched.
 */
function isInstalled() {
	if (!existsSync(pinnedNode) || !existsSync(npmRecord)) return false;
	const wanted = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")).packages;
	const present = JSON.parse(readFileSync(npmRecord, "utf8")).packages;
	return Object.entries(wanted).every(([path, { version, optional, link }]) => {
		// Optional packages are the other platforms' binaries; links and workspaces are this repository itself.
		if (!path.includes("node_modules/") || optional || link) return link !== true || existsSync(join(root, path));
		return present[path]?.version === version;
	});
}

/** Two terminals on a fresh clone: one installs, the other waits. Returns the function that lets the next one in. */
async function lock() {
	mkdirSync(dirname(lockFile), { recursive: true });
	for (let told = false; ; await sleep(250)) {
		try {
			writeFileSync(lockFile, String(process.pid), { flag: "wx" });
			const release = () => {
				process.off("exit", release);
				rmSync(lockFile, { force: true });
			};
			process.on("exit", release);
			return release;
		} catch (error) {
			if (error.code !== "EEXIST") fail(`cannot write ${lockFile}: ${error.message}`);
		}
		if (isStale()) rmSync(lockFile, { force: true });
		else if (!told) process.stderr.write("trunkline: another terminal is installing the dependencies; waiting for it …\n");
		told = true;
	}
}

function isStale() {
	try {
		// Old enough that the number may be somebody else's by now (a reboot in between).
		if (Date.now() - statSync(lockFile).mtimeMs > 15 * 60_000) return true;
		// An empty file belongs to someone between creating and writing it.
		const holder = Number(readFileSync(lockFile, "utf8"));
		return holder > 0 && !isAlive(holder);
	} catch {
		return false;
	}
}

function isAlive(pid) {
	try {
		process.kill(pid, 0);
		return true;
	} catch (error) {
		return error.code === "EPERM";
	}
}

async function npm(npmArgs) {
	// Inside `npm start` npm says where it is; that also avoids npm.cmd, which Node does not start without a shell on Windows.
	const self = process.env.npm_execpath;
	const viaNode = self !== undefined && /npm-cli\.c?js$/.test(self);
	const child = viaNode
		? spawn(process.execPath, [self, ...npmArgs], { cwd: root, stdio: ["ignore", 2, 2] })
		: spawn("npm", npmArgs, { cwd: root, stdio: ["ignore", 2, 2], shell: windows });
	const { code, signal, error } = await ended(child);
	if (error) fail(`cannot run npm: ${error.message}`);
	if (signal) process.exit(128 + (SIGNALS[signal] ?? 0));
	if (code !== 0)
		fail(
			`npm install failed with exit code ${code}; its output is above. The first run needs the npm registry, later ones need no network.`,
		);
}

async function handOver() {
	const env = {
		...process.env,
		PATH: `${dirname(pinnedNode)}${delimiter}${process.env.PATH ?? ""}`,
		NODE_ENV: process.env.NODE_ENV ?? "production",
		AWS_EC2_METADATA_DISABLED: "true",
	};
	// npm tells every child about its own settings; nothing of ours reads them.
	for (const name of Object.keys(env)) if (name.startsWith("npm_config_")) delete env[name];
	// INIT_CWD: where the person typed the command, so that `--play hello.wav` means their hello.wav.
	const child = spawn(pinnedNode, ["--disable-warning=ExperimentalWarning", join(root, script), ...args], {
		cwd: process.env.INIT_CWD ?? root,
		stdio: "inherit",
		env,
	});
	const { code, signal, error } = await ended(child);
	if (error) {
		const other = error.code === "ENOEXEC" || error.code === "EACCES" || error.code === "UNKNOWN";
		fail(
			`cannot start the pinned Node: ${error.message}${other ? "; node_modules looks installed on another system: remove it and try again" : ""}`,
		);
	}
	if (signal) process.stderr.write(`trunkline: ${script} was ended by ${signal}\n`);
	process.exit(signal ? 128 + (SIGNALS[signal] ?? 0) : (code ?? 1));
}

/** Waits for the child, passing signals on, so that it can finish its calls before we leave. */
async function ended(child) {
	// In a terminal Ctrl-C goes to the whole group, child included, and npm passes on what it gets itself: a second one from us would look
	// like an impatient user. Without a terminal (a supervisor, CI) only we may have got it.
	const interactive = process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY;
	const passedOn = new Set();
	let stuck;
	const onSignal = (signal) => {
		if (!(signal === "SIGINT" && interactive) && !passedOn.has(signal)) child.kill(signal);
		passedOn.add(signal);
		stuck ??= setTimeout(() => child.kill("SIGKILL"), KILL_AFTER_MS);
	};
	const names = ["SIGINT", "SIGTERM", "SIGHUP"];
	for (const name of names) process.on(name, onSignal);
	// A signal to npm alone ends npm and its shell but never reaches us: without this, what we started would go on with nobody to stop it.
	const parent = process.ppid;
	const orphaned = () => {
		if (process.ppid !== parent) onSignal("SIGTERM");
	};
	const watch = process.env.npm_lifecycle_event === undefined ? undefined : setInterval(orphaned, 250);
	const result = await new Promise((resolve) => {
		child.once("error", (error) => resolve({ error }));
		child.once("exit", (code, signal) => resolve({ code, signal }));
	});
	for (const name of names) process.off(name, onSignal);
	clearTimeout(stuck);
	clearInterval(watch);
	return result;
}

function usage() {
	const folder = join(root, "examples");
	// Not all of them are programs: some are modules for a setting to name.
	const isProgram = (name) =>
		name.endsWith(".mjs") && readFileSync(join(folder, name), "utf8").includes(`npm run example examples/${name}`);
	const examples = existsSync(folder) ? readdirSync(folder).filter(isProgram) : [];
	return `npm run example <script> [arguments], with one of\n${examples.map((name) => `  examples/${name}`).join("\n")}`;
}

function fail(message) {
	for (const line of message.split("\n")) process.stderr.write(`trunkline: ${line}\n`);
	process.exit(1);
}
