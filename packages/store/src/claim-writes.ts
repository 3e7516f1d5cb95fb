import {
	type CancellationReason,
	ConditionalCheckFailedException,
	DeleteItemCommand,
	type DynamoDBClient,
	TransactionCanceledException,
	type TransactWriteItem,
	TransactWriteItemsCommand,
} from "@aws-sdk/client-dynamodb";
import { isPassing, reasonsOf } from "./errors.ts";
import { backOff, fromItem, keyItem, toItem } from "./items.ts";
import type { Key } from "./keys.ts";
import { busy, type Claim, type Holder, type Owned } from "./owned.ts";

/** One write of an owner's claims and pointers; `first` is the action on the owner that all others depend on. */
export interface ClaimWrite {
	/** of this write alone: tells its claims and pointers from those of any other write of the same owner */
	writeId: string;
	owned: Pick<Owned, "key" | "id">;
	first: TransactWriteItem;
	claims: readonly Claim[];
	pointers: readonly Key[];
	/** claims and pointers that the owner gives up */
	removed?: readonly Key[];
}

interface ClaimItem extends Key {
	conflictKey: string;
	holderKey: Key;
	holderId: string;
	writeId: string;
}

/** Beside the first one: DynamoDB's limit is 100. */
const ACTIONS_PER_PART = 99;
const MAX_ATTEMPTS = 10;
const PARALLEL_DELETES = 10;

/** The transactions that claims and pointers are written in. */
export class ClaimWrites {
	readonly #client: DynamoDBClient;
	readonly #table: string;
	readonly #isHeld: (claim: { key: Key; holderKey: Key; writeId: string }) => Promise<{ id: string; name: string } | undefined>;

	/** `isHeld`: the owner by whom a claim is in force, or nobody, and then it never will be. */
	constructor(options: {
		client: DynamoDBClient;
		table: string;
		isHeld: (claim: { key: Key; holderKey: Key; writeId: string }) => Promise<{ id: string; name: string } | undefined>;
	}) {
		this.#client = options.client;
		this.#table = options.table;
		this.#isHeld = options.isHeld;
	}

	/** One transaction, at most 100 actions. "refused": the condition of `first` failed. Either it or a holder: nothing was written. */
	async write(write: ClaimWrite): Promise<Holder | "refused" | undefined> {
		/** claims that are not in force: the write that each is from */
		const orphans = new Map<string, string>();
		for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
			try {
				await this.#client.send(new TransactWriteItemsCommand({ TransactItems: this.#actions(write, orphans) }));
				return undefined;
			} catch (error) {
				if (!(error instanceof TransactionCanceledException)) throw error;
				const [ownReason, ...reasons] = reasonsOf(error);
				if (ownReason?.Code === "ConditionalCheckFailed") return "refused";
				const holder = await this.#holderInTheWay(reasons, orphans);
				if (holder) return holder;
				if (![ownReason, ...reasons].some((reason) => reason && (isPassing(reason) || reason.Item))) throw error;
				await backOff(attempt);
			}
		}
		throw busy(write.owned.id);
	}

	/** As many transactions as it takes, claims before pointers; ends at the first that does not pass, and what was written before stays. */
	async writeInParts(write: ClaimWrite): Promise<Holder | "refused" | undefined> {
		for (const claims of partsOf(write.claims)) {
			const result = await this.write({ ...write, claims, pointers: [] });
			if (result !== undefined) return result;
		}
		for (const pointers of partsOf(write.pointers)) {
			const result = await this.write({ ...write, claims: [], pointers });
			if (result !== undefined) return result;
		}
		return undefined;
	}

	/** Removes what an owner has given up; ends when `first` does not hold any more. What is then left is not in force and in nobody's way. */
	async removeInParts(first: TransactWriteItem, keys: readonly Key[]): Promise<void> {
		for (const part of partsOf(keys)) {
			const removes = part.map((key) => ({ Delete: { TableName: this.#table, Key: keyItem(key) } }));
			try {
				await this.#client.send(new TransactWriteItemsCommand({ TransactItems: [first, ...removes] }));
			} catch (error) {
				if (!(error instanceof TransactionCanceledException)) throw error;
				if (reasonsOf(error)[0]?.Code === "ConditionalCheckFailed") return;
			}
		}
	}

	/** Removes these claims and pointers as far as they are of this owner, which is gone, or of this write. */
	async sweep({ claims, pointers }: Pick<Owned, "claims" | "pointers">, of: { holderId: string } | { writeId: string }): Promise<void> {
		const [[attribute, value] = ["", ""]] = Object.entries(of);
		const condition = { ConditionExpression: `${attribute} = :value`, ExpressionAttributeValues: { ":value": { S: value } } };
		const deletes = [
			...claims.map(({ key }) => ({ Key: keyItem(key), ...condition })),
			// An owner that is gone never comes back, so its pointers need no condition.
			...pointers.map((key) => ({ Key: keyItem(key), ...("writeId" in of ? condition : {}) })),
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

	#actions(
		{ writeId, owned, first, claims, pointers, removed = [] }: ClaimWrite,
		orphans: ReadonlyMap<string, string>,
	): TransactWriteItem[] {
		return [
			first,
			...claims.map((claim) => this.#putClaim(owned, claim, writeId, orphans.get(claim.key.pk))),
			...pointers.map((pointer) => ({ Put: { TableName: this.#table, Item: toItem({ ...pointer, writeId }) } })),
			...removed.map((key) => ({ Delete: { TableName: this.#table, Key: keyItem(key) } })),
		];
	}

	/**
	 * Nobody's, left by an earlier write of the same owner, or the orphan that was looked at: not the same owner's newer claim to the same thing,
	 * which has another write's id.
	 */
	#putClaim(
		owned: Pick<Owned, "key" | "id">,
		{ key, conflictKey }: Claim,
		writeId: string,
		orphanOf: string | undefined,
	): TransactWriteItem {
		const claim: ClaimItem = { ...key, conflictKey, holderKey: owned.key, holderId: owned.id, writeId };
		const free = "attribute_not_exists(pk) OR holderId = :id";
		return {
			Put: {
				TableName: this.#table,
				Item: toItem(claim),
				ConditionExpression: orphanOf === undefined ? free : `${free} OR writeId = :orphan`,
				ExpressionAttributeValues: toItem({ ":id": owned.id, ...(orphanOf === undefined ? {} : { ":orphan": orphanOf }) }),
				ReturnValuesOnConditionCheckFailure: "ALL_OLD",
			},
		};
	}

	/** Whose claim made the transaction fail; claims that are not in force are noted in `orphans` for the next attempt. */
	async #holderInTheWay(reasons: readonly CancellationReason[], orphans: Map<string, string>): Promise<Holder | undefined> {
		for (const { Code, Item } of reasons) {
			if (Code !== "ConditionalCheckFailed" || !Item) continue;
			const { pk, sk, conflictKey, holderKey, writeId } = fromItem(Item) as unknown as ClaimItem;
			const holder = await this.#isHeld({ key: { pk, sk }, holderKey, writeId });
			if (holder) return { conflictKey, id: holder.id, name: holder.name };
			orphans.set(pk, writeId);
		}
		return undefined;
	}
}

function partsOf<T>(list: readonly T[]): T[][] {
	return Array.from({ length: Math.ceil(list.length / ACTIONS_PER_PART) }, (_, part) =>
		list.slice(part * ACTIONS_PER_PART, (part + 1) * ACTIONS_PER_PART),
	);
}
