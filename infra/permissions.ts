import type { RegionKey } from "./types.ts";

/** What a role may do with what, and on which conditions. */
export interface Statement {
	actions: string[];
	resources: $util.Input<string>[];
	principals?: { type: string; identifiers: $util.Input<string>[] }[];
	conditions?: { test: string; variable: string; values: $util.Input<string>[] }[];
}

export function policyOf(statements: Statement[]): $util.Output<string> {
	return aws.iam.getPolicyDocumentOutput({ statements }).json;
}

const READ_ITEMS = ["dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query"];
const WRITE_ITEMS = ["dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:ConditionCheckItem"];

/** `indexes`: names; a table's own ARN does not include them. Transactions need what their parts need. */
export function readsTable(arn: $util.Input<string>, indexes: readonly string[] = []): Statement {
	return { actions: [...READ_ITEMS], resources: [arn, ...indexes.map((name) => $interpolate`${arn}/index/${name}`)] };
}

export function writesTable(arn: $util.Input<string>): Statement {
	return { actions: [...WRITE_ITEMS], resources: [arn] };
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
export function usesKeyThrough(service: "dynamodb" | "s3" | "ssm", region: string, key: RegionKey): Statement {
	return {
		actions: USES[service],
		resources: [key.arn],
		conditions: [{ test: "StringEquals", variable: "kms:ViaService", values: [`${service}.${region}.amazonaws.com`] }],
	};
}

const USES = {
	dynamodb: ["kms:Encrypt", "kms:Decrypt", "kms:ReEncryptFrom", "kms:ReEncryptTo", "kms:GenerateDataKey", "kms:DescribeKey"],
	// Parts of a multipart upload are read again when they are put together.
	s3: ["kms:GenerateDataKey", "kms:Decrypt"],
	ssm: ["kms:Decrypt"],
};
