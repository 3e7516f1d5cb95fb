/** Pairs of telephones that speak, in a thread of their own: what the benchmark's main thread is busy with must not look like the system's gap. */
import { once } from "node:events";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { type OutgoingCall, Phone } from "@trunkline/phone";

/** A packet that comes so long after the one before is 40 ms late: what a telephone's jitter buffer bridges, and no more. */
const HEARD_MS = 60;
const ANSWER_WITHIN_MS = 15_000;

export interface Gaps {
	/** the longest time between two packets that a telephone received, ms */
	worst: number;
	/** how many were longer than 60 ms */
	heard: number;
	packets: number;
}

interface Data {
	sipPort: number;
	numbers: readonly string[];
}

/** Two calls to each number, from their answer on; `gaps` tells what there was since it was asked last. */
export class RunningCalls {
	readonly #thread: Worker;

	static async start(data: Data): Promise<RunningCalls> {
		const thread = new Worker(new URL(import.meta.url), { workerData: data });
		await once(thread, "message");
		return new RunningCalls(thread);
	}

	private constructor(thread: Worker) {
		this.#thread = thread;
	}

	async gaps(): Promise<Gaps> {
		const answer = once(this.#thread, "message");
		this.#thread.postMessage("gaps");
		return ((await answer) as [Gaps])[0];
	}

	async stop(): Promise<void> {
		const gone = once(this.#thread, "exit");
		this.#thread.postMessage("stop");
		await gone;
	}
}

if (!isMainThread && parentPort !== null) {
	const { sipPort, numbers } = workerData as Data;
	const phone = await Phone.open({ record: false });
	const last = new Map<OutgoingCall, number>();
	let gaps: Gaps = { worst: 0, heard: 0, packets: 0 };
	const calls: OutgoingCall[] = [];
	for (const number of numbers) {
		for (const side of [1, 2]) {
			const from = `+1444${String(5_000_000 + 1_000 * side + calls.length)}`;
			const call = await phone.call(`sip:${number}@127.0.0.1:${sipPort}`, { from, codecs: ["PCMU"], timeoutMs: ANSWER_WITHIN_MS });
			call.tone(440);
			call.onRtp((_packet, arrivalMs) => {
				const gap = arrivalMs - (last.get(call) ?? arrivalMs);
				last.set(call, arrivalMs);
				gaps.worst = Math.max(gaps.worst, gap);
				gaps.packets += 1;
				if (gap > HEARD_MS) gaps.heard += 1;
			});
			calls.push(call);
		}
	}
	await Promise.all(calls.map((call) => call.answered()));
	const port = parentPort;
	port.on("message", (message: "gaps" | "stop") => {
		if (message === "gaps") {
			port.postMessage(gaps);
			gaps = { worst: 0, heard: 0, packets: 0 };
			return;
		}
		port.close();
		void phone.close();
	});
	port.postMessage("runs");
}
