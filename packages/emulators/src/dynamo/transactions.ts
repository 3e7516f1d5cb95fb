import { createHash } from "node:crypto";
import dynaliteDb from "dynalite/db/index.js";
import { bufferedStore } from "./buffered-store.ts";
import { checkRequest, type Operation, OPERATIONS, perform, tableOf } from "./operations.ts";
import { refusalMessage, refusalName, WireError } from "./wire.ts";

/** DynamoDB's limits of one transaction. */
const MAX_ACTIONS = 100;
const MAX_BYTES = 4 * 1024 * 1024;
const TOKEN_LIFETIME_MS = 10 * 60_000;

type Kind = "Put" | "Update" | "Delete" | "ConditionCheck";
type Members = Record<string, unknown>;

interface Reason {
	Code: string;
	Message?: string;
	Item?: dynalite.Item;
}

interface Step {
	kind: Kind;
	members: Members;
	/** table and key: which item it is about */
	itemId: string;
	/** the request that dynalite checks and runs in its place */
	operation: Operation;
	data: Members;
}

/** TransactWriteItems on top of dynalite. The caller holds the engine's mutex, so that nothing changes between check and write. */
export class Transactions {
	readonly #store: dynalite.Store;
	readonly #now: () => number;
	/** by ClientRequestToken, oldest first */
	readonly #done = new Map<string, { digest: string; at: number }>();

	constructor(store: dynalite.Store, now: () => number) {
		this.#store = store;
		this.#now = now;
	}

	/** All actions or none; a token that has been seen with the same actions answers success again and writes nothing. */
	async write(request: Members): Promise<Members> {
		const actions = actionsOf(request);
		const token = typeof request["ClientRequestToken"] === "string" ? request["ClientRequestToken"] : undefined;
		const digest = createHash("sha256").update(JSON.stringify(actions)).digest("hex");
		if (token !== undefined && this.#isRepeat(token, digest)) return {};

		const steps: Step[] = [];
		for (const [kind, members] of actions) steps.push(await this.#prepare(kind, members));
		if (new Set(steps.map((step) => step.itemId)).size !== steps.length)
			throw new WireError("ValidationException", "Transaction request cannot include multiple operations on one item");

		const outcomes = await Promise.all(steps.map((step) => this.#attempt(step)));
		const reasons = outcomes.map((outcome) => outcome.reason);
		if (reasons.some((reason) => reason.Code !== "None")) throw cancelled(reasons);
		await this.#store.db.batch(outcomes.flatMap((outcome) => outcome.writes));
		if (token !== undefined) this.#done.set(token, { digest, at: this.#now() });
		return {};
	}

	/** TransactGetItems: all reads see one state. */
	async read(request: Members): Promise<Members> {
		const list = request["TransactItems"];
		if (!Array.isArray(list) || list.length === 0 || list.length > MAX_ACTIONS) throw tooMany(list);
		const gets = list.map((entry: { Get?: Members }) =>
			checkRequest(OPERATIONS.GetItem, { ...entry.Get, ConsistentRead: true }, this.#store),
		);
		const answers = await Promise.all(gets.map((get) => perform(OPERATIONS.GetItem, get, this.#store)));
		return { Responses: answers.map(({ Item }) => (Item === undefined ? {} : { Item })) };
	}

	#isRepeat(token: string, digest: string): boolean {
		for (const [seen, { at }] of this.#done) {
			if (this.#now() - at < TOKEN_LIFETIME_MS) break;
			this.#done.delete(seen);
		}
		const done = this.#done.get(token);
		if (!done) return false;
		if (done.digest === digest) return true;
		throw new WireError("IdempotentParameterMismatchException", "Transaction request with the same token but different parameters");
	}

	async #prepare(kind: Kind, members: Members): Promise<Step> {
		const operation = {
			Put: OPERATIONS.PutItem,
			Update: OPERATIONS.UpdateItem,
			Delete: OPERATIONS.DeleteItem,
			ConditionCheck: OPERATIONS.DeleteItem,
		}[kind];
		const data = checkRequest(operation, members, this.#store);
		const table = await tableOf(this.#store, String(data["TableName"]));
		const item = (data["Item"] ?? data["Key"]) as dynalite.Item;
		const key = Object.fromEntries(table.KeySchema.map(({ AttributeName }) => [AttributeName, item[AttributeName]]));
		return { kind, members, itemId: `${table.TableName} ${JSON.stringify(key)}`, operation, data };
	}

	/** Every condition is judged against the state before the transaction: the items are distinct, and nothing is written here. */
	async #attempt(step: Step): Promise<{ reason: Reason; writes: dynalite.Write[] }> {
		const buffer = bufferedStore(this.#store);
		try {
			await perform(step.operation, step.data, buffer.store);
			return { reason: { Code: "None" }, writes: step.kind === "ConditionCheck" ? [] : buffer.writes };
		} catch (error) {
			const name = refusalName(error);
			if (name === "ValidationException") return { reason: { Code: "ValidationError", Message: refusalMessage(error) }, writes: [] };
			if (name !== "ConditionalCheckFailedException") throw error;
			const reason: Reason = { Code: "ConditionalCheckFailed", Message: "The conditional request failed" };
			const old = buffer.found();
			if (step.members["ReturnValuesOnConditionCheckFailure"] === "ALL_OLD" && old) reason.Item = old;
			return { reason, writes: [] };
		}
	}
}

function actionsOf(request: Members): [Kind, Members][] {
	const list = request["TransactItems"];
	if (!Array.isArray(list) || list.length === 0 || list.length > MAX_ACTIONS) throw tooMany(list);
	const actions = list.map((entry: Record<string, Members>): [Kind, Members] => {
		const [action, ...more] = Object.entries(entry ?? {}).filter(([, members]) => members !== null && members !== undefined);
		if (!action || more.length > 0 || !["Put", "Update", "Delete", "ConditionCheck"].includes(action[0]))
			throw new WireError("ValidationException", "TransactItems can only contain one of Check, Put, Update or Delete");
		if (action[0] === "ConditionCheck" && !action[1]["ConditionExpression"])
			throw new WireError("ValidationException", "The expression can not be empty;");
		return [action[0] as Kind, action[1]];
	});
	const bytes = actions.reduce(
		(sum, [, members]) => sum + (members["Item"] ? dynaliteDb.itemSize(members["Item"] as dynalite.Item) : 0),
		0,
	);
	if (bytes > MAX_BYTES) throw new WireError("ValidationException", "Collection size cannot exceed 4 MB in a transaction");
	return actions;
}

function tooMany(list: unknown): WireError {
	const bound = Array.isArray(list) && list.length > 0 ? `less than or equal to ${MAX_ACTIONS}` : "greater than or equal to 1";
	return new WireError(
		"ValidationException",
		`1 validation error detected: Value at 'transactItems' failed to satisfy constraint: Member must have length ${bound}`,
	);
}

function cancelled(reasons: Reason[]): WireError {
	const codes = reasons.map((reason) => reason.Code).join(", ");
	return new WireError(
		"TransactionCanceledException",
		`Transaction cancelled, please refer cancellation reasons for specific reasons [${codes}]`,
		{ CancellationReasons: reasons },
	);
}
