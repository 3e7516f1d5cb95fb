import { type RequestResponse, RequestResponse_Reason } from "@livekit/protocol";

const REQUEST_TIMEOUT_MS = 5000;

type Attributes = Readonly<Record<string, string>>;

interface Pending {
	attributes: Attributes;
	settle: (error?: Error) => void;
}

export interface OwnAttributesOptions {
	/** While the room is gone nothing is sent; what waits is sent again when it is back. */
	send(attributes: Attributes, requestId: number): void;
	onChanged?: ((attributes: Attributes) => void) | undefined;
}

/** Attributes of our own participant: what the server says that they are, and changes of ours that it has not answered yet. */
export class OwnAttributes {
	readonly #options: OwnAttributesOptions;
	readonly #pending = new Map<number, Pending>();
	#known: Attributes;
	#requestId = 0;

	constructor(known: Attributes, options: OwnAttributesOptions) {
		this.#known = known;
		this.#options = options;
	}

	get known(): Attributes {
		return this.#known;
	}

	/** An empty value deletes. Rejects when the server refuses, or does not answer. */
	set(attributes: Attributes): Promise<void> {
		const requestId = ++this.#requestId;
		return new Promise<void>((resolve, reject) => {
			const timer = setTimeout(() => settle(new Error("the room server did not answer the attribute update")), REQUEST_TIMEOUT_MS);
			const settle = (error?: Error) => {
				clearTimeout(timer);
				this.#pending.delete(requestId);
				if (error === undefined) resolve();
				else reject(error);
			};
			this.#pending.set(requestId, { attributes, settle });
			this.#options.send(attributes, requestId);
		});
	}

	/** Of this session's participant elsewhere, where the server knows others: it gets ours. */
	keep(known: Attributes): void {
		const changed = Object.entries(this.#known).filter(([name, value]) => known[name] !== value);
		if (changed.length > 0) this.#options.send(Object.fromEntries(changed), ++this.#requestId);
	}

	/** By another WebSocket; whoever waits for an answer waits for this one. */
	sendAgain(): void {
		for (const [requestId, { attributes }] of this.#pending) this.#options.send(attributes, requestId);
	}

	answered({ reason, requestId, message }: RequestResponse): void {
		// QUEUED: the final answer follows
		if (reason === RequestResponse_Reason.QUEUED) return;
		const words = RequestResponse_Reason[reason] ?? String(reason);
		const error = reason === RequestResponse_Reason.OK ? undefined : new Error(`the room server refused: ${words} ${message}`);
		this.#pending.get(requestId)?.settle(error);
	}

	/** Servers that do not answer requests that succeed show the result in our own ParticipantInfo. */
	saw(attributes: Attributes): void {
		this.#known = attributes;
		this.#options.onChanged?.(attributes);
		for (const request of this.#pending.values()) {
			if (Object.entries(request.attributes).every(([key, value]) => (attributes[key] ?? "") === value)) request.settle();
		}
	}

	end(message: string): void {
		for (const request of this.#pending.values()) request.settle(new Error(`the room session ended: ${message}`));
	}
}
