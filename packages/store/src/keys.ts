import { createHash } from "node:crypto";
import type { CreateTableCommandInput } from "@aws-sdk/client-dynamodb";

/*
 * The whole table design. Two tables, each with `pk` and `sk`; nothing is ever found by a Scan.
 *
 * config: written in the home region only, replicated to every region.
 *
 * | access pattern                      | request                                  | pk                              | sk       |
 * |-------------------------------------|------------------------------------------|---------------------------------|----------|
 * | trunk by id                         | 2 GetItem (the kind is not in the id)    | <project>#inbound-trunk         | trunk id |
 * |                                     |                                          | <project>#outbound-trunk        | trunk id |
 * | trunks of a kind in id order, paged | Query pk, sk > after_id                  | the same                        |          |
 * | inbound trunks for a called number  | 2 Query (number, wildcard) + 1 BatchGet  | <project>#number#<normalised>   | trunk id |
 * |                                     |                                          | <project>#wildcard              | trunk id |
 * | outbound trunks with a number       | 2 Query (number, "*") + 1 BatchGet       | <project>#outbound-number#<norm.> | trunk id |
 * | trunks that register, all projects  | 1 Query + BatchGet                       | registering-trunks              | <project>#trunk id |
 * | trunks or rules by up to 100 ids    | 1 BatchGet                               | as by id                        | id       |
 * | rule by id                          | GetItem                                  | <project>#rule                  | rule id  |
 * | rules in id order, paged            | Query pk, sk > after_id                  | the same                        |          |
 * | rules for a trunk                   | 2 Query (trunk, any) + 1 BatchGet        | <project>#rules-of-trunk#<id>   | <called number>#rule id |
 * | … and a called number               | 4 Query (… × number, any) + 1 BatchGet   | <project>#rules-of-any          | <called number>#rule id |
 * | rules that name a trunk             | 1 Query + 1 BatchGet                     | <project>#rules-of-trunk#<id>   | as above |
 * | who holds a conflict key            | condition in the write's transaction     | <project>#trunk-claim#<key>     | claim    |
 * |                                     |                                          | <project>#rule-claim#<key>      | claim    |
 * | where a project's events go         | GetItem, PutItem                         | <project>#webhooks              | settings |
 *
 * | who takes calls to a number         | GetItem, conditional PutItem             | number-owners#<normalised or "">| owners   |
 * | project by id                       | GetItem                                  | project#<project id>            | project  |
 * | project by API key                  | 2 GetItem                                | api-key#<key>                   | key      |
 * | projects in id order, paged         | Query pk, sk > after_id + 1 BatchGet     | projects                        | id       |
 *
 * The trunk or rule item is the only copy of its contents. Number, wildcard and rules-of items are pointers to it and claims name it as their
 * holder; all of them count only while that item is there and has them (owned.ts), so creating, updating and deleting is decided by one item
 * even when it takes several transactions.
 *
 * calls: one table per region, never replicated. Items expire by TTL (`expiresAtSeconds`).
 *
 * | access pattern                      | request                                  | key                                        |
 * |-------------------------------------|------------------------------------------|--------------------------------------------|
 * | call by id                          | GetItem, conditional UpdateItem          | pk = call#<call id>, sk = call             |
 * | calls of a project, newest first    | Query byProject, descending + BatchGet   | callsOf = <project>, byTime                |
 * | … that have not ended               | Query live, descending + BatchGet        | liveOf = <project>, byTime                 |
 * | … of a trunk                        | Query byTrunk, descending + BatchGet     | onTrunk = <trunk>, byTime (from, to)       |
 * | … in a room                         | Query byRoom, descending + BatchGet      | inRoom = <room>, byTime (from, to)         |
 * | calls in a room that have not ended | Query liveInRoom, descending + BatchGet  | liveRoom = <room>, byTime (begins_with)    |
 * | calls of a node that have not ended | Query liveOfOwner, ascending + BatchGet  | liveOwner = <node id or "nobody">, byTime  |
 * | calls with undelivered events       | Query outbox, ascending, on each shard   | outbox = <shard>, outboxDue                |
 * | transfer by id                      | GetItem, conditional PutItem             | pk = transfer#<transfer id>, sk = transfer |
 * | who registers a trunk, and how it is | GetItem, conditional PutItem, DeleteItem | pk = registration#<project>#<trunk>, sk = registration |
 * | nodes of the region, all or one        | Query pk, GetItem, conditional writes    | pk = nodes, sk = <node id>                 |
 * | a project's call slots and minutes  | GetItem, conditional PutItem             | pk = usage#<project>, sk = usage           |
 *
 * Lists are for a range of byTime; what else they ask (state, direction, a second key) is tested on the calls that were read, a bounded number a page.
 *
 * byTime = <project>#<createdAt, 15 digits>#<call id>. The indexes have keys only and but for the outbox the keys hardly change, so the many writes in a
 * call's life do not reach them. liveOf and liveOwner are set while a call has not ended, liveRoom while it has a room as well; the project is in the sort key
 * because a transition that sets room or trunk does not know it. outboxDue is the time of the next delivery in ms, 15 digits; every write to a call
 * sets it, and it goes when all is delivered (event-outbox.ts).
 */

export const CALLS_BY_PROJECT = "byProject";
export const CALLS_LIVE_IN_ROOM = "liveInRoom";
export const CALLS_LIVE = "live";
export const CALLS_BY_TRUNK = "byTrunk";
export const CALLS_BY_ROOM = "byRoom";
export const CALLS_OUTBOX = "outbox";
export const CALLS_LIVE_OF_OWNER = "liveOfOwner";

export interface Key {
	pk: string;
	sk: string;
}

/** Longest id that is looked up. Ours have 16 characters; what a stranger sends is no reason for a request. */
const MAX_ID_LENGTH = 256;
/** DynamoDB allows 2048 bytes of partition key and 1024 of sort key; what is longer than this is kept as its digest. */
const MAX_SEGMENT_BYTES = 512;

/** Can this be the id of anything stored? */
export function isId(id: string): boolean {
	return id.length > 0 && id.length <= MAX_ID_LENGTH;
}

const partition =
	(name: string) =>
	(projectId: string): string =>
		`${project(projectId)}#${name}`;

export const inboundTrunks = partition("inbound-trunk");
export const outboundTrunks = partition("outbound-trunk");
export const rules = partition("rule");
export const wildcardTrunks = partition("wildcard");
export const rulesOfAnyTrunk = partition("rules-of-any");

/** `number` is normalised. */
export function trunksOfNumber(projectId: string, number: string): string {
	return `${project(projectId)}#number#${segment(number)}`;
}

/** `number` is normalised; "*" is a number like any other here. */
export function outboundTrunksOfNumber(projectId: string, number: string): string {
	return `${project(projectId)}#outbound-number#${segment(number)}`;
}

/** Sparse: pointers to outbound trunks of all projects whose settings turn registration on. */
export const REGISTERING_TRUNKS = "registering-trunks";

export function registeringTrunk(projectId: string, trunkId: string): Key {
	return { pk: REGISTERING_TRUNKS, sk: `${project(projectId)}#${trunkId}` };
}

/** The trunk that such a pointer is for. */
export function trunkOfRegistering(sk: string): Key {
	const end = sk.lastIndexOf("#");
	return { pk: `${sk.slice(0, end)}#outbound-trunk`, sk: sk.slice(end + 1) };
}

export function registrationKey(projectId: string, trunkId: string): Key {
	return { pk: `registration#${project(projectId)}#${segment(trunkId)}`, sk: "registration" };
}

export function rulesOfTrunk(projectId: string, trunkId: string): string {
	return `${project(projectId)}#rules-of-trunk#${segment(trunkId)}`;
}

/** Sort key of a pointer to a rule: the called number (normalised, "" = any) that it is for. */
export function ruleForNumber(number: string, ruleId: string): string {
	return `${rulesForNumber(number)}${ruleId}`;
}

/**
 * What every `ruleForNumber` of the number begins with; encoded, a number has no "#". Half a surrogate pair, which cannot be encoded, is what UTF-8 makes
 * of it on the way to the table.
 */
export function rulesForNumber(number: string): string {
	return `${segment(encodeURIComponent(number.toWellFormed()))}#`;
}

/** The id that a pointer's sort key ends with: ids have no "#". */
export function idOfPointer(sk: string): string {
	return sk.slice(sk.lastIndexOf("#") + 1);
}

export function trunkClaim(projectId: string, conflictKey: string): Key {
	return { pk: `${project(projectId)}#trunk-claim#${segment(conflictKey)}`, sk: "claim" };
}

export function ruleClaim(projectId: string, conflictKey: string): Key {
	return { pk: `${project(projectId)}#rule-claim#${segment(conflictKey)}`, sk: "claim" };
}

/** Partition of the list of projects. */
export const PROJECTS = "projects";

export function projectEntry(projectId: string): Key {
	return { pk: PROJECTS, sk: projectId };
}

export function projectKey(projectId: string): Key {
	return { pk: `project#${segment(projectId)}`, sk: "project" };
}

export function apiKey(key: string): Key {
	return { pk: `api-key#${segment(key)}`, sk: "key" };
}

/** `number` is normalised; "" = numbers that nobody names. */
export function numberOwners(number: string): Key {
	return { pk: `number-owners#${segment(number)}`, sk: "owners" };
}

export function callUsage(projectId: string): Key {
	return { pk: `usage#${project(projectId)}`, sk: "usage" };
}

export function transferKey(transferId: string): Key {
	return { pk: `transfer#${segment(transferId)}`, sk: "transfer" };
}

/** Partition of the nodes of the table's region. */
export const NODES = "nodes";

export function nodeKey(nodeId: string): Key {
	return { pk: NODES, sk: segment(nodeId) };
}

/** Of a call: whose it is; ids of nodes are never "nobody". */
export function ownerOf(nodeId: string | undefined): string {
	return nodeId === undefined || nodeId === "" ? "nobody" : segment(nodeId);
}

export function callKey(callId: string): Key {
	return { pk: `call#${callId}`, sk: "call" };
}

/** The id of the call that an item is; undefined for an item that is none. */
export function callIdOfKey(pk: string): string | undefined {
	return pk.startsWith("call#") ? pk.slice("call#".length) : undefined;
}

export function callsOf(projectId: string): string {
	return project(projectId);
}

export function byTime(call: { projectId: string; createdAt: number; callId: string }): string {
	return `${byTimeOf(call.projectId)}${sortable(call.createdAt)}#${call.callId}`;
}

/** Sorts after every `byTime` before `ms` and before every one from `ms` on. */
export function byTimeFrom(projectId: string, ms: number): string {
	return `${byTimeOf(projectId)}${sortable(ms)}`;
}

/** Sorts after every `byTime` of the project. */
export function byTimeEnd(projectId: string): string {
	return `${byTimeOf(projectId)}~`;
}

/** ms as text that sorts as the number does. */
export function sortable(ms: number): string {
	return String(ms).padStart(15, "0");
}

/** What every `byTime` of the project begins with. */
export function byTimeOf(projectId: string): string {
	return `${project(projectId)}#`;
}

/** A room's name or a trunk's id as an index key; undefined for none: an index key cannot be empty. */
export function indexed(text: string): string | undefined {
	return text === "" ? undefined : segment(text);
}

/** One partition takes about 1000 writes/s; so many calls change at the same time in no region. */
const OUTBOX_SHARDS = 4;

export function outboxOf(callId: string): string {
	const [first = 0] = createHash("sha256").update(callId).digest();
	return `outbox-${first % OUTBOX_SHARDS}`;
}

export const OUTBOXES: readonly string[] = Array.from({ length: OUTBOX_SHARDS }, (_, i) => `outbox-${i}`);

export function webhooks(projectId: string): Key {
	return { pk: `${project(projectId)}#webhooks`, sk: "settings" };
}

/** Project ids come from configuration and may hold anything; encoded they hold no "#", so no two kinds of key meet. */
function project(projectId: string): string {
	return `p-${segment(encodeURIComponent(projectId))}`;
}

function segment(text: string): string {
	return Buffer.byteLength(text) <= MAX_SEGMENT_BYTES ? text : `sha256:${createHash("sha256").update(text).digest("hex")}`;
}

type TableDefinition = Required<Pick<CreateTableCommandInput, "AttributeDefinitions" | "KeySchema">> &
	Pick<CreateTableCommandInput, "GlobalSecondaryIndexes">;

const PRIMARY_KEY: TableDefinition = {
	AttributeDefinitions: strings("pk", "sk"),
	KeySchema: [
		{ AttributeName: "pk", KeyType: "HASH" },
		{ AttributeName: "sk", KeyType: "RANGE" },
	],
};

export const CONFIG_TABLE: TableDefinition = PRIMARY_KEY;

export const CALLS_TABLE: TableDefinition = {
	AttributeDefinitions: strings(
		"pk",
		"sk",
		"callsOf",
		"liveOf",
		"onTrunk",
		"inRoom",
		"liveRoom",
		"liveOwner",
		"byTime",
		"outbox",
		"outboxDue",
	),
	KeySchema: PRIMARY_KEY.KeySchema,
	GlobalSecondaryIndexes: [
		keysOnlyIndex(CALLS_BY_PROJECT, "callsOf", "byTime"),
		keysOnlyIndex(CALLS_LIVE, "liveOf", "byTime"),
		keysOnlyIndex(CALLS_BY_TRUNK, "onTrunk", "byTime"),
		keysOnlyIndex(CALLS_BY_ROOM, "inRoom", "byTime"),
		keysOnlyIndex(CALLS_LIVE_IN_ROOM, "liveRoom", "byTime"),
		keysOnlyIndex(CALLS_LIVE_OF_OWNER, "liveOwner", "byTime"),
		keysOnlyIndex(CALLS_OUTBOX, "outbox", "outboxDue"),
	],
};

/** Attribute of the calls table with the expiry in seconds since the epoch. */
export const CALLS_TTL_ATTRIBUTE = "expiresAtSeconds";

function strings(...names: string[]): TableDefinition["AttributeDefinitions"] {
	return names.map((AttributeName) => ({ AttributeName, AttributeType: "S" }));
}

function keysOnlyIndex(name: string, hash: string, range: string): NonNullable<TableDefinition["GlobalSecondaryIndexes"]>[number] {
	return {
		IndexName: name,
		KeySchema: [
			{ AttributeName: hash, KeyType: "HASH" },
			{ AttributeName: range, KeyType: "RANGE" },
		],
		Projection: { ProjectionType: "KEYS_ONLY" },
	};
}
