import type { ServedRegion } from "@trunkline/domain";
import type { Log } from "@trunkline/observability";
import { commandQueueUrl, createSqsClient, SqsCommandQueue, SqsDialQueue } from "@trunkline/queue";
import {
	createDynamoClient,
	DynamoCallLimitStore,
	DynamoCallStore,
	DynamoNodeRegistry,
	DynamoRegistrationStore,
	DynamoTransferStore,
} from "@trunkline/store";
import * as z from "zod";
import type { ApiDeps, RegionNode, RegionView } from "./api/deps.ts";
import type { PerRegion } from "./api/regions/by-call-id.ts";
import { RegionalCallStore } from "./api/regions/call-store.ts";
import { RegionalCallLimitStore, RegionalRegistrationStore, RegionalTransferStore } from "./api/regions/stores.ts";

type Environment = Readonly<Record<string, string | undefined>>;

const regionName = z.string().regex(/^[a-z][a-z0-9-]{0,31}$/, "must be the name of a region, such as eu-west-1");

const regionSchema = z.strictObject({
	region: regionName,
	callsTable: z.string().min(1),
	dialQueueUrl: z.url(),
	/** a URL, or the beginning of a name: the queues are where the dial queue is */
	commandQueuePrefix: z.string().min(1),
	livekitUrl: z.url({ protocol: /^(https?|wss?)$/ }).optional(),
	/** of the traces of its calls: wire-traces.ts */
	tracesBucket: z.string().optional(),
	/** where carriers send calls; for people and /v1/explain */
	sipAddress: z.string().min(1).max(255).optional(),
	/** ISO 3166 countries that calls are placed to from there, "*" = all; unset = by the region's name */
	countries: z.array(z.string().regex(/^([A-Z]{2}|\*)$/, "must be a country of two capital letters, or *")).optional(),
});
type Region = z.infer<typeof regionSchema>;

/** The regions of REGIONS, the home region (AWS_REGION) first. Undefined = it is not set. Throws with what is wrong in it, and no value. */
export function readRegions(environment: Environment): readonly [Region, ...Region[]] | undefined {
	const text = environment["REGIONS"] ?? "";
	if (text === "") return undefined;
	let json: unknown;
	try {
		json = JSON.parse(text);
	} catch {
		throw new Error("bad environment: REGIONS: is no JSON");
	}
	const parsed = z.array(regionSchema).min(1).max(16).safeParse(json);
	if (!parsed.success) {
		const problems = parsed.error.issues.map(({ path, message }) => `REGIONS.${path.join(".")}: ${message}`);
		throw new Error(`bad environment: ${problems.join("; ")}`);
	}
	const names = parsed.data.map(({ region }) => region);
	if (new Set(names).size < names.length) throw new Error("bad environment: REGIONS: has a region twice");
	const home = parsed.data.find(({ region }) => region === environment["AWS_REGION"]);
	if (home === undefined) throw new Error("bad environment: REGIONS: has not the region that this runs in (AWS_REGION)");
	return [home, ...parsed.data.filter((one) => one !== home)];
}

/** The variables of a deployment of one region, as REGIONS says them of the home region; what is set stays. */
export function withHomeRegion(environment: Environment): Environment {
	const home = readRegions(environment)?.[0];
	if (home === undefined) return environment;
	return {
		...environment,
		CALLS_TABLE: environment["CALLS_TABLE"] ?? home.callsTable,
		DIAL_QUEUE_URL: environment["DIAL_QUEUE_URL"] ?? home.dialQueueUrl,
		COMMAND_QUEUE_URL_PREFIX: environment["COMMAND_QUEUE_URL_PREFIX"] ?? commandPrefix(home),
		LIVEKIT_URL: environment["LIVEKIT_URL"] ?? home.livekitUrl,
	};
}

export interface Regional {
	deps: Pick<ApiDeps, "callStore" | "dialQueue" | "regions"> & { regional: NonNullable<ApiDeps["regional"]> };
	transfers: RegionalTransferStore;
	registrations: RegionalRegistrationStore;
	callLimits: RegionalCallLimitStore;
	commandQueue(nodeId: string, region: string): SqsCommandQueue;
}

/** Each request to call asks; what nodes say is seconds old anyway. */
const NODES_KEPT_MS = 1_000;

/** Stores and queues of all regions; undefined without REGIONS. */
export function regionalFromEnvironment(environment: Environment, log: Log): Regional | undefined {
	const regions = readRegions(environment);
	if (regions === undefined) return undefined;
	const clients = new Map(regions.map(({ region }) => [region, createDynamoClient({ region })]));
	const dynamoOf = ({ region }: Region) => clients.get(region) ?? createDynamoClient({ region });
	const per = <T>(make: (region: Region, client: ReturnType<typeof createDynamoClient>) => T): PerRegion<T> => {
		const [home, ...others] = regions.map((one) => ({ region: one.region, store: make(one, dynamoOf(one)) }));
		if (home === undefined) throw new Error("REGIONS is not empty");
		return [home, ...others];
	};
	const queues = new Map(regions.map((one) => [one.region, { one, sqs: createSqsClient({ region: one.region }) }]));
	const queuesOf = (region: string): { one: Region; sqs: ReturnType<typeof createSqsClient> } => {
		const found = queues.get(region);
		if (found === undefined) throw new Error(`this deployment has no region ${region}`);
		return found;
	};
	const dialQueues = new Map(
		regions.map(({ region, dialQueueUrl: url }) => [region, new SqsDialQueue(queuesOf(region).sqs, { url, log })]),
	);
	const callStore = new RegionalCallStore(per(({ callsTable: table }, client) => new DynamoCallStore({ client, table })));
	const [home, ...others] = regions;
	const registries = new Map(regions.map((one) => [one.region, new DynamoNodeRegistry({ client: dynamoOf(one), table: one.callsTable })]));
	const seen = new Map<string, { at: number; nodes: Promise<readonly RegionNode[]> }>();
	const nodesOf = (region: string): Promise<readonly RegionNode[]> => {
		const now = Date.now();
		const before = seen.get(region);
		if (before !== undefined && now - before.at < NODES_KEPT_MS) return before.nodes;
		const nodes = registries.get(region)?.liveNodes(region, now) ?? Promise.resolve([]);
		seen.set(region, { at: now, nodes });
		// What failed is asked again by the next one.
		nodes.catch(() => seen.delete(region));
		return nodes;
	};
	return {
		deps: {
			callStore,
			dialQueue: (region) => {
				const queue = dialQueues.get(region);
				if (queue === undefined) throw new Error(`this deployment has no region ${region}`);
				return queue;
			},
			regions: [home.region, ...others.map(({ region }) => region)],
			regional: { served: [viewOf(home), ...others.map(viewOf)], nodesOf },
		},
		transfers: new RegionalTransferStore(
			per(({ callsTable: table }, client) => new DynamoTransferStore({ client, table })),
			async (callId) => (await callStore.getCall(callId))?.region,
		),
		registrations: new RegionalRegistrationStore(per(({ callsTable: table }, client) => new DynamoRegistrationStore({ client, table }))),
		callLimits: new RegionalCallLimitStore(per(({ callsTable: table }, client) => new DynamoCallLimitStore({ client, table }))),
		commandQueue: (nodeId, region) => {
			const { one, sqs } = queuesOf(region);
			return new SqsCommandQueue(sqs, { url: commandQueueUrl(commandPrefix(one), nodeId), log });
		},
	};
}

function viewOf({ region, livekitUrl, sipAddress, countries }: Region): RegionView {
	const served: ServedRegion = { region, ...(countries === undefined ? {} : { countries }) };
	return { ...served, ...(livekitUrl === undefined ? {} : { livekitUrl }), ...(sipAddress === undefined ? {} : { sipAddress }) };
}

const commandPrefix = ({ commandQueuePrefix, dialQueueUrl }: Region): string =>
	/^https?:/.test(commandQueuePrefix) ? commandQueuePrefix : dialQueueUrl.replace(/[^/]+$/, commandQueuePrefix);
