import type { CallLimitStore } from "@trunkline/domain";
import { createDynamoClient, createKmsSecretBox, DynamoCallLimitStore, DynamoNumberOwnerStore, DynamoProjectStore } from "@trunkline/store";
import * as z from "zod";
import type { ApiDeps } from "./api/deps.ts";
import type { SigningKey } from "./consumers/webhook-sender.ts";
import { type WithProjects, withProjects } from "./api/projects.ts";

/** Whoever guesses it owns the deployment. */
const MIN_ADMIN_SECRET_LENGTH = 32;

/** With what the events of a project that was made through /v1/projects are signed: its first key. Throws nothing; undefined without PROJECTS_KMS_KEY. */
export function projectKeysFromEnvironment(
	environment: Readonly<Record<string, string | undefined>>,
): (projectId: string) => Promise<SigningKey | undefined> {
	const { AWS_REGION: region = "", CONFIG_TABLE: table = "", PROJECTS_KMS_KEY: keyId } = environment;
	if (keyId === undefined || keyId === "") return async () => undefined;
	const store = new DynamoProjectStore({ client: createDynamoClient({ region }), table, box: createKmsSecretBox({ region, keyId }) });
	return async (projectId) => {
		const key = (await store.getProject(projectId))?.apiKeys[0];
		return key && { apiKey: key.key, secret: key.secrets[0].secret };
	};
}

const environmentSchema = z.object({
	AWS_REGION: z.string().min(1),
	CONFIG_TABLE: z.string().min(1),
	CALLS_TABLE: z.string().min(1),
	/** id, ARN or alias of the KMS key that seals the secrets of projects; unset: there are no projects but those of API_KEYS */
	PROJECTS_KMS_KEY: z.string().min(1).optional(),
	/** bearer of /v1/projects; unset: projects cannot be changed */
	ADMIN_SECRET: z.string().min(MIN_ADMIN_SECRET_LENGTH).optional(),
	/** gets inbound calls whose number and network no project has, and may have a trunk for any number from anywhere */
	FALLBACK_PROJECT: z.string().min(1).optional(),
});

/** The API with projects, on AWS; undefined without PROJECTS_KMS_KEY. `builtInProjects`: those of API_KEYS. Throws as `apiFromEnvironment` does. */
export function projectsFromEnvironment(
	deps: ApiDeps,
	environment: Readonly<Record<string, string | undefined>>,
	builtInProjects: readonly string[],
	callLimits?: CallLimitStore,
): WithProjects | undefined {
	const parsed = environmentSchema.safeParse(environment);
	if (!parsed.success) {
		const problems = parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);
		throw new Error(`bad environment: ${problems.join("; ")}`);
	}
	const {
		AWS_REGION: region,
		CONFIG_TABLE,
		CALLS_TABLE,
		PROJECTS_KMS_KEY: keyId,
		ADMIN_SECRET: adminSecret,
		FALLBACK_PROJECT,
	} = parsed.data;
	if (keyId === undefined) return undefined;
	const client = createDynamoClient({ region });
	const fallbackProject = FALLBACK_PROJECT ?? (builtInProjects.length === 1 ? builtInProjects[0] : undefined);
	return withProjects(deps, {
		store: new DynamoProjectStore({ client, table: CONFIG_TABLE, box: createKmsSecretBox({ region, keyId }) }),
		owners: new DynamoNumberOwnerStore({ client, table: CONFIG_TABLE }),
		callLimits: callLimits ?? new DynamoCallLimitStore({ client, table: CALLS_TABLE }),
		builtInProjects,
		...(fallbackProject === undefined ? {} : { fallbackProject }),
		...(adminSecret === undefined ? {} : { adminSecret }),
	});
}
