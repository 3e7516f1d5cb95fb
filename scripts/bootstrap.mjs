// Plain JavaScript for whatever Node (>= 20) the machine has: installs what is missing, then hands over to the pinned Node 24.
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const pinnedNode = join(root, "node_modules/node/bin", process.platform === "win32" ? "node.exe" : "node");
const stamp = join(root, "node_modules/.trunkline-installed");

const fail = (message) => {
	process.stderr.write(`trunkline: ${message}\n`);
	process.exit(1);
};

if (Number(process.versions.node.split(".")[0]) < 20) {
	fail(`Node ${process.versions.node} is too old to start from; install Node 20 or newer (24 itself is then installed by npm).`);
}

const wanted = createHash("sha256").update(readFileSync(join(root, "package-lock.json"))).digest("hex");
const installed = existsSync(stamp) && existsSync(pinnedNode) && readFileSync(stamp, "utf8") === wanted;
if (!installed) {
	process.stderr.write("trunkline: installing dependencies (once, about half a minute) …\n");
	const npm = process.platform === "win32" ? "npm.cmd" : "npm";
	const result = spawnSync(npm, ["ci", "--loglevel=error", "--no-fund", "--no-audit"], { cwd: root, stdio: ["ignore", 2, 2] });
	if (result.error) fail(`cannot run npm: ${result.error.message}`);
	if (result.status !== 0) fail(`npm ci failed with exit code ${result.status}; its output is above.`);
	if (!existsSync(pinnedNode)) fail("npm ci finished, but the pinned Node is not there; allow the install script of the package `node`, or remove `ignore-scripts` from your npm settings.");
	writeFileSync(stamp, wanted);
}

const [script, ...args] = process.argv.slice(2);
if (script === undefined) fail("usage: node scripts/bootstrap.mjs <script> [arguments]");
const env = {
	...process.env,
	PATH: `${dirname(pinnedNode)}${process.platform === "win32" ? ";" : ":"}${process.env.PATH ?? ""}`,
	NODE_ENV: process.env.NODE_ENV ?? "production",
	AWS_EC2_METADATA_DISABLED: "true",
};
// npm tells every child about its own settings; nothing of ours reads them.
for (const name of Object.keys(env)) if (name.startsWith("npm_config_")) delete env[name];
const child = spawn(pinnedNode, ["--disable-warning=ExperimentalWarning", join(root, script), ...args], { cwd: process.env.INIT_CWD ?? root, stdio: "inherit", env });
child.on("error", (error) => fail(`cannot start the pinned Node: ${error.message}`));
// The terminal sends SIGINT to the whole group; forward what reaches only us, and stay until the child has cleaned up.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
	process.on(signal, () => {
		if (signal !== "SIGINT" || !process.stdin.isTTY) child.kill(signal);
	});
}
child.on("exit", (code, signal) => process.exit(signal ? 128 + ({ SIGINT: 2, SIGTERM: 15, SIGHUP: 1, SIGKILL: 9 }[signal] ?? 1) : (code ?? 1)));
