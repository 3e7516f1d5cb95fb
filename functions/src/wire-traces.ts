import { createS3Client, S3TraceStore } from "@trunkline/store";
import * as z from "zod";
import type { V1Deps } from "./api/v1/deps.ts";

const bucket = z.string().regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/);
const regionSchema = z.object({ region: z.string(), tracesBucket: bucket.optional() });

/**
 * Where the traces of each region's calls are: `TRACES_BUCKET` in the API's own region, `tracesBucket` of each of `REGIONS` in the others. Throws with
 * the name of the variable that is wrong.
 */
export function tracesFromEnvironment(environment: Readonly<Record<string, string | undefined>>): Pick<V1Deps, "traces"> {
	const buckets = new Map<string, string>();
	const { AWS_REGION: own, TRACES_BUCKET: ownBucket, REGIONS: regions } = environment;
	if (own !== undefined && ownBucket !== undefined && ownBucket !== "") {
		if (!bucket.safeParse(ownBucket).success) throw new Error("bad environment: TRACES_BUCKET must be the name of an S3 bucket");
		buckets.set(own, ownBucket);
	}
	for (const { region, tracesBucket } of regionsOf(regions)) if (tracesBucket !== undefined) buckets.set(region, tracesBucket);
	if (buckets.size === 0) return {};
	const stores = new Map(
		[...buckets].map(([region, name]) => [region, new S3TraceStore({ client: createS3Client({ region }), bucket: name })]),
	);
	return { traces: (region) => stores.get(region) };
}

function regionsOf(text: string | undefined): z.infer<typeof regionSchema>[] {
	if (text === undefined || text === "") return [];
	try {
		return z.array(regionSchema).parse(JSON.parse(text));
	} catch {
		throw new Error("bad environment: REGIONS must be a JSON array of regions, with the names of buckets where there is a tracesBucket");
	}
}
