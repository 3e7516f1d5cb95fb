import { type ChildProcess, spawn, spawnSync } from "node:child_process";

/** Whether a program of the system's can be run; tests that need one are skipped without it. */
export function installed(program: string): boolean {
	return spawnSync("sh", ["-c", `command -v ${program}`], { stdio: "ignore" }).status === 0;
}

export interface Finished {
	code: number | null;
	output: string;
}

/** Runs a program to its end, at most `withinMs`; what it printed comes back. */
export function run(
	program: string,
	args: readonly string[],
	withinMs: number,
	onStart?: (child: ChildProcess) => void,
): Promise<Finished> {
	return new Promise((resolve, reject) => {
		const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
		let output = "";
		const keep = (chunk: Buffer): void => {
			output = (output + chunk.toString()).slice(-20_000);
		};
		child.stdout.on("data", keep);
		child.stderr.on("data", keep);
		const limit = setTimeout(() => child.kill("SIGKILL"), withinMs);
		child.on("error", reject);
		child.on("exit", (code) => {
			clearTimeout(limit);
			resolve({ code, output });
		});
		onStart?.(child);
	});
}
