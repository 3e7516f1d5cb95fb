import { CreateSIPParticipantRequest } from "@livekit/protocol";
import {
	callDetailsSchema,
	dialBodySchema,
	type DispatchRule,
	type DispatchRuleSettings,
	dispatchRuleSettingsBodySchema,
	dispatchRuleSettingsViewSchema,
	regionListSchema,
	type RegionListView,
	ruleParamsSchema,
} from "@trunkline/contracts";
import { callDetails, DomainError, regionCode, ruleWithSettings } from "@trunkline/domain";
import { changing } from "../changing.ts";
import type { ApiDeps, RegionView } from "../deps.ts";
import { servedRegions } from "../regions/dial-region.ts";
import { placeParticipant } from "../routes/participant.ts";
import { route } from "./route.ts";

export const listRegions = route({
	method: "get",
	path: "/v1/regions",
	operationId: "listRegions",
	summary: "The deployment's regions, their media nodes and how many more calls they take",
	grants: ["sipAdmin", "sipCall"],
	response: regionListSchema,
	run: async ({ deps }) => {
		const served: readonly RegionView[] = deps.regional?.served ?? servedRegions(deps);
		return { regions: await Promise.all(served.map((one, index) => regionOf(deps, one, index === 0))) };
	},
});

export const dial = route({
	method: "post",
	path: "/v1/calls",
	operationId: "dial",
	summary: "Call somebody into a room, from these regions alone",
	grants: ["sipCall"],
	body: dialBodySchema,
	response: callDetailsSchema,
	run: async ({ deps, projectId, idempotency, body: { participant, regions } }) => {
		const { signal } = new AbortController();
		return callDetails(await placeParticipant(requestOf(participant), { deps, projectId, idempotency, signal }, regions));
	},
});

const settingsRoute = {
	path: "/v1/dispatch-rules/{ruleId}/settings",
	grants: ["sipAdmin"],
	params: ruleParamsSchema,
	response: dispatchRuleSettingsViewSchema,
} as const;

export const getRuleSettings = route({
	...settingsRoute,
	method: "get",
	operationId: "getDispatchRuleSettings",
	summary: "What a dispatch rule says beyond LiveKit's fields",
	run: async ({ deps, projectId, params }) => viewOf(await storedRule(deps, projectId, params.ruleId)),
});

export const putRuleSettings = route({
	...settingsRoute,
	method: "put",
	operationId: "putDispatchRuleSettings",
	summary: "Say what a dispatch rule does beyond LiveKit's fields; replaces what was said before",
	body: dispatchRuleSettingsBodySchema,
	run: async ({ deps, projectId, params, body }) => viewOf(await changed(deps, projectId, params.ruleId, body)),
});

export const deleteRuleSettings = route({
	...settingsRoute,
	method: "delete",
	operationId: "deleteDispatchRuleSettings",
	summary: "Take the settings back: calls that the rule takes may be anywhere",
	run: async ({ deps, projectId, params }) => viewOf(await changed(deps, projectId, params.ruleId, undefined)),
});

async function regionOf(deps: ApiDeps, view: RegionView, home: boolean): Promise<RegionListView["regions"][number]> {
	const { region, countries, livekitUrl, sipAddress } = view;
	const told = {
		...{ region, home, code: regionCode(region) },
		...(countries === undefined ? {} : { countries }),
		...(livekitUrl === undefined ? {} : { livekitUrl }),
		...(sipAddress === undefined ? {} : { sipAddress }),
	};
	if (deps.regional?.nodesOf === undefined) return told;
	try {
		const nodes = await deps.regional.nodesOf(region);
		const ready = nodes.filter(({ state }) => state === "ready");
		const sum = (count: (node: (typeof nodes)[number]) => number): number => ready.reduce((total, node) => total + count(node), 0);
		const capacity = {
			nodes: nodes.length,
			calls: nodes.reduce((total, { calls }) => total + calls, 0),
			maxCalls: sum(({ maxCalls }) => maxCalls),
			free: sum(({ calls, maxCalls }) => Math.max(0, maxCalls - calls)),
		};
		return {
			...told,
			capacity,
			nodes: nodes.map(({ nodeId, state, build, calls, maxCalls, heartbeatAt }) => ({
				nodeId,
				state,
				build,
				calls,
				maxCalls,
				heartbeatAt,
			})),
		};
	} catch (error) {
		// What is known of the other regions is told all the same.
		deps.log.warn({ region, err: error }, "a region's nodes could not be read");
		return { ...told, problem: "its nodes could not be asked for" };
	}
}

function requestOf(participant: Record<string, unknown>): CreateSIPParticipantRequest {
	try {
		return CreateSIPParticipantRequest.fromJsonString(JSON.stringify(participant), { ignoreUnknownFields: false });
	} catch (error) {
		const message = error instanceof Error ? error.message : String(error);
		throw new DomainError("invalid_argument", `participant: is no CreateSIPParticipantRequest: ${message}`, { field: "participant" });
	}
}

const viewOf = ({ ruleId, settings = {} }: DispatchRule): { ruleId: string; settings: DispatchRuleSettings } => ({ ruleId, settings });

function changed(deps: ApiDeps, projectId: string, ruleId: string, settings: DispatchRuleSettings | undefined): Promise<DispatchRule> {
	return changing(deps, {
		read: () => storedRule(deps, projectId, ruleId),
		change: (stored) => ruleWithSettings(stored, settings, deps.clock()),
		store: (previous, next) => deps.configStore.updateRule(projectId, previous, next),
		what: "the same dispatch rule",
	});
}

async function storedRule({ configStore }: ApiDeps, projectId: string, ruleId: string): Promise<DispatchRule> {
	const rule = await configStore.getRule(projectId, ruleId);
	if (rule === undefined) throw new DomainError("not_found", `there is no dispatch rule ${JSON.stringify(ruleId)}`, { field: "ruleId" });
	return rule;
}
