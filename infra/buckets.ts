import { type Statement, usesKeyThrough } from "./permissions.ts";
import type { StageSettings } from "./settings.ts";
import type { Place, RegionKey } from "./types.ts";

/** What calls leave behind stays in their region, and goes after so many days (0 = never). */
export function bucket(
	name: "Recordings" | "Traces",
	{ suffix, opts }: Place,
	key: RegionKey,
	settings: StageSettings,
	keepDays: number,
): sst.aws.Bucket {
	const made = new sst.aws.Bucket(
		`${name}${suffix}`,
		{
			cors: false,
			...(keepDays === 0 ? {} : { lifecycle: [{ id: "expire", expiresIn: `${keepDays} days` as const }] }),
			transform: {
				bucket: (args) => {
					// In production nothing with somebody's voice in it goes because a stage went.
					args.forceDestroy = !settings.production;
				},
			},
		},
		opts,
	);
	new aws.s3.BucketServerSideEncryptionConfiguration(
		`${name}Encryption${suffix}`,
		{
			bucket: made.name,
			rules: [{ applyServerSideEncryptionByDefault: { sseAlgorithm: "aws:kms", kmsMasterKeyId: key.arn }, bucketKeyEnabled: true }],
		},
		opts,
	);
	return made;
}

/** With the right to list it: without, S3 says that what is not there may not be read. */
export function readsObjects(bucket: sst.aws.Bucket, { region }: Place, key: RegionKey): Statement[] {
	return [
		{ actions: ["s3:GetObject"], resources: [$interpolate`${bucket.arn}/*`] },
		{ actions: ["s3:ListBucket"], resources: [bucket.arn] },
		usesKeyThrough("s3 objects", region, key),
	];
}

export function writesObjects(bucket: sst.aws.Bucket, { region }: Place, key: RegionKey): Statement[] {
	return [
		{ actions: ["s3:PutObject", "s3:AbortMultipartUpload"], resources: [$interpolate`${bucket.arn}/*`] },
		usesKeyThrough("s3", region, key),
	];
}
