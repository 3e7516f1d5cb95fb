/** One request in DynamoDB's JSON protocol, without the SDK; throws an error that is named like the exception and has its members. */
export function dynamoRequest(endpoint: string): (target: string, body: unknown) => Promise<Record<string, unknown>> {
	return async (target, body) => {
		const response = await fetch(endpoint, {
			method: "POST",
			headers: {
				"content-type": "application/x-amz-json-1.0",
				"x-amz-target": `DynamoDB_20120810.${target}`,
				authorization: "AWS4-HMAC-SHA256 Credential=local, SignedHeaders=host, Signature=0",
			},
			body: JSON.stringify(body),
		});
		const answer = (await response.json()) as Record<string, unknown>;
		if (response.ok) return answer;
		const name = String(answer["__type"]).replace(/^.*#/, "");
		throw Object.assign(new Error(String(answer["message"])), { ...answer, name });
	};
}
