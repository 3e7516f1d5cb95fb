import {
	type CancellationReason,
	ConditionalCheckFailedException,
	ResourceNotFoundException,
	TransactionCanceledException,
} from "@aws-sdk/client-dynamodb";
import { DomainError } from "@trunkline/domain";

/** Runs a request and gives a failure the form that callers can act on. A failed condition passes through: it is an answer. */
export async function reachable<T>(table: string, request: () => Promise<T>): Promise<T> {
	try {
		return await request();
	} catch (error) {
		if (error instanceof DomainError || error instanceof ConditionalCheckFailedException) throw error;
		throw unreachable(table, error);
	}
}

/** Codes of a cancelled transaction that may pass when it is sent again a little later: others were writing the same items, or too much at once. */
const PASSING = new Set(["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"]);

export function isPassing(reason: CancellationReason): boolean {
	return PASSING.has(reason.Code ?? "");
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
	const said = error instanceof Error ? [error.message, ...reasonMessages(error)] : [];
	if (said.some((message) => /size has exceeded/i.test(message)))
		return new DomainError("invalid_argument", "The object is too large to be stored: 400 KB is the limit", {}, options);
	// A transaction that may pass later has been tried again before it comes here.
	if (name === "ValidationException" || error instanceof TransactionCanceledException)
		return new DomainError("internal", `The DynamoDB table ${table} refused a request as malformed`, {}, options);
	return new DomainError("unavailable", `The DynamoDB table ${table} cannot be reached (${codeOf(error) ?? name}); try again`, {}, options);
}

/** ECONNREFUSED and the like say more than the name "Error" they come with. */
function codeOf(error: unknown): string | undefined {
	return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

function reasonMessages(error: Error): string[] {
	return error instanceof TransactionCanceledException ? reasonsOf(error).map((reason) => reason.Message ?? "") : [];
}
