import { GetParametersCommand, SSMClient } from "@aws-sdk/client-ssm";

/** Parameters below SECRETS_PREFIX. Optional ones are not there in stages that do not use what they are for. */
export type SecretName = "LIVEKIT_URL" | "LIVEKIT_API_KEY" | "LIVEKIT_API_SECRET" | "NONCE_SECRET";
export type OptionalSecretName = "ADMIN_SECRET" | "API_KEYS";

type Environment = Readonly<Record<string, string | undefined>>;

/** Values by the full name of the parameter; what is not there is left out. */
export type ReadParameters = (names: readonly string[]) => Promise<ReadonlyMap<string, string>>;

/** Of which API keys that are LiveKit's own belong to, unless PROJECT_ID says. */
const DEFAULT_PROJECT = "default";

/**
 * The environment of a function with its secrets in it. In the cloud they are encrypted parameters (SSM) below SECRETS_PREFIX, such as
 * `/trunkline/production/`, read in one request when the function starts and kept by its process; variables that are set already are not asked for.
 * Without SECRETS_PREFIX the environment is all there is. LiveKit's own key is one of API_KEYS, for the project PROJECT_ID; the parameter API_KEYS has others.
 *
 * Throws one line that names the parameters that are missing, or says why they could not be read, and never a value.
 */
export async function withSecrets(
	environment: Environment,
	names: readonly SecretName[],
	optional: readonly OptionalSecretName[] = [],
	read: ReadParameters = parametersOf(environment),
): Promise<Environment> {
	const prefix = environment["SECRETS_PREFIX"] ?? "";
	if (prefix === "") return environment;
	if (!/^\/[\w./-]*\/$/.test(prefix)) throw new Error("bad environment: SECRETS_PREFIX: must be a path such as /trunkline/production/");
	const isMissing = (name: string): boolean => (environment[name] ?? "") === "";
	const wanted = [...names, ...optional].filter(isMissing);
	const found = wanted.length === 0 ? new Map<string, string>() : await readOrExplain(read, prefix, wanted);
	const values = Object.fromEntries(wanted.map((name) => [name, found.get(prefix + name)]).filter(([, value]) => (value ?? "") !== ""));
	const missing = names.filter((name) => isMissing(name) && values[name] === undefined);
	if (missing.length > 0) throw new Error(`these secrets are not set: ${missing.map((name) => prefix + name).join(", ")} (SSM parameters)`);
	return withApiKeys({ ...environment, ...values });
}

/** As LiveKit's SDKs are set up with one key for rooms and calls, LiveKit's own key is the first of the API's. */
function withApiKeys(environment: Environment): Environment {
	const { API_KEYS: others = "", LIVEKIT_API_KEY: key = "", LIVEKIT_API_SECRET: secret = "", PROJECT_ID } = environment;
	if (key === "" || secret === "") return environment;
	const own = JSON.stringify({ [key]: { secret, projectId: PROJECT_ID ?? DEFAULT_PROJECT } });
	// Objects, one after the other: what is wrong with the second, whoever reads API_KEYS says.
	const all = others === "" || others === "{}" ? own : `${own.slice(0, -1)},${others.trim().replace(/^\{/, "")}`;
	return { ...environment, API_KEYS: all };
}

async function readOrExplain(read: ReadParameters, prefix: string, names: readonly string[]): Promise<ReadonlyMap<string, string>> {
	try {
		return await read(names.map((name) => prefix + name));
	} catch (error) {
		const why = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
		throw new Error(`the secrets below ${prefix} could not be read: ${why}`, { cause: error });
	}
}

/** All of them in one request: SSM allows ten. */
function parametersOf({ AWS_REGION: region = "" }: Environment): ReadParameters {
	return async (names) => {
		// A function that cannot start is started again by Lambda: better soon than after its whole ten seconds.
		const requestHandler = { connectionTimeout: 1_000, requestTimeout: 2_000, throwOnRequestTimeout: true };
		const client = new SSMClient({ region, maxAttempts: 3, requestHandler });
		try {
			const { Parameters = [] } = await client.send(new GetParametersCommand({ Names: [...names], WithDecryption: true }));
			return new Map(Parameters.map(({ Name = "", Value = "" }) => [Name, Value] as const));
		} finally {
			client.destroy();
		}
	};
}
