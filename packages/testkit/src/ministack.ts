import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rename, rm, stat } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";

/**
 * ministack (PyPI, MIT) emulates DynamoDB and SQS independently of what local mode embeds. What passes on both is less likely to rest on a fault of
 * one. It needs Python 3 and, the first time, a package index; without them the tests that use it are skipped.
 */
const VERSION = "1.5.33";
const CACHE = join(import.meta.dirname, "../../../node_modules/.cache/trunkline");
const VENV = join(CACHE, `ministack-${VERSION}`);
const INSTALL_LIMIT_MS = 90_000;
const START_LIMIT_MS = 20_000;

const run = promisify(execFile);

export interface Ministack {
	/** http://127.0.0.1:<port> */
	endpoint: string;
	close(): Promise<void>;
}

/** Installs ministack unless it is there; gives what is missing for that, undefined when all is well. */
export async function ministackMissing(): Promise<string | undefined> {
	if (await exists(VENV)) return undefined;
	const python = await run("python3", ["-c", "import sys, venv, ensurepip; assert sys.version_info >= (3, 10)"]).catch(() => undefined);
	if (!python) return "Python 3.10 or later with venv (python3) is not available";
	// Made beside its place and moved there when whole: two test runs may do this at once.
	await mkdir(CACHE, { recursive: true });
	const unfinished = await mkdtemp(`${VENV}.`);
	try {
		await run("python3", ["-m", "venv", unfinished], { timeout: INSTALL_LIMIT_MS });
		const pip = [
			"-m",
			"pip",
			"install",
			"--quiet",
			"--disable-pip-version-check",
			"--retries",
			"1",
			"--timeout",
			"10",
			`ministack==${VERSION}`,
		];
		await run(join(unfinished, "bin/python"), pip, { timeout: INSTALL_LIMIT_MS });
		await rename(unfinished, VENV);
		return undefined;
	} catch (error) {
		if (await exists(VENV)) return undefined;
		return `ministack ${VERSION} cannot be installed from the Python package index (${lastLine(error)})`;
	} finally {
		await rm(unfinished, { recursive: true, force: true });
	}
}

/** Starts an installed ministack on 127.0.0.1; throws with its output when it does not come up. */
export async function startMinistack(): Promise<Ministack> {
	const port = await freePort();
	const child = spawn(join(VENV, "bin/python"), ["-m", "ministack"], {
		env: { PATH: process.env["PATH"], GATEWAY_PORT: String(port), BIND_HOST: "127.0.0.1", SERVICES: "dynamodb,sqs", LOG_LEVEL: "WARNING" },
		stdio: ["ignore", "pipe", "pipe"],
	});
	let output = "";
	for (const stream of [child.stdout, child.stderr])
		stream.on("data", (chunk: Buffer) => (output = (output + chunk.toString()).slice(-4000)));
	const killOnExit = (): void => void child.kill("SIGKILL");
	process.once("exit", killOnExit);
	const exited = once(child, "exit");

	const close = async (): Promise<void> => {
		process.removeListener("exit", killOnExit);
		if (child.exitCode !== null || child.signalCode !== null) return;
		child.kill("SIGTERM");
		const limit = setTimeout(() => child.kill("SIGKILL"), 3000);
		await exited;
		clearTimeout(limit);
	};
	const endpoint = `http://127.0.0.1:${port}`;
	const deadline = Date.now() + START_LIMIT_MS;
	while (!(await answers(endpoint))) {
		if (child.exitCode !== null || Date.now() > deadline) {
			await close();
			throw new Error(`ministack did not start on port ${port}:\n${output}`);
		}
		await delay(50);
	}
	return { endpoint, close };
}

async function answers(endpoint: string): Promise<boolean> {
	try {
		return (await fetch(endpoint, { signal: AbortSignal.timeout(1000) })).status > 0;
	} catch {
		return false;
	}
}

async function freePort(): Promise<number> {
	const server = createServer().listen(0, "127.0.0.1");
	await once(server, "listening");
	const address = server.address();
	server.close();
	await once(server, "close");
	if (address === null || typeof address === "string") throw new Error("no port");
	return address.port;
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
