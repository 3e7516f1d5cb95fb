import { randomUUID } from "node:crypto";
import { ConditionalCheckFailedException, type DynamoDBClient, QueryCommand, UpdateItemCommand } from "@aws-sdk/client-dynamodb";
import type { ClaimedEvents, EventDelivery, EventOutbox } from "@trunkline/domain";
import { recordOf } from "./call-store.ts";
import { reachable } from "./errors.ts";
import { type Attributes, fromItem, keyItem, toItem } from "./items.ts";
import * as keys from "./keys.ts";

/**
 * The outbox of a region's calls: the call records themselves, found by the sparse index on those whose timeline goes further than its
 * deliveries. Throws DomainError only.
 */
export class DynamoEventOutbox implements EventOutbox {
	readonly #client: DynamoDBClient;
	readonly #table: string;

	constructor(options: { client: DynamoDBClient; table: string }) {
		this.#client = options.client;
		this.#table = options.table;
	}

	async dueCalls(now: number, limit: number): Promise<string[]> {
		const shards = await Promise.all(keys.OUTBOXES.map((outbox) => this.#dueOf(outbox, now, limit)));
		return shards
			.flat()
			.sort((a, b) => (a.due < b.due ? -1 : 1))
			.slice(0, limit)
			.map(({ callId }) => callId);
	}

	async #dueOf(outbox: string, now: number, limit: number): Promise<{ due: string; callId: string }[]> {
		const query = new QueryCommand({
			TableName: this.#table,
			IndexName: keys.CALLS_OUTBOX,
			KeyConditionExpression: "outbox = :outbox AND outboxDue <= :now",
			ExpressionAttributeValues: toItem({ ":outbox": outbox, ":now": keys.sortable(now) }),
			Limit: limit,
		});
		const { Items = [] } = await reachable(this.#table, () => this.#client.send(query));
		return Items.map(fromItem).map(({ pk, outboxDue }) => ({
			due: String(outboxDue),
			callId: keys.callIdOfKey(String(pk)) ?? "",
		}));
	}

	async claimEvents(callId: string, now: number, until: number): Promise<ClaimedEvents | undefined> {
		if (!keys.isId(callId)) return undefined;
		const claim = randomUUID();
		const item = await this.#update(callId, {
			UpdateExpression: "SET eventsClaim = :claim, eventsClaimedUntil = :until, outboxDue = :due",
			ConditionExpression:
				"attribute_exists(outbox) AND outboxDue <= :nowSortable AND (attribute_not_exists(eventsClaimedUntil) OR eventsClaimedUntil <= :now)",
			values: { ":claim": claim, ":until": until, ":due": keys.sortable(until), ":now": now, ":nowSortable": keys.sortable(now) },
			// The SDK repeats a request whose answer was lost.
			isDone: (stored) => stored["eventsClaim"] === claim,
		});
		if (item === undefined) return undefined;
		return { record: recordOf(item), deliveries: (item["deliveries"] ?? {}) as ClaimedEvents["deliveries"], claim };
	}

	async settleEvents(
		{ record, claim }: ClaimedEvents,
		deliveries: Record<string, EventDelivery>,
		nextAt: number | undefined,
	): Promise<boolean> {
		const values = { ":claim": claim, ":deliveries": deliveries };
		const next = nextAt === undefined ? {} : { ":due": keys.sortable(nextAt) };
		const isDone = (stored: Attributes): boolean => stored["settledClaim"] === claim;
		const set = "SET deliveries = :deliveries, settledClaim = :claim";
		const settled = await this.#update(record.callId, {
			UpdateExpression:
				nextAt === undefined
					? `${set} REMOVE outbox, outboxDue, eventsClaim, eventsClaimedUntil`
					: `${set}, outboxDue = :due REMOVE eventsClaim, eventsClaimedUntil`,
			ConditionExpression: "eventsClaim = :claim AND #version = :version",
			names: { "#version": "version" },
			values: { ...values, ...next, ":version": record.version },
			isDone,
		});
		if (settled !== undefined) return true;
		// The call went on while it was being delivered: it stays, and is due as that write said.
		const kept = await this.#update(record.callId, {
			UpdateExpression: `${set} REMOVE eventsClaim, eventsClaimedUntil`,
			ConditionExpression: "eventsClaim = :claim",
			values,
			isDone,
		});
		return kept !== undefined;
	}

	/** The item after it; undefined when the condition failed and `isDone` denies that this very update had been done before. */
	async #update(
		callId: string,
		update: {
			UpdateExpression: string;
			ConditionExpression: string;
			names?: Record<string, string>;
			values: Record<string, unknown>;
			isDone: (stored: Attributes) => boolean;
		},
	): Promise<Attributes | undefined> {
		const { names, values, isDone, ...expressions } = update;
		const command = new UpdateItemCommand({
			TableName: this.#table,
			Key: keyItem(keys.callKey(callId)),
			...expressions,
			...(names === undefined ? {} : { ExpressionAttributeNames: names }),
			ExpressionAttributeValues: toItem(values),
			ReturnValues: "ALL_NEW",
			ReturnValuesOnConditionCheckFailure: "ALL_OLD",
		});
		try {
			const { Attributes } = await reachable(this.#table, () => this.#client.send(command));
			return Attributes && fromItem(Attributes);
		} catch (error) {
			if (!(error instanceof ConditionalCheckFailedException)) throw error;
			const stored = error.Item && fromItem(error.Item);
			return stored !== undefined && isDone(stored) ? stored : undefined;
		}
	}
}
