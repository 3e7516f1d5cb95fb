import { describe, expect, it } from "vitest";
import { type ReadParameters, withSecrets } from "./secrets.ts";
import { apiFromEnvironment } from "./wire.ts";

const PREFIX = "/trunkline/production/";
const ALL = ["LIVEKIT_URL", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET"] as const;
const STORED = { LIVEKIT_URL: "wss://rooms.example", LIVEKIT_API_KEY: "key", LIVEKIT_API_SECRET: "s3cr3t" };

function store(parameters: Record<string, string>): { read: ReadParameters; asked: (readonly string[])[] } {
	const asked: (readonly string[])[] = [];
	const all = new Map(Object.entries(parameters).map(([name, value]) => [PREFIX + name, value]));
	return {
		asked,
		read: async (names) => {
			asked.push(names);
			return new Map(names.flatMap((name) => (all.has(name) ? [[name, all.get(name) ?? ""] as const] : [])));
		},
	};
}

describe("withSecrets", () => {
	it("without SECRETS_PREFIX is the environment, and asks for nothing", async () => {
		const { read, asked } = store(STORED);
		const environment = { API_KEYS: "{}", LIVEKIT_API_KEY: "key", LIVEKIT_API_SECRET: "s" };
		expect(await withSecrets(environment, ALL, [], read)).toBe(environment);
		expect(asked).toEqual([]);
	});

	it("asks at once for what the environment does not have; LiveKit's key is one of the API's", async () => {
		const { read, asked } = store({ ...STORED, ADMIN_SECRET: "a" });
		const given = { SECRETS_PREFIX: PREFIX, LIVEKIT_URL: "ws://elsewhere", PROJECT_ID: "mine" };
		expect(await withSecrets(given, ALL, ["ADMIN_SECRET", "API_KEYS"], read)).toEqual({
			...given,
			LIVEKIT_API_KEY: "key",
			LIVEKIT_API_SECRET: "s3cr3t",
			ADMIN_SECRET: "a",
			API_KEYS: '{"key":{"secret":"s3cr3t","projectId":"mine"}}',
		});
		expect(asked).toEqual([["LIVEKIT_API_KEY", "LIVEKIT_API_SECRET", "ADMIN_SECRET", "API_KEYS"].map((name) => PREFIX + name)]);
	});

	it.each(['{"other":{"secret":"o","projectId":"p"}}', ' { "other": {"secret":"o","projectId":"p"} }\n'])(
		"other keys stand beside it: %j",
		async (API_KEYS) => {
			const { read } = store({ ...STORED, API_KEYS });
			const environment = await withSecrets({ SECRETS_PREFIX: PREFIX }, ALL, ["API_KEYS"], read);
			expect(JSON.parse(environment["API_KEYS"] ?? "")).toEqual({
				key: { secret: "s3cr3t", projectId: "default" },
				other: { secret: "o", projectId: "p" },
			});
		},
	);

	it.each(["[]", "{}x", "no JSON, but s3cr3t", '"s3cr3t"'])(
		"other keys that are none are refused, and not repeated: %s",
		async (API_KEYS) => {
			const { read } = store({ ...STORED, API_KEYS });
			const environment = await withSecrets({ SECRETS_PREFIX: PREFIX }, ALL, ["API_KEYS"], read);
			const start = () =>
				apiFromEnvironment({
					...environment,
					AWS_REGION: "eu-west-1",
					CONFIG_TABLE: "config",
					CALLS_TABLE: "calls",
					DIAL_QUEUE_URL: "https://sqs.example/dial",
					COMMAND_QUEUE_URL_PREFIX: "https://sqs.example/commands-",
				});
			expect(start).toThrow(/^bad environment: API_KEYS: is no JSON$/);
		},
	);

	it("names what is missing, and no value", async () => {
		const { read } = store({ LIVEKIT_API_SECRET: "s3cr3t", LIVEKIT_URL: "" });
		await expect(withSecrets({ SECRETS_PREFIX: PREFIX }, ALL, [], read)).rejects.toThrow(
			/^these secrets are not set: \/trunkline\/production\/LIVEKIT_URL, \/trunkline\/production\/LIVEKIT_API_KEY \(SSM parameters\)$/,
		);
	});

	it("says why they could not be read", async () => {
		const refused = Object.assign(new Error("User: … is not authorized"), { name: "AccessDeniedException" });
		const read = () => Promise.reject(refused);
		await expect(withSecrets({ SECRETS_PREFIX: PREFIX }, ALL, [], read)).rejects.toThrow(
			`the secrets below ${PREFIX} could not be read: AccessDeniedException: User: … is not authorized`,
		);
	});

	it.each(["trunkline/", "/trunkline", "/a b/"])("%s is no prefix", async (SECRETS_PREFIX) => {
		await expect(withSecrets({ SECRETS_PREFIX }, ALL, [], store(STORED).read)).rejects.toThrow("SECRETS_PREFIX: must be a path");
	});
});
