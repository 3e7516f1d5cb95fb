import { explainRequestSchema, explanationSchema } from "@trunkline/contracts";
import { explainInbound } from "@trunkline/domain";
import type { ApiDeps } from "../deps.ts";
import { route } from "./route.ts";

export const explain = route({
	method: "post",
	path: "/v1/explain",
	operationId: "explain",
	summary: "Which trunk and rule would take an inbound call, and why not the others",
	grants: ["sipAdmin"],
	body: explainRequestSchema,
	response: explanationSchema,
	run: ({ deps, v1, projectId, body }) => {
		const headers = Object.entries(body.headers ?? {}).map(([name, value]) => ({ name, value }));
		const { from, to, source, pin } = body;
		return explainInbound(
			{ from, to, source, headers, ...(pin === undefined ? {} : { pin }) },
			{
				trunksFor: (number) => deps.configStore.inboundTrunksFor(projectId, number),
				rulesFor: (trunkId, called) => deps.configStore.rulesFor(projectId, trunkId, called),
				strict: v1.strictDispatch,
				random: deps.random,
				here: { region: body.region ?? deps.regions[0], sipAddress: (region) => sipAddressOf(deps, region) },
			},
		);
	},
});

function sipAddressOf({ regional }: ApiDeps, region: string): string | undefined {
	return regional?.served.find((one) => one.region === region)?.sipAddress;
}
