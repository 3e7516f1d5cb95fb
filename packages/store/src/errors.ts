import {
	ConditionalCheckFailedException,
	type CancellationReason,
	ResourceNotFoundException,
	TransactionCanceledException,
} from "@aws-sdk/client-dynamodb";
import { DomainError } from "@trunkline/domain";

/**
 * Runs a request and gives a failure the form that callers can act on. The errors that a store decides by (a failed condition, a cancelled
 * transaction) pass through: each store handles them where it sends the request.
 */
export async function reachable<T>(table: string, request: () => Promise<T>): Promise<T> {
	try {
		return await request();
	} catch (error) {
		if (error instanceof DomainError || error instanceof ConditionalCheckFailedException || error instanceof TransactionCanceledException)
			throw error;
		throw unreachable(table, error);
	}
}

/** True when the only reason is that somebody else was writing the same items at that moment: the same transaction may pass a little later. */
export function isBusy(error: unknown): boolean {
	if (!(error instanceof TransactionCanceledException)) return false;
	const codes = reasonsOf(error).map((reason) => reason.Code ?? "None");
	return codes.includes("TransactionConflict") && codes.every((code) => code === "TransactionConflict" || code === "None");
}

export function reasonsOf(error: TransactionCanceledException): CancellationReason[] {
	return error.CancellationReasons ?? [];
}

function unreachable(table: string, error: unknown): DomainError {
	const options = { cause: error };
	const name = error instanceof Error ? error.name : "unknown error";
	if (error instanceof ResourceNotFoundException)
		return new DomainError(
			"unavailable",
			`The DynamoDB table ${table} does not exist in this region; is this stage deployed?`,
			{},
			options,
		);
	if (name === "ValidationException" && error instanceof Error && /size has exceeded/i.test(error.message))
		return new DomainError("invalid_argument", "The object is too large to be stored: 400 KB is the limit", {}, options);
	if (name === "ValidationException")
		return new DomainError("internal", `The DynamoDB table ${table} refused a request as malformed`, {}, options);
	return new DomainError("unavailable", `The DynamoDB table ${table} cannot be reached (${name}); try again`, {}, options);
}
