import type { RandomBytes } from "@trunkline/contracts";
import type { CallStore, ConfigStore, TraceStore } from "@trunkline/domain";
import type { Address } from "@trunkline/sip";
import type { InboundInvite } from "../call/ports.ts";
import { CallTraces } from "./call-traces.ts";
import { RefusedCalls } from "./refused-calls.ts";
import type { TraceSettings } from "./settings.ts";

/** Where traces go, and what is in them. */
export interface TraceOptions extends TraceSettings {
	store: TraceStore;
}

interface NodeTracesOptions {
	/** unset: no traces are kept */
	traces: TraceOptions | undefined;
	callStore: CallStore;
	configStore: ConfigStore;
	contact: { host: string; host6?: string; port: number; tlsPort?: number };
	projectFor(calledNumber: string, source: string): Promise<string | undefined>;
	nodeId: string;
	region: string;
	now(): number;
	random: RandomBytes;
	log: { warn(fields: Record<string, unknown>, message: string): void };
}

/** Traces of one node: what its user agent and its calls are given. */
export class NodeTraces {
	/** to be used in the place of the given one */
	readonly callStore: CallStore;
	readonly #traces: CallTraces | undefined;
	readonly #refused: RefusedCalls;

	constructor({ traces, contact, ...options }: NodeTracesOptions) {
		this.#traces = traces && new CallTraces({ ...traces, localOf: localOf(contact), now: preciseClock(), after, log: options.log });
		this.callStore = this.#traces?.watch(options.callStore) ?? options.callStore;
		this.#refused = new RefusedCalls({ ...options, calls: this.callStore });
	}

	observe(direction: "received" | "sent", bytes: Uint8Array, remote: Address): void {
		this.#traces?.observe(direction, bytes, remote);
	}

	refused(invite: InboundInvite, refusal: { status: number; reason: string }): void {
		this.#refused.refused(invite, refusal);
	}

	/** What is known goes into the store. Idempotent. */
	async close(): Promise<void> {
		await this.#traces?.close();
	}
}

const localOf =
	({ host, host6, port, tlsPort }: NodeTracesOptions["contact"]) =>
	(remote: Address): { host: string; port: number } => ({
		host: remote.host.includes(":") && !host.includes(":") ? (host6 ?? "::") : host,
		port: remote.transport === "TLS" ? (tlsPort ?? port) : port,
	});

/** As the node's clock, with the microseconds that the order of a trace is seen by. */
function preciseClock(): () => number {
	const origin = Date.now() - performance.now();
	return () => origin + performance.now();
}

function after(ms: number, callback: () => void): () => void {
	const timer = setTimeout(callback, ms);
	timer.unref();
	return () => clearTimeout(timer);
}
