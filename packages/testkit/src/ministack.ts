import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { pythonMissing, pythonOf } from "./python.ts";

/**
 * ministack (PyPI, MIT) emulates DynamoDB and SQS independently of what local mode embeds. What passes on both is less likely to rest on a fault of
 * one. It needs Python 3 and, the first time, a package index; without them the tests that use it are skipped.
 */
const VERSION = "1.5.33";
const START_LIMIT_MS = 20_000;

export interface Ministack {
	/** http://127.0.0.1:<port> */
	endpoint: string;
	close(): Promise<void>;
}

/** Installs ministack unless it is there; gives what is missing for that, undefined when all is well. */
export function ministackMissing(): Promise<string | undefined> {
	return pythonMissing("ministack", [`ministack==${VERSION}`]);
}

/** Starts an installed ministack on 127.0.0.1; throws with its output when it does not come up. */
export async function startMinistack(): Promise<Ministack> {
	const port = await freePort();
	const child = spawn(pythonOf("ministack", [`ministack==${VERSION}`]), ["-m", "ministack"], {
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
