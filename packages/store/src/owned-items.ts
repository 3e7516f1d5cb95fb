import { randomUUID } from "node:crypto";
import {
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
import { ClaimWrites } from "./claim-writes.ts";
import { type Attributes, backOff, fromItem, keyItem, toItem } from "./items.ts";
import type { Key } from "./keys.ts";
import { busy, type Holder, type Owned } from "./owned.ts";

/** DynamoDB's limit of one transaction. */
const MAX_ACTIONS = 100;
/** Claims and pointers of one item: 50 transactions, some seconds. */
const MAX_OWNED = 5000;
/** A creation or update in several transactions that has not ended after this was cut off. */
const PENDING_MS = 60_000;
const MAX_ATTEMPTS = 10;

export class OwnedItems {
	readonly #client: DynamoDBClient;
	readonly #table: string;
	readonly #now: () => number;
	/** the whole of an item that was read, to find what belongs to it */
	readonly #ownedOf: (item: Attributes) => Owned;
	readonly #writes: ClaimWrites;

	constructor(options: { client: DynamoDBClient; table: string; now: () => number; ownedOf: (item: Attributes) => Owned }) {
		this.#client = options.client;
		this.#table = options.table;
		this.#now = options.now;
		this.#ownedOf = options.ownedOf;
		this.#writes = new ClaimWrites({
			client: options.client,
			table: options.table,
			isHeld: (claim) => this.#isHeld(claim),
		});
	}

	/** All or nothing. Gives the holder of a claim that is in the way (then nothing was written). Throws `already_exists`, `invalid_argument`. */
	async create(owned: Owned): Promise<Holder | undefined> {
		checkSize(owned);
		if (sizeOf(owned) >= MAX_ACTIONS) return this.#createInParts(owned);
		const writeId = randomUUID();
		const result = await this.#writes.write({ writeId, owned, first: this.#putNew(owned), claims: owned.claims, pointers: owned.pointers });
		if (result === "refused") throw alreadyExists(owned);
		return result;
	}

	/**
	 * `next` in the place of `previous`, all or nothing: "changed" when the item is another version by now or gone, the holder of a claim that is in
	 * the way; in both cases nothing was written. Throws `invalid_argument`.
	 */
	async update(previous: Owned, next: Owned): Promise<Holder | "changed" | undefined> {
		checkSize(next);
		const change = changeOf(previous, next);
		if (sizeOf(change.added) + sizeOf(change.removed) >= MAX_ACTIONS) return this.#updateInParts(previous, next, change);
		const result = await this.#writes.write({
			writeId: randomUUID(),
			owned: next,
			first: this.#putVersion(next, "version = :previous", { ":previous": previous.version }),
			...change.added,
			// Nobody else can hold these claims while the owner has them, and it has: that is the condition of the first action.
			removed: [...change.removed.claims.map(({ key }) => key), ...change.removed.pointers],
		});
		return result === "refused" ? "changed" : result;
	}

	/** The item as it was, undefined when there was none. */
	async delete(key: Key): Promise<Attributes | undefined> {
		for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
			const item = await this.get(key, true);
			if (!item) return undefined;
			const owned = this.#ownedOf(item);
			if (isPending(item)) {
				if (!this.#isOverdue(item["pendingUntil"])) return undefined;
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
		const writeId = randomUUID();
		await this.#putPending(owned);
		try {
			const first = this.#check(owned.key, "attribute_exists(pendingUntil)", {});
			const result = await this.#writes.writeInParts({ writeId, owned, first, claims: owned.claims, pointers: owned.pointers });
			// Taken for dead by somebody.
			if (result === "refused") throw busy(owned.id);
			if (result) await this.#abandon(owned);
			else await this.#commit(owned);
			return result;
		} catch (error) {
			await this.#abandon(owned).catch(() => undefined);
			throw error;
		}
	}

	async #updateInParts(previous: Owned, next: Owned, { added, removed }: Change): Promise<Holder | "changed" | undefined> {
		const writeId = randomUUID();
		const ours = { ":previous": previous.version, ":writeId": writeId };
		const stillOurs = "version = :previous AND updateId = :writeId";
		if (!(await this.#markUpdate(previous, writeId))) return "changed";
		let result: Holder | "refused" | undefined;
		try {
			result = await this.#writes.writeInParts({ writeId, owned: next, first: this.#check(next.key, stillOurs, ours), ...added });
			result ??= await this.#writes.write({
				writeId,
				owned: next,
				first: this.#putVersion(next, stillOurs, ours),
				claims: [],
				pointers: [],
			});
		} catch (error) {
			// The last write may have been carried out although its answer was lost.
			if ((await this.get(next.key).catch(() => undefined))?.["writeId"] !== writeId)
				await this.#takeBack(next.key, writeId, added).catch(() => undefined);
			throw error;
		}
		if (result !== undefined) {
			await this.#takeBack(next.key, writeId, added);
			return result === "refused" ? "changed" : result;
		}
		await this.#writes.removeInParts(this.#check(next.key, "version = :version", { ":version": next.version }), [
			...removed.claims.map(({ key }) => key),
			...removed.pointers,
		]);
		return undefined;
	}

	/** Somebody's claim is in the way: is it in force? When it is not, nothing can put it into force once this has answered. */
	async #isHeld(claim: { key: Key; holderKey: Key; writeId: string }): Promise<Owned | undefined> {
		const item = await this.get(claim.holderKey, true);
		if (!item) return undefined;
		const owned = this.#ownedOf(item);
		if (isPending(item)) {
			if (!this.#isOverdue(item["pendingUntil"])) return owned;
			// An owner that was left pending is done away with here: its claims are free once its item is gone.
			await this.#abandon(owned);
			return (await this.get(claim.holderKey, true)) === undefined ? undefined : owned;
		}
		if (owned.claims.some(({ key }) => key.pk === claim.key.pk)) return owned;
		// Left by an update of the holder: one that goes on, or one that was cut off and can no more be completed when its mark is gone.
		if (item["updateId"] !== claim.writeId) return undefined;
		if (!this.#isOverdue(item["updateUntil"])) return owned;
		await this.#unmarkUpdate(claim.holderKey, claim.writeId);
		return this.#isHeld(claim);
	}

	#isOverdue(until: unknown): boolean {
		return typeof until === "number" && until <= this.#now();
	}

	#check(key: Key, ConditionExpression: string, values: Attributes): TransactWriteItem {
		const ExpressionAttributeValues = Object.keys(values).length === 0 ? {} : { ExpressionAttributeValues: toItem(values) };
		return { ConditionCheck: { TableName: this.#table, Key: keyItem(key), ConditionExpression, ...ExpressionAttributeValues } };
	}

	#putNew(owned: Owned): TransactWriteItem {
		return {
			Put: { TableName: this.#table, Item: toItem({ ...owned.item, ...owned.key }), ConditionExpression: "attribute_not_exists(pk)" },
		};
	}

	/** Without the mark of an update in several transactions: one that goes on is refused from here on. */
	#putVersion(next: Owned, ConditionExpression: string, values: Attributes): TransactWriteItem {
		const writeId = values[":writeId"] === undefined ? {} : { writeId: values[":writeId"] };
		const Item = toItem({ ...next.item, ...next.key, ...writeId });
		return { Put: { TableName: this.#table, Item, ConditionExpression, ExpressionAttributeValues: toItem(values) } };
	}

	async #putPending(owned: Owned): Promise<void> {
		const Item = toItem({ ...owned.item, ...owned.key, pendingUntil: this.#now() + PENDING_MS });
		const put = new PutItemCommand({ TableName: this.#table, Item, ConditionExpression: "attribute_not_exists(pk)" });
		if (!(await conditional(this.#client.send(put)))) throw alreadyExists(owned);
	}

	async #commit(owned: Owned): Promise<void> {
		const update = new UpdateItemCommand({
			TableName: this.#table,
			Key: keyItem(owned.key),
			UpdateExpression: "REMOVE pendingUntil",
			ConditionExpression: "attribute_exists(pendingUntil)",
		});
		if (await conditional(this.#client.send(update))) return;
		// Committed by an attempt whose answer was lost, or taken for dead by somebody after PENDING_MS.
		if (!(await this.get(owned.key))) throw busy(owned.id);
	}

	/** Takes back a creation: first the item, on which all else depends. */
	async #abandon(owned: Owned): Promise<void> {
		const ConditionExpression = "attribute_exists(pendingUntil)";
		const remove = new DeleteItemCommand({ TableName: this.#table, Key: keyItem(owned.key), ConditionExpression });
		// It was committed after all.
		if (!(await conditional(this.#client.send(remove))) && (await this.get(owned.key))) return;
		await this.#writes.sweep(owned, { holderId: owned.id });
	}

	/** False when the item is another version by now, or gone. */
	async #markUpdate({ key, version }: Owned, writeId: string): Promise<boolean> {
		const update = new UpdateItemCommand({
			TableName: this.#table,
			Key: keyItem(key),
			UpdateExpression: "SET updateId = :writeId, updateUntil = :until",
			// By itself: the answer of an attempt that was carried out may have been lost.
			ConditionExpression: "version = :version AND attribute_not_exists(pendingUntil)",
			ExpressionAttributeValues: toItem({ ":writeId": writeId, ":until": this.#now() + PENDING_MS, ":version": version }),
		});
		return conditional(this.#client.send(update));
	}

	async #unmarkUpdate(key: Key, writeId: string): Promise<void> {
		const update = new UpdateItemCommand({
			TableName: this.#table,
			Key: keyItem(key),
			UpdateExpression: "REMOVE updateId, updateUntil",
			ConditionExpression: "updateId = :writeId",
			ExpressionAttributeValues: toItem({ ":writeId": writeId }),
		});
		await conditional(this.#client.send(update));
	}

	/** Undoes an update that did not come into force: its mark first, without which it cannot. */
	async #takeBack(key: Key, writeId: string, added: Belongings): Promise<void> {
		await this.#unmarkUpdate(key, writeId);
		await this.#writes.sweep(added, { writeId });
	}

	/** False when the item is another version by now. */
	async #deleteVersion(owned: Owned): Promise<boolean> {
		const remove = (key: Key): TransactWriteItem => ({ Delete: { TableName: this.#table, Key: keyItem(key) } });
		const owner = {
			TableName: this.#table,
			Key: keyItem(owned.key),
			ConditionExpression: "version = :version",
			ExpressionAttributeValues: toItem({ ":version": owned.version }),
		};
		try {
			if (sizeOf(owned) < MAX_ACTIONS) {
				// Nobody else can hold these claims while the owner is there, and it is: that is its condition.
				const owns = [...owned.claims.map(({ key }) => remove(key)), ...owned.pointers.map(remove)];
				await this.#client.send(new TransactWriteItemsCommand({ TransactItems: [{ Delete: owner }, ...owns] }));
			} else {
				await this.#client.send(new DeleteItemCommand(owner));
				await this.#writes.sweep(owned, { holderId: owned.id });
			}
			return true;
		} catch (error) {
			if (error instanceof ConditionalCheckFailedException || error instanceof TransactionCanceledException) return false;
			throw error;
		}
	}
}

type Belongings = Pick<Owned, "claims" | "pointers">;

interface Change {
	added: Belongings;
	removed: Belongings;
}

function changeOf(previous: Belongings, next: Belongings): Change {
	return { added: without(next, previous), removed: without(previous, next) };
}

function without(these: Belongings, those: Belongings): Belongings {
	const claimed = new Set(those.claims.map(({ key }) => key.pk));
	const textOf = ({ pk, sk }: Key): string => JSON.stringify([pk, sk]);
	const pointedFrom = new Set(those.pointers.map(textOf));
	return {
		claims: these.claims.filter(({ key }) => !claimed.has(key.pk)),
		pointers: these.pointers.filter((pointer) => !pointedFrom.has(textOf(pointer))),
	};
}

function sizeOf({ claims, pointers }: Belongings): number {
	return claims.length + pointers.length;
}

function checkSize(owned: Owned): void {
	if (sizeOf(owned) <= MAX_OWNED) return;
	throw new DomainError(
		"invalid_argument",
		`${owned.id} has ${sizeOf(owned)} combinations of numbers, callers and trunks; ${MAX_OWNED} is the limit`,
	);
}

/** False when the condition of a write failed. */
async function conditional(write: Promise<unknown>): Promise<boolean> {
	try {
		await write;
		return true;
	} catch (error) {
		if (error instanceof ConditionalCheckFailedException) return false;
		throw error;
	}
}

export function isPending(item: Attributes): boolean {
	return item["pendingUntil"] !== undefined;
}

function alreadyExists(owned: Owned): DomainError {
	return new DomainError("already_exists", `${owned.id} exists already`);
}
