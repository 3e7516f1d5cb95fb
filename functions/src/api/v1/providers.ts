import { providerListSchema, providerParamsSchema, providerProfileSchema } from "@trunkline/contracts";
import { providerProfile, providerProfiles } from "@trunkline/domain";
import { route } from "./route.ts";

export const listProviders = route({
	method: "get",
	path: "/v1/providers",
	operationId: "listProviders",
	summary: "What is known of the providers that a trunk can name, with sources",
	grants: ["sipAdmin", "sipCall"],
	response: providerListSchema,
	run: async () => ({ providers: providerProfiles() }),
});

export const getProvider = route({
	method: "get",
	path: "/v1/providers/{id}",
	operationId: "getProvider",
	summary: "What is known of a provider, with sources",
	grants: ["sipAdmin", "sipCall"],
	params: providerParamsSchema,
	response: providerProfileSchema,
	run: async ({ params }) => providerProfile(params.id),
});
