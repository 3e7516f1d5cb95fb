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
import type { CallEnd, CallMedia, CallRecord, DialRequest } from "@trunkline/contracts";
import {
	type CallCursor,
	type CallPatch,
	type CallSearch,
	type CallStore,
	type FoundCalls,
	isInRoom,
	isLive,
	isOwnedBy,
	isWanted,
	type OwnedCalls,
} from "@trunkline/domain";
import { reachable } from "./errors.ts";
import { type Attributes, fromItem, getItems, type Item, keyItem, toItem } from "./items.ts";
import * as keys from "./keys.ts";

type State = CallRecord["state"];

/** Calls that one page of a list may look at, however few of them are wanted. */
const MAX_LOOKED_AT = 500;
const ENTRIES_PER_QUERY = 100;

/** What is on the item beside the record itself. */
interface CallItem extends Omit<CallRecord, "request">, keys.Key {
	/** without the password */
	request?: Omit<DialRequest, "authPassword">;
	authPassword?: string;
	callsOf: string;
	byTime: string;
	liveOf?: string;
	onTrunk?: string;
	inRoom?: string;
	liveRoom?: string;
	liveOwner?: string;
	outbox: string;
	outboxDue: string;
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
export class DynamoCallStore implements CallStore, OwnedCalls {
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
		const item = callItem(call, this.#now());
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

	async noteQuality(callId: string, owner: string, media: CallMedia): Promise<boolean> {
		if (!keys.isId(callId)) return false;
		const update = new UpdateItemCommand({
			TableName: this.#table,
			Key: keyItem(keys.callKey(callId)),
			// No other attribute: `writeId` would make a transition that is repeated believe that somebody else was first.
			UpdateExpression: "SET media = :media",
			ConditionExpression: "#owner = :owner AND NOT #state IN (:ended, :cancelled) AND expiresAtSeconds > :nowSeconds",
			ExpressionAttributeNames: { "#owner": "owner", "#state": "state" },
			ExpressionAttributeValues: toItem({
				...{ ":media": media, ":owner": owner, ":ended": "ended", ":cancelled": "cancelled", ":nowSeconds": this.#nowSeconds() },
			}),
		});
		try {
			await reachable(this.#table, () => this.#client.send(update));
			return true;
		} catch (error) {
			if (!(error instanceof ConditionalCheckFailedException)) throw error;
			return false;
		}
	}

	async endCall(callId: string, at: number, end: CallEnd, patch: CallPatch = {}): Promise<CallRecord | undefined> {
		return this.#change(callId, {
			to: "ended",
			entry: { at, event: "ended", detail: end.reason },
			patch: { ...patch, endedAt: at, end },
			condition: "NOT #state IN (:ended, :cancelled)",
			values: { ":ended": "ended", ":cancelled": "cancelled" },
		});
	}

	async liveCallsInRoom(projectId: string, roomName: string): Promise<CallRecord[]> {
		const room = keys.indexed(roomName);
		if (room === undefined) return [];
		const found = await this.#indexed({
			IndexName: keys.CALLS_LIVE_IN_ROOM,
			KeyConditionExpression: "liveRoom = :room AND begins_with(byTime, :project)",
			ExpressionAttributeValues: toItem({ ":room": room, ":project": keys.byTimeOf(projectId) }),
		});
		// The index lags behind the item, and a room name that is kept as its digest could in theory be another's.
		return found.filter((call) => call.roomName === roomName && isInRoom(call));
	}

	async liveCallsOf(nodeId: string | undefined, limit: number): Promise<CallRecord[]> {
		const query = new QueryCommand({
			TableName: this.#table,
			IndexName: keys.CALLS_LIVE_OF_OWNER,
			KeyConditionExpression: "liveOwner = :owner",
			ExpressionAttributeValues: toItem({ ":owner": keys.ownerOf(nodeId) }),
			Limit: limit,
		});
		return reachable(this.#table, async () => {
			const { Items = [] } = await this.#client.send(query);
			// The index lags behind the item.
			return (await this.#records(Items)).filter((call) => isOwnedBy(call, nodeId));
		});
	}

	async findCalls(projectId: string, search: CallSearch): Promise<FoundCalls> {
		const query = listQuery(projectId, search);
		if (query === undefined) return { calls: [] };
		return reachable(this.#table, async () => {
			const calls: CallRecord[] = [];
			let after: CallCursor | undefined;
			let start: Item | undefined;
			let lookedAt = 0;
			do {
				const Limit = Math.min(isPlain(search) ? search.limit - calls.length + 1 : ENTRIES_PER_QUERY, ENTRIES_PER_QUERY);
				const bounds = { Limit, ...(start === undefined ? {} : { ExclusiveStartKey: start }) };
				const page = await this.#client.send(new QueryCommand({ TableName: this.#table, ScanIndexForward: false, ...query, ...bounds }));
				const entries = (page.Items ?? []).map((entry) => ({ entry, cursor: cursorOf(entry) }));
				const records = await this.#records(entries.map(({ entry }) => entry));
				const byId = new Map(records.map((record) => [record.callId, record]));
				for (const { cursor } of entries) {
					if (calls.length === search.limit || lookedAt === MAX_LOOKED_AT)
						return { calls, ...(after === undefined ? {} : { next: after }) };
					lookedAt++;
					after = cursor;
					const record = byId.get(cursor.callId);
					// The range of the index includes the place that the list goes on from.
					if (record !== undefined && cursor.callId !== search.after?.callId && isWanted(record, search)) calls.push(record);
				}
				start = page.LastEvaluatedKey;
			} while (start !== undefined);
			return { calls };
		});
	}

	async #change(callId: string, { to, entry, patch, condition, values }: Change): Promise<CallRecord | undefined> {
		if (!keys.isId(callId)) return undefined;
		const writeId = randomUUID();
		const outbox = { outbox: keys.outboxOf(callId), outboxDue: keys.sortable(this.#now()) };
		const set: Record<string, unknown> = { ...patch, state: to, writeId, ...outbox };
		const remove: string[] = [];
		// Nobody dials a call that is over: its password need not stay.
		if (!isLive(to)) remove.push("authPassword", "liveOf", "liveRoom", "liveOwner");
		else if (to === "queued") set["liveOwner"] = keys.ownerOf(undefined);
		else if (patch.owner !== undefined) set["liveOwner"] = keys.ownerOf(patch.owner);
		if (patch.trunkId) set["onTrunk"] = keys.indexed(patch.trunkId);
		else if (patch.trunkId === "") remove.push("onTrunk");
		if (patch.roomName) {
			set["inRoom"] = keys.indexed(patch.roomName);
			if (isLive(to)) set["liveRoom"] = set["inRoom"];
		} else if (patch.roomName === "") remove.push("inRoom", ...(isLive(to) ? ["liveRoom"] : []));
		if (patch.leftRoomAt !== undefined && isLive(to)) remove.push("liveRoom");

		const assignments = Object.keys(set).map((name) => `#${name} = :set_${name}`);
		assignments.push("#version = #version + :one", "#timeline = list_append(#timeline, :entry)");
		const UpdateExpression = `SET ${assignments.join(", ")}${remove.length > 0 ? ` REMOVE ${remove.join(", ")}` : ""}`;
		// A condition on an attribute that is not there is false, so no call is ever made by an update.
		// Nor is a write that is repeated by the SDK done twice, though its condition may still hold.
		const ConditionExpression = `(${condition}) AND NOT #writeId = :set_writeId AND #expiresAtSeconds > :nowSeconds`;
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

	/** All calls of an index range that have not expired, newest first. */
	async #indexed(query: Omit<QueryCommandInput, "TableName">): Promise<CallRecord[]> {
		return reachable(this.#table, async () => {
			const calls: CallRecord[] = [];
			let start: Item | undefined;
			do {
				const from = start === undefined ? {} : { ExclusiveStartKey: start };
				const page = await this.#client.send(new QueryCommand({ TableName: this.#table, ScanIndexForward: false, ...query, ...from }));
				calls.push(...(await this.#records(page.Items ?? [])));
				start = page.LastEvaluatedKey;
			} while (start !== undefined);
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

function isPlain({ states, direction, roomName, trunkId }: CallSearch): boolean {
	return states === undefined && direction === undefined && (roomName === undefined || trunkId === undefined);
}

/** The narrowest index for a list; undefined when nothing can be on it. */
function listQuery(projectId: string, search: CallSearch): Omit<QueryCommandInput, "TableName"> | undefined {
	const { since, until, after, roomName, trunkId, states } = search;
	if (roomName === "" || trunkId === "") return undefined;
	const from = since === undefined ? keys.byTimeOf(projectId) : keys.byTimeFrom(projectId, since);
	const ends = [keys.byTimeEnd(projectId)];
	if (until !== undefined) ends.push(keys.byTimeFrom(projectId, until));
	if (after !== undefined) ends.push(keys.byTime({ projectId, ...after }));
	const to = ends.reduce((least, end) => (end < least ? end : least));
	if (from > to) return undefined;
	const [IndexName, hash, value] = ((): [string, string, string] => {
		if (roomName !== undefined) return [keys.CALLS_BY_ROOM, "inRoom", keys.indexed(roomName) ?? ""];
		if (trunkId !== undefined) return [keys.CALLS_BY_TRUNK, "onTrunk", keys.indexed(trunkId) ?? ""];
		if (states?.every(isLive) === true) return [keys.CALLS_LIVE, "liveOf", keys.callsOf(projectId)];
		return [keys.CALLS_BY_PROJECT, "callsOf", keys.callsOf(projectId)];
	})();
	return {
		IndexName,
		KeyConditionExpression: `${hash} = :hash AND byTime BETWEEN :from AND :to`,
		ExpressionAttributeValues: toItem({ ":hash": value, ":from": from, ":to": to }),
	};
}

function cursorOf(entry: Item): CallCursor {
	const { byTime, pk } = fromItem(entry);
	const callId = keys.callIdOfKey(String(pk)) ?? "";
	const time = String(byTime).slice(0, -(callId.length + 1));
	return { callId, createdAt: Number(time.slice(time.lastIndexOf("#") + 1)) };
}

function callItem(call: CallRecord, now: number): CallItem {
	const { request, ...rest } = call;
	const room = keys.indexed(call.roomName);
	const trunk = keys.indexed(call.trunkId);
	const item: CallItem = {
		...rest,
		...keys.callKey(call.callId),
		callsOf: keys.callsOf(call.projectId),
		byTime: keys.byTime(call),
		...(isLive(call.state) ? { liveOf: keys.callsOf(call.projectId), liveOwner: keys.ownerOf(call.owner) } : {}),
		...(trunk === undefined ? {} : { onTrunk: trunk }),
		...(room === undefined ? {} : { inRoom: room }),
		...(room !== undefined && isLive(call.state) ? { liveRoom: room } : {}),
		outbox: keys.outboxOf(call.callId),
		outboxDue: keys.sortable(now),
		writeId: randomUUID(),
	};
	if (request) {
		// An attribute of its own: whoever prints a request prints no password.
		const { authPassword, ...open } = request;
		item.request = open;
		item.authPassword = authPassword;
	}
	return item;
}

const BESIDE_THE_RECORD = new Set([
	..."pk sk callsOf byTime liveOf onTrunk inRoom liveRoom liveOwner writeId authPassword request".split(" "),
	..."outbox outboxDue eventsClaim eventsClaimedUntil settledClaim deliveries".split(" "),
]);

/** What callItem stored; only this package writes the table. */
export function recordOf(item: Attributes): CallRecord {
	const record = Object.fromEntries(Object.entries(item).filter(([name]) => !BESIDE_THE_RECORD.has(name))) as unknown as CallRecord;
	const { request, authPassword = "" } = item as unknown as CallItem;
	return request ? { ...record, request: { ...request, authPassword } } : record;
}
