import { once } from "node:events";
import { createServer } from "node:http";
import {
	DeleteItemCommand,
	DeleteTableCommand,
	type DynamoDBClient,
	GetItemCommand,
	QueryCommand,
	ScanCommand,
	TransactionCanceledException,
	UpdateItemCommand,
} from "@aws-sdk/client-dynamodb";
import { type EmbeddedDynamo, startEmbeddedDynamo } from "@trunkline/emulators";
import { callRecord, dialRequest, dispatchRule, inboundTrunk, nodeRecord, outboundTrunk } from "@trunkline/testkit";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { DynamoCallStore } from "./call-store.ts";
import { createDynamoClient } from "./client.ts";
import { DynamoConfigStore } from "./config-store.ts";
import { type Attributes, fromItem } from "./items.ts";
import { inboundTrunks } from "./keys.ts";
import { DynamoNodeRegistry } from "./node-registry.ts";
import { createTables } from "./tables.ts";

const names = { config: "trunkline-config", calls: "trunkline-calls" };
const PASSWORD = "correct-horse-battery";

let dynamo: EmbeddedDynamo;
/** looks at the tables; not the one under test */
let plain: DynamoDBClient;
let client: DynamoDBClient;
let sent: string[];
let now: number;
let configStore: DynamoConfigStore;
let callStore: DynamoCallStore;
let tests = 0;
let project = "";

beforeAll(async () => {
	dynamo = await startEmbeddedDynamo();
	plain = createDynamoClient({ region: "us-east-1", endpoint: dynamo.endpoint });
	await createTables(plain, names);
});
afterAll(async () => {
	plain.destroy();
	await dynamo.close();
});
beforeEach(() => {
	project = `project-${++tests}`;
	now = Date.now();
	sent = [];
	client = createDynamoClient({ region: "us-east-1", endpoint: dynamo.endpoint });
	client.middlewareStack.add(
		(next, context) => (args) => {
			sent.push(String(context["commandName"]));
			return next(args);
		},
		{ step: "initialize" },
	);
	configStore = new DynamoConfigStore({ client, table: names.config, now: () => now });
	callStore = new DynamoCallStore({ client, table: names.calls, now: () => now });
	return () => client.destroy();
});

/** Fails the first `times` requests of this kind after they were carried out: the answer is lost on the way. */
function loseAnswers(command: string, times: number): void {
	let left = times;
	client.middlewareStack.add(
		(next, context) => async (args) => {
			const answer = await next(args);
			if (context["commandName"] !== command || left-- <= 0) return answer;
			throw Object.assign(new Error("socket hang up"), { name: "TimeoutError", code: "ECONNRESET" });
		},
		{ step: "finalizeRequest", priority: "low" },
	);
}

/** Refuses the first `times` requests of this kind before they reach the table. */
function refuse(command: string, times: number, error: () => Error): void {
	let left = times;
	client.middlewareStack.add(
		(next, context) => async (args) => {
			if (context["commandName"] === command && left-- > 0) throw error();
			return next(args);
		},
		{ step: "build" },
	);
}

const conflict = (count: number): Error =>
	new TransactionCanceledException({
		message: "Transaction cancelled",
		$metadata: {},
		CancellationReasons: Array.from({ length: count }, (_, i) => ({ Code: i === 1 ? "TransactionConflict" : "None" })),
	});
const many = (count: number): string[] => Array.from({ length: count }, (_, i) => `+1555${100_000 + i}`);
const everything = async (table: string): Promise<Attributes[]> =>
	((await plain.send(new ScanCommand({ TableName: table }))).Items ?? [])
		.map(fromItem)
		.filter((item) => JSON.stringify(item).includes(`${project}`));

describe("requests", () => {
	it("are the few that keys.ts says, and never a Scan", async () => {
		const of = async (action: () => Promise<unknown>): Promise<string> => {
			sent.length = 0;
			await action();
			return sent.map((name) => name.replace("Command", "")).join(" ");
		};
		const trunk = inboundTrunk({ numbers: ["+15550100"] });
		expect(await of(() => configStore.createTrunk(project, trunk))).toBe("TransactWriteItems");
		expect(await of(() => configStore.createTrunk(project, outboundTrunk()))).toBe("TransactWriteItems");
		expect(await of(() => configStore.getTrunk(project, trunk.trunkId))).toBe("GetItem GetItem");
		expect(await of(() => configStore.inboundTrunksFor(project, "+15550100"))).toBe("Query Query BatchGetItem");
		expect(await of(() => configStore.inboundTrunksFor(project, "+15550199"))).toBe("Query Query");
		expect(await of(() => configStore.listInboundTrunks(project, { limit: 10 }))).toBe("Query");
		const changed = { ...trunk, numbers: ["+15550100", "+15550101"], version: 2 };
		expect(await of(() => configStore.updateTrunk(project, trunk, changed))).toBe("TransactWriteItems");
		expect(await of(() => configStore.inboundTrunksById(project, many(100)))).toBe("BatchGetItem");
		expect(await of(() => configStore.outboundTrunksById(project, many(100)))).toBe("BatchGetItem");
		expect(await of(() => configStore.outboundTrunksFor(project, outboundTrunk().numbers[0] ?? ""))).toBe("Query Query BatchGetItem");
		expect(await of(() => configStore.createRule(project, dispatchRule({ trunkIds: [trunk.trunkId] })))).toBe("TransactWriteItems");
		expect(await of(() => configStore.rulesNaming(project, trunk.trunkId))).toBe("Query BatchGetItem");
		expect(await of(() => configStore.rulesById(project, many(100)))).toBe("BatchGetItem");
		expect(await of(() => configStore.rulesFor(project, trunk.trunkId))).toBe("Query Query BatchGetItem");
		expect(await of(() => configStore.rulesFor(project, trunk.trunkId, "+15550100"))).toBe("Query Query Query Query BatchGetItem");
		expect(await of(() => configStore.getRule(project, "SDR_x"))).toBe("GetItem");
		expect(await of(() => configStore.deleteRule(project, dispatchRule().ruleId))).toBe("GetItem TransactWriteItems");
		const call = callRecord({ callId: "SCL_requests", projectId: project, createdAt: now });
		expect(await of(() => callStore.createCall(call))).toBe("PutItem");
		expect(await of(() => callStore.getCall(call.callId))).toBe("GetItem");
		expect(await of(() => callStore.claimCall(call.callId, "ND_1", now, now + 1))).toBe("UpdateItem");
		expect(await of(() => callStore.liveCallsInRoom(project, "lobby"))).toBe("Query BatchGetItem");
		for (const search of [
			{},
			{ roomName: "lobby" },
			{ trunkId: call.trunkId },
			{ states: ["claimed"] as const },
			{ since: now - 1, until: now + 1 },
		])
			expect(await of(() => callStore.findCalls(project, { limit: 10, ...search }))).toBe("Query BatchGetItem");
		expect(await of(() => callStore.endCall(call.callId, now, { by: "api", reason: "hangup" }))).toBe("UpdateItem");
	});

	it("are the same however many trunks and rules there are", async () => {
		const used = async (index: number): Promise<string[]> => {
			const numbered = { trunkId: `ST_${index}`, numbers: [`+1555${index}`] };
			const trunk = inboundTrunk(numbered);
			sent.length = 0;
			await configStore.createTrunk(project, trunk);
			await configStore.createTrunk(project, outboundTrunk({ ...numbered, trunkId: `ST_o${index}` }));
			await configStore.createRule(project, dispatchRule({ ruleId: `SDR_${index}`, trunkIds: [trunk.trunkId] }));
			await configStore.updateTrunk(project, trunk, { ...trunk, numbers: [`+1556${index}`], version: 2 });
			expect(await configStore.inboundTrunksFor(project, `+1556${index}`)).toHaveLength(1);
			expect(await configStore.outboundTrunksFor(project, `+1555${index}`)).toHaveLength(1);
			expect(await configStore.rulesFor(project, trunk.trunkId)).toHaveLength(1);
			await configStore.listInboundTrunks(project, { limit: 10 });
			return [...sent];
		};
		const first = await used(100_000);
		for (let index = 100_001; index < 100_040; index++) await used(index);
		expect(await used(100_040)).toEqual(first);
	});

	it("are not made for what cannot be an id", async () => {
		for (const id of ["", "x".repeat(5000)]) {
			expect(await configStore.getTrunk(project, id)).toBeUndefined();
			expect(await configStore.deleteTrunk(project, id)).toBeUndefined();
			expect(await configStore.getRule(project, id)).toBeUndefined();
			expect(await callStore.getCall(id)).toBeUndefined();
			expect(await callStore.claimCall(id, "ND_1", now, now)).toBeUndefined();
		}
		expect(sent).toEqual([]);
		expect(await configStore.rulesFor(project, "x".repeat(5000))).toEqual([]);
		expect(await configStore.listRules(project, { afterId: "x".repeat(5000) })).toEqual([]);
	});

	it("keep projects apart whatever their names are", async () => {
		await configStore.createTrunk("a", inboundTrunk({ numbers: ["x"] }));
		expect(await configStore.listInboundTrunks("a#number#x", {})).toEqual([]);
		await configStore.createTrunk("a#number", inboundTrunk({ numbers: ["x"] }));
		expect(await configStore.inboundTrunksFor("a", "x")).toHaveLength(1);
	});
});

describe("passwords", () => {
	it("are in attributes of their own and nowhere else", async () => {
		await configStore.createTrunk(project, inboundTrunk({ numbers: ["+15550100"], authUsername: "u", authPassword: PASSWORD }));
		const items = await everything(names.config);
		expect(items.length).toBeGreaterThanOrEqual(3);
		for (const item of items) expect(JSON.stringify({ ...item, authPassword: "" })).not.toContain(PASSWORD);
		await callStore.createCall(
			callRecord({ callId: "SCL_pw", projectId: project, createdAt: now, request: dialRequest({ authPassword: PASSWORD }) }),
		);
		const [call] = await everything(names.calls);
		expect(call?.["authPassword"]).toBe(PASSWORD);
		expect(JSON.stringify({ ...call, authPassword: "" })).not.toContain(PASSWORD);
	});

	it("leave the table with the end of the call", async () => {
		await callStore.createCall(
			callRecord({ callId: "SCL_end", projectId: project, createdAt: now, request: dialRequest({ authPassword: PASSWORD }) }),
		);
		await callStore.endCall("SCL_end", now, { by: "peer", reason: "hangup" });
		expect(JSON.stringify(await everything(names.calls))).not.toContain(PASSWORD);
	});

	it("are not in the error of a refused request", async () => {
		const trunk = inboundTrunk({ metadata: "x".repeat(450_000), authPassword: PASSWORD });
		const error: unknown = await configStore.createTrunk(project, trunk).catch((refusal: unknown) => refusal);
		expect(error).toMatchObject({ name: "DomainError", code: "invalid_argument", message: expect.stringContaining("400 KB") });
		expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain(PASSWORD);
	});
});

describe("an answer that is lost", () => {
	it("of a claim does not make the node that has the call believe that it has not", async () => {
		await callStore.createCall(callRecord({ callId: "SCL_lost", projectId: project, createdAt: now }));
		loseAnswers("UpdateItemCommand", 1);
		const claimed = await callStore.claimCall("SCL_lost", "ND_1", now, now + 30_000);
		expect(claimed).toMatchObject({ owner: "ND_1", version: 2 });
		expect(claimed).toStrictEqual(await callStore.getCall("SCL_lost"));
	});

	it("of a step that may be made again is no second step", async () => {
		await callStore.createCall(callRecord({ callId: "SCL_again", projectId: project, createdAt: now, state: "active", timeline: [] }));
		loseAnswers("UpdateItemCommand", 1);
		const step = { from: ["active"], to: "active", at: now, event: "dtmf", detail: "5" } as const;
		expect(await callStore.transitionCall("SCL_again", step)).toMatchObject({ version: 2 });
		expect((await callStore.getCall("SCL_again"))?.timeline).toHaveLength(1);
	});

	it("of a claim of a dead node does not leave it unburied", async () => {
		const registry = new DynamoNodeRegistry({ client, table: names.calls });
		await registry.beat(nodeRecord({ nodeId: "ND_lost", region: project, heartbeatAt: now - 60_000 }));
		loseAnswers("UpdateItemCommand", 1);
		expect(await registry.claimDead("ND_lost", "ND_1", now)).toBe(true);
		expect(await registry.claimDead("ND_lost", "ND_1", now)).toBe(false);
	});

	it("of a create does not make a new call one that exists", async () => {
		loseAnswers("PutItemCommand", 1);
		expect(await callStore.createCall(callRecord({ callId: "SCL_put", projectId: project, createdAt: now }))).toBe(true);
		expect(await callStore.createCall(callRecord({ callId: "SCL_put", projectId: project, createdAt: now }))).toBe(false);
	});

	it("of an update's transaction does not make it one that came too late", async () => {
		const trunk = inboundTrunk({ numbers: ["+15550100"] });
		await configStore.createTrunk(project, trunk);
		loseAnswers("TransactWriteItemsCommand", 1);
		expect(await configStore.updateTrunk(project, trunk, { ...trunk, numbers: ["+15550101"], version: 2 })).toBe(true);
		expect(await configStore.inboundTrunksFor(project, "+15550101")).toHaveLength(1);
	});

	it("of a trunk's transaction does not make the trunk conflict with itself", async () => {
		loseAnswers("TransactWriteItemsCommand", 1);
		await configStore.createTrunk(project, inboundTrunk({ numbers: ["+15550100"] }));
		expect(await configStore.inboundTrunksFor(project, "+15550100")).toHaveLength(1);
	});
});

describe("concurrent transactions", () => {
	it("are tried again when they only got in each other's way", async () => {
		refuse("TransactWriteItemsCommand", 3, () => conflict(4));
		await configStore.createTrunk(project, inboundTrunk({ numbers: ["+15550100"] }));
		expect(sent.filter((name) => name === "TransactWriteItemsCommand")).toHaveLength(4);
		expect(await configStore.inboundTrunksFor(project, "+15550100")).toHaveLength(1);
	});

	it("are not tried again when something else was wrong", async () => {
		const odd = { Code: "ItemCollectionSizeLimitExceeded", Message: "no" };
		refuse("TransactWriteItemsCommand", 1, () => {
			return new TransactionCanceledException({ message: "Transaction cancelled", $metadata: {}, CancellationReasons: [odd] });
		});
		await expect(configStore.createTrunk(project, inboundTrunk())).rejects.toMatchObject({ name: "DomainError", code: "internal" });
		expect(sent).toEqual(["TransactWriteItemsCommand"]);
	});

	it("end with `aborted` when that goes on", async () => {
		refuse("TransactWriteItemsCommand", 100, () => conflict(4));
		await expect(configStore.createTrunk(project, inboundTrunk({ numbers: ["+15550100"] }))).rejects.toMatchObject({ code: "aborted" });
	});
});

describe("a trunk that needs several transactions", () => {
	const big = inboundTrunk({ trunkId: "ST_big", numbers: many(120) });

	it("is not there for anybody when its creation was cut off, and stands in the way for a minute only", async () => {
		// the process dies after the third transaction (all claims, some pointers): nothing is taken back
		let transactions = 0;
		client.middlewareStack.add(
			(next, context) => async (args) => {
				if (context["commandName"] === "TransactWriteItemsCommand" && ++transactions === 4) throw new Error("killed");
				if (context["commandName"] === "DeleteItemCommand" && transactions >= 4) throw new Error("killed");
				return next(args);
			},
			{ step: "build" },
		);
		await expect(configStore.createTrunk(project, big)).rejects.toMatchObject({ code: "unavailable" });

		const other = new DynamoConfigStore({ client: plain, table: names.config, now: () => now });
		expect(await everything(names.config)).toHaveLength(1 + 120 + 99);
		expect(await other.getTrunk(project, "ST_big")).toBeUndefined();
		expect(await other.listInboundTrunks(project, {})).toEqual([]);
		expect(await other.inboundTrunksFor(project, "+1555100000")).toEqual([]);
		expect(await other.deleteTrunk(project, "ST_big")).toBeUndefined();

		const small = inboundTrunk({ trunkId: "ST_small", numbers: ["+1555100005"] });
		await expect(other.createTrunk(project, small)).rejects.toMatchObject({ message: expect.stringContaining('"ST_big"') });
		now += 60_001;
		await other.createTrunk(project, small);
		expect((await other.inboundTrunksFor(project, "+1555100005")).map((trunk) => trunk.trunkId)).toEqual(["ST_small"]);
		// the trunk, its number and its claim: what was cut off has been swept
		expect(await everything(names.config)).toHaveLength(3);
	});

	it("does not come to be after somebody took it for dead", async () => {
		let transactions = 0;
		const pk = inboundTrunks(project);
		client.middlewareStack.add(
			(next, context) => async (args) => {
				if (context["commandName"] === "TransactWriteItemsCommand" && ++transactions === 3)
					await plain.send(new DeleteItemCommand({ TableName: names.config, Key: { pk: { S: pk }, sk: { S: "ST_big" } } }));
				return next(args);
			},
			{ step: "build" },
		);
		await expect(configStore.createTrunk(project, big)).rejects.toMatchObject({ name: "DomainError", code: "aborted" });
		expect(transactions).toBe(3);
		expect(await configStore.listInboundTrunks(project, {})).toEqual([]);
		expect(await everything(names.config)).toEqual([]);
	});

	it("leaves its claims to the next one when its deletion was cut off", async () => {
		await configStore.createTrunk(project, big);
		const pk = inboundTrunks(project);
		await plain.send(new DeleteItemCommand({ TableName: names.config, Key: { pk: { S: pk }, sk: { S: "ST_big" } } }));
		expect(await configStore.inboundTrunksFor(project, "+1555100001")).toEqual([]);
		await configStore.createTrunk(project, inboundTrunk({ trunkId: "ST_next", numbers: many(130) }));
		expect((await configStore.inboundTrunksFor(project, "+1555100001")).map((trunk) => trunk.trunkId)).toEqual(["ST_next"]);
	});

	it("is refused beyond the limit, which the error names", async () => {
		await expect(configStore.createTrunk(project, inboundTrunk({ numbers: many(2501) }))).rejects.toMatchObject({
			code: "invalid_argument",
			message: expect.stringContaining("5000"),
		});
		expect(sent).toEqual([]);
	});
});

describe("an update that needs several transactions", () => {
	const small = inboundTrunk({ trunkId: "ST_small", numbers: ["+15550100"] });
	const big = { ...small, numbers: many(120), version: 2 };
	/** the process dies before request `count` of this kind: nothing is taken back */
	const dieAt = (command: string, count: number): void => {
		let seen = 0;
		client.middlewareStack.add(
			(next, context) => async (args) => {
				if (context["commandName"] === command) seen++;
				if (seen >= count) throw new Error("killed");
				return next(args);
			},
			{ step: "build" },
		);
	};
	const other = (): DynamoConfigStore => new DynamoConfigStore({ client: plain, table: names.config, now: () => now });
	const idsFor = async (number: string): Promise<string[]> =>
		(await other().inboundTrunksFor(project, number)).map(({ trunkId }) => trunkId);

	// 120 claims and 120 pointers: 2 + 2 transactions, then the one that puts them into force
	it.each([2, 3, 4, 5])("and is cut off before transaction %i changes nothing, and stands in the way for a minute only", async (count) => {
		await configStore.createTrunk(project, small);
		dieAt("TransactWriteItemsCommand", count);
		await expect(configStore.updateTrunk(project, small, big)).rejects.toMatchObject({ code: "unavailable" });
		expect(await other().getTrunk(project, "ST_small")).toStrictEqual(small);
		expect(await idsFor("+15550100")).toEqual(["ST_small"]);
		expect(await idsFor("+1555100000")).toEqual([]);

		const rival = inboundTrunk({ trunkId: "ST_rival", numbers: ["+1555100005"] });
		await expect(other().createTrunk(project, rival)).rejects.toMatchObject({ message: expect.stringContaining('"ST_small"') });
		now += 60_001;
		await other().createTrunk(project, rival);
		expect(await idsFor("+1555100005")).toEqual(["ST_rival"]);
		// its own left-overs are in nobody's way, its own neither
		const again = { ...big, numbers: [...many(5), ...many(120).slice(6)] };
		expect(await other().updateTrunk(project, small, again)).toBe(true);
		expect(await idsFor("+1555100119")).toEqual(["ST_small"]);
	});

	it("does not come into force after somebody took it for dead", async () => {
		await configStore.createTrunk(project, small);
		let transactions = 0;
		client.middlewareStack.add(
			(next, context) => async (args) => {
				if (context["commandName"] === "TransactWriteItemsCommand" && ++transactions === 5) {
					now += 60_001;
					await other().createTrunk(project, inboundTrunk({ trunkId: "ST_rival", numbers: ["+1555100005"] }));
				}
				return next(args);
			},
			{ step: "build" },
		);
		expect(await configStore.updateTrunk(project, small, big)).toBe(false);
		expect(await other().getTrunk(project, "ST_small")).toStrictEqual(small);
		expect(await idsFor("+1555100005")).toEqual(["ST_rival"]);
		// both trunks with their number and claim, and nothing else
		expect(await everything(names.config)).toHaveLength(6);
	});

	it("is done when only the answer to its last step was lost", async () => {
		await configStore.createTrunk(project, small);
		let transactions = 0;
		client.middlewareStack.add(
			(next, context) => async (args) => {
				const answer = await next(args);
				if (context["commandName"] === "TransactWriteItemsCommand" && ++transactions === 5) throw new Error("answer lost");
				return answer;
			},
			{ step: "build" },
		);
		await expect(configStore.updateTrunk(project, small, big)).rejects.toMatchObject({ code: "unavailable" });
		expect(await other().getTrunk(project, "ST_small")).toStrictEqual(big);
		expect(await idsFor("+1555100119")).toEqual(["ST_small"]);
		expect(await idsFor("+15550100")).toEqual([]);
		await other().createTrunk(project, inboundTrunk({ trunkId: "ST_next", numbers: ["+15550100"] }));
	});

	it("leaves to others what it gave up, even when it was cut off before it could remove that", async () => {
		const before = inboundTrunk({ trunkId: "ST_before", numbers: many(120) });
		await configStore.createTrunk(project, before);
		dieAt("TransactWriteItemsCommand", 2);
		const after = { ...before, numbers: ["+15550100"], version: 2 };
		await expect(configStore.updateTrunk(project, before, after)).rejects.toMatchObject({ code: "unavailable" });
		dieAt("TransactWriteItemsCommand", Infinity);
		expect(await other().updateTrunk(project, before, after)).toBe(true);
		expect(await idsFor("+1555100003")).toEqual([]);
		await other().createTrunk(project, inboundTrunk({ trunkId: "ST_next", numbers: many(120) }));
		expect(await idsFor("+1555100003")).toEqual(["ST_next"]);
	});
});

describe("a trunk that changes while it is deleted", () => {
	it("is deleted in its new version", async () => {
		await configStore.createTrunk(project, inboundTrunk({ numbers: ["+15550100"] }));
		const Key = { pk: { S: inboundTrunks(project) }, sk: { S: inboundTrunk().trunkId } };
		let reads = 0;
		client.middlewareStack.add(
			(next, context) => async (args) => {
				const answer = await next(args);
				if (context["commandName"] === "GetItemCommand" && ++reads === 1)
					await plain.send(
						new UpdateItemCommand({
							TableName: names.config,
							Key,
							UpdateExpression: "SET version = :v, body.version = :v",
							ExpressionAttributeValues: { ":v": { N: "2" } },
						}),
					);
				return answer;
			},
			{ step: "initialize" },
		);
		expect((await configStore.deleteTrunk(project, inboundTrunk().trunkId))?.version).toBe(2);
		expect(await everything(names.config)).toEqual([]);
	});
});

describe("a table that cannot be reached", () => {
	it("is told as `unavailable`, with the table and the cause", async () => {
		const server = createServer((request) => request.socket.destroy()).listen(0, "127.0.0.1");
		await once(server, "listening");
		const { port } = server.address() as { port: number };
		const broken = createDynamoClient({ region: "us-east-1", endpoint: `http://127.0.0.1:${port}` });
		const error = {
			name: "DomainError",
			code: "unavailable",
			message: expect.stringMatching(/some-table .*ECONNRESET/),
			cause: expect.any(Error),
		};
		const calls = new DynamoCallStore({ client: broken, table: "some-table" });
		const config = new DynamoConfigStore({ client: broken, table: "some-table" });
		await expect(calls.getCall("SCL_1")).rejects.toMatchObject(error);
		await expect(calls.claimCall("SCL_1", "ND_1", 0, 0)).rejects.toMatchObject(error);
		await expect(config.inboundTrunksFor(project, "1")).rejects.toMatchObject(error);
		await expect(config.createTrunk(project, inboundTrunk())).rejects.toMatchObject(error);
		broken.destroy();
		server.close();
	});

	it("is told as missing when it is not there", async () => {
		const store = new DynamoCallStore({ client, table: "not-there" });
		await expect(store.getCall("SCL_1")).rejects.toMatchObject({
			code: "unavailable",
			message: expect.stringContaining("not-there does not exist"),
		});
	});
});

describe("indexes of the calls table", () => {
	it("hold keys only, and a live room only while the call lives", async () => {
		await callStore.createCall(callRecord({ callId: "SCL_index", projectId: project, createdAt: now, roomName: "r".repeat(3000) }));
		expect((await callStore.liveCallsInRoom(project, "r".repeat(3000))).map((call) => call.callId)).toEqual(["SCL_index"]);
		expect(await callStore.liveCallsInRoom(project, "r".repeat(2999))).toEqual([]);
		const Key = { pk: { S: "call#SCL_index" }, sk: { S: "call" } };
		const item = await plain.send(new GetItemCommand({ TableName: names.calls, Key }));
		const room = item.Item?.["liveRoom"] ?? { S: "" };
		const query = new QueryCommand({
			TableName: names.calls,
			IndexName: "liveInRoom",
			KeyConditionExpression: "liveRoom = :room",
			ExpressionAttributeValues: { ":room": room },
		});
		expect(Object.keys((await plain.send(query)).Items?.[0] ?? {}).sort()).toEqual(["byTime", "liveRoom", "pk", "sk"]);
		await callStore.endCall("SCL_index", now, { by: "room", reason: "hangup" });
		expect((await plain.send(query)).Items).toEqual([]);
	});
});

describe("createTables", () => {
	it("makes what is missing", async () => {
		const other = { config: "other-config", calls: "other-calls" };
		await createTables(plain, other);
		await plain.send(new DeleteTableCommand({ TableName: other.config }));
		await createTables(plain, other);
		const store = new DynamoConfigStore({ client: plain, table: other.config });
		expect(await store.listInboundTrunks(project, {})).toEqual([]);
	});
});
