import { randomBytes } from "node:crypto";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { type Answered, answerAll, carrierInvite, carrierOptions, carrierRequest, endpoint, PEER } from "./messages.ts";

export interface Throughput extends Answered {
	seconds: number;
	/** how much garbage collection left on the heap, in the middle and at the end, MB */
	heapMb: { middle: number; end: number };
	leftOver: number;
}

/** Simulated ms between calls: with 200 a second, as many transactions live at a time as at that rate. */
const CALL_EVERY_MS = 5;

/** Feeds whole calls (INVITE, ACK, BYE) to an endpoint without sockets, as fast as it takes them; time is simulated, so that its timers run too. */
export function parseAndAnswerCalls(calls: number, progress: (done: number) => void): Throughput {
	const callee = endpoint({ host: "198.51.100.4", port: 5060 }, randomBytes);
	const count: Answered = { received: 0, sent: 0 };
	const heap: number[] = [];
	const remote = PEER;
	let now = 0;
	const began = performance.now();
	for (let n = 0; n < calls; n++) {
		callee.handle({ kind: "received", bytes: carrierInvite(n), remote }, now);
		const tag = answerAll(callee, now, count);
		callee.handle({ kind: "received", bytes: carrierRequest("ACK", n, tag), remote }, now);
		callee.handle({ kind: "received", bytes: carrierRequest("BYE", n, tag), remote }, now);
		answerAll(callee, now, count);
		count.received += 3;
		now += CALL_EVERY_MS;
		const due = callee.nextTimeout();
		if (due !== undefined && due <= now) callee.handleTimeout(now);
		answerAll(callee, now, count);
		if (n % 50_000 === 0) progress(n);
		if (n === Math.floor(calls / 2) || n === calls - 1) heap.push(heapMb());
	}
	const seconds = (performance.now() - began) / 1000;
	callee.handleTimeout(now + 64_000);
	answerAll(callee, now, count);
	const [middle = 0, end = 0] = heap;
	const { transactions, dialogs, legs, timers } = callee.stats();
	return { ...count, seconds, leftOver: transactions + dialogs + legs + timers, heapMb: { middle, end } };
}

/** The cheapest useful request. */
export function parseAndAnswerOptions(messages: number): Throughput {
	const callee = endpoint({ host: "198.51.100.4", port: 5060 }, randomBytes);
	const count: Answered = { received: 0, sent: 0 };
	const began = performance.now();
	for (let n = 0; n < messages; n++) {
		callee.handle({ kind: "received", bytes: carrierOptions(n), remote: PEER }, n);
		answerAll(callee, n, count);
		count.received++;
	}
	return { ...count, seconds: (performance.now() - began) / 1000, leftOver: 0, heapMb: { middle: 0, end: 0 } };
}

// The flag of the command line would have to pass npm and the bootstrap.
setFlagsFromString("--expose_gc");
const collect = runInNewContext("gc") as () => void;

function heapMb(): number {
	collect();
	return process.memoryUsage().heapUsed / 1e6;
}
