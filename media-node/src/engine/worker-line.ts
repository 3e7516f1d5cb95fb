import type { ToWorker } from "./protocol.ts";

/** The line to a media worker, as the handles of what lives there have it. */
export interface WorkerLine {
	/** of the worker, for people */
	readonly name: string;
	/** Nothing happens when the worker has gone. */
	post(message: ToWorker): void;
	/** the next number for something that the worker is to know by it */
	number(): number;
	/** The promise of an answer; `message` gets the request's number. Rejects when the worker has gone. */
	ask<T>(message: (request: number) => ToWorker): Promise<T>;
}
