import { EventBridgeClient, type EventBridgeClientConfig, PutEventsCommand } from "@aws-sdk/client-eventbridge";
import type { CallEvent } from "@trunkline/contracts";
import { DomainError } from "@trunkline/domain";

/** `endpoint` = an emulator's or a test's. */
export function createEventBridgeClient(options: { region: string; endpoint?: string }): EventBridgeClient {
	const config: EventBridgeClientConfig = {
		region: options.region,
		maxAttempts: 3,
		retryMode: "standard",
		requestHandler: { connectionTimeout: 1000, requestTimeout: 3000, throwOnRequestTimeout: true },
	};
	if (options.endpoint !== undefined) {
		config.endpoint = options.endpoint;
		config.credentials = { accessKeyId: "local", secretAccessKey: "local" };
	}
	return new EventBridgeClient(config);
}

/** `source` of every event; rules match on it. */
export const EVENT_SOURCE = "trunkline";

/** Puts call events on an EventBridge bus: `detail-type` is the event's name, `detail` the event, `resources` the call. */
export class EventBridgeBus {
	readonly #client: EventBridgeClient;
	readonly #busName: string;

	constructor(client: EventBridgeClient, options: { busName: string }) {
		this.#client = client;
		this.#busName = options.busName;
	}

	/** Throws `unavailable` when the bus did not take it. */
	async put(event: CallEvent): Promise<void> {
		const entry = {
			EventBusName: this.#busName,
			Source: EVENT_SOURCE,
			DetailType: event.event,
			Detail: JSON.stringify(event),
			Resources: [event.call.id],
			Time: new Date(event.at),
		};
		try {
			const { FailedEntryCount = 0, Entries } = await this.#client.send(new PutEventsCommand({ Entries: [entry] }));
			if (FailedEntryCount > 0) throw new Error(Entries?.[0]?.ErrorCode ?? "refused");
		} catch (error) {
			const why = error instanceof Error ? error.message : "unknown error";
			throw new DomainError("unavailable", `The event bus ${this.#busName} did not take an event (${why})`, {}, { cause: error });
		}
	}
}
