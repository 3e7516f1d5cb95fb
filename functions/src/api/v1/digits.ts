import { callIdSchema, digitsRequestSchema, digitsResultSchema, randomBase58 } from "@trunkline/contracts";
import { DomainError, errorForPlacement } from "@trunkline/domain";
import * as z from "zod";
import { route } from "./route.ts";

export const pressDigits = route({
	method: "post",
	path: "/v1/calls/{id}/dtmf",
	operationId: "pressDigits",
	summary: "Press digits in an answered call: its telephone hears them as those of somebody in the room",
	grants: ["sipAdmin", "sipCall"],
	params: z.object({ id: callIdSchema }),
	body: digitsRequestSchema,
	response: digitsResultSchema,
	run: async ({ deps, projectId, params, body: { digits } }) => {
		const call = await deps.callStore.getCall(params.id);
		if (call?.projectId !== projectId) throw new DomainError("not_found", `there is no call ${JSON.stringify(params.id)}`, { field: "id" });
		if (deps.command === undefined) throw new DomainError("unimplemented", "this deployment presses no digits");
		if (call.state !== "active")
			throw new DomainError("failed_precondition", `the call is ${call.state}: digits are pressed in an answered call`);
		const transferId = `STR_${randomBase58(12, deps.random)}`;
		const outcome = await deps.command(call, { transferId, digits });
		if (outcome.status === "failed") throw errorForPlacement(outcome);
		return { pressed: digits.length };
	},
});
