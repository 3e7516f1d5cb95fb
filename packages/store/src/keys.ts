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
 * | trunks or rules by up to 100 ids    | 1 BatchGet                               | as by id                        | id       |
 * | rule by id                          | GetItem                                  | <project>#rule                  | rule id  |
 * | rules in id order, paged            | Query pk, sk > after_id                  | the same                        |          |
 * | rules for a trunk                   | 2 Query (trunk, any) + 1 BatchGet        | <project>#rules-of-trunk#<id>   | rule id  |
 * |                                     |                                          | <project>#rules-of-any          | rule id  |
 * | rules that name a trunk             | 1 Query + 1 BatchGet                     | <project>#rules-of-trunk#<id>   | rule id  |
 * | who holds a conflict key            | condition in the write's transaction     | <project>#trunk-claim#<key>     | claim    |
 * |                                     |                                          | <project>#rule-claim#<key>      | claim    |
 * | where a project's events go         | GetItem, PutItem                         | <project>#webhooks              | settings |
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
 * | calls in a room that have not ended | Query liveInRoom, descending + BatchGet  | liveRoom = <room>, byTime (begins_with)    |
 *
 * byTime = <project>#<createdAt, 15 digits>#<call id>. Both indexes have keys only and the keys hardly change, so the many writes in a call's life
 * do not reach them. liveRoom is set while a call has a room and has not ended; the project is in the sort key because a transition that
 * sets the room does not know it.
 */

export const CALLS_BY_PROJECT = "byProject";
export const CALLS_LIVE_IN_ROOM = "liveInRoom";

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

export function rulesOfTrunk(projectId: string, trunkId: string): string {
	return `${project(projectId)}#rules-of-trunk#${segment(trunkId)}`;
}

export function trunkClaim(projectId: string, conflictKey: string): Key {
	return { pk: `${project(projectId)}#trunk-claim#${segment(conflictKey)}`, sk: "claim" };
}

export function ruleClaim(projectId: string, conflictKey: string): Key {
	return { pk: `${project(projectId)}#rule-claim#${segment(conflictKey)}`, sk: "claim" };
}

export function callKey(callId: string): Key {
	return { pk: `call#${callId}`, sk: "call" };
}

export function callsOf(projectId: string): string {
	return project(projectId);
}

export function byTime(call: { projectId: string; createdAt: number; callId: string }): string {
	return `${byTimeOf(call.projectId)}${String(call.createdAt).padStart(15, "0")}#${call.callId}`;
}

/** What every `byTime` of the project begins with. */
export function byTimeOf(projectId: string): string {
	return `${project(projectId)}#`;
}

/** undefined for no room: an index key cannot be empty. */
export function liveRoom(roomName: string): string | undefined {
	return roomName === "" ? undefined : segment(roomName);
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
	AttributeDefinitions: strings("pk", "sk", "callsOf", "liveRoom", "byTime"),
	KeySchema: PRIMARY_KEY.KeySchema,
	GlobalSecondaryIndexes: [keysOnlyIndex(CALLS_BY_PROJECT, "callsOf", "byTime"), keysOnlyIndex(CALLS_LIVE_IN_ROOM, "liveRoom", "byTime")],
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
