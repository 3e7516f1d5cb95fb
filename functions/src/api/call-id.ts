import { createHash } from "node:crypto";
import { type IdPrefix, newId, type RandomBytes } from "@trunkline/contracts";
import { DomainError } from "@trunkline/domain";

const MAX_IDEMPOTENCY_KEY_LENGTH = 255;

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

/** The key that its caller chose counts before the one that the SDK made up. Throws `invalid_argument`. */
export function idempotencyOf(headers: Headers): IdempotencyKey | undefined {
	const chosen = headers.get("idempotency-key") ?? "";
	if (chosen.length > MAX_IDEMPOTENCY_KEY_LENGTH)
		throw new DomainError("invalid_argument", `Idempotency-Key is too long: at most ${MAX_IDEMPOTENCY_KEY_LENGTH} characters are allowed`);
	if (chosen !== "") return { key: chosen, explicit: true };
	const requestId = headers.get("x-livekit-request-id") ?? "";
	return requestId === "" ? undefined : { key: requestId, explicit: false };
}
