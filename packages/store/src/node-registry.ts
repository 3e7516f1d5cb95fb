import { randomUUID } from "node:crypto";
import {
	ConditionalCheckFailedException,
	DeleteItemCommand,
	type DynamoDBClient,
	GetItemCommand,
	PutItemCommand,
	QueryCommand,
	UpdateItemCommand,
} from "@aws-sdk/client-dynamodb";
import { NODE_BURIAL_MS, NODE_DEAD_AFTER_MS, NODE_KEPT_SECONDS, type NodeRecord, type NodeRegistry } from "@trunkline/domain";
import { reachable } from "./errors.ts";
import { type Attributes, fromItem, type Item, keyItem, toItem } from "./items.ts";
import * as keys from "./keys.ts";

/** What is on the item beside the record. */
interface Burial {
	/** who has claimed it as dead; never goes away */
	claimedBy?: string;
	claimedUntil?: number;
	/** of the last claim: tells one that was repeated after its answer was lost from somebody else's */
	claimId?: string;
	buriedAt?: number;
}

/** The nodes of a region, one item each in its calls table. Throws DomainError only. */
export class DynamoNodeRegistry implements NodeRegistry {
	readonly #client: DynamoDBClient;
	readonly #table: string;
	readonly #deadAfterMs: number;
	readonly #burialMs: number;

	constructor(options: { client: DynamoDBClient; table: string; deadAfterMs?: number; burialMs?: number }) {
		this.#client = options.client;
		this.#table = options.table;
		this.#deadAfterMs = options.deadAfterMs ?? NODE_DEAD_AFTER_MS;
		this.#burialMs = options.burialMs ?? NODE_BURIAL_MS;
	}

	beat(node: NodeRecord): Promise<boolean> {
		return this.#conditional(
			new PutItemCommand({
				TableName: this.#table,
				Item: toItem({ ...node, ...keys.nodeKey(node.nodeId) }),
				ConditionExpression: "attribute_not_exists(claimedBy)",
			}),
		);
	}

	async liveNodes(region: string, now: number): Promise<NodeRecord[]> {
		const items = await this.#nodesOf(region);
		return items
			.filter(({ node, burial }) => burial.claimedBy === undefined && node.heartbeatAt > now - this.#deadAfterMs)
			.map(({ node }) => node);
	}

	async getNode(nodeId: string): Promise<NodeRecord | undefined> {
		if (!keys.isId(nodeId)) return undefined;
		const request = new GetItemCommand({ TableName: this.#table, Key: keyItem(keys.nodeKey(nodeId)), ConsistentRead: true });
		const { Item } = await reachable(this.#table, () => this.#client.send(request));
		return Item && nodeOf(Item).node;
	}

	async removeNode(nodeId: string): Promise<void> {
		const Key = keyItem(keys.nodeKey(nodeId));
		await this.#conditional(new DeleteItemCommand({ TableName: this.#table, Key, ConditionExpression: "attribute_not_exists(claimedBy)" }));
	}

	async deadNodes(region: string, now: number): Promise<NodeRecord[]> {
		const items = await this.#nodesOf(region);
		return items
			.filter(({ node, burial: { claimedUntil = 0, buriedAt } }) => {
				return buriedAt === undefined && node.heartbeatAt <= now - this.#deadAfterMs && claimedUntil <= now;
			})
			.map(({ node }) => node);
	}

	claimDead(nodeId: string, by: string, now: number, certain = false): Promise<boolean> {
		const dead = certain ? "attribute_exists(pk)" : "heartbeatAt <= :deadAt";
		return this.#conditional(
			new UpdateItemCommand({
				TableName: this.#table,
				Key: keyItem(keys.nodeKey(nodeId)),
				// The last word is taken back, so that one who is certain leaves it to others after him.
				UpdateExpression: "SET claimedBy = :by, claimedUntil = :until, claimId = :claim, expiresAtSeconds = :expires, heartbeatAt = :last",
				ConditionExpression: `${dead} AND attribute_not_exists(buriedAt) AND (attribute_not_exists(claimedUntil) OR claimedUntil <= :now OR claimId = :claim)`,
				ExpressionAttributeValues: toItem({
					...{ ":by": by, ":until": now + this.#burialMs, ":now": now, ":last": now - this.#deadAfterMs, ":claim": randomUUID() },
					":expires": Math.floor(now / 1000) + NODE_KEPT_SECONDS,
					...(certain ? {} : { ":deadAt": now - this.#deadAfterMs }),
				}),
			}),
		);
	}

	async buried(nodeId: string, by: string, now: number): Promise<void> {
		await this.#conditional(
			new UpdateItemCommand({
				TableName: this.#table,
				Key: keyItem(keys.nodeKey(nodeId)),
				UpdateExpression: "SET buriedAt = :now",
				ConditionExpression: "claimedBy = :by",
				ExpressionAttributeValues: toItem({ ":by": by, ":now": now }),
			}),
		);
	}

	async #nodesOf(region: string): Promise<{ node: NodeRecord; burial: Burial }[]> {
		return reachable(this.#table, async () => {
			const found: { node: NodeRecord; burial: Burial }[] = [];
			let start: Item | undefined;
			do {
				const query = new QueryCommand({
					TableName: this.#table,
					KeyConditionExpression: "pk = :nodes",
					ExpressionAttributeValues: toItem({ ":nodes": keys.NODES }),
					ConsistentRead: true,
					...(start === undefined ? {} : { ExclusiveStartKey: start }),
				});
				const page = await this.#client.send(query);
				found.push(...(page.Items ?? []).map(nodeOf));
				start = page.LastEvaluatedKey;
			} while (start !== undefined);
			return found.filter(({ node }) => node.region === region);
		});
	}

	async #conditional(command: PutItemCommand | DeleteItemCommand | UpdateItemCommand): Promise<boolean> {
		try {
			await reachable(this.#table, async () => {
				if (command instanceof PutItemCommand) await this.#client.send(command);
				else if (command instanceof UpdateItemCommand) await this.#client.send(command);
				else await this.#client.send(command);
			});
			return true;
		} catch (error) {
			if (error instanceof ConditionalCheckFailedException) return false;
			throw error;
		}
	}
}

/** Only this package writes the table. */
function nodeOf(item: Item): { node: NodeRecord; burial: Burial } {
	const { claimedBy, claimedUntil, buriedAt, ...node }: Attributes = fromItem(item);
	for (const key of ["pk", "sk", "claimId"]) delete node[key];
	return { node: node as unknown as NodeRecord, burial: { claimedBy, claimedUntil, buriedAt } as Burial };
}
