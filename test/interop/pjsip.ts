import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";

const SCRIPT = join(import.meta.dirname, "python/pjsip_peer.py");
const PYTHON = process.env["PJSUA2_PYTHON"] ?? "python3";

/** Why there is no PJSIP here, in words; undefined when there is. Its bindings come with PJSIP's own build: PYTHONPATH has to name them. */
export function pjsipMissing(): string | undefined {
	const found = spawnSync(PYTHON, ["-c", "import pjsua2"], { encoding: "utf8" });
	return found.status === 0 ? undefined : `${PYTHON} has no module pjsua2`;
}

export interface PjsipEvent {
	event: string;
	[field: string]: unknown;
}

export interface PjsipOptions {
	transport?: "udp" | "tcp" | "tls";
	srtp?: "off" | "optional" | "required";
	timer?: "off" | "optional" | "required" | "always";
	timer_seconds?: number;
	prack?: "off" | "optional" | "required";
	/** file with the certificates that TLS trusts */
	ca?: string;
	/** WAV files: what it says, what it hears */
	play?: string;
	record?: string;
	codec?: "PCMU" | "PCMA" | "G722";
	/** statuses that an incoming call is answered with, at once and in this order */
	answers?: number[];
	user?: string;
	password?: string;
	registrar?: string;
}

/** A telephone on PJSIP in a process of its own. */
export class Pjsip {
	readonly events: PjsipEvent[] = [];
	readonly #child: ChildProcessWithoutNullStreams;
	#waiting: (() => void)[] = [];
	#output = "";
	address = "";

	static async start(options: PjsipOptions = {}): Promise<Pjsip> {
		const peer = new Pjsip();
		peer.do("start", { ...options });
		peer.address = String((await peer.event("started")).address);
		return peer;
	}

	private constructor() {
		this.#child = spawn(PYTHON, [SCRIPT], { stdio: ["pipe", "pipe", "pipe"] });
		this.#child.stderr.on("data", (chunk: Buffer) => {
			this.#output = (this.#output + chunk.toString()).slice(-10_000);
		});
		createInterface({ input: this.#child.stdout }).on("line", (line) => {
			// PJSIP's own log is not JSON.
			if (!line.startsWith("{")) return;
			this.events.push(JSON.parse(line) as PjsipEvent);
			for (const wake of this.#waiting.splice(0)) wake();
		});
	}

	do(what: string, fields: Record<string, unknown> = {}): void {
		this.#child.stdin.write(`${JSON.stringify({ do: what, ...fields })}\n`);
	}

	/** The first event of that name with these fields, from `since` on; waits for it. */
	async event(
		name: string,
		fields: Record<string, unknown> = {},
		options: { since?: number; withinMs?: number } = {},
	): Promise<PjsipEvent> {
		const deadline = Date.now() + (options.withinMs ?? 8_000);
		for (;;) {
			const matches = (one: PjsipEvent): boolean =>
				one.event === name && Object.entries(fields).every(([key, value]) => one[key] === value);
			const found = this.events.slice(options.since ?? 0).find(matches);
			if (found !== undefined) return found;
			const left = deadline - Date.now();
			if (left <= 0)
				throw new Error(`no ${name} ${JSON.stringify(fields)} from PJSIP; it told ${JSON.stringify(this.events)}\n${this.#output}`);
			await new Promise<void>((resolve) => {
				const timer = setTimeout(resolve, left);
				this.#waiting.push(() => {
					clearTimeout(timer);
					resolve();
				});
			});
		}
	}

	/** First lines of the requests and responses that came inside its calls. */
	messages(): string[] {
		return this.events.filter(({ event }) => event === "message").map(({ first }) => String(first));
	}

	async stop(): Promise<void> {
		if (this.#child.exitCode !== null) return;
		const gone = new Promise((resolve) => this.#child.once("exit", resolve));
		this.do("quit");
		const limit = setTimeout(() => this.#child.kill("SIGKILL"), 5_000);
		await gone;
		clearTimeout(limit);
	}
}
