import { policyOf } from "./permissions.ts";
import type { Place, RegionKey, RegionKeys } from "./types.ts";

const NAMES = { data: "DataKey", projects: "ProjectsKey" } as const;
const DESCRIPTIONS = { data: "config table, secrets, recordings", projects: "secrets of projects" } as const;
/** The longest that KMS has: until then a deletion can be called off. */
const DELETION_DAYS = 30;

/** By region. */
export function keys(places: readonly Place[]): Map<string, RegionKeys> {
	const data = multiRegionKey("data", places);
	const projects = multiRegionKey("projects", places);
	return new Map(places.map(({ region }) => [region, { data: found(data, region), projects: found(projects, region) }]));
}

function multiRegionKey(kind: keyof typeof NAMES, places: readonly Place[]): Map<string, RegionKey> {
	const name = NAMES[kind];
	const description = `Trunkline ${$app.stage}: ${DESCRIPTIONS[kind]}`;
	const deletionWindowInDays = DELETION_DAYS;
	const [home, ...others] = places;
	if (home === undefined) throw new Error("a stage has a region");
	const retained = { retainOnDelete: $app.removal !== "remove" };
	const primary = new aws.kms.Key(
		name,
		{ description, multiRegion: true, enableKeyRotation: true, deletionWindowInDays, policy: keyPolicy() },
		{ ...home.opts, ...retained },
	);
	const replicas = others.map(({ region, suffix, opts }): [string, RegionKey] => {
		const args = { description, primaryKeyArn: primary.arn, deletionWindowInDays, policy: keyPolicy() };
		return [region, new aws.kms.ReplicaKey(`${name}${suffix}`, args, { ...opts, ...retained })];
	});
	return new Map<string, RegionKey>([[home.region, primary], ...replicas]);
}

/** KMS's own default: the account's IAM policies say who may use the key. `*` is the key that the policy is of. */
function keyPolicy(): $util.Output<string> {
	const { accountId } = aws.getCallerIdentityOutput({});
	const root = $interpolate`arn:${aws.getPartitionOutput({}).partition}:iam::${accountId}:root`;
	return policyOf([{ actions: ["kms:*"], resources: ["*"], principals: [{ type: "AWS", identifiers: [root] }] }]);
}

function found(map: Map<string, RegionKey>, region: string): RegionKey {
	const key = map.get(region);
	if (key === undefined) throw new Error(`no key in ${region}`);
	return key;
}
