import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type EmbeddedDynamo, startEmbeddedDynamo } from "./server.ts";
import { dynamoRequest } from "./test-client.ts";

type Answer = Record<string, unknown>;

const S = (value: string): { S: string } => ({ S: value });
const N = (value: number): { N: string } => ({ N: String(value) });
const TABLE = {
	TableName: "table",
	BillingMode: "PAY_PER_REQUEST",
	AttributeDefinitions: ["pk", "sk", "g"].map((AttributeName) => ({ AttributeName, AttributeType: "S" })),
	KeySchema: [
		{ AttributeName: "pk", KeyType: "HASH" },
		{ AttributeName: "sk", KeyType: "RANGE" },
	],
	GlobalSecondaryIndexes: [
		{
			IndexName: "byG",
			KeySchema: [
				{ AttributeName: "g", KeyType: "HASH" },
				{ AttributeName: "sk", KeyType: "RANGE" },
			],
			Projection: { ProjectionType: "KEYS_ONLY" },
		},
	],
};

let dynamo: EmbeddedDynamo;
let send: (target: string, body: unknown) => Promise<Answer>;

const put = (sk: string, rest: Answer = {}, more: Answer = {}): Answer => ({
	Put: { TableName: "table", Item: { pk: S("p"), sk: S(sk), ...rest }, ...more },
});
const get = async (sk: string): Promise<Answer | undefined> =>
	(await send("GetItem", { TableName: "table", Key: { pk: S("p"), sk: S(sk) }, ConsistentRead: true }))["Item"] as Answer | undefined;
const refused = async (request: Promise<unknown>): Promise<Error & Answer> =>
	request.then(
		() => expect.fail("the request passed"),
		(error: unknown) => error as Error & Answer,
	);

describe("embedded DynamoDB", () => {
	beforeEach(async () => {
		dynamo = await startEmbeddedDynamo({ ttlIntervalMs: 20 });
		send = dynamoRequest(dynamo.endpoint);
		await send("CreateTable", TABLE);
	});
	afterEach(() => dynamo.close());

	it("is reached through 127.0.0.1 only", () => {
		expect(new URL(dynamo.endpoint).hostname).toBe("127.0.0.1");
	});

	it("has a table ready when it says so, and no more of it when it is deleted", async () => {
		for (let i = 0; i < 10; i++) {
			await send("CreateTable", { ...TABLE, TableName: "again" });
			await send("PutItem", { TableName: "again", Item: { pk: S("p"), sk: S("1") } });
			await send("DeleteTable", { TableName: "again" });
		}
		expect(await send("ListTables", {})).toEqual({ TableNames: ["table"] });
	});

	it("refuses a request that a web page could send (no target, no signature)", async () => {
		const plain = await fetch(dynamo.endpoint, { method: "POST", body: "{}" });
		expect([plain.status, await plain.text()]).toEqual([400, expect.stringContaining("UnknownOperationException")]);
		const unsigned = await fetch(dynamo.endpoint, {
			method: "POST",
			body: "{}",
			headers: { "x-amz-target": "DynamoDB_20120810.ListTables" },
		});
		expect([unsigned.status, await unsigned.text()]).toEqual([400, expect.stringContaining("MissingAuthenticationTokenException")]);
	});

	it.each(["{", "[]", '{"TableName":7}', '{"Key":[]}'])("answers 400 SerializationException to the body %s", async (body) => {
		const response = await fetch(dynamo.endpoint, {
			method: "POST",
			body,
			headers: { "x-amz-target": "DynamoDB_20120810.GetItem", authorization: "AWS4-HMAC-SHA256 a" },
		});
		expect([response.status, await response.text()]).toEqual([400, expect.stringContaining("SerializationException")]);
	});

	it("keeps the index in step with the items", async () => {
		await send("PutItem", { TableName: "table", Item: { pk: S("p"), sk: S("1"), g: S("a") } });
		await send("UpdateItem", {
			TableName: "table",
			Key: { pk: S("p"), sk: S("1") },
			UpdateExpression: "SET g = :g",
			ExpressionAttributeValues: { ":g": S("b") },
		});
		const query = (g: string): Promise<Answer> =>
			send("Query", { TableName: "table", IndexName: "byG", KeyConditionExpression: "g = :g", ExpressionAttributeValues: { ":g": S(g) } });
		expect((await query("a"))["Count"]).toBe(0);
		expect((await query("b"))["Items"]).toEqual([{ g: S("b"), pk: S("p"), sk: S("1") }]);
		await send("DeleteItem", { TableName: "table", Key: { pk: S("p"), sk: S("1") } });
		expect((await query("b"))["Count"]).toBe(0);
	});

	it("lets exactly one of 20 concurrent conditional writes win", async () => {
		const results = await Promise.allSettled(
			Array.from({ length: 20 }, (_, i) =>
				send("PutItem", {
					TableName: "table",
					Item: { pk: S("p"), sk: S("race"), by: N(i) },
					ConditionExpression: "attribute_not_exists(pk)",
				}),
			),
		);
		expect(results.filter((result) => result.status === "fulfilled")).toHaveLength(1);
	});

	it("returns the item that made a condition fail when asked to", async () => {
		await send("PutItem", { TableName: "table", Item: { pk: S("p"), sk: S("1"), v: N(7) } });
		const request = { TableName: "table", Item: { pk: S("p"), sk: S("1") }, ConditionExpression: "attribute_not_exists(pk)" };
		const asked = await refused(send("PutItem", { ...request, ReturnValuesOnConditionCheckFailure: "ALL_OLD" }));
		expect([asked.name, asked["Item"]]).toEqual(["ConditionalCheckFailedException", { pk: S("p"), sk: S("1"), v: N(7) }]);
		const unasked = await refused(send("PutItem", request));
		expect([unasked.name, unasked["Item"]]).toEqual(["ConditionalCheckFailedException", undefined]);
	});

	describe("transactions", () => {
		it("write all actions", async () => {
			await send("PutItem", { TableName: "table", Item: { pk: S("p"), sk: S("old"), v: N(1) } });
			await send("TransactWriteItems", {
				TransactItems: [
					put("new", { v: N(1) }, { ConditionExpression: "attribute_not_exists(pk)" }),
					{
						Update: {
							TableName: "table",
							Key: { pk: S("p"), sk: S("up") },
							UpdateExpression: "ADD v :n",
							ExpressionAttributeValues: { ":n": N(5) },
						},
					},
					{ Delete: { TableName: "table", Key: { pk: S("p"), sk: S("old") } } },
					{ ConditionCheck: { TableName: "table", Key: { pk: S("p"), sk: S("absent") }, ConditionExpression: "attribute_not_exists(pk)" } },
				],
			});
			expect(await get("new")).toEqual({ pk: S("p"), sk: S("new"), v: N(1) });
			expect(await get("up")).toEqual({ pk: S("p"), sk: S("up"), v: N(5) });
			expect(await get("old")).toBeUndefined();
			expect(await get("absent")).toBeUndefined();
		});

		it("write nothing when one condition fails, and say which and on what item", async () => {
			await send("PutItem", { TableName: "table", Item: { pk: S("p"), sk: S("taken"), by: S("other") } });
			const error = await refused(
				send("TransactWriteItems", {
					TransactItems: [
						put("a"),
						put("taken", {}, { ConditionExpression: "attribute_not_exists(pk)", ReturnValuesOnConditionCheckFailure: "ALL_OLD" }),
						{ ConditionCheck: { TableName: "table", Key: { pk: S("p"), sk: S("nobody") }, ConditionExpression: "attribute_exists(pk)" } },
					],
				}),
			);
			expect(error.name).toBe("TransactionCanceledException");
			expect(error.message).toContain("[None, ConditionalCheckFailed, ConditionalCheckFailed]");
			expect(error["CancellationReasons"]).toEqual([
				{ Code: "None" },
				{ Code: "ConditionalCheckFailed", Message: "The conditional request failed", Item: { pk: S("p"), sk: S("taken"), by: S("other") } },
				{ Code: "ConditionalCheckFailed", Message: "The conditional request failed" },
			]);
			expect(await get("a")).toBeUndefined();
		});

		it("tell a value of the wrong type as ValidationError of that action", async () => {
			await send("PutItem", { TableName: "table", Item: { pk: S("p"), sk: S("text"), v: S("x") } });
			const error = await refused(
				send("TransactWriteItems", {
					TransactItems: [
						put("a"),
						{
							Update: {
								TableName: "table",
								Key: { pk: S("p"), sk: S("text") },
								UpdateExpression: "ADD v :n",
								ExpressionAttributeValues: { ":n": N(5) },
							},
						},
					],
				}),
			);
			expect((error["CancellationReasons"] as Answer[]).map((reason) => reason["Code"])).toEqual(["None", "ValidationError"]);
			expect(await get("a")).toBeUndefined();
		});

		it.each([
			["no action", []],
			["101 actions", Array.from({ length: 101 }, (_, i) => put(String(i)))],
			["two actions on one item", [put("same"), put("same")]],
			["an action that is no action", [{ Get: { TableName: "table" } }]],
			["a bad expression", [put("a", {}, { ConditionExpression: "nonsense(" })]],
			["more than 4 MB", Array.from({ length: 12 }, (_, i) => put(String(i), { filler: S("x".repeat(380_000)) }))],
		])("refuse %s", async (_, TransactItems) => {
			expect((await refused(send("TransactWriteItems", { TransactItems }))).name).toBe("ValidationException");
		});

		it("refuse a table that is not there", async () => {
			const TransactItems = [{ Put: { TableName: "nowhere", Item: { pk: S("p"), sk: S("a") } } }];
			expect((await refused(send("TransactWriteItems", { TransactItems }))).name).toBe("ResourceNotFoundException");
		});

		it("take a repeated token with the same actions as done, with others as a mistake", async () => {
			const add = {
				Update: {
					TableName: "table",
					Key: { pk: S("p"), sk: S("n") },
					UpdateExpression: "ADD v :n",
					ExpressionAttributeValues: { ":n": N(1) },
				},
			};
			await send("TransactWriteItems", { ClientRequestToken: "token", TransactItems: [add] });
			await send("TransactWriteItems", { ClientRequestToken: "token", TransactItems: [add] });
			expect((await get("n"))?.["v"]).toEqual(N(1));
			const other = await refused(send("TransactWriteItems", { ClientRequestToken: "token", TransactItems: [put("other")] }));
			expect(other.name).toBe("IdempotentParameterMismatchException");
		});

		it("do not remember the token of a cancelled transaction", async () => {
			await send("PutItem", { TableName: "table", Item: { pk: S("p"), sk: S("taken") } });
			const request = {
				ClientRequestToken: "token",
				TransactItems: [put("taken", {}, { ConditionExpression: "attribute_not_exists(pk)" })],
			};
			await refused(send("TransactWriteItems", request));
			await send("DeleteItem", { TableName: "table", Key: { pk: S("p"), sk: S("taken") } });
			await send("TransactWriteItems", request);
			expect(await get("taken")).toBeDefined();
		});

		it("let exactly one of 20 concurrent ones win", async () => {
			const results = await Promise.allSettled(
				Array.from({ length: 20 }, (_, i) =>
					send("TransactWriteItems", {
						TransactItems: [put(`own-${i}`), put("race", {}, { ConditionExpression: "attribute_not_exists(pk)" })],
					}),
				),
			);
			expect(results.filter((result) => result.status === "fulfilled")).toHaveLength(1);
			const own = await send("Query", {
				TableName: "table",
				KeyConditionExpression: "pk = :p AND begins_with(sk, :o)",
				ExpressionAttributeValues: { ":p": S("p"), ":o": S("own-") },
			});
			expect(own["Count"]).toBe(1);
		});

		it("read several items in one state", async () => {
			await send("PutItem", { TableName: "table", Item: { pk: S("p"), sk: S("1") } });
			const keys = ["1", "2"].map((sk) => ({ Get: { TableName: "table", Key: { pk: S("p"), sk: S(sk) } } }));
			expect(await send("TransactGetItems", { TransactItems: keys })).toEqual({ Responses: [{ Item: { pk: S("p"), sk: S("1") } }, {}] });
		});
	});

	describe("time to live", () => {
		const enable = { TableName: "table", TimeToLiveSpecification: { AttributeName: "expiresAt", Enabled: true } };

		it("removes what has expired and nothing else", async () => {
			await send("UpdateTimeToLive", enable);
			const now = Math.floor(Date.now() / 1000);
			await send("PutItem", { TableName: "table", Item: { pk: S("p"), sk: S("late"), g: S("g"), expiresAt: N(now + 1000) } });
			await send("PutItem", { TableName: "table", Item: { pk: S("p"), sk: S("text"), expiresAt: S("0") } });
			await send("PutItem", { TableName: "table", Item: { pk: S("p"), sk: S("over"), g: S("g"), expiresAt: N(now - 10) } });
			await expect.poll(() => get("over"), { timeout: 5000, interval: 10 }).toBeUndefined();
			expect(await get("late")).toBeDefined();
			expect(await get("text")).toBeDefined();
			const index = await send("Query", {
				TableName: "table",
				IndexName: "byG",
				KeyConditionExpression: "g = :g",
				ExpressionAttributeValues: { ":g": S("g") },
			});
			expect(index["Count"]).toBe(1);
		});

		it("is described, and not enabled twice", async () => {
			expect(await send("DescribeTimeToLive", { TableName: "table" })).toEqual({ TimeToLiveDescription: { TimeToLiveStatus: "DISABLED" } });
			await send("UpdateTimeToLive", enable);
			expect(await send("DescribeTimeToLive", { TableName: "table" })).toEqual({
				TimeToLiveDescription: { TimeToLiveStatus: "ENABLED", AttributeName: "expiresAt" },
			});
			expect((await refused(send("UpdateTimeToLive", enable))).name).toBe("ValidationException");
		});
	});
});

describe("embedded DynamoDB with a data directory", () => {
	let directory: string;
	beforeEach(async () => {
		directory = await mkdtemp(join(tmpdir(), "trunkline-dynamo-"));
	});
	afterEach(() => rm(directory, { recursive: true, force: true }));

	it("keeps tables, items, indexes and TTL settings across a restart", async () => {
		const dataDir = join(directory, "a", "b");
		const first = await startEmbeddedDynamo({ dataDir });
		const before = dynamoRequest(first.endpoint);
		await before("CreateTable", TABLE);
		await before("UpdateTimeToLive", { TableName: "table", TimeToLiveSpecification: { AttributeName: "expiresAt", Enabled: true } });
		await before("TransactWriteItems", { TransactItems: [put("1", { g: S("g") })] });
		await first.close();

		const second = await startEmbeddedDynamo({ dataDir });
		const after = dynamoRequest(second.endpoint);
		const index = await after("Query", {
			TableName: "table",
			IndexName: "byG",
			KeyConditionExpression: "g = :g",
			ExpressionAttributeValues: { ":g": S("g") },
		});
		expect(index["Items"]).toEqual([{ g: S("g"), pk: S("p"), sk: S("1") }]);
		expect(await after("DescribeTimeToLive", { TableName: "table" })).toEqual({
			TimeToLiveDescription: { TimeToLiveStatus: "ENABLED", AttributeName: "expiresAt" },
		});
		await second.close();
	});

	it("names the directory and the fix when another process has it", async () => {
		const first = await startEmbeddedDynamo({ dataDir: directory });
		await expect(startEmbeddedDynamo({ dataDir: directory })).rejects.toMatchObject({
			name: "EmulatorError",
			code: "data_directory_locked",
			message: `The data directory ${directory} is in use by another process. Stop that process, or set DATA_DIR to another directory.`,
		});
		await first.close();
	});

	it("names the directory and the fix when it cannot be made", async () => {
		await writeFile(join(directory, "file"), "");
		const dataDir = join(directory, "file", "data");
		await expect(startEmbeddedDynamo({ dataDir })).rejects.toMatchObject({
			code: "data_directory_unusable",
			message: `The data directory ${dataDir} cannot be used: a part of the path is a file. Make it a directory that this user may write to, or set DATA_DIR to another one.`,
		});
		await expect(startEmbeddedDynamo({ dataDir: join(directory, "file") })).rejects.toMatchObject({ code: "data_directory_unusable" });
	});

	it("names the port that is in use", async () => {
		const other = createServer().listen(0, "127.0.0.1");
		await once(other, "listening");
		const { port } = other.address() as { port: number };
		await expect(startEmbeddedDynamo({ port, dataDir: directory })).rejects.toMatchObject({
			code: "port_in_use",
			message: expect.stringContaining(String(port)),
		});
		other.close();
		// the directory was given back
		await (await startEmbeddedDynamo({ dataDir: directory })).close();
	});

	it("holds no half of a transaction after the process is killed in the middle of writing", async () => {
		for (let round = 0; round < 6; round++) {
			const dataDir = join(directory, String(round));
			const child = spawn(process.execPath, [fileURLToPath(new URL("./crash-writer.ts", import.meta.url)), dataDir], {
				stdio: ["ignore", "pipe", "inherit"],
			});
			const exited = once(child, "exit");
			await once(child.stdout, "data");
			// Real time on purpose: the kill has to fall anywhere in the child's writing.
			await delay(round * 7);
			child.kill("SIGKILL");
			await exited;

			const restarted = await startEmbeddedDynamo({ dataDir, ttlIntervalMs: 0 });
			const request = dynamoRequest(restarted.endpoint);
			const { Items } = await request("Scan", { TableName: "crash" });
			const generations = new Set((Items as { generation: { N: string } }[]).map((item) => item.generation.N));
			expect(Items).toHaveLength(10);
			expect(generations.size).toBe(1);
			const index = await request("Scan", { TableName: "crash", IndexName: "byGeneration" });
			expect(new Set((index["Items"] as { generation: { N: string } }[]).map((item) => item.generation.N))).toEqual(generations);
			expect(index["Count"]).toBe(10);
			await restarted.close();
		}
	});
});
