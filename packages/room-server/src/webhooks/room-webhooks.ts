import { WebhookEvent } from "@livekit/protocol";
import { newSid } from "../ids.ts";
import type { RoomEvent } from "../room/events.ts";
import { type Receiver, receiverAt } from "./post.ts";
import { WebhookQueue } from "./webhook-queue.ts";

/** At the end there is little time for what was not taken yet. */
const CLOSE_WITHIN_MS = 1_000;

export interface WebhookOptions {
	/** http or https; each gets every event */
	urls: readonly string[];
	/** one of the server's keys: what is sent is signed with its secret */
	apiKey: string;
	/** ms for a whole exchange; default 10 000 */
	timeoutMs?: number;
	/** ms until the first retry, doubled each time up to 30 000; default 1 000 */
	firstRetryMs?: number;
}

/** Tells of rooms, participants and tracks by HTTP, as LiveKit's server does (`webhook.urls`). */
export class RoomWebhooks {
	readonly #receivers: { receiver: Receiver; queue: WebhookQueue }[];

	/** Throws for a URL that is none. */
	constructor(options: WebhookOptions, secret: string, log: (message: string, fields: Record<string, unknown>) => void) {
		this.#receivers = options.urls.map((text) => {
			const url = new URL(text);
			if (url.protocol !== "http:" && url.protocol !== "https:") throw new TypeError(`${text} is no http or https URL`);
			const receiver = receiverAt(url, { apiKey: options.apiKey, secret }, options.timeoutMs ?? 10_000);
			const queue = new WebhookQueue({
				post: (body) => receiver.post(body),
				now: Date.now,
				firstRetryMs: options.firstRetryMs ?? 1_000,
				slowestRetryMs: 30_000,
				giveUpAfterMs: 600_000,
				maxPerKey: 200,
				maxInAll: 5_000,
				maxAtOnce: 16,
				dropped: ({ name }, why) => log("webhook dropped", { event: name, receiver: url.origin, why }),
			});
			return { receiver, queue };
		});
	}

	notify({ event, room, participant, track }: RoomEvent): void {
		const createdAt = Date.now();
		const message = new WebhookEvent({ event, room, id: newSid("EV"), createdAt: BigInt(Math.floor(createdAt / 1000)) });
		if (participant !== undefined) message.participant = participant;
		if (track !== undefined) message.track = track;
		const body = message.toJsonString();
		for (const { queue } of this.#receivers) queue.add({ key: room.sid, name: event, body, queuedAt: createdAt });
	}

	async close(): Promise<void> {
		await Promise.all(
			this.#receivers.map(async ({ receiver, queue }) => {
				await queue.close(CLOSE_WITHIN_MS);
				receiver.close();
			}),
		);
	}
}
