// npm run bench:store: what trunks cost, however many there are. Counts DynamoDB requests and takes times; a Markdown table on stdout.
import { randomBytes } from "node:crypto";
import { cpus } from "node:os";
import { BatchWriteItemCommand, type DynamoDBClient, type TransactWriteItem, type WriteRequest } from "@aws-sdk/client-dynamodb";
import { type InboundTrunk, newId } from "@trunkline/contracts";
import { type ConfigStore, matchInboundTrunk } from "@trunkline/domain";
import { startEmbeddedDynamo } from "@trunkline/emulators";
import { inboundTrunk, MemoryConfigStore } from "@trunkline/testkit";
import { createDynamoClient } from "./client.ts";
import { DynamoConfigStore } from "./config-store.ts";
import { createTables } from "./tables.ts";

const SIZES = [10, 1_000, 100_000];
const PROJECT = "bench";
/** a page that is full at every size */
const PAGE = 10;
const RUNS = 200;
const WARM_UP_RUNS = 200;
const TABLES = { config: "bench-config", calls: "bench-calls" };
/** DynamoDB's limit of one BatchWriteItem. */
const BATCH = 25;
const PARALLEL_BATCHES = 4;

const OPERATIONS = ["list a page", "match a call", "create"] as const;
type Operation = (typeof OPERATIONS)[number];

interface Result {
	requests: number;
	medianMs: number;
	p95Ms: number;
}

interface Loaded {
	store: ConfigStore;
	/** DynamoDB requests so far */
	requests(): number;
	close(): Promise<void>;
}

const say = (line: string): boolean => process.stderr.write(`bench:store: ${line}\n`);

async function main(): Promise<void> {
	const started = performance.now();
	const rows: string[] = [];
	const growing: string[] = [];
	for (const [name, load] of [
		["memory", loadMemory],
		["embedded DynamoDB", loadDynamo],
	] as const) {
		const bySize: Record<Operation, Result>[] = [];
		for (const size of SIZES) {
			const loading = performance.now();
			const loaded = await load(trunks(size));
			say(`${name}: ${size} trunks loaded in ${Math.round(performance.now() - loading)} ms`);
			bySize.push(await measure(loaded, size));
			await loaded.close();
		}
		for (const operation of OPERATIONS) {
			const results = bySize.map((result) => result[operation]);
			rows.push(row(name, operation, results));
			if (new Set(results.map(({ requests }) => requests)).size > 1) growing.push(operation);
		}
	}
	process.stdout.write(`${table(rows)}\n`);
	if (growing.length > 0) throw new Error(`more DynamoDB requests with more trunks: ${growing.join(", ")}`);
	say(`done in ${Math.round((performance.now() - started) / 1000)} s`);
}

async function measure({ store, requests }: Loaded, size: number): Promise<Record<Operation, Result>> {
	let created = 0;
	const actions: Record<Operation, () => Promise<void>> = {
		create: () => store.createTrunk(PROJECT, trunkOf(size + created++)),
		"list a page": async () => {
			const page = await store.listInboundTrunks(PROJECT, { limit: PAGE, afterId: "ST_" });
			if (page.length !== PAGE) throw new Error(`the page has ${page.length} trunks`);
		},
		"match a call": async () => {
			const to = numberOf(Math.floor(Math.random() * size));
			const found = await store.inboundTrunksFor(PROJECT, to);
			const { trunk } = matchInboundTrunk(found, { from: "+15550199", to, sourceAddress: "203.0.113.7" });
			if (trunk === undefined) throw new Error(`no trunk for ${to}`);
		},
	};
	const results: Partial<Record<Operation, Result>> = {};
	for (const operation of OPERATIONS) {
		for (let run = 0; run < WARM_UP_RUNS; run++) await actions[operation]();
		const times: number[] = [];
		const before = requests();
		for (let run = 0; run < RUNS; run++) {
			const start = performance.now();
			await actions[operation]();
			times.push(performance.now() - start);
		}
		times.sort((a, b) => a - b);
		const share = (part: number): number => times[Math.ceil(part * RUNS) - 1] ?? NaN;
		results[operation] = { requests: (requests() - before) / RUNS, medianMs: share(0.5), p95Ms: share(0.95) };
	}
	return results as Record<Operation, Result>;
}

async function loadMemory(items: Iterable<InboundTrunk>): Promise<Loaded> {
	const store = new MemoryConfigStore();
	for (const trunk of items) await store.createTrunk(PROJECT, trunk);
	return { store, requests: () => 0, close: async () => undefined };
}

/** The store itself says what a trunk's items are; here they are written 25 at a time instead of in a transaction for each trunk. */
async function loadDynamo(items: Iterable<InboundTrunk>): Promise<Loaded> {
	const dynamo = await startEmbeddedDynamo();
	const client = createDynamoClient({ region: "us-east-1", endpoint: dynamo.endpoint });
	await createTables(client, TABLES);
	const waiting: WriteRequest[] = [];
	const collector = {
		send: async ({ input }: { input: { TransactItems?: TransactWriteItem[] } }) => {
			for (const { Put } of input.TransactItems ?? []) if (Put?.Item) waiting.push({ PutRequest: { Item: Put.Item } });
		},
	} as unknown as DynamoDBClient;
	const collecting = new DynamoConfigStore({ client: collector, table: TABLES.config });
	for (const trunk of items) {
		await collecting.createTrunk(PROJECT, trunk);
		if (waiting.length >= BATCH * PARALLEL_BATCHES) await flush(client, waiting);
	}
	await flush(client, waiting);
	let sent = 0;
	client.middlewareStack.add(
		(next) => (args) => {
			sent++;
			return next(args);
		},
		{ step: "initialize" },
	);
	const close = async (): Promise<void> => {
		client.destroy();
		await dynamo.close();
	};
	return { store: new DynamoConfigStore({ client, table: TABLES.config }), requests: () => sent, close };
}

async function flush(client: DynamoDBClient, waiting: WriteRequest[]): Promise<void> {
	const batches: WriteRequest[][] = [];
	while (waiting.length > 0) batches.push(waiting.splice(0, BATCH));
	await Promise.all(batches.map((batch) => client.send(new BatchWriteItemCommand({ RequestItems: { [TABLES.config]: batch } }))));
}

function* trunks(count: number): Generator<InboundTrunk> {
	for (let i = 0; i < count; i++) yield trunkOf(i);
}

function trunkOf(index: number): InboundTrunk {
	return inboundTrunk({ trunkId: newId("ST_", (length) => randomBytes(length)), name: `trunk ${index}`, numbers: [numberOf(index)] });
}

function numberOf(index: number): string {
	return `+1555${String(index).padStart(7, "0")}`;
}

function row(store: string, operation: Operation, results: readonly Result[]): string {
	const requests = results.map((result) => (store === "memory" ? "–" : String(result.requests)));
	const times = results.map(({ medianMs, p95Ms }) => `${digits(medianMs)} / ${digits(p95Ms)}`);
	const ratio = (results.at(-1)?.medianMs ?? 0) / (results[0]?.medianMs ?? 1);
	return `| ${[store, operation, ...requests, ...times, ratio.toFixed(2)].join(" | ")} |`;
}

function digits(ms: number): string {
	return ms < 1 ? ms.toFixed(3) : ms.toFixed(1);
}

function table(rows: readonly string[]): string {
	const sizes = SIZES.map((size) => size.toLocaleString("en"));
	const head = [
		"store",
		"operation",
		...sizes.map((size) => `requests, ${size} trunks`),
		...sizes.map((size) => `ms p50 / p95, ${size}`),
		"p50, largest to smallest",
	];
	return [
		`${cpus()[0]?.model ?? "unknown CPU"}, ${cpus().length} cores, Node ${process.version}. One trunk has one number; a page is ${PAGE} trunks; ${RUNS} runs each.`,
		"",
		`| ${head.join(" | ")} |`,
		`|${head.map(() => "---").join("|")}|`,
		...rows,
	].join("\n");
}

if (process.argv.includes("--help"))
	process.stdout.write("npm run bench:store: requests and times with 10, 1,000 and 100,000 trunks; no options; a table on stdout\n");
else await main();
