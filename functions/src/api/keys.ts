import type { ProjectCache } from "@trunkline/domain";
import type { ApiKey, ApiKeys } from "./deps.ts";

/** API keys of the deployment itself, then those of projects. */
export function apiKeys(builtIn: (apiKey: string) => ApiKey | undefined, projects: ProjectCache): ApiKeys {
	return {
		lookup: async (apiKey) => {
			const own = builtIn(apiKey);
			if (own !== undefined) return own;
			const found = await projects.findByApiKey(apiKey);
			const [secret, previousSecret] = found?.secrets ?? [];
			if (found === undefined || secret === undefined) return undefined;
			return { projectId: found.project.projectId, secret, ...(previousSecret === undefined ? {} : { previousSecret }) };
		},
		forget: (apiKey) => projects.forget(apiKey),
	};
}
