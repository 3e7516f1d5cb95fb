import { createHash } from "node:crypto";
import type { CallEvent, CallEventType } from "@trunkline/contracts";
import { callEvents, type ClaimedEvents, DEFAULT_EVENTS, type EventDelivery, type EventOutbox, type WebhookStore } from "@trunkline/domain";
import type { Log, Metrics } from "@trunkline/observability";
import type { SigningKey, WebhookSender } from "./webhook-sender.ts";

/** One receiver of a project's events. */
export interface EventSink {
	/** tells how far it is across restarts; the same for the same receiver */
	id: string;
	wants(type: CallEventType): boolean;
	/** Resolves when the receiver has it for good. */
	send(event: CallEvent): Promise<void>;
}

export interface EventDeliveryOptions {
	outbox: EventOutbox;
	/** who receives the events of a project now */
	sinks(projectId: string): Promise<readonly EventSink[]>;
	/** ms since the epoch */
	clock(): number;
	/** unset: nobody measures */
	metrics?: Metrics;
	log: Log;
}

/** A deliverer that died is replaced after this. */
const CLAIM_MS = 60_000;
/** One does not start to send later than this, so that it is over before the claim is. */
const SEND_WITHIN_MS = 45_000;
const FIRST_RETRY_MS = 1_000;
const SLOWEST_RETRY_MS = 300_000;
/** A receiver that is away for longer misses events, and the log says so. */
const GIVE_UP_AFTER_MS = 72 * 3_600_000;
const BATCH = 25;
/** Whoever wrote a call has another clock: what he says is due now is taken at once all the same. */
const CLOCKS_DIFFER_MS = 500;

/**
 * Brings the events of calls to their receivers: at least once, each call's in order, each receiver at its own pace. What is not delivered stays in the
 * outbox, so nothing is lost when a receiver, this process or the machine goes down.
 */
export class EventDeliverer {
	readonly #options: EventDeliveryOptions;

	constructor(options: EventDeliveryOptions) {
		this.#options = options;
	}

	/** Delivers what is due; true when there may be more. Throws `unavailable` when the table cannot be reached. */
	async deliverDue(): Promise<boolean> {
		const { outbox, clock } = this.#options;
		const due = await outbox.dueCalls(clock(), BATCH);
		const delivered = await Promise.all(due.map((callId) => this.deliverCall(callId)));
		return delivered.length === BATCH && delivered.some(Boolean);
	}

	/** Delivers what is due of one call; false when nothing is, or somebody else is at it. */
	async deliverCall(callId: string): Promise<boolean> {
		const { outbox, clock } = this.#options;
		const now = clock() + CLOCKS_DIFFER_MS;
		const claimed = await outbox.claimEvents(callId, now, now + CLAIM_MS);
		if (claimed === undefined) return false;
		const { deliveries, nextAt } = await this.#deliver(claimed, now);
		await outbox.settleEvents(claimed, deliveries, nextAt);
		return true;
	}

	async #deliver(claimed: ClaimedEvents, now: number): Promise<{ deliveries: ClaimedEvents["deliveries"]; nextAt: number | undefined }> {
		const { sinks, clock, log } = this.#options;
		const { record } = claimed;
		try {
			const receivers = await sinks(record.projectId);
			const events = callEvents(record, 0);
			const results = await Promise.all(receivers.map(async (sink) => [sink.id, await this.#bring(claimed, events, sink, now)] as const));
			const open = results.filter(([, { delivered }]) => delivered < events.length).map(([, { nextAt }]) => nextAt);
			return { deliveries: Object.fromEntries(results), nextAt: open.length === 0 ? undefined : Math.min(...open) };
		} catch (error) {
			log.warn({ callId: record.callId, err: error }, "who receives a call's events could not be read; it is tried again");
			return { deliveries: claimed.deliveries, nextAt: clock() + FIRST_RETRY_MS };
		}
	}

	/** Until all is sent, or one fails: what comes after it waits. */
	async #bring({ deliveries }: ClaimedEvents, events: readonly CallEvent[], sink: EventSink, began: number): Promise<EventDelivery> {
		const { clock } = this.#options;
		let state = deliveries[sink.id] ?? { delivered: 0, attempts: 0, nextAt: 0 };
		if (state.nextAt > began) return state;
		for (const event of events.slice(state.delivered)) {
			if (sink.wants(event.event)) {
				if (clock() - began > SEND_WITHIN_MS) return { ...state, nextAt: clock() };
				const failed = await this.#send(event, sink, state.attempts);
				if (failed !== undefined) return { ...state, ...failed };
			}
			state = { delivered: state.delivered + 1, attempts: 0, nextAt: 0 };
		}
		return state;
	}

	/** undefined: it is dealt with. */
	async #send(event: CallEvent, sink: EventSink, attempts: number): Promise<Pick<EventDelivery, "attempts" | "nextAt"> | undefined> {
		const { clock, log } = this.#options;
		const fields = { callId: event.call.id, event: event.event, eventId: event.id, sink: sink.id, attempt: attempts + 1 };
		try {
			await sink.send(event);
			return undefined;
		} catch (error) {
			const now = clock();
			if (now - event.at > GIVE_UP_AFTER_MS) {
				this.#options.metrics?.record("EventsGivenUp", 1);
				log.error({ ...fields, err: error }, "an event could not be delivered for days and is given up");
				return undefined;
			}
			log.warn({ ...fields, err: error }, "an event was not delivered; it is tried again");
			return { attempts: attempts + 1, nextAt: now + Math.min(SLOWEST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(attempts, 20)) };
		}
	}
}

/** The webhooks of a project as receivers. `key`: what its events are signed with, undefined for a project without keys, which then gets none. */
export function webhookSinks(options: {
	webhooks: WebhookStore;
	sender: Pick<WebhookSender, "send">;
	key(projectId: string): Promise<SigningKey | undefined> | SigningKey | undefined;
}): (projectId: string) => Promise<EventSink[]> {
	return async (projectId) => {
		const { webhooks } = await options.webhooks.getWebhooks(projectId);
		if (webhooks.length === 0) return [];
		const key = await options.key(projectId);
		if (key === undefined) return [];
		return webhooks.map(({ url, events = DEFAULT_EVENTS }) => ({
			id: `webhook-${createHash("sha256").update(url).digest("hex").slice(0, 16)}`,
			wants: (type) => events.includes(type),
			send: (event) => options.sender.send(url, JSON.stringify(event), key),
		}));
	};
}

/** An event bus as receiver; digits stay away from it, as from a webhook that does not ask for them. */
export function busSink(bus: { put(event: CallEvent): Promise<void> }): EventSink {
	return { id: "event-bus", wants: (type) => DEFAULT_EVENTS.includes(type), send: (event) => bus.put(event) };
}
