import { createHash } from "node:crypto";
import { type IdPrefix, newId, type RandomBytes } from "@trunkline/contracts";

/** Says that requests are retries of one. A key that the caller chose and one that an SDK made up are never the same, whatever their texts. */
export interface IdempotencyKey {
	key: string;
	explicit: boolean;
}

/**
 * The id of the call or transfer that a request asks for. All retries of one request carry one key, and get the same id from it, so that a retry
 * finds what the first attempt made instead of making it a second time. Without a key each request is a new one.
 */
export function idFor(prefix: IdPrefix, projectId: string, idempotency: IdempotencyKey | undefined, random: RandomBytes): string {
	if (idempotency === undefined) return newId(prefix, random);
	const { key, explicit } = idempotency;
	const name = explicit ? [projectId, "key", key] : [projectId, key];
	let block = 0;
	return newId(prefix, (length) =>
		createHash("sha256")
			.update(JSON.stringify([...name, block++]))
			.digest()
			.subarray(0, length),
	);
}
