import {
	type DynamoDBClient,
	GetItemCommand,
	QueryCommand,
	TransactionCanceledException,
	type TransactWriteItem,
	TransactWriteItemsCommand,
} from "@aws-sdk/client-dynamodb";
import type { Project, ProjectApiKey } from "@trunkline/contracts";
import { DomainError, type Page, type ProjectStore, type SecretBox } from "@trunkline/domain";
import { isPassing, reachable, reasonsOf } from "./errors.ts";
import { type Attributes, backOff, fromItem, getItems, keyItem, toItem } from "./items.ts";
import * as keys from "./keys.ts";

const MAX_ATTEMPTS = 10;

/** Everything secret of a project, sealed in one piece: one call of KMS opens it. */
interface Secrets {
	/** of each key, in the order of `apiKeys[].secrets` */
	keys: Record<string, string[]>;
	livekit?: string;
}

/** Projects in the config table; keys.ts says where each is. Secrets are sealed by `box`. Throws DomainError only. */
export class DynamoProjectStore implements ProjectStore {
	readonly #client: DynamoDBClient;
	readonly #table: string;
	readonly #box: SecretBox;

	constructor(options: { client: DynamoDBClient; table: string; box: SecretBox }) {
		this.#client = options.client;
		this.#table = options.table;
		this.#box = options.box;
	}

	async createProject(project: Project): Promise<void> {
		const item = await this.#itemOf(project);
		const entry = { ...keys.projectEntry(project.projectId) };
		const result = await this.#transact([
			this.#put(item, "attribute_not_exists(pk)"),
			...project.apiKeys.map(({ key }) => this.#putKey(key, project.projectId)),
			{ Put: { TableName: this.#table, Item: toItem(entry) } },
		]);
		if (result === "first") throw new DomainError("already_exists", `the project ${project.projectId} exists already`);
		if (result !== "done") throw keyTaken();
	}

	async getProject(projectId: string): Promise<Project | undefined> {
		if (!keys.isId(projectId)) return undefined;
		const item = await this.#get(keys.projectKey(projectId));
		return item && this.#projectOf(item);
	}

	async findByApiKey(apiKey: string): Promise<Project | undefined> {
		if (!keys.isId(apiKey)) return undefined;
		const pointer = await this.#get(keys.apiKey(apiKey));
		if (pointer === undefined) return undefined;
		const project = await this.getProject(String(pointer["projectId"]));
		// Between the two reads the key may have been taken away.
		return project?.apiKeys.some(({ key }) => key === apiKey) === true ? project : undefined;
	}

	async listProjects({ afterId, limit }: Page): Promise<Project[]> {
		const items = await reachable(this.#table, async () => {
			const ids: string[] = [];
			let start: Record<string, never> | object | undefined;
			do {
				const page = await this.#client.send(
					new QueryCommand({
						TableName: this.#table,
						ConsistentRead: true,
						KeyConditionExpression: afterId ? "pk = :pk AND sk > :after" : "pk = :pk",
						ExpressionAttributeValues: toItem({ ":pk": keys.PROJECTS, ...(afterId ? { ":after": afterId.slice(0, 256) } : {}) }),
						...(limit ? { Limit: limit - ids.length } : {}),
						...(start === undefined ? {} : { ExclusiveStartKey: { ...start } }),
					}),
				);
				for (const item of page.Items ?? []) ids.push(String(fromItem(item)["sk"]));
				start = page.LastEvaluatedKey;
			} while (start !== undefined && (!limit || ids.length < limit));
			return getItems(this.#client, this.#table, ids.map(keys.projectKey));
		});
		const projects = await Promise.all(items.map((item) => this.#projectOf(item)));
		return projects.sort((a, b) => (a.projectId < b.projectId ? -1 : 1));
	}

	async replaceProject(project: Project): Promise<boolean> {
		const before = await this.#get(keys.projectKey(project.projectId));
		if (before?.["version"] !== project.version - 1) return false;
		const had = apiKeysOf(before);
		const has = project.apiKeys.map(({ key }) => key);
		const item = await this.#itemOf(project);
		const result = await this.#transact([
			this.#put(item, "version = :previous", { ":previous": project.version - 1 }),
			...has.filter((key) => !had.includes(key)).map((key) => this.#putKey(key, project.projectId)),
			...had.filter((key) => !has.includes(key)).map((key) => ({ Delete: { TableName: this.#table, Key: keyItem(keys.apiKey(key)) } })),
		]);
		if (result === "other") throw keyTaken();
		return result === "done";
	}

	async deleteProject(projectId: string): Promise<Project | undefined> {
		for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
			const item = keys.isId(projectId) ? await this.#get(keys.projectKey(projectId)) : undefined;
			if (item === undefined) return undefined;
			const result = await this.#transact([
				{
					Delete: {
						TableName: this.#table,
						Key: keyItem(keys.projectKey(projectId)),
						ConditionExpression: "version = :version",
						ExpressionAttributeValues: toItem({ ":version": item["version"] }),
					},
				},
				...apiKeysOf(item).map((key) => ({ Delete: { TableName: this.#table, Key: keyItem(keys.apiKey(key)) } })),
				{ Delete: { TableName: this.#table, Key: keyItem(keys.projectEntry(projectId)) } },
			]);
			if (result === "done") return this.#projectOf(item);
			await backOff(attempt);
		}
		throw busy();
	}

	/** "first": the condition of the first action failed, "other": that of another. Conflicts with other writers are tried again. */
	async #transact(TransactItems: TransactWriteItem[]): Promise<"done" | "first" | "other"> {
		return reachable(this.#table, async () => {
			for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
				try {
					await this.#client.send(new TransactWriteItemsCommand({ TransactItems }));
					return "done";
				} catch (error) {
					if (!(error instanceof TransactionCanceledException)) throw error;
					const failed = reasonsOf(error).findIndex(({ Code }) => Code === "ConditionalCheckFailed");
					if (failed >= 0) return failed === 0 ? "first" : "other";
					if (!reasonsOf(error).some(isPassing)) throw error;
					await backOff(attempt);
				}
			}
			throw busy();
		});
	}

	async #get(key: keys.Key): Promise<Attributes | undefined> {
		const request = new GetItemCommand({ TableName: this.#table, Key: keyItem(key), ConsistentRead: true });
		const { Item } = await reachable(this.#table, () => this.#client.send(request));
		return Item && fromItem(Item);
	}

	#put(item: Attributes, ConditionExpression: string, values?: Attributes): TransactWriteItem {
		const ExpressionAttributeValues = values === undefined ? {} : { ExpressionAttributeValues: toItem(values) };
		return { Put: { TableName: this.#table, Item: toItem(item), ConditionExpression, ...ExpressionAttributeValues } };
	}

	#putKey(key: string, projectId: string): TransactWriteItem {
		return this.#put({ ...keys.apiKey(key), projectId }, "attribute_not_exists(pk)");
	}

	async #itemOf(project: Project): Promise<Attributes> {
		const secrets: Secrets = {
			keys: Object.fromEntries(project.apiKeys.map((apiKey) => [apiKey.key, apiKey.secrets.map(({ secret }) => secret)])),
			...(project.livekit === undefined ? {} : { livekit: project.livekit.apiSecret }),
		};
		const { apiKeys, livekit, ...rest } = project;
		const body = {
			...rest,
			apiKeys: apiKeys.map((apiKey) => ({ ...apiKey, secrets: apiKey.secrets.map(({ secret: _, ...times }) => times) })),
			...(livekit === undefined ? {} : { livekit: { url: livekit.url, apiKey: livekit.apiKey } }),
		};
		const sealed = await this.#box.seal(JSON.stringify(secrets), contextOf(project.projectId));
		return { ...keys.projectKey(project.projectId), version: project.version, body, sealed };
	}

	async #projectOf(item: Attributes): Promise<Project> {
		const body = item["body"] as Omit<Project, "apiKeys" | "livekit"> & {
			apiKeys: (Omit<ProjectApiKey, "secrets"> & { secrets: { createdAt: number; expiresAt?: number }[] })[];
			livekit?: { url: string; apiKey: string };
		};
		const { apiKeys, livekit, ...rest } = body;
		const secrets = JSON.parse(await this.#box.open(String(item["sealed"]), contextOf(body.projectId))) as Secrets;
		return {
			...rest,
			apiKeys: apiKeys.map((apiKey) => ({
				...apiKey,
				secrets: apiKey.secrets.map((times, i) => ({ ...times, secret: secrets.keys[apiKey.key]?.[i] ?? "" })) as ProjectApiKey["secrets"],
			})),
			...(livekit === undefined ? {} : { livekit: { ...livekit, apiSecret: secrets.livekit ?? "" } }),
		};
	}
}

/** A sealed text that is copied to another project's item does not open there. */
function contextOf(projectId: string): string {
	return `project ${projectId}`;
}

function apiKeysOf(item: Attributes): string[] {
	return (item["body"] as { apiKeys: { key: string }[] }).apiKeys.map(({ key }) => key);
}

function keyTaken(): DomainError {
	return new DomainError("already_exists", "an API key of the project is taken");
}

function busy(): DomainError {
	return new DomainError("aborted", "others are changing the project at this moment; try again");
}
