import type { RegionKey } from "./types.ts";

/** What a role may do with what, and on which conditions. */
export interface Statement {
	actions: string[];
	resources: $util.Input<string>[];
	principals?: { type: string; identifiers: $util.Input<string>[] }[];
	conditions?: { test: string; variable: string; values: $util.Input<string>[] }[];
}

export function policyOf(statements: Statement[]): $util.Output<string> {
	return aws.iam.getPolicyDocumentOutput({ statements: merged(statements) }).json;
}

/** A role has room for 10,240 characters of policies: what may be done on no condition is said once for all that it may be done with. */
function merged(statements: readonly Statement[]): Statement[] {
	const byActions = new Map<string, Statement>();
	const others: Statement[] = [];
	for (const statement of statements) {
		const { actions, resources, conditions, principals } = statement;
		const known = byActions.get(actions.join());
		if (conditions !== undefined || principals !== undefined) others.push(statement);
		else if (known === undefined) byActions.set(actions.join(), { actions, resources: [...resources] });
		else known.resources.push(...resources);
	}
	return [...byActions.values(), ...others];
}

const READ_ITEMS = ["dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query"];
const WRITE_ITEMS = ["dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:ConditionCheckItem"];

/** Of a table without indexes. */
export function readsTable(arn: $util.Input<string>): Statement {
	return { actions: [...READ_ITEMS], resources: [arn] };
}

/** Transactions need what their parts need. */
export function writesTable(arn: $util.Input<string>): Statement {
	return { actions: [...WRITE_ITEMS], resources: [arn] };
}

/** A table's own ARN does not include its indexes. All of them, by a pattern: one by one, eight regions would be more than a role has room for. */
export function usesTable(arn: $util.Input<string>): Statement {
	return { actions: [...READ_ITEMS, ...WRITE_ITEMS], resources: [arn, $interpolate`${arn}/index/*`] };
}

export function sendsTo(queueArn: $util.Input<string>): Statement {
	return { actions: ["sqs:SendMessage"], resources: [queueArn] };
}

export function receivesFrom(queueArn: $util.Input<string>): Statement {
	return {
		actions: ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes"],
		resources: [queueArn],
	};
}

/** Only in what the service does for the caller, never by asking KMS itself. */
export function usesKeyThrough(use: keyof typeof USES, region: string, key: RegionKey): Statement {
	return {
		actions: [...USES[use]],
		resources: [key.arn],
		conditions: [{ test: "StringEquals", variable: "kms:ViaService", values: [`${use.replace(/ .*/, "")}.${region}.amazonaws.com`] }],
	};
}

const USES = {
	dynamodb: ["kms:Encrypt", "kms:Decrypt", "kms:ReEncryptFrom", "kms:ReEncryptTo", "kms:GenerateDataKey", "kms:DescribeKey"],
	// Parts of a multipart upload are read again when they are put together.
	s3: ["kms:GenerateDataKey", "kms:Decrypt"],
	"s3 objects": ["kms:Decrypt"],
	ssm: ["kms:Decrypt"],
};
