import { type DynamoDBClient, QueryCommand, type QueryCommandInput } from "@aws-sdk/client-dynamodb";
import type { DispatchRule, InboundTrunk, OutboundTrunk, Trunk } from "@trunkline/contracts";
import {
	type ConfigStore,
	calledForms,
	normalizeNumber,
	type Page,
	ruleConflictError,
	ruleConflictKeys,
	trunkConflictError,
	trunkConflictKeys,
} from "@trunkline/domain";
import { reachable } from "./errors.ts";
import { type Attributes, fromItem, getItems, type Item } from "./items.ts";
import * as keys from "./keys.ts";
import type { Owned } from "./owned.ts";
import { isPending, OwnedItems } from "./owned-items.ts";

const MAX_REGISTERING = 1_000;

/** Trunks and dispatch rules in DynamoDB; keys.ts says where each is. Throws DomainError only. */
export class DynamoConfigStore implements ConfigStore {
	readonly #client: DynamoDBClient;
	readonly #table: string;
	readonly #owned: OwnedItems;

	/** `now` in ms since the epoch. */
	constructor(options: { client: DynamoDBClient; table: string; now?: () => number }) {
		this.#client = options.client;
		this.#table = options.table;
		this.#owned = new OwnedItems({ client: options.client, table: options.table, now: options.now ?? Date.now, ownedOf });
	}

	async createTrunk(projectId: string, trunk: Trunk): Promise<void> {
		const holder = await this.#reachable(() => this.#owned.create(ownedTrunk(projectId, trunk)));
		if (holder) throw trunkConflictError(holder.conflictKey, holder.id);
	}

	async updateTrunk(projectId: string, previous: Trunk, next: Trunk): Promise<boolean> {
		checkSuccession({ ...previous, id: previous.trunkId }, { ...next, id: next.trunkId });
		const result = await this.#reachable(() => this.#owned.update(ownedTrunk(projectId, previous), ownedTrunk(projectId, next)));
		if (typeof result === "object") throw trunkConflictError(result.conflictKey, result.id, next.trunkId);
		return result !== "changed";
	}

	async inboundTrunksById(projectId: string, trunkIds: readonly string[]): Promise<InboundTrunk[]> {
		return this.#byIds<InboundTrunk>(keys.inboundTrunks(projectId), trunkIds);
	}

	async outboundTrunksById(projectId: string, trunkIds: readonly string[]): Promise<OutboundTrunk[]> {
		return this.#byIds<OutboundTrunk>(keys.outboundTrunks(projectId), trunkIds);
	}

	async getTrunk(projectId: string, trunkId: string): Promise<Trunk | undefined> {
		if (!keys.isId(trunkId)) return undefined;
		const [inbound, outbound] = await this.#reachable(() => Promise.all(trunkKeys(projectId, trunkId).map((key) => this.#owned.get(key))));
		const item = inbound ?? outbound;
		return item && entityOf<Trunk>(item);
	}

	async listInboundTrunks(projectId: string, page: Page): Promise<InboundTrunk[]> {
		return this.#list<InboundTrunk>(keys.inboundTrunks(projectId), page);
	}

	async listOutboundTrunks(projectId: string, page: Page): Promise<OutboundTrunk[]> {
		return this.#list<OutboundTrunk>(keys.outboundTrunks(projectId), page);
	}

	async deleteTrunk(projectId: string, trunkId: string): Promise<Trunk | undefined> {
		if (!keys.isId(trunkId)) return undefined;
		const [inbound, outbound] = await this.#reachable(() =>
			Promise.all(trunkKeys(projectId, trunkId).map((key) => this.#owned.delete(key))),
		);
		const item = inbound ?? outbound;
		return item && entityOf<Trunk>(item);
	}

	async inboundTrunksFor(projectId: string, calledNumber: string): Promise<InboundTrunk[]> {
		const pointers = [{ pk: keys.trunksOfNumber(projectId, normalizeNumber(calledNumber)) }, { pk: keys.wildcardTrunks(projectId) }];
		return this.#pointedTo<InboundTrunk>(pointers, keys.inboundTrunks(projectId));
	}

	async outboundTrunksFor(projectId: string, number: string): Promise<OutboundTrunk[]> {
		const numbers = new Set([normalizeNumber(number), "*"]);
		const pointers = [...numbers].map((one) => ({ pk: keys.outboundTrunksOfNumber(projectId, one) }));
		return this.#pointedTo<OutboundTrunk>(pointers, keys.outboundTrunks(projectId));
	}

	async registeringTrunks(): Promise<{ projectId: string; trunk: OutboundTrunk }[]> {
		return this.#reachable(async () => {
			const found = await this.#query({ pk: keys.REGISTERING_TRUNKS, limit: MAX_REGISTERING, only: "pk, sk" });
			const owners = found.map(({ sk }) => keys.trunkOfRegistering(String(sk)));
			const items = await getItems(this.#client, this.#table, owners);
			return items
				.filter((item) => !isPending(item) && ownedOf(item).pointers.some(({ pk }) => pk === keys.REGISTERING_TRUNKS))
				.map((item) => ({ projectId: String(item["projectId"]), trunk: entityOf<OutboundTrunk>(item) }));
		});
	}

	async createRule(projectId: string, rule: DispatchRule): Promise<void> {
		const holder = await this.#reachable(() => this.#owned.create(ownedRule(projectId, rule)));
		if (holder) throw ruleConflictError(holder.id, holder.name);
	}

	async updateRule(projectId: string, previous: DispatchRule, next: DispatchRule): Promise<boolean> {
		checkSuccession({ ...previous, id: previous.ruleId }, { ...next, id: next.ruleId });
		const result = await this.#reachable(() => this.#owned.update(ownedRule(projectId, previous), ownedRule(projectId, next)));
		if (typeof result === "object") throw ruleConflictError(result.id, result.name);
		return result !== "changed";
	}

	async rulesById(projectId: string, ruleIds: readonly string[]): Promise<DispatchRule[]> {
		return this.#byIds<DispatchRule>(keys.rules(projectId), ruleIds);
	}

	async getRule(projectId: string, ruleId: string): Promise<DispatchRule | undefined> {
		if (!keys.isId(ruleId)) return undefined;
		const item = await this.#reachable(() => this.#owned.get({ pk: keys.rules(projectId), sk: ruleId }));
		return item && entityOf<DispatchRule>(item);
	}

	async listRules(projectId: string, page: Page): Promise<DispatchRule[]> {
		return this.#list<DispatchRule>(keys.rules(projectId), page);
	}

	async deleteRule(projectId: string, ruleId: string): Promise<DispatchRule | undefined> {
		if (!keys.isId(ruleId)) return undefined;
		const item = await this.#reachable(() => this.#owned.delete({ pk: keys.rules(projectId), sk: ruleId }));
		return item && entityOf<DispatchRule>(item);
	}

	async rulesFor(projectId: string, trunkId: string | undefined, calledNumber?: string): Promise<DispatchRule[]> {
		const partitions = [keys.rulesOfAnyTrunk(projectId), ...(trunkId === undefined ? [] : [keys.rulesOfTrunk(projectId, trunkId)])];
		const numbers = calledNumber === undefined ? [] : [...new Set(["", normalizeNumber(calledNumber)])];
		const pointers = partitions.flatMap((pk) =>
			calledNumber === undefined ? [{ pk }] : numbers.map((number) => ({ pk, prefix: keys.rulesForNumber(number) })),
		);
		return this.#pointedTo<DispatchRule>(pointers, keys.rules(projectId));
	}

	async rulesNaming(projectId: string, trunkId: string): Promise<DispatchRule[]> {
		return this.#pointedTo<DispatchRule>([{ pk: keys.rulesOfTrunk(projectId, trunkId) }], keys.rules(projectId));
	}

	/** The entities in `owners` that these pointers lead to. A pointer that its owner does not know is a left-over. */
	async #pointedTo<T extends Trunk | DispatchRule>(pointers: readonly { pk: string; prefix?: string }[], owners: string): Promise<T[]> {
		return this.#reachable(async () => {
			const found = (await Promise.all(pointers.map((pointer) => this.#query({ ...pointer, only: "pk, sk" })))).flat();
			const known = new Set(found.map(({ pk, sk }) => pointerText({ pk: String(pk), sk: String(sk) })));
			const items = await this.#items(owners, new Set(found.map(({ sk }) => keys.idOfPointer(String(sk)))));
			return items
				.filter((item) => ownedOf(item).pointers.some((pointer) => known.has(pointerText(pointer))))
				.map((item) => entityOf<T>(item));
		});
	}

	async #byIds<T>(owners: string, ids: readonly string[]): Promise<T[]> {
		const items = await this.#reachable(() => this.#items(owners, new Set(ids.filter(keys.isId))));
		return items.map((item) => entityOf<T>(item));
	}

	async #items(pk: string, ids: ReadonlySet<string>): Promise<Attributes[]> {
		const items = await getItems(
			this.#client,
			this.#table,
			[...ids].map((sk) => ({ pk, sk })),
		);
		return items.filter((item) => !isPending(item));
	}

	async #list<T>(pk: string, { afterId, limit }: Page): Promise<T[]> {
		const items = await this.#reachable(() => this.#query({ pk, ...(afterId ? { afterId } : {}), ...(limit ? { limit } : {}) }));
		return items.map((item) => entityOf<T>(item));
	}

	/** Items of a partition in the order of their ids; what is still being created is left out. Strongly consistent. */
	async #query({ pk, prefix, afterId, limit, only }: QueryOptions): Promise<Attributes[]> {
		const bound = prefix === undefined ? (afterId === undefined ? "" : " AND sk > :bound") : " AND begins_with(sk, :bound)";
		const request: QueryCommandInput = {
			TableName: this.#table,
			ConsistentRead: true,
			KeyConditionExpression: `pk = :pk${bound}`,
			// An id has no more than 256 characters, so a longer `after` sorts like its beginning.
			ExpressionAttributeValues: { ":pk": { S: pk }, ...(bound === "" ? {} : { ":bound": { S: prefix ?? afterId?.slice(0, 256) ?? "" } }) },
			...(only === undefined ? { FilterExpression: "attribute_not_exists(pendingUntil)" } : { ProjectionExpression: only }),
		};
		const items: Attributes[] = [];
		let start: Item | undefined;
		do {
			// Limit counts what the filter drops too; one more turn then fills the page.
			const bounds = {
				...(limit === undefined ? {} : { Limit: limit - items.length }),
				...(start === undefined ? {} : { ExclusiveStartKey: start }),
			};
			const page = await this.#client.send(new QueryCommand({ ...request, ...bounds }));
			for (const item of page.Items ?? []) items.push(fromItem(item));
			start = page.LastEvaluatedKey;
		} while (start !== undefined && (limit === undefined || items.length < limit));
		return items;
	}

	#reachable<T>(request: () => Promise<T>): Promise<T> {
		return reachable(this.#table, request);
	}
}

interface QueryOptions {
	pk: string;
	/** of the sort key */
	prefix?: string;
	afterId?: string;
	limit?: number;
	/** attributes of pointers, which are never pending */
	only?: string;
}

function pointerText({ pk, sk }: keys.Key): string {
	return JSON.stringify([pk, sk]);
}

function trunkKeys(projectId: string, trunkId: string): keys.Key[] {
	return [keys.inboundTrunks(projectId), keys.outboundTrunks(projectId)].map((pk) => ({ pk, sk: trunkId }));
}

function ownedTrunk(projectId: string, trunk: Trunk): Owned {
	const { authPassword, ...body } = trunk;
	const common = {
		id: trunk.trunkId,
		name: trunk.name,
		version: trunk.version,
		// Beside the body, not in it: whoever prints a body prints no password.
		item: { projectId, version: trunk.version, body, authPassword },
	};
	const numbers = trunk.kind === "inbound" ? calledForms(trunk) : new Set(trunk.numbers.map(normalizeNumber));
	if (trunk.kind === "outbound") {
		const pointers = [...numbers].map((number) => ({ pk: keys.outboundTrunksOfNumber(projectId, number), sk: trunk.trunkId }));
		if (trunk.settings?.registration?.enabled === true) pointers.push(keys.registeringTrunk(projectId, trunk.trunkId));
		return { ...common, key: { pk: keys.outboundTrunks(projectId), sk: trunk.trunkId }, claims: [], pointers };
	}
	const pointedFrom =
		numbers.size === 0 ? [keys.wildcardTrunks(projectId)] : [...numbers].map((number) => keys.trunksOfNumber(projectId, number));
	return {
		...common,
		key: { pk: keys.inboundTrunks(projectId), sk: trunk.trunkId },
		claims: trunkConflictKeys(trunk).map((conflictKey) => ({ key: keys.trunkClaim(projectId, conflictKey), conflictKey })),
		pointers: pointedFrom.map((pk) => ({ pk, sk: trunk.trunkId })),
	};
}

function ownedRule(projectId: string, rule: DispatchRule): Owned {
	const trunkIds = new Set(rule.trunkIds);
	const pointedFrom = trunkIds.size === 0 ? [keys.rulesOfAnyTrunk(projectId)] : [...trunkIds].map((id) => keys.rulesOfTrunk(projectId, id));
	const numbers = rule.numbers.length === 0 ? [""] : [...new Set(rule.numbers.map(normalizeNumber))];
	return {
		key: { pk: keys.rules(projectId), sk: rule.ruleId },
		id: rule.ruleId,
		name: rule.name,
		version: rule.version,
		item: { projectId, version: rule.version, body: rule },
		claims: ruleConflictKeys(rule).map((conflictKey) => ({ key: keys.ruleClaim(projectId, conflictKey), conflictKey })),
		pointers: pointedFrom.flatMap((pk) => numbers.map((number) => ({ pk, sk: keys.ruleForNumber(number, rule.ruleId) }))),
	};
}

/** An update that is none is a fault of ours, not of a caller. */
function checkSuccession(previous: Succession, next: Succession): void {
	if (next.id === previous.id && next.kind === previous.kind && next.version === previous.version + 1) return;
	throw new Error(`${next.id} version ${next.version} cannot follow ${previous.id} version ${previous.version}`);
}

interface Succession {
	id: string;
	kind?: string;
	version: number;
}

function ownedOf(item: Attributes): Owned {
	const projectId = String(item["projectId"]);
	const entity = entityOf<Trunk | DispatchRule>(item);
	return "trunkId" in entity ? ownedTrunk(projectId, entity) : ownedRule(projectId, entity);
}

/** What was stored by ownedTrunk or ownedRule; only this package writes the table. */
function entityOf<T>(item: Attributes): T {
	const password = item["authPassword"] === undefined ? {} : { authPassword: item["authPassword"] };
	return { ...(item["body"] as object), ...password } as T;
}
