import type { CallRecord, CallTrace, TraceMessage } from "@trunkline/contracts";
import type { CallStore, TraceStore } from "@trunkline/domain";
import type { Address } from "@trunkline/sip";
import { callIdOf, decodeBytes, isInvite, maskMessage } from "@trunkline/trace";
import { Bucket } from "./bucket.ts";

export interface CallTracesOptions {
	store: TraceStore;
	/** how long a trace is kept */
	retentionMs: number;
	/** telephone numbers are masked as secrets are */
	numbersMasked: boolean;
	/** our address as a peer of this transport and host has it */
	localOf(remote: Address): { host: string; port: number };
	/** ms since the epoch, with a fraction */
	now(): number;
	/** calls once after `ms`; gives what takes it back */
	after(ms: number, callback: () => void): () => void;
	log: { warn(fields: Record<string, unknown>, message: string): void };
}

/** What one call may keep. An answered call with a transfer has some twenty messages of less than 2 KB. */
const MAX_MESSAGES = 300;
const MAX_MESSAGE_BYTES = 16 * 1024;
const MAX_CALL_BYTES = 512 * 1024;
/** INVITEs whose calls are still being decided on, which is a matter of milliseconds. */
const MAX_WAITING = 512;
/** After it nobody asks any more, as of a call that is pinned to another region and is to leave nothing here. */
const WAITING_MS = 30_000;
const MAX_WAITING_BYTES = 4 * 1024 * 1024;
/** Calls that are over and may still see the last retransmissions (RFC 3261 Timers H and J: 32 s). */
const LINGER_MS = 33_000;
const MAX_CALLS = 10_000;
/** A live call's trace is at most so old in the store. */
const FLUSH_MS = 1_000;
/** Calls that no trunk took: scanners make thousands of them. */
const STRANGERS = { perSecond: 2, burst: 60 };

/** Messages of one SIP Call-ID before anybody knows whose they are. */
interface Waiting {
	messages: TraceMessage[];
	bytes: number;
}

interface Traced {
	trace: CallTrace;
	bytes: number;
	/** messages whose secrets are masked */
	masked: number;
	dirty: boolean;
	over: boolean;
	sipCallIds: string[];
}

/**
 * Keeps the SIP messages of each call and puts them into the store: soon after they went, and again as more come. It sees every message as it was on the
 * wire, and learns from the writes to call records whose they are. Nothing here can fail a call.
 */
export class CallTraces {
	readonly #options: CallTracesOptions;
	readonly #waiting = new Map<string, Waiting>();
	#waitingBytes = 0;
	/** by call id */
	readonly #calls = new Map<string, Traced>();
	/** call ids by SIP Call-ID */
	readonly #bySip = new Map<string, string>();
	readonly #strangers: Bucket;
	readonly #timers = new Set<() => void>();
	#flushPlanned = false;
	#sweepPlanned = false;
	#puts: Promise<void> = Promise.resolve();

	constructor(options: CallTracesOptions) {
		this.#options = options;
		this.#strangers = new Bucket(STRANGERS, () => options.now());
	}

	/** A message as it came in or goes out. Cheap, and never throws. */
	observe(direction: TraceMessage["direction"], bytes: Uint8Array, remote: Address): void {
		const text = decodeBytes(bytes.subarray(0, MAX_MESSAGE_BYTES));
		const sipCallId = callIdOf(text);
		if (sipCallId === undefined) return;
		const callId = this.#bySip.get(sipCallId);
		const call = callId === undefined ? undefined : this.#calls.get(callId);
		// REGISTER and OPTIONS belong to no call.
		if (call === undefined && !this.#waiting.has(sipCallId) && !isInvite(text)) return;
		const message: TraceMessage = {
			at: this.#options.now(),
			direction,
			transport: remote.transport,
			local: this.#options.localOf(remote),
			remote: { host: remote.host, port: remote.port },
			text,
			bytes: bytes.length,
		};
		if (call === undefined) this.#wait(sipCallId, message);
		else this.#add(call, message);
	}

	/** The same store; what is written to it says whose messages are whose, and which calls are over. */
	watch(calls: CallStore): CallStore {
		const learnt = (record: CallRecord | undefined): CallRecord | undefined => {
			if (record !== undefined) this.#learn(record);
			return record;
		};
		return {
			createCall: async (record) => {
				// Before the write: a table that is slow or away must not lose what the call said.
				this.#learn(record);
				return calls.createCall(record);
			},
			getCall: (callId) => calls.getCall(callId),
			claimCall: async (...claim) => learnt(await calls.claimCall(...claim)),
			transitionCall: async (callId, step) => learnt(await calls.transitionCall(callId, step)),
			noteQuality: (...note) => calls.noteQuality(...note),
			endCall: async (...end) => learnt(await calls.endCall(...end)),
			liveCallsInRoom: (projectId, roomName) => calls.liveCallsInRoom(projectId, roomName),
			findCalls: (projectId, search) => calls.findCalls(projectId, search),
		};
	}

	/** Everything that is known goes into the store; nothing is kept after that. */
	async close(): Promise<void> {
		for (const cancel of this.#timers) cancel();
		this.#timers.clear();
		this.#flush();
		this.#calls.clear();
		this.#bySip.clear();
		this.#waiting.clear();
		await this.#puts;
	}

	#wait(sipCallId: string, message: TraceMessage): void {
		const waiting = this.#waiting.get(sipCallId) ?? { messages: [], bytes: 0 };
		if (waiting.bytes + message.text.length > MAX_CALL_BYTES || waiting.messages.length >= MAX_MESSAGES) return;
		waiting.messages.push(message);
		waiting.bytes += message.text.length;
		this.#waitingBytes += message.text.length;
		this.#waiting.set(sipCallId, waiting);
		this.#planSweep();
		// The oldest are those whose calls never came to be.
		for (const [oldest] of this.#waiting) {
			if (this.#waiting.size <= MAX_WAITING && this.#waitingBytes <= MAX_WAITING_BYTES) return;
			this.#unwait(oldest);
		}
	}

	#planSweep(): void {
		if (this.#sweepPlanned) return;
		this.#sweepPlanned = true;
		this.#after(WAITING_MS, () => {
			this.#sweepPlanned = false;
			const before = this.#options.now() - WAITING_MS;
			for (const [sipCallId, { messages }] of this.#waiting) if ((messages[0]?.at ?? 0) <= before) this.#unwait(sipCallId);
			if (this.#waiting.size > 0) this.#planSweep();
		});
	}

	#unwait(sipCallId: string): TraceMessage[] {
		const waiting = this.#waiting.get(sipCallId);
		if (waiting === undefined) return [];
		this.#waiting.delete(sipCallId);
		this.#waitingBytes -= waiting.bytes;
		return waiting.messages;
	}

	#learn(record: CallRecord): void {
		const { callId, direction, endedAt } = record;
		// The Call-ID of calls that we make is their id (outbound-plan.ts).
		const names = direction === "outbound" ? [callId, record.sipCallId] : [record.sipCallId];
		let call = this.#calls.get(callId);
		if (call === undefined) {
			const isStranger = record.trunkId === "" && direction === "inbound" && endedAt !== undefined;
			if (isStranger && !this.#strangers.take()) {
				for (const name of names) this.#unwait(name);
				return;
			}
			call = this.#begin(record);
		}
		for (const name of names) this.#name(call, name);
		if (endedAt !== undefined && !call.over) {
			call.over = true;
			this.#after(LINGER_MS, () => this.#forget(callId));
		}
	}

	#begin({ callId, projectId, region, expiresAtSeconds }: CallRecord): Traced {
		const { retentionMs, numbersMasked, now } = this.#options;
		const until = Math.min(expiresAtSeconds, Math.floor((now() + retentionMs) / 1000));
		const trace: CallTrace = { version: 1, callId, projectId, region, messages: [], dropped: 0, numbersMasked, expiresAtSeconds: until };
		const call: Traced = { trace, bytes: 0, masked: 0, dirty: false, over: false, sipCallIds: [] };
		this.#calls.set(callId, call);
		if (this.#calls.size > MAX_CALLS) for (const [id, { over }] of this.#calls) if (over) return (this.#forget(id), call);
		return call;
	}

	#name(call: Traced, sipCallId: string): void {
		if (sipCallId === "" || call.sipCallIds.includes(sipCallId)) return;
		call.sipCallIds.push(sipCallId);
		this.#bySip.set(sipCallId, call.trace.callId);
		for (const message of this.#unwait(sipCallId)) this.#add(call, message);
	}

	#add(call: Traced, message: TraceMessage): void {
		const { trace } = call;
		if (trace.messages.length >= MAX_MESSAGES || call.bytes + message.text.length > MAX_CALL_BYTES) trace.dropped += 1;
		else {
			trace.messages.push(message);
			call.bytes += message.text.length;
		}
		call.dirty = true;
		if (this.#flushPlanned) return;
		this.#flushPlanned = true;
		this.#after(FLUSH_MS, () => this.#flush());
	}

	#flush(): void {
		this.#flushPlanned = false;
		for (const call of this.#calls.values()) if (call.dirty) this.#put(call);
	}

	#put(call: Traced): void {
		call.dirty = false;
		const { trace } = call;
		for (; call.masked < trace.messages.length; call.masked++) {
			const message = trace.messages[call.masked];
			if (message !== undefined) message.text = maskMessage(message.text, { numbers: trace.numbersMasked });
		}
		const copy = { ...trace, messages: [...trace.messages] };
		// One after the other: a later state must not be overtaken by an earlier one.
		this.#puts = this.#puts
			.then(() => this.#options.store.putTrace(copy))
			.catch((error: unknown) => this.#options.log.warn({ callId: trace.callId, err: error }, "the call's trace could not be kept"));
	}

	#forget(callId: string): void {
		const call = this.#calls.get(callId);
		if (call === undefined) return;
		if (call.dirty) this.#put(call);
		this.#calls.delete(callId);
		for (const name of call.sipCallIds) if (this.#bySip.get(name) === callId) this.#bySip.delete(name);
	}

	#after(ms: number, callback: () => void): () => void {
		const cancel = this.#options.after(ms, () => {
			this.#timers.delete(cancel);
			callback();
		});
		this.#timers.add(cancel);
		return cancel;
	}
}
