import {
	type AttributeValue,
	type CancellationReason,
	ConditionalCheckFailedException,
	DeleteItemCommand,
	type DynamoDBClient,
	GetItemCommand,
	PutItemCommand,
	TransactionCanceledException,
	type TransactWriteItem,
	TransactWriteItemsCommand,
	UpdateItemCommand,
} from "@aws-sdk/client-dynamodb";
import { DomainError } from "@trunkline/domain";
import { isPassing, reasonsOf } from "./errors.ts";
import { type Attributes, backOff, fromItem, keyItem, toItem } from "./items.ts";
import type { Key } from "./keys.ts";

/**
 * An item (trunk, rule) with the claims that keep others from conflicting with it and the pointers by which it is found.
 *
 * The rule that all rests on: claims and pointers count only while their owner's item is there and is not `pending`. DynamoDB's transactions end
 * at 100 actions, so what needs more is written in several, the owner first and `pending`; taking that mark off is the one write that creates
 * it. Whatever a crash leaves behind before that is nobody's, and the next one who wants the claim takes it.
 */
export interface Owned {
	key: Key;
	id: string;
	name: string;
	version: number;
	/** attributes of the item, without key */
	item: Attributes;
	claims: { key: Key; conflictKey: string }[];
	pointers: Key[];
}

/** Who holds a claim that somebody else wants. */
export interface Holder {
	conflictKey: string;
	id: string;
	name: string;
}

/** DynamoDB's limit of one transaction. */
const MAX_ACTIONS = 100;
/** Claims and pointers of one item: 50 transactions, some seconds. */
const MAX_OWNED = 5000;
/** A creation that has not ended after this was cut off. */
const PENDING_MS = 60_000;
const MAX_ATTEMPTS = 10;
const PARALLEL_DELETES = 10;

interface ClaimItem extends Key {
	conflictKey: string;
	holderKey: Key;
	holderId: string;
	holderName: string;
}

export class OwnedItems {
	readonly #client: DynamoDBClient;
	readonly #table: string;
	readonly #now: () => number;
	/** the whole of an item that was read, to find what belongs to it */
	readonly #ownedOf: (item: Attributes) => Owned;

	constructor(options: { client: DynamoDBClient; table: string; now: () => number; ownedOf: (item: Attributes) => Owned }) {
		this.#client = options.client;
		this.#table = options.table;
		this.#now = options.now;
		this.#ownedOf = options.ownedOf;
	}

	/** All or nothing. Gives the holder of a claim that is in the way (then nothing was written). Throws `already_exists`, `invalid_argument`. */
	async create(owned: Owned): Promise<Holder | undefined> {
		const count = owned.claims.length + owned.pointers.length;
		if (count > MAX_OWNED)
			throw new DomainError(
				"invalid_argument",
				`${owned.id} has ${count} combinations of numbers, callers and trunks; ${MAX_OWNED} is the limit`,
			);
		if (count < MAX_ACTIONS) return this.#write(owned, owned.claims, owned.pointers, this.#putOwner(owned));
		return this.#createInParts(owned);
	}

	/** The item as it was, undefined when there was none. */
	async delete(key: Key): Promise<Attributes | undefined> {
		for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
			const item = await this.get(key, true);
			if (!item) return undefined;
			const owned = this.#ownedOf(item);
			if (isPending(item)) {
				if (!this.#isAbandoned(item)) return undefined;
				await this.#abandon(owned);
				return undefined;
			}
			if (await this.#deleteVersion(owned)) return item;
			await backOff(attempt);
		}
		throw busy(key.sk);
	}

	/** Strongly consistent; what is still being created is not there yet. */
	async get(key: Key, evenPending = false): Promise<Attributes | undefined> {
		const { Item } = await this.#client.send(new GetItemCommand({ TableName: this.#table, Key: keyItem(key), ConsistentRead: true }));
		const item = Item && fromItem(Item);
		return item && (evenPending || !isPending(item)) ? item : undefined;
	}

	async #createInParts(owned: Owned): Promise<Holder | undefined> {
		await this.#putPending(owned);
		const stillPending: TransactWriteItem = {
			ConditionCheck: { TableName: this.#table, Key: keyItem(owned.key), ConditionExpression: "attribute_exists(pendingUntil)" },
		};
		try {
			const size = MAX_ACTIONS - 1;
			for (let i = 0; i < owned.claims.length; i += size) {
				const holder = await this.#write(owned, owned.claims.slice(i, i + size), [], stillPending);
				if (holder) {
					await this.#abandon(owned);
					return holder;
				}
			}
			for (let i = 0; i < owned.pointers.length; i += size) await this.#write(owned, [], owned.pointers.slice(i, i + size), stillPending);
			await this.#commit(owned);
			return undefined;
		} catch (error) {
			await this.#abandon(owned).catch(() => undefined);
			throw error;
		}
	}

	/** One transaction: `first`, these claims, these pointers. */
	async #write(owned: Owned, claims: Owned["claims"], pointers: readonly Key[], first: TransactWriteItem): Promise<Holder | undefined> {
		/** claims whose holder is no more, and who that was */
		const orphans = new Map<string, string>();
		for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
			const TransactItems = [
				first,
				...claims.map((claim) => this.#putClaim(owned, claim, orphans.get(claim.key.pk))),
				...pointers.map((pointer) => ({ Put: { TableName: this.#table, Item: keyItem(pointer) } })),
			];
			try {
				await this.#client.send(new TransactWriteItemsCommand({ TransactItems }));
				return undefined;
			} catch (error) {
				if (!(error instanceof TransactionCanceledException)) throw error;
				const [ownReason, ...reasons] = reasonsOf(error);
				// The owner that is put exists; the pending one, which is checked, has been taken for dead.
				if (ownReason?.Code === "ConditionalCheckFailed") throw first.Put ? alreadyExists(owned) : busy(owned.id);
				const holder = await this.#holderInTheWay(reasons, orphans);
				if (!holder && ![ownReason, ...reasons].some((reason) => reason && (isPassing(reason) || reason.Item))) throw error;
				if (holder) return holder;
				await backOff(attempt);
			}
		}
		throw busy(owned.id);
	}

	/** Whose claim made the transaction fail; holders that are no more are noted in `orphans` for the next attempt. */
	async #holderInTheWay(reasons: readonly CancellationReason[], orphans: Map<string, string>): Promise<Holder | undefined> {
		for (const { Code, Item } of reasons) {
			if (Code !== "ConditionalCheckFailed" || !Item) continue;
			const claim = fromItem(Item) as unknown as ClaimItem;
			if (await this.#isLive(claim.holderKey)) return { conflictKey: claim.conflictKey, id: claim.holderId, name: claim.holderName };
			orphans.set(claim.pk, claim.holderId);
		}
		return undefined;
	}

	/** An owner that was left pending is done away with here: its claims are free once its item is gone. */
	async #isLive(holder: Key): Promise<boolean> {
		const item = await this.get(holder, true);
		if (!item) return false;
		if (!this.#isAbandoned(item)) return true;
		await this.#abandon(this.#ownedOf(item));
		return (await this.get(holder, true)) !== undefined;
	}

	#isAbandoned(item: Attributes): boolean {
		return typeof item["pendingUntil"] === "number" && item["pendingUntil"] <= this.#now();
	}

	#putOwner(owned: Owned): TransactWriteItem {
		return {
			Put: { TableName: this.#table, Item: toItem({ ...owned.item, ...owned.key }), ConditionExpression: "attribute_not_exists(pk)" },
		};
	}

	#putClaim(owned: Owned, { key, conflictKey }: Owned["claims"][number], orphanOf: string | undefined): TransactWriteItem {
		const claim: ClaimItem = { ...key, conflictKey, holderKey: owned.key, holderId: owned.id, holderName: owned.name };
		return {
			Put: {
				TableName: this.#table,
				Item: toItem(claim),
				ConditionExpression: orphanOf === undefined ? "attribute_not_exists(pk)" : "attribute_not_exists(pk) OR holderId = :orphan",
				...(orphanOf === undefined ? {} : { ExpressionAttributeValues: { ":orphan": { S: orphanOf } } }),
				ReturnValuesOnConditionCheckFailure: "ALL_OLD",
			},
		};
	}

	async #putPending(owned: Owned): Promise<void> {
		const Item = toItem({ ...owned.item, ...owned.key, pendingUntil: this.#now() + PENDING_MS });
		try {
			await this.#client.send(new PutItemCommand({ TableName: this.#table, Item, ConditionExpression: "attribute_not_exists(pk)" }));
		} catch (error) {
			throw error instanceof ConditionalCheckFailedException ? alreadyExists(owned) : error;
		}
	}

	async #commit(owned: Owned): Promise<void> {
		try {
			await this.#client.send(
				new UpdateItemCommand({
					TableName: this.#table,
					Key: keyItem(owned.key),
					UpdateExpression: "REMOVE pendingUntil",
					ConditionExpression: "attribute_exists(pendingUntil)",
				}),
			);
		} catch (error) {
			if (!(error instanceof ConditionalCheckFailedException)) throw error;
			// Committed by an attempt whose answer was lost, or taken for dead by somebody after PENDING_MS.
			if (!(await this.get(owned.key))) throw busy(owned.id);
		}
	}

	/** Takes back a creation: first the item, on which all else depends. */
	async #abandon(owned: Owned): Promise<void> {
		try {
			const ConditionExpression = "attribute_exists(pendingUntil)";
			await this.#client.send(new DeleteItemCommand({ TableName: this.#table, Key: keyItem(owned.key), ConditionExpression }));
		} catch (error) {
			if (!(error instanceof ConditionalCheckFailedException)) throw error;
			if (await this.get(owned.key)) return; // it was committed after all
		}
		await this.#sweep(owned);
	}

	/** False when the item is another version by now. */
	async #deleteVersion(owned: Owned): Promise<boolean> {
		const remove = (key: Key): TransactWriteItem => ({ Delete: { TableName: this.#table, Key: keyItem(key) } });
		const owner = {
			TableName: this.#table,
			Key: keyItem(owned.key),
			ConditionExpression: "version = :version",
			ExpressionAttributeValues: { ":version": { N: String(owned.version) } satisfies AttributeValue },
		};
		try {
			if (owned.claims.length + owned.pointers.length < MAX_ACTIONS) {
				// Nobody else can hold these claims while the owner is there, and it is: that is its condition.
				const owns = [...owned.claims.map(({ key }) => remove(key)), ...owned.pointers.map(remove)];
				await this.#client.send(new TransactWriteItemsCommand({ TransactItems: [{ Delete: owner }, ...owns] }));
			} else {
				await this.#client.send(new DeleteItemCommand(owner));
				await this.#sweep(owned);
			}
			return true;
		} catch (error) {
			if (error instanceof ConditionalCheckFailedException || error instanceof TransactionCanceledException) return false;
			throw error;
		}
	}

	/** Removes claims and pointers of an owner that is gone; a claim that somebody has taken over by now stays. */
	async #sweep(owned: Owned): Promise<void> {
		const deletes = [
			...owned.claims.map(({ key }) => ({
				Key: keyItem(key),
				ConditionExpression: "holderId = :id",
				ExpressionAttributeValues: { ":id": { S: owned.id } },
			})),
			...owned.pointers.map((key) => ({ Key: keyItem(key) })),
		];
		const worker = async (): Promise<void> => {
			for (let next = deletes.pop(); next; next = deletes.pop()) {
				try {
					await this.#client.send(new DeleteItemCommand({ TableName: this.#table, ...next }));
				} catch (error) {
					if (!(error instanceof ConditionalCheckFailedException)) throw error;
				}
			}
		};
		await Promise.all(Array.from({ length: PARALLEL_DELETES }, worker));
	}
}

export function isPending(item: Attributes): boolean {
	return item["pendingUntil"] !== undefined;
}

function alreadyExists(owned: Owned): DomainError {
	return new DomainError("already_exists", `${owned.id} exists already`);
}

function busy(id: string): DomainError {
	return new DomainError("aborted", `${id}: others are changing the same numbers or rules at this moment; try again`);
}
