import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

/**
 * Python packages that tests use, each set in an environment of its own in the cache of node_modules. They need Python 3 and, the first time, a
 * package index; without them the tests are skipped.
 */
const CACHE = join(import.meta.dirname, "../../../node_modules/.cache/trunkline");
const INSTALL_LIMIT_MS = 90_000;

const run = promisify(execFile);

/** The interpreter that has these packages ("name==version"), once they are installed. */
export function pythonOf(name: string, packages: readonly string[]): string {
	return join(environmentOf(name, packages), "bin/python");
}

/** Installs the packages unless they are there; gives what is missing for that, undefined when all is well. */
export async function pythonMissing(name: string, packages: readonly string[]): Promise<string | undefined> {
	const environment = environmentOf(name, packages);
	if (await exists(environment)) return undefined;
	const python = await run("python3", ["-c", "import sys, venv, ensurepip; assert sys.version_info >= (3, 10)"]).catch(() => undefined);
	if (!python) return "Python 3.10 or later with venv (python3) is not available";
	// Made beside its place and moved there when whole: two test runs may do this at once.
	await mkdir(CACHE, { recursive: true });
	const unfinished = await mkdtemp(`${environment}.`);
	try {
		await run("python3", ["-m", "venv", unfinished], { timeout: INSTALL_LIMIT_MS });
		const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "1", "--timeout", "10"];
		await run(join(unfinished, "bin/python"), [...pip, ...packages], { timeout: INSTALL_LIMIT_MS });
		await rename(unfinished, environment);
		return undefined;
	} catch (error) {
		if (await exists(environment)) return undefined;
		return `${packages.join(", ")} cannot be installed from the Python package index (${lastLine(error)})`;
	} finally {
		await rm(unfinished, { recursive: true, force: true });
	}
}

/** The version is that of the first package: the others come with it. */
function environmentOf(name: string, [first = ""]: readonly string[]): string {
	return join(CACHE, `${name}-${first.split("==")[1] ?? ""}`);
}

async function exists(path: string): Promise<boolean> {
	return stat(path).then(
		() => true,
		() => false,
	);
}

function lastLine(error: unknown): string {
	const text = typeof error === "object" && error !== null && "stderr" in error ? String(error.stderr) : String(error);
	return text.trim().split("\n").at(-1) ?? "";
}
