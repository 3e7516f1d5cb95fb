import { CALLS_TABLE, CALLS_TTL_ATTRIBUTE, CONFIG_TABLE } from "@trunkline/store/keys";
import { readsTable, type Statement, usesKeyThrough, usesTable, writesTable } from "./permissions.ts";
import type { StageSettings } from "./settings.ts";
import type { Place, RegionKey } from "./types.ts";

/** The store's own definition of a table, as DynamoDB takes it: the one truth about keys and indexes. */
type Definition = typeof CALLS_TABLE;

/** Config is written at home and read everywhere: a table with a copy in every other region. */
export function configTable(places: readonly Place[], keyOf: (region: string) => RegionKey, settings: StageSettings): sst.aws.Dynamo {
	const [home, ...others] = places;
	if (home === undefined) throw new Error("a stage has a region");
	const replicas = others.map(({ region }) => ({
		regionName: region,
		kmsKeyArn: keyOf(region).arn,
		pointInTimeRecovery: true,
		deletionProtectionEnabled: settings.production,
		propagateTags: true,
	}));
	return new sst.aws.Dynamo(
		"Config",
		{
			...indexesOf(CONFIG_TABLE),
			// Copies are fed by it.
			stream: "new-and-old-images",
			deletionProtection: settings.production,
			transform: {
				table: (args) => {
					args.serverSideEncryption = { enabled: true, kmsKeyArn: keyOf(home.region).arn };
					if (replicas.length > 0) args.replicas = replicas;
				},
			},
		},
		home.opts,
	);
}

/** Calls stay in their region: a table in each, and no copies. */
export function callsTable({ suffix, opts }: Place, settings: StageSettings): sst.aws.Dynamo {
	return new sst.aws.Dynamo(
		`Calls${suffix}`,
		{
			...indexesOf(CALLS_TABLE),
			ttl: CALLS_TTL_ATTRIBUTE,
			// Whoever delivers events reads the call itself.
			stream: "keys-only",
			deletionProtection: settings.production,
		},
		opts,
	);
}

/** The config table or its copy in the region. */
function configTableArn(table: sst.aws.Dynamo, place: Place): $util.Output<string> {
	if (place.home) return table.arn;
	return table.arn.apply((arn) => arn.split(":").with(3, place.region).join(":"));
}

/** `write`: at home only, as a condition is checked against the copy that is asked. */
export function usesConfig(table: sst.aws.Dynamo, place: Place, key: RegionKey, access: "read" | "write"): Statement[] {
	const arn = configTableArn(table, place);
	return [readsTable(arn), ...(access === "write" ? [writesTable(arn)] : []), usesKeyThrough("dynamodb", place.region, key)];
}

export function usesCalls(table: sst.aws.Dynamo): Statement[] {
	return [usesTable(table.arn)];
}

function indexesOf({ AttributeDefinitions, KeySchema, GlobalSecondaryIndexes = [] }: Definition) {
	return {
		fields: Object.fromEntries(AttributeDefinitions.map(({ AttributeName = "" }) => [AttributeName, "string" as const])),
		primaryIndex: keysOf(KeySchema),
		globalIndexes: Object.fromEntries(
			GlobalSecondaryIndexes.map((index) => [
				index.IndexName ?? "",
				{ ...keysOf(index.KeySchema ?? []), projection: "keys-only" as const },
			]),
		),
	};
}

function keysOf(schema: Definition["KeySchema"]): { hashKey: string; rangeKey: string } {
	const nameOf = (type: string): string => schema.find(({ KeyType }) => KeyType === type)?.AttributeName ?? "";
	return { hashKey: nameOf("HASH"), rangeKey: nameOf("RANGE") };
}
