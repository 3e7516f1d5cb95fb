import { randomUUID } from "node:crypto";
import {
	ConditionalCheckFailedException,
	type DynamoDBClient,
	GetItemCommand,
	PutItemCommand,
	QueryCommand,
	type QueryCommandInput,
	UpdateItemCommand,
} from "@aws-sdk/client-dynamodb";
import type { CallEnd, CallRecord, DialRequest } from "@trunkline/contracts";
import { type CallPatch, type CallStore, DomainError, type Page } from "@trunkline/domain";
import { reachable } from "./errors.ts";
import { type Attributes, fromItem, getItems, type Item, keyItem, toItem } from "./items.ts";
import * as keys from "./keys.ts";

type State = CallRecord["state"];

const OVER: readonly State[] = ["ended", "cancelled"];

/** What is on the item beside the record itself. */
interface CallItem extends Omit<CallRecord, "request">, keys.Key {
	/** without the password */
	request?: Omit<DialRequest, "authPassword">;
	authPassword?: string;
	callsOf: string;
	byTime: string;
	liveRoom?: string;
	/** of the last write: tells a write that was repeated after its answer was lost from somebody else's */
	writeId: string;
}

/** One conditional change of a call. */
interface Change {
	to: State;
	entry: CallRecord["timeline"][number];
	patch: CallPatch;
	/** attributes as `#name`, values as in `values` */
	condition: string;
	values: Record<string, unknown>;
}

/** Call records of one region in DynamoDB; keys.ts says where each is. Throws DomainError only. */
export class DynamoCallStore implements CallStore {
	readonly #client: DynamoDBClient;
	readonly #table: string;
	readonly #now: () => number;

	/** `now` (ms since the epoch) decides what has expired. */
	constructor(options: { client: DynamoDBClient; table: string; now?: () => number }) {
		this.#client = options.client;
		this.#table = options.table;
		this.#now = options.now ?? Date.now;
	}

	async createCall(call: CallRecord): Promise<boolean> {
		const item = callItem(call);
		const written = await this.#conditional(item.writeId, async () => {
			await this.#client.send(
				new PutItemCommand({
					TableName: this.#table,
					Item: toItem(item),
					ConditionExpression: "attribute_not_exists(pk) OR expiresAtSeconds <= :nowSeconds",
					ExpressionAttributeValues: toItem({ ":nowSeconds": this.#nowSeconds() }),
					ReturnValuesOnConditionCheckFailure: "ALL_OLD",
				}),
			);
			return call;
		});
		return written !== undefined;
	}

	async getCall(callId: string): Promise<CallRecord | undefined> {
		if (!keys.isId(callId)) return undefined;
		const request = new GetItemCommand({ TableName: this.#table, Key: keyItem(keys.callKey(callId)), ConsistentRead: true });
		const { Item } = await reachable(this.#table, () => this.#client.send(request));
		return Item && this.#liveRecord(fromItem(Item));
	}

	async claimCall(callId: string, nodeId: string, now: number, leaseUntil: number): Promise<CallRecord | undefined> {
		return this.#change(callId, {
			to: "claimed",
			entry: { at: now, event: "claimed", detail: nodeId },
			patch: { owner: nodeId, leaseUntil },
			condition: "#state = :queued OR (#state IN (:claimed, :joining) AND #owner <> :node AND #leaseUntil <= :now)",
			values: { ":queued": "queued", ":claimed": "claimed", ":joining": "joining", ":node": nodeId, ":now": now },
		});
	}

	async transitionCall(callId: string, step: Parameters<CallStore["transitionCall"]>[1]): Promise<CallRecord | undefined> {
		if (step.from.length === 0) return undefined;
		const from = Object.fromEntries(step.from.map((state, i) => [`:from${i}`, state]));
		const inFrom = `#state IN (${Object.keys(from).join(", ")})`;
		return this.#change(callId, {
			to: step.to,
			entry: { at: step.at, event: step.event, ...(step.detail === undefined ? {} : { detail: step.detail }) },
			patch: step.patch ?? {},
			condition: step.owner === undefined ? inFrom : `${inFrom} AND #owner = :asOwner`,
			values: { ...from, ...(step.owner === undefined ? {} : { ":asOwner": step.owner }) },
		});
	}

	async endCall(callId: string, at: number, end: CallEnd): Promise<CallRecord | undefined> {
		return this.#change(callId, {
			to: "ended",
			entry: { at, event: "ended", detail: end.reason },
			patch: { endedAt: at, end },
			condition: "NOT #state IN (:ended, :cancelled)",
			values: { ":ended": "ended", ":cancelled": "cancelled" },
		});
	}

	async liveCallsInRoom(projectId: string, roomName: string): Promise<CallRecord[]> {
		const room = keys.liveRoom(roomName);
		if (room === undefined) return [];
		const found = await this.#indexed({
			IndexName: keys.CALLS_LIVE_IN_ROOM,
			KeyConditionExpression: "liveRoom = :room AND begins_with(byTime, :project)",
			ExpressionAttributeValues: toItem({ ":room": room, ":project": keys.byTimeOf(projectId) }),
		});
		// The index lags behind the item, and a room name that is kept as its digest could in theory be another's.
		return found.filter((call) => call.roomName === roomName && !OVER.includes(call.state));
	}

	async listCalls(projectId: string, { afterId, limit }: Page): Promise<CallRecord[]> {
		const after = afterId === undefined ? undefined : await this.#byTimeOf(projectId, afterId);
		return this.#indexed(
			{
				IndexName: keys.CALLS_BY_PROJECT,
				KeyConditionExpression: after === undefined ? "callsOf = :project" : "callsOf = :project AND byTime < :after",
				ExpressionAttributeValues: toItem({ ":project": keys.callsOf(projectId), ":after": after }),
			},
			limit,
		);
	}

	async #byTimeOf(projectId: string, callId: string): Promise<string> {
		const call = await this.getCall(callId);
		if (call?.projectId === projectId) return keys.byTime(call);
		throw new DomainError("invalid_argument", `after_id: there is no call ${JSON.stringify(callId)} (any more)`);
	}

	async #change(callId: string, { to, entry, patch, condition, values }: Change): Promise<CallRecord | undefined> {
		if (!keys.isId(callId)) return undefined;
		const writeId = randomUUID();
		const set: Record<string, unknown> = { ...patch, state: to, writeId };
		const remove: string[] = [];
		if (OVER.includes(to)) {
			// Nobody dials a call that is over: its password need not stay.
			remove.push("authPassword", "liveRoom");
		} else if (patch.roomName) set["liveRoom"] = keys.liveRoom(patch.roomName);
		else if (patch.roomName === "") remove.push("liveRoom");

		const assignments = Object.keys(set).map((name) => `#${name} = :set_${name}`);
		assignments.push("#version = #version + :one", "#timeline = list_append(#timeline, :entry)");
		const UpdateExpression = `SET ${assignments.join(", ")}${remove.length > 0 ? ` REMOVE ${remove.join(", ")}` : ""}`;
		// A condition on an attribute that is not there is false, so no call is ever made by an update.
		const ConditionExpression = `(${condition}) AND #expiresAtSeconds > :nowSeconds`;
		// Many attribute names are reserved words, so each is written with "#".
		const names = (UpdateExpression + ConditionExpression).matchAll(/#(\w+)/g);
		const update = new UpdateItemCommand({
			TableName: this.#table,
			Key: keyItem(keys.callKey(callId)),
			UpdateExpression,
			ConditionExpression,
			ExpressionAttributeNames: Object.fromEntries(Array.from(names, ([alias, name]) => [alias, name ?? ""])),
			ExpressionAttributeValues: toItem({
				...values,
				...Object.fromEntries(Object.entries(set).map(([name, value]) => [`:set_${name}`, value])),
				":one": 1,
				":entry": [entry],
				":nowSeconds": this.#nowSeconds(),
			}),
			ReturnValues: "ALL_NEW",
			ReturnValuesOnConditionCheckFailure: "ALL_OLD",
		});
		return this.#conditional(writeId, async () => {
			const { Attributes } = await this.#client.send(update);
			return Attributes && recordOf(fromItem(Attributes));
		});
	}

	/**
	 * undefined when the condition failed, unless the item shows that it failed because of this very write: the SDK repeats a request whose
	 * answer was lost, and the first one had been done.
	 */
	async #conditional(writeId: string, write: () => Promise<CallRecord | undefined>): Promise<CallRecord | undefined> {
		try {
			return await reachable(this.#table, write);
		} catch (error) {
			if (!(error instanceof ConditionalCheckFailedException)) throw error;
			const item = error.Item && fromItem(error.Item);
			return item?.["writeId"] === writeId ? recordOf(item) : undefined;
		}
	}

	/** Calls by an index, newest first, at most `limit` that have not expired. */
	async #indexed(query: Omit<QueryCommandInput, "TableName">, limit?: number): Promise<CallRecord[]> {
		return reachable(this.#table, async () => {
			const calls: CallRecord[] = [];
			let start: Item | undefined;
			do {
				const bounds = { ...(limit ? { Limit: limit - calls.length } : {}), ...(start === undefined ? {} : { ExclusiveStartKey: start }) };
				const page = await this.#client.send(new QueryCommand({ TableName: this.#table, ScanIndexForward: false, ...query, ...bounds }));
				calls.push(...(await this.#records(page.Items ?? [])));
				start = page.LastEvaluatedKey;
			} while (start !== undefined && (!limit || calls.length < limit));
			return calls;
		});
	}

	/** The records that index entries stand for, in their order. */
	async #records(entries: Item[]): Promise<CallRecord[]> {
		const pks = entries.map((entry) => String(fromItem(entry)["pk"]));
		const items = await getItems(
			this.#client,
			this.#table,
			pks.map((pk) => ({ pk, sk: "call" })),
		);
		const byPk = new Map(items.map((item) => [String(item["pk"]), item]));
		return pks.flatMap((pk) => {
			const item = byPk.get(pk);
			return (item && this.#liveRecord(item)) ?? [];
		});
	}

	#liveRecord(item: Attributes): CallRecord | undefined {
		const record = recordOf(item);
		return record.expiresAtSeconds > this.#nowSeconds() ? record : undefined;
	}

	/** A call lives until the clock shows its last second. */
	#nowSeconds(): number {
		return Math.floor(this.#now() / 1000);
	}
}

function callItem(call: CallRecord): CallItem {
	const { request, ...rest } = call;
	const room = OVER.includes(call.state) ? undefined : keys.liveRoom(call.roomName);
	const item: CallItem = {
		...rest,
		...keys.callKey(call.callId),
		callsOf: keys.callsOf(call.projectId),
		byTime: keys.byTime(call),
		writeId: randomUUID(),
	};
	if (room !== undefined) item.liveRoom = room;
	if (request) {
		// An attribute of its own: whoever prints a request prints no password.
		const { authPassword, ...open } = request;
		item.request = open;
		item.authPassword = authPassword;
	}
	return item;
}

const BESIDE_THE_RECORD = new Set(["pk", "sk", "callsOf", "byTime", "liveRoom", "writeId", "authPassword", "request"]);

/** What callItem stored; only this package writes the table. */
function recordOf(item: Attributes): CallRecord {
	const record = Object.fromEntries(Object.entries(item).filter(([name]) => !BESIDE_THE_RECORD.has(name))) as unknown as CallRecord;
	const { request, authPassword = "" } = item as unknown as CallItem;
	return request ? { ...record, request: { ...request, authPassword } } : record;
}
