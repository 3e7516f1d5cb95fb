import { webhookSettingsSchema } from "@trunkline/contracts";
import { DomainError } from "@trunkline/domain";
import { targetProblem } from "../../consumers/webhook-target.ts";
import { route } from "./route.ts";

export const getWebhooks = route({
	method: "get",
	path: "/v1/webhooks",
	operationId: "getWebhooks",
	summary: "Where the project's events go",
	grants: ["sipAdmin"],
	response: webhookSettingsSchema,
	run: ({ v1, projectId }) => v1.webhookStore.getWebhooks(projectId),
});

export const putWebhooks = route({
	method: "put",
	path: "/v1/webhooks",
	operationId: "putWebhooks",
	summary: "Say where the project's events go; replaces what was said before",
	grants: ["sipAdmin"],
	body: webhookSettingsSchema,
	response: webhookSettingsSchema,
	run: async ({ v1, projectId, body }) => {
		for (const [index, { url }] of body.webhooks.entries()) {
			const problem = targetProblem(new URL(url), v1.webhookTargets);
			const field = `webhooks.${index}.url`;
			if (problem !== undefined) throw new DomainError("invalid_argument", `${field}: ${problem}`, { field });
		}
		await v1.webhookStore.putWebhooks(projectId, body);
		return body;
	},
});
