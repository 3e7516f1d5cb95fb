import { type ChildProcess, spawn } from "node:child_process";
import { createSocket, type Socket } from "node:dgram";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Phone } from "@trunkline/phone";

export const ROOT = join(import.meta.dirname, "../..");
const MAIN = join(ROOT, "packages/local/src/main.ts");
/** A loaded machine takes its time to load the modules. */
const SLOW_MS = 30_000;

interface Exit {
	code: number | null;
	signal: NodeJS.Signals | null;
	/** ms since the program was told to stop, or started */
	afterMs: number;
}

const open: (() => Promise<void> | void)[] = [];

/** Ends what the tests of a file have left, last first; for afterEach. */
export async function clear(): Promise<void> {
	for (let close = open.pop(); close !== undefined; close = open.pop()) await close();
}

/** A child process and what it says. */
export class Program {
	readonly child: ChildProcess;
	readonly exited: Promise<Exit>;
	stdout = "";
	stderr = "";
	#since = performance.now();
	#end: Exit | undefined;
	#listeners = new Set<() => void>();

	/** The environment is the given one and PATH: nothing of the machine's settings gets in. */
	constructor(command: readonly string[], env: Record<string, string> = {}, options: { detached?: boolean } = {}) {
		const [file = "", ...args] = command;
		this.child = spawn(file, args, {
			cwd: ROOT,
			env: { PATH: process.env["PATH"], HOME: process.env["HOME"], NODE_ENV: "production", AWS_EC2_METADATA_DISABLED: "true", ...env },
			detached: options.detached ?? false,
			stdio: ["pipe", "pipe", "pipe"],
		});
		for (const name of ["stdout", "stderr"] as const)
			this.child[name]?.setEncoding("utf8").on("data", (text: string) => {
				this[name] += text;
				this.#changed();
			});
		this.exited = new Promise((resolve) => {
			this.child.once("close", (code, signal) => {
				this.#end = { code, signal, afterMs: performance.now() - this.#since };
				resolve(this.#end);
				this.#changed();
			});
		});
		open.push(async () => {
			if (this.#end === undefined) this.kill("SIGKILL");
			await this.exited;
		});
	}

	/** Waits until standard output matches; fails with all that was said. */
	async says(pattern: RegExp, withinMs = SLOW_MS): Promise<RegExpExecArray> {
		const deadline = AbortSignal.timeout(withinMs);
		for (;;) {
			const match = pattern.exec(this.stdout);
			if (match !== null) return match;
			if (deadline.aborted || this.#end !== undefined)
				throw new Error(`waited in vain for ${pattern}; exit ${JSON.stringify(this.#end)}\nstdout: ${this.stdout}\nstderr: ${this.stderr}`);
			await new Promise<void>((resolve) => {
				this.#listeners.add(resolve);
				deadline.addEventListener("abort", () => resolve(), { once: true });
			});
		}
	}

	/** `group`: to every process of it, as a terminal does. */
	kill(signal: NodeJS.Signals, group = false): void {
		this.#since = performance.now();
		if (group) process.kill(-(this.child.pid ?? 0), signal);
		else this.child.kill(signal);
	}

	#changed(): void {
		for (const listener of this.#listeners) listener();
		this.#listeners.clear();
	}
}

export interface Running extends Program {
	url: string;
	httpPort: number;
	sipPort: number;
}

/** `npm start` without npm and installation: what these hand over to. */
export function launch(settings: Record<string, string> = {}, nodeOptions: readonly string[] = []): Program {
	return new Program([process.execPath, "--disable-warning=ExperimentalWarning", ...nodeOptions, MAIN], { ...freePorts(), ...settings });
}

/** Launched and serving. */
export function start(settings: Record<string, string> = {}, nodeOptions: readonly string[] = []): Promise<Running> {
	return serving(launch({ DATA_DIR: temporaryDirectory(), ...settings }, nodeOptions));
}

/** Reads the addresses that the terminal shows. */
export async function serving(program: Program): Promise<Running> {
	await program.says(/Stop {5}Ctrl-C/);
	const [, url = "", httpPort] = await program.says(/API\s+(http:\S+:(\d+))/);
	const [, , sipPort = "5060"] = await program.says(/SIP\s+sip:(\[[^\]]+\]|[^:\s]+)(?::(\d+))? /);
	return Object.assign(program, { url, httpPort: Number(httpPort), sipPort: Number(sipPort) });
}

export const freePorts = (): Record<string, string> => ({ PORT: "0", SIP_PORT: "0", RTP_PORT_RANGE: "21000-29000" });

export function temporaryDirectory(): string {
	const path = mkdtempSync(join(tmpdir(), "trunkline-e2e-"));
	open.push(() => rmSync(path, { recursive: true, force: true }));
	return path;
}

/** A TCP port that somebody else listens on, until `clear`. */
export async function busyTcpPort(): Promise<number> {
	const server = createServer();
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	open.push(() => new Promise((resolve) => void server.close(() => resolve())));
	const address = server.address();
	if (address === null || typeof address === "string") throw new Error("no port");
	return address.port;
}

/** A UDP port that somebody else has, until `clear`; `even`: one that RTP could want. */
export async function busyUdpPort(even = false): Promise<number> {
	for (;;) {
		const socket = createSocket("udp4");
		const port = await bind(socket, 0);
		open.push(() => new Promise((resolve) => void socket.close(() => resolve())));
		if (!even || port % 2 === 0) return port;
	}
}

/** Rejects when somebody has the port. */
export async function expectUdpFree(port: number): Promise<void> {
	const socket = createSocket("udp4");
	await bind(socket, port);
	await new Promise<void>((resolve) => void socket.close(() => resolve()));
}

function bind(socket: Socket, port: number): Promise<number> {
	return new Promise((resolve, reject) => {
		socket.once("error", reject);
		socket.bind({ port, address: "127.0.0.1", exclusive: true }, () => resolve(socket.address().port));
	});
}

export async function openPhone(options: Parameters<typeof Phone.open>[0] = {}): Promise<Phone> {
	const phone = await Phone.open(options);
	open.push(() => phone.close());
	return phone;
}

/** Two telephones in the room "hello": each is there for the other to talk to, so both are answered. */
export async function twoCalls({ sipPort }: { sipPort: number }, host = "127.0.0.1") {
	const phone = await openPhone({ host });
	const uri = `sip:+15550100@${host.includes(":") ? `[${host}]` : host}:${sipPort}`;
	const calls = await Promise.all([phone.call(uri, { from: "+15551111" }), phone.call(uri, { from: "+15552222" })]);
	await Promise.all(calls.map((call) => call.answered()));
	return calls;
}
