import * as sdk from "@aws-sdk/client-dynamodb";
import { errorAnswer, type WireAnswer } from "./wire.ts";

type Members = Record<string, unknown>;
type Handle = (target: string, request: Members) => Promise<Members>;

/** What calls do. Table management stays on HTTP: it is rare, and has types that JSON has not (dates). */
const ITEM_OPERATIONS = new Set([
	...["GetItem", "BatchGetItem", "Query", "Scan", "PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem"],
	...["TransactWriteItems", "TransactGetItems"],
]);

/**
 * Requests of `client` about items go to `handle` without HTTP, signature and the SDK's serialisation, which together cost more than the database.
 * They are what they would be on the wire, refusals are the SDK's exceptions; only nothing is repeated, as nothing can be lost.
 */
export function callInProcess(client: sdk.DynamoDBClient, handle: Handle): void {
	// The SDK builds its chain of middleware for each kind of request once, in the place of each time.
	client.config.cacheMiddleware = true;
	client.middlewareStack.add(
		(next, context) => async (args) => {
			const target = (context.commandName ?? "").replace(/Command$/, "");
			if (!ITEM_OPERATIONS.has(target)) return next(args);
			const answer = await handle(target, toWire(args.input) as Members).catch((error: unknown) => {
				throw exceptionOf(errorAnswer(error));
			});
			const output = { ...(fromWire(answer) as Members), $metadata: { httpStatusCode: 200, attempts: 1, totalRetryDelay: 0 } };
			return { output: output as unknown as sdk.ServiceOutputTypes, response: undefined };
		},
		// Before the SDK's logger, which goes through every input and output for what may not be logged, whether there is a log or not.
		{ step: "initialize", priority: "high", name: "callInProcess" },
	);
}

/** A copy as JSON has it: bytes as base64, nothing that is undefined. */
function toWire(value: unknown): unknown {
	if (typeof value !== "object" || value === null) return value;
	if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("base64");
	if (Array.isArray(value)) return value.map(toWire);
	const copy: Members = {};
	for (const [key, member] of Object.entries(value)) if (member !== undefined) copy[key] = toWire(member);
	return copy;
}

/** Strings under B and in BS are bytes: an attribute that is called so would be an object. */
function fromWire(value: unknown): unknown {
	if (typeof value !== "object" || value === null) return value;
	if (Array.isArray(value)) return value.map(fromWire);
	const copy: Members = {};
	for (const [key, member] of Object.entries(value)) {
		if (key === "B" && typeof member === "string") copy[key] = bytesOf(member);
		else if (key === "BS" && Array.isArray(member)) copy[key] = member.map((one) => bytesOf(String(one)));
		else copy[key] = fromWire(member);
	}
	return copy;
}

const bytesOf = (base64: string): Uint8Array => new Uint8Array(Buffer.from(base64, "base64"));

const EXCEPTIONS = {
	ConditionalCheckFailedException: sdk.ConditionalCheckFailedException,
	IdempotentParameterMismatchException: sdk.IdempotentParameterMismatchException,
	InternalServerError: sdk.InternalServerError,
	ResourceNotFoundException: sdk.ResourceNotFoundException,
	TransactionCanceledException: sdk.TransactionCanceledException,
};

function exceptionOf({ status, body }: WireAnswer): sdk.DynamoDBServiceException {
	const type = String(body["__type"]);
	const name = type.slice(type.indexOf("#") + 1);
	const said = body["message"] ?? body["Message"];
	const options = {
		message: typeof said === "string" ? said : name,
		$metadata: { httpStatusCode: status, attempts: 1, totalRetryDelay: 0 },
		...(body["Item"] === undefined ? {} : { Item: fromWire(body["Item"]) as Record<string, sdk.AttributeValue> }),
		...(body["CancellationReasons"] === undefined
			? {}
			: { CancellationReasons: fromWire(body["CancellationReasons"]) as sdk.CancellationReason[] }),
	};
	if (name in EXCEPTIONS) return new EXCEPTIONS[name as keyof typeof EXCEPTIONS](options);
	return new sdk.DynamoDBServiceException({ ...options, name, $fault: status < 500 ? "client" : "server" });
}
