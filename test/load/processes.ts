import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { createSocket } from "node:dgram";
import { createServer } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { ProbeAnswer, ProbeQuestion } from "./probe-protocol.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const START_WITHIN_MS = 20_000;
/** The system hangs up its calls within 5 s of a signal. */
const STOP_WITHIN_MS = 6_000;
/** USER_HZ of Linux, the unit of /proc's CPU times: 100 on every architecture that Node runs on */
const TICKS_PER_SECOND = 100;
const KEPT_OUTPUT = 4_000;
const PROBE_WITHIN_MS = 10_000;

/** A Node program of this repository in a process of its own, until `stop`. */
export class Program {
	static readonly #running = new Set<Program>();
	readonly #child: ChildProcess;
	readonly #name: string;
	#output = "";
	#questions = 0;

	/** Starts `script` (path from the root of the repository) and waits until it has printed `ready`. */
	static async start(
		name: string,
		script: string,
		options: { env?: Record<string, string>; nodeArgs?: string[]; ready: string },
	): Promise<Program> {
		const program = new Program(name, script, options.env ?? {}, options.nodeArgs ?? []);
		await program.#printed(options.ready);
		return program;
	}

	/** Ends all programs that still run; nothing when there are none. */
	static async stopAll(): Promise<void> {
		await Promise.all([...Program.#running].map((program) => program.stop()));
	}

	/** For an end that leaves no time. */
	static killAll(): void {
		for (const program of Program.#running) program.#child.kill("SIGKILL");
	}

	private constructor(name: string, script: string, env: Record<string, string>, nodeArgs: string[]) {
		this.#name = name;
		this.#child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", ...nodeArgs, script], {
			cwd: ROOT,
			env: { ...process.env, NODE_ENV: "production", ...env },
			stdio: ["ignore", "pipe", "pipe", "ipc"],
		});
		Program.#running.add(this);
		this.#child.once("exit", () => Program.#running.delete(this));
		this.#child.once("error", (error) => this.#keep(error.message));
		for (const stream of [this.#child.stdout, this.#child.stderr])
			stream?.setEncoding("utf8").on("data", (text: string) => this.#keep(text));
	}

	get pid(): number {
		return this.#child.pid ?? 0;
	}

	/** What the probe in it says; `workers`: threads besides the main one. Rejects when there is no probe. */
	ask(what: ProbeQuestion["what"], workers: number): Promise<ProbeAnswer> {
		const id = ++this.#questions;
		return new Promise((resolve, reject) => {
			const timer = setTimeout(() => settle(() => reject(new Error(`the ${this.#name} tells nothing of itself`))), PROBE_WITHIN_MS);
			const onMessage = (message: unknown): void => {
				if ((message as ProbeAnswer).id === id) settle(() => resolve(message as ProbeAnswer));
			};
			const settle = (then: () => void): void => {
				clearTimeout(timer);
				this.#child.off("message", onMessage);
				then();
			};
			this.#child.on("message", onMessage);
			this.#child.send({ id, workers, what } satisfies ProbeQuestion);
		});
	}

	/** SIGTERM, and SIGKILL when that has not helped. */
	async stop(): Promise<void> {
		if (this.#over()) return;
		const exited = new Promise<void>((resolve) => {
			this.#child.once("exit", () => resolve());
		});
		this.#child.kill("SIGTERM");
		await Promise.race([exited, delay(STOP_WITHIN_MS, undefined, { ref: false })]);
		if (this.#over()) return;
		this.#child.kill("SIGKILL");
		await exited;
	}

	async #printed(ready: string): Promise<void> {
		const deadline = performance.now() + START_WITHIN_MS;
		while (!this.#output.includes(ready)) {
			if (!this.#over() && performance.now() < deadline) {
				await delay(20);
				continue;
			}
			await this.stop();
			throw new Error(`the ${this.#name} did not start:\n${this.#output}`);
		}
	}

	#over(): boolean {
		return this.#child.pid === undefined || this.#child.exitCode !== null || this.#child.signalCode !== null;
	}

	#keep(text: string): void {
		this.#output = (this.#output + text).slice(-KEPT_OUTPUT);
	}
}

/** CPU time that a process has used, user and system, ms; undefined where there is no /proc. */
export function cpuMs(pid: number): number | undefined {
	const stat = read(`/proc/${pid}/stat`);
	// The second field is the program's name, in parentheses and with whatever characters; fields 14 and 15 are utime and stime (proc(5)).
	const fields = stat?.slice(stat.lastIndexOf(")") + 2).split(" ");
	return fields === undefined ? undefined : ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS_PER_SECOND;
}

/** CPU time of those of a process' threads whose name begins so, ms. Threads that have ended are not in it. */
export function threadsCpuMs(pid: number, name: string): number | undefined {
	let total: number | undefined;
	for (const thread of threadsOf(pid)) {
		if (read(`/proc/${pid}/task/${thread}/comm`)?.startsWith(name) !== true) continue;
		const stat = read(`/proc/${pid}/task/${thread}/stat`);
		const fields = stat?.slice(stat.lastIndexOf(")") + 2).split(" ");
		if (fields !== undefined) total = (total ?? 0) + ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS_PER_SECOND;
	}
	return total;
}

/** Memory of a process that is in RAM, MB; undefined where there is no /proc. */
export function residentMb(pid: number): number | undefined {
	const kb = /^VmRSS:\s+(\d+) kB/m.exec(read(`/proc/${pid}/status`) ?? "")?.[1];
	return kb === undefined ? undefined : Number(kb) / 1024;
}

/** Sockets that a process has open; undefined where there is no /proc. */
export function openSockets(pid: number): number | undefined {
	try {
		return readdirSync(`/proc/${pid}/fd`).filter((fd) => isSocket(`/proc/${pid}/fd/${fd}`)).length;
	} catch {
		return undefined;
	}
}

function isSocket(path: string): boolean {
	try {
		return readlinkSync(path).startsWith("socket:");
	} catch {
		// closed meanwhile
		return false;
	}
}

/** CPU time that all programs of the machine have used, ms; undefined where there is no /proc. */
export function machineCpuMs(): number | undefined {
	const fields = read("/proc/stat")?.split("\n", 1)[0]?.trim().split(/\s+/).slice(1).map(Number);
	if (fields === undefined) return undefined;
	// user, nice, system, (idle, iowait), irq, softirq, steal
	const busy = [0, 1, 2, 5, 6, 7].reduce((sum, index) => sum + (fields[index] ?? 0), 0);
	return (busy * 1000) / TICKS_PER_SECOND;
}

/** A port of 127.0.0.1 that is free for TCP or UDP right now. */
export function freePort(protocol: "TCP" | "UDP"): Promise<number> {
	return new Promise((resolve, reject) => {
		if (protocol === "UDP") {
			const socket = createSocket("udp4");
			socket.once("error", reject);
			socket.bind(0, "127.0.0.1", () => {
				const { port } = socket.address();
				socket.close(() => resolve(port));
			});
			return;
		}
		const server = createServer();
		server.once("error", reject);
		server.listen(0, "127.0.0.1", () => {
			const address = server.address();
			server.close(() => resolve(address !== null && typeof address === "object" ? address.port : 0));
		});
	});
}

function threadsOf(pid: number): string[] {
	try {
		return readdirSync(`/proc/${pid}/task`);
	} catch {
		return [];
	}
}

function read(path: string): string | undefined {
	try {
		return readFileSync(path, "utf8");
	} catch {
		return undefined;
	}
}
