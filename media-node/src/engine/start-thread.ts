import { Worker } from "node:worker_threads";
// Its code is native. Where no other thread has it loaded it goes from memory with the first worker that ends, before that thread's own last words to it,
// and the process with it: so the main thread has it, too, and for good.
import "@evan/opus";
import type { StartThread } from "./media-worker.ts";
import type { FromWorker, WorkerSettings } from "./protocol.ts";

/** Starts threads of media workers. */
export function startThreads(settings: WorkerSettings, name: string): StartThread {
	return ({ onMessage, onGone }) => {
		const worker = new Worker(new URL("./worker.ts", import.meta.url), { workerData: settings, name });
		let fault: string | undefined;
		worker.on("message", (message: FromWorker) => onMessage(message));
		worker.on("error", (error: unknown) => {
			fault = error instanceof Error ? error.message : String(error);
		});
		worker.on("exit", (code) => onGone(fault ?? `exit code ${code}`));
		return { post: (message) => worker.postMessage(message), terminate: () => void worker.terminate() };
	};
}
