import { setTimeout as delay } from "node:timers/promises";
import type { CallRecord, WebhookSettings } from "@trunkline/contracts";
import type { CallStore, EventOutbox, WebhookStore } from "@trunkline/domain";
import { EventDeliverer, EventLoop, type SigningKey, webhookSinks, WebhookSender } from "@trunkline/functions";
import type { Logger } from "@trunkline/observability";

/** A receiver that does not answer must not hold up the end of the program; what it did not take comes after the next start. */
const STOP_WITHIN_MS = 1_000;

/** This machine is the one place where webhooks may go over plain http. */
export const LOCAL_TARGETS = { loopback: true, private: false };

export interface LocalEventsOptions {
	calls: CallStore;
	outbox: EventOutbox;
	webhooks: WebhookStore;
	/** what a project's events are signed with */
	key(projectId: string): Promise<SigningKey | undefined>;
	log: Logger;
}

/** Delivers call events in the process that writes the calls: right after a write, when the project has webhooks at all. */
export class LocalEvents {
	/** to be used in the place of `calls` and `webhooks` */
	readonly callStore: CallStore;
	readonly webhookStore: WebhookStore;
	readonly #loop: EventLoop;

	constructor({ calls, outbox, webhooks, key, log }: LocalEventsOptions) {
		const remembered = new RememberedWebhooks(webhooks);
		this.webhookStore = remembered;
		const sinks = webhookSinks({ webhooks: remembered, sender: new WebhookSender({ targets: LOCAL_TARGETS }), key });
		this.#loop = new EventLoop(new EventDeliverer({ outbox, sinks, clock: Date.now, log }), log);
		this.callStore = toldOfWrites(calls, (call) => {
			if (remembered.mayHave(call.projectId)) this.#loop.nudge(call.callId);
		});
	}

	start(): void {
		this.#loop.start();
	}

	async stop(): Promise<void> {
		await Promise.race([this.#loop.stop(), delay(STOP_WITHIN_MS, undefined, { ref: false })]);
	}
}

/** The only process that writes them need not read them again and again. */
class RememberedWebhooks implements WebhookStore {
	readonly #store: WebhookStore;
	readonly #settings = new Map<string, WebhookSettings>();

	constructor(store: WebhookStore) {
		this.#store = store;
	}

	async getWebhooks(projectId: string): Promise<WebhookSettings> {
		const known = this.#settings.get(projectId);
		if (known !== undefined) return known;
		const settings = await this.#store.getWebhooks(projectId);
		this.#settings.set(projectId, settings);
		return settings;
	}

	async putWebhooks(projectId: string, settings: WebhookSettings): Promise<void> {
		await this.#store.putWebhooks(projectId, settings);
		this.#settings.set(projectId, settings);
	}

	/** false only when it is known that there are none. */
	mayHave(projectId: string): boolean {
		return this.#settings.get(projectId)?.webhooks.length !== 0;
	}
}

/** The same store; `written` hears of each call that was written. */
function toldOfWrites(store: CallStore, written: (call: CallRecord) => void): CallStore {
	const told = async (write: Promise<CallRecord | undefined>): Promise<CallRecord | undefined> => {
		const call = await write;
		if (call !== undefined) written(call);
		return call;
	};
	return {
		createCall: async (call) => {
			const created = await store.createCall(call);
			if (created) written(call);
			return created;
		},
		claimCall: (...parameters) => told(store.claimCall(...parameters)),
		transitionCall: (...parameters) => told(store.transitionCall(...parameters)),
		endCall: (...parameters) => told(store.endCall(...parameters)),
		noteQuality: (...parameters) => store.noteQuality(...parameters),
		getCall: (callId) => store.getCall(callId),
		liveCallsInRoom: (projectId, roomName) => store.liveCallsInRoom(projectId, roomName),
		findCalls: (projectId, search) => store.findCalls(projectId, search),
	};
}
