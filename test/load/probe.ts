/**
 * Loaded into the measured process before its own code (`--import`), where Node has every worker thread load it, too. Tells memory, handles, late frames and
 * what was allocated, of all threads together, to the process that started it; without one it does nothing.
 */
import { subscribe } from "node:diagnostics_channel";
import { Session } from "node:inspector/promises";
import { BroadcastChannel, isMainThread, threadId } from "node:worker_threads";
import type { AllocationNode, ProbeAnswer, ProbeQuestion, ThreadSample } from "./probe-protocol.ts";

/** bytes between two samples of the profiler, on the average */
const SAMPLED_EVERY_BYTES = 16_384;
/** until threads have answered; those that are gone never do */
const ANSWERS_WITHIN_MS = 3_000;

let lateFrames = 0;
subscribe("trunkline:late-frames", (frames) => {
	lateFrames += frames as number;
});
const session = new Session();
let profiling = false;

async function answer({ what }: ProbeQuestion): Promise<ThreadSample> {
	if (what === "collected") (globalThis as { gc?: () => void }).gc?.();
	const { heapUsed, heapTotal, external, arrayBuffers } = process.memoryUsage();
	const handles: Record<string, number> = {};
	for (const kind of process.getActiveResourcesInfo()) handles[kind] = (handles[kind] ?? 0) + 1;
	const sample: ThreadSample = { threadId, isMainThread, heapUsed, heapTotal, external, arrayBuffers, handles, lateFrames };
	if (what === "profile") await beginProfile();
	if (what === "profiled" && profiling) sample.allocations = await endProfile();
	return sample;
}

async function beginProfile(): Promise<void> {
	session.connect();
	profiling = true;
	await session.post("HeapProfiler.startSampling", {
		samplingInterval: SAMPLED_EVERY_BYTES,
		// what was allocated, and not only what is still there
		includeObjectsCollectedByMajorGC: true,
		includeObjectsCollectedByMinorGC: true,
	} as object);
}

async function endProfile(): Promise<AllocationNode> {
	const { profile } = await session.post("HeapProfiler.stopSampling");
	session.disconnect();
	profiling = false;
	return profile.head as AllocationNode;
}

const channel = new BroadcastChannel("trunkline:probe");
channel.unref();

if (!isMainThread) {
	channel.onmessage = (message) => {
		const question = (message as { data: ProbeQuestion & { answer?: ThreadSample } }).data;
		if (question.answer !== undefined) return;
		void answer(question).then((sample) => channel.postMessage({ ...question, answer: sample }));
	};
} else if (process.send !== undefined) {
	const open = new Map<number, (sample: ThreadSample) => void>();
	channel.onmessage = (message) => {
		const { id, answer: sample } = (message as { data: ProbeQuestion & { answer?: ThreadSample } }).data;
		if (sample !== undefined) open.get(id)?.(sample);
	};
	process.on("message", (question: ProbeQuestion) => {
		void ask(question).then((threads) =>
			process.send?.({ id: question.id, rss: process.memoryUsage.rss(), threads } satisfies ProbeAnswer),
		);
	});
	// The one that asks must not keep us.
	process.channel?.unref();

	const ask = async (question: ProbeQuestion): Promise<ThreadSample[]> => {
		const samples: ThreadSample[] = [];
		const all = Promise.withResolvers<void>();
		const add = (sample: ThreadSample): void => {
			samples.push(sample);
			if (samples.length === question.workers + 1) all.resolve();
		};
		open.set(question.id, add);
		channel.postMessage(question);
		const timer = setTimeout(() => all.resolve(), ANSWERS_WITHIN_MS);
		add(await answer(question));
		await all.promise;
		clearTimeout(timer);
		open.delete(question.id);
		return samples;
	};
}
