import { randomUUID } from "node:crypto";
import { DataPacket, RpcRequest } from "@livekit/protocol";

/** ms for the client to acknowledge, as LiveKit's */
const ACK_WITHIN_MS = 2_000;
const RESPONSE_WITHIN_MS = 10_000;
const MAX_PAYLOAD_BYTES = 15_360;
/** calls of one participant that are under way */
const MAX_PENDING = 100;

export interface RpcCall {
	method: string;
	payload: string;
	/** 0 = 10 000 */
	responseTimeoutMs: number;
}

/** LiveKit's codes for what can go wrong with an RPC. */
const failures = {
	1501: "Connection timeout",
	1502: "Response timeout",
	1503: "Recipient disconnected",
	1505: "Failed to send",
	1402: "Request payload too large",
} as const;

export class RpcFailure extends Error {
	override readonly name = "RpcFailure";
	/** 1400 and above: LiveKit's own; others are the application's */
	readonly code: number;

	constructor(code: number, message: string, data = "") {
		super(`RpcError ${code}: ${message}${data === "" ? "" : `: ${data}`}`);
		this.code = code;
	}
}

interface Pending {
	resolve(payload: string): void;
	reject(failure: RpcFailure): void;
	ackTimer: NodeJS.Timeout;
	responseTimer: NodeJS.Timeout;
}

/** RPCs that the server asks of one participant. The caller's identity is the id of the call, as LiveKit's server has it. */
export class ServerRpc {
	readonly #send: (packet: DataPacket) => void;
	readonly #pending = new Map<string, Pending>();

	constructor(send: (packet: DataPacket) => void) {
		this.#send = send;
	}

	/** What the client's method gives. Rejects with RpcFailure. */
	perform({ method, payload, responseTimeoutMs }: RpcCall): Promise<string> {
		if (Buffer.byteLength(payload) > MAX_PAYLOAD_BYTES) return Promise.reject(failure(1402));
		if (this.#pending.size >= MAX_PENDING) return Promise.reject(failure(1505));
		const withinMs = responseTimeoutMs === 0 ? RESPONSE_WITHIN_MS : Math.min(responseTimeoutMs, 600_000);
		const id = randomUUID();
		return new Promise((resolve, reject) => {
			this.#pending.set(id, {
				resolve,
				reject,
				ackTimer: setTimeout(() => this.#fail(id, failure(1501)), ACK_WITHIN_MS).unref(),
				responseTimer: setTimeout(() => this.#fail(id, failure(1502)), withinMs).unref(),
			});
			const request = new RpcRequest({ id, method, payload, responseTimeoutMs: withinMs, version: 1 });
			this.#send(new DataPacket({ participantIdentity: id, value: { case: "rpcRequest", value: request } }));
		});
	}

	/** True when a packet of the participant's is about a call of the server's: it concerns nobody else. */
	take({ value }: DataPacket): boolean {
		if (value.case !== "rpcAck" && value.case !== "rpcResponse") return false;
		const id = value.value.requestId;
		const pending = this.#pending.get(id);
		if (pending === undefined) return false;
		clearTimeout(pending.ackTimer);
		if (value.case === "rpcAck") return true;
		const answer = value.value.value;
		if (answer.case === "payload") {
			this.#settled(id, pending);
			pending.resolve(answer.value);
		} else if (answer.case === "error") this.#fail(id, new RpcFailure(answer.value.code, answer.value.message, answer.value.data));
		// a compressed answer, which nobody asked for with version 1
		else this.#fail(id, new RpcFailure(1500, "Application error in method handler"));
		return true;
	}

	/** The participant is gone. */
	close(): void {
		for (const id of [...this.#pending.keys()]) this.#fail(id, failure(1503));
	}

	#fail(id: string, reason: RpcFailure): void {
		const pending = this.#pending.get(id);
		if (pending === undefined) return;
		this.#settled(id, pending);
		pending.reject(reason);
	}

	#settled(id: string, { ackTimer, responseTimer }: Pending): void {
		clearTimeout(ackTimer);
		clearTimeout(responseTimer);
		this.#pending.delete(id);
	}
}

function failure(code: keyof typeof failures): RpcFailure {
	return new RpcFailure(code, failures[code]);
}
