import { testCallRequestSchema, testCallSchema } from "@trunkline/contracts";
import { DomainError } from "@trunkline/domain";
import { route } from "./route.ts";

export const placeTestCall = route({
	method: "post",
	path: "/v1/test-calls",
	operationId: "placeTestCall",
	summary: "On a laptop: the built-in telephone calls in, plays a tune and repeats what it hears",
	grants: ["sipAdmin"],
	body: testCallRequestSchema,
	response: testCallSchema,
	run: async ({ v1, projectId, body }) => {
		if (v1.testCall === undefined)
			throw new DomainError(
				"unimplemented",
				"there is no built-in telephone here: it belongs to `npm start`; call in with a telephone of your own",
			);
		return v1.testCall(projectId, body);
	},
});
