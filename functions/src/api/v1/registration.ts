import { type RegistrationView, registrationViewSchema, type Trunk, trunkParamsSchema } from "@trunkline/contracts";
import { DomainError, effectiveSettings, type RegistrationRecord } from "@trunkline/domain";
import { route } from "./route.ts";

export const getTrunkRegistration = route({
	method: "get",
	path: "/v1/trunks/{trunkId}/registration",
	operationId: "getTrunkRegistration",
	summary: "How an outbound trunk's registration at its carrier goes",
	grants: ["sipAdmin"],
	params: trunkParamsSchema,
	response: registrationViewSchema,
	run: async ({ deps, v1, projectId, params: { trunkId } }) => {
		// The trunk first: what is no trunk of this project has no registration to be seen.
		const trunk = await deps.configStore.getTrunk(projectId, trunkId);
		if (trunk === undefined) throw new DomainError("not_found", `there is no trunk ${JSON.stringify(trunkId)}`, { field: "trunkId" });
		return viewOf(trunk, await v1.registrationStore.getRegistration(projectId, trunkId), deps.clock());
	},
});

function viewOf(trunk: Trunk, record: RegistrationRecord | undefined, now: number): RegistrationView {
	const { trunkId } = trunk;
	const { registration } = effectiveSettings(trunk.settings);
	if (trunk.kind !== "outbound" || !registration.enabled) return { trunkId, state: "off" };
	const registrar = registration.registrar ?? trunk.address;
	// A lease that is over is of a node that is gone; another one is about to take it.
	if (record === undefined || record.leaseUntil <= now) return { trunkId, registrar, state: "waiting" };
	const { state, nodeId, contact, registeredUntil, message, sipStatus, retryAt, updatedAt } = record;
	return {
		...{ trunkId, registrar, state, nodeId, updatedAt },
		...(contact === undefined ? {} : { contact }),
		...(registeredUntil === undefined ? {} : { registeredUntil }),
		...(message === undefined ? {} : { message }),
		...(sipStatus === undefined ? {} : { sipStatus }),
		...(retryAt === undefined ? {} : { retryAt }),
	};
}
