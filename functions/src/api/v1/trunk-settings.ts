import { type Trunk, type TrunkSettings, trunkParamsSchema, trunkSettingsBodySchema, trunkSettingsViewSchema } from "@trunkline/contracts";
import { DomainError, trunkSettingsView, trunkWithSettings, validateInboundTrunk, validateOutboundTrunk } from "@trunkline/domain";
import { changing } from "../changing.ts";
import type { ApiDeps } from "../deps.ts";
import { route } from "./route.ts";

const common = {
	path: "/v1/trunks/{trunkId}/settings",
	grants: ["sipAdmin"],
	params: trunkParamsSchema,
	response: trunkSettingsViewSchema,
} as const;

export const getTrunkSettings = route({
	...common,
	method: "get",
	operationId: "getTrunkSettings",
	summary: "What a trunk says beyond LiveKit's fields, and what follows from it",
	run: async ({ deps, projectId, params }) => trunkSettingsView(await storedTrunk(deps, projectId, params.trunkId)),
});

export const putTrunkSettings = route({
	...common,
	method: "put",
	operationId: "putTrunkSettings",
	summary: "Say what a trunk does beyond LiveKit's fields; replaces what was said before",
	body: trunkSettingsBodySchema,
	run: async ({ deps, projectId, params, body }) => {
		await checkBridge(deps, projectId, body);
		return trunkSettingsView(await changed(deps, projectId, params.trunkId, body));
	},
});

export const deleteTrunkSettings = route({
	...common,
	method: "delete",
	operationId: "deleteTrunkSettings",
	summary: "Take the settings back: nothing is assumed about the trunk's other end any more",
	run: async ({ deps, projectId, params }) => trunkSettingsView(await changed(deps, projectId, params.trunkId, undefined)),
});

function changed(deps: ApiDeps, projectId: string, trunkId: string, settings: TrunkSettings | undefined): Promise<Trunk> {
	return changing(deps, {
		read: () => storedTrunk(deps, projectId, trunkId),
		change: (stored) => {
			const next = trunkWithSettings(stored, settings, deps.clock());
			if (next.kind === "inbound") validateInboundTrunk(next);
			else validateOutboundTrunk(next);
			return next;
		},
		store: (previous, next) => deps.configStore.updateTrunk(projectId, previous, next),
		what: "the same trunk",
	});
}

/** Throws `invalid_argument` unless the trunk that transfers are bridged over is there and calls out. */
async function checkBridge({ configStore }: ApiDeps, projectId: string, { transfer }: TrunkSettings): Promise<void> {
	const trunkId = transfer?.bridgeTrunkId;
	if (trunkId === undefined || trunkId === "same") return;
	const trunk = await configStore.getTrunk(projectId, trunkId);
	if (trunk?.kind === "outbound") return;
	const field = "transfer.bridgeTrunkId";
	throw new DomainError("invalid_argument", `settings.${field}: there is no outbound trunk ${JSON.stringify(trunkId)}`, { field });
}

async function storedTrunk({ configStore }: ApiDeps, projectId: string, trunkId: string): Promise<Trunk> {
	const trunk = await configStore.getTrunk(projectId, trunkId);
	if (trunk === undefined) throw new DomainError("not_found", `there is no trunk ${JSON.stringify(trunkId)}`, { field: "trunkId" });
	return trunk;
}
