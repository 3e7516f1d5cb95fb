import { QueryCommand } from "@aws-sdk/client-dynamodb";
import type { CallCursor } from "@trunkline/domain";
import { type EmbeddedDynamo, startEmbeddedDynamo } from "@trunkline/emulators";
import { callRecord } from "@trunkline/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DynamoCallStore } from "./call-store.ts";
import { createDynamoClient } from "./client.ts";
import { createTables } from "./tables.ts";
import { DynamoWebhookStore } from "./webhook-store.ts";

const names = { config: "config", calls: "calls" };
let dynamo: EmbeddedDynamo;
let client: ReturnType<typeof createDynamoClient>;

beforeAll(async () => {
	dynamo = await startEmbeddedDynamo();
	client = createDynamoClient({ region: "us-east-1", endpoint: dynamo.endpoint });
	await createTables(client, names);
});
afterAll(async () => {
	client.destroy();
	await dynamo.close();
});

describe("a list that looks for few among many", () => {
	it("looks at a bounded number of calls a page, and finds them all in the end", async () => {
		const now = Date.now();
		const store = new DynamoCallStore({ client, table: names.calls });
		const wanted = new Set(["SCL_0000", "SCL_0601", "SCL_1100"]);
		const all = Array.from({ length: 1101 }, (_, i) => `SCL_${String(i).padStart(4, "0")}`);
		for (let at = 0; at < all.length; at += 50)
			await Promise.all(
				all
					.slice(at, at + 50)
					.map((callId) =>
						store.createCall(callRecord({ callId, createdAt: now, direction: wanted.has(callId) ? "inbound" : "outbound" })),
					),
			);
		const found: string[] = [];
		let after: CallCursor | undefined;
		let pages = 0;
		do {
			const page = await store.findCalls("project", { direction: "inbound", limit: 2, ...(after === undefined ? {} : { after }) });
			found.push(...page.calls.map(({ callId }) => callId));
			after = page.next;
			pages++;
		} while (after !== undefined);
		expect(found).toEqual(["SCL_1100", "SCL_0601", "SCL_0000"]);
		expect(pages).toBe(3);
		const indexed = await client.send(
			new QueryCommand({
				TableName: names.calls,
				IndexName: "byProject",
				KeyConditionExpression: "callsOf = :project",
				ExpressionAttributeValues: { ":project": { S: "p-project" } },
				Select: "COUNT",
			}),
		);
		expect(indexed.Count).toBe(1101);
	});
});

describe("DynamoWebhookStore", () => {
	it("keeps a project's settings, each project its own", async () => {
		const store = new DynamoWebhookStore({ client, table: names.config });
		const settings = {
			webhooks: [{ url: "https://example.com/hook", events: ["call.ended" as const] }, { url: "https://example.com/all" }],
		};
		expect(await store.getWebhooks("a")).toEqual({ webhooks: [] });
		await store.putWebhooks("a", settings);
		expect(await store.getWebhooks("a")).toEqual(settings);
		expect(await store.getWebhooks("b")).toEqual({ webhooks: [] });
		await store.putWebhooks("a", { webhooks: [] });
		expect(await store.getWebhooks("a")).toEqual({ webhooks: [] });
	});
});
