// The Lambda side: events as a function URL sends them (payload format 2.0).
import { describe, expect, test, vi } from "vitest";
import { apiFromEnvironment } from "../wire.ts";

const environment = {
	AWS_REGION: "eu-west-1",
	CONFIG_TABLE: "config",
	CALLS_TABLE: "calls",
	DIAL_QUEUE_URL: "https://sqs.eu-west-1.amazonaws.com/1/dial",
	COMMAND_QUEUE_URL_PREFIX: "https://sqs.eu-west-1.amazonaws.com/1/commands-",
	LIVEKIT_URL: "wss://rooms.example.com",
	API_KEYS: '{"k":{"secret":"s3cr3t","projectId":"p"}}',
	LOG_LEVEL: "silent",
};

function functionUrlEvent(method: string, rawPath: string, headers: Record<string, string> = {}, body?: string) {
	const http = { method, path: rawPath, protocol: "HTTP/1.1", sourceIp: "192.0.2.1", userAgent: "test" };
	return {
		version: "2.0",
		routeKey: "$default",
		rawPath,
		rawQueryString: "",
		headers: { host: "x.lambda-url.eu-west-1.on.aws", "x-forwarded-proto": "https", ...headers },
		requestContext: {
			accountId: "anonymous",
			apiId: "x",
			domainName: "x.lambda-url.eu-west-1.on.aws",
			http,
			requestId: "r",
			routeKey: "$default",
			stage: "$default",
			time: "",
			timeEpoch: 0,
		},
		...(body === undefined ? {} : { body: Buffer.from(body).toString("base64") }),
		isBase64Encoded: body !== undefined,
	};
}

describe("handler", () => {
	test("health, and a Twirp error with its exact content type", async () => {
		for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
		const { handler } = await import("./handler.ts");
		const invoke = handler as unknown as (event: unknown) => Promise<unknown>;
		expect(await invoke(functionUrlEvent("GET", "/healthz"))).toMatchObject({ statusCode: 200, body: '{"status":"ok"}' });
		const denied = await invoke(
			functionUrlEvent("POST", "/twirp/livekit.SIP/ListSIPInboundTrunk", { "content-type": "application/json" }, "{}"),
		);
		expect(denied).toMatchObject({
			statusCode: 401,
			headers: { "content-type": "application/json" },
			body: '{"code":"unauthenticated","msg":"permissions denied"}',
		});
		vi.unstubAllEnvs();
	});
});

describe("apiFromEnvironment", () => {
	test("knows the keys", () => {
		const deps = apiFromEnvironment(environment);
		expect(deps.keys.lookup("k")).toEqual({ secret: "s3cr3t", projectId: "p" });
		expect(deps.keys.lookup("other")).toBeUndefined();
		expect(deps.keys.lookup("toString")).toBeUndefined();
		expect(deps.regions).toEqual(["eu-west-1"]);
	});

	test.each([
		[{ CONFIG_TABLE: undefined }, /^bad environment: CONFIG_TABLE: /],
		[{ LIVEKIT_URL: "ftp://x" }, /^bad environment: LIVEKIT_URL: /],
		[{ API_KEYS: '{"k":"s3cr3t"' }, /^bad environment: API_KEYS: is no JSON$/],
		[{ API_KEYS: '{"k":"s3cr3t"}' }, /^bad environment: API_KEYS\.k: /],
		[{ LOG_LEVEL: "loud" }, /^bad environment: LOG_LEVEL: /],
	])("%j is named", (over, message) => {
		let thrown = "";
		try {
			apiFromEnvironment({ ...environment, ...over });
		} catch (error) {
			thrown = (error as Error).message;
		}
		expect(thrown).toMatch(message);
		expect(thrown).not.toContain("s3cr3t");
	});
});
