import { DEFAULT_POLICY } from "@trunkline/contracts";
import {
	admission,
	type CallLimitStore,
	type CallStore,
	type ConfigStore,
	countedCalls,
	type NumberOwnerStore,
	numberOwnership,
	ProjectCache,
	projectInForce,
	type ProjectStore,
} from "@trunkline/domain";
import { inboundTrunksOf, pages } from "./ua/inbound-trunks.ts";
import type { MediaNodeOptions } from "./wire.ts";

export interface NodeProjectsOptions {
	store: ProjectStore;
	owners: NumberOwnerStore;
	callLimits: CallLimitStore;
	configStore: ConfigStore;
	callStore: CallStore;
	/** gets inbound calls whose number and network nobody has */
	fallbackProject: string;
	/** of the deployment itself, the one above included: they are in no store, and nothing of theirs is counted */
	builtInProjects: readonly string[];
	/** ms since the epoch */
	now(): number;
	log: { warn(fields: Record<string, unknown>, message: string): void };
}

/** What a node has to know of projects beside its own: whose an inbound call is, where its room is, and that the limits are told of its end. */
export function nodeProjects(options: NodeProjectsOptions): Required<Pick<MediaNodeOptions, "projects" | "callStore">> {
	const { store, owners, callLimits, configStore, callStore, fallbackProject, builtInProjects, now, log } = options;
	const cache = new ProjectCache({ store, now });
	const { projectForInbound } = numberOwnership({
		store: configStore,
		owners,
		isProject: async (projectId) => builtInProjects.includes(projectId) || (await cache.getProject(projectId)) !== undefined,
		fallbackProject,
		now,
	});
	return {
		projects: {
			forInbound: projectForInbound,
			inboundTrunks: inboundTrunksOf(configStore, async (most) => {
				const made = await pages(
					(page) => store.listProjects(page),
					most,
					({ projectId }) => projectId,
				);
				return made === undefined ? undefined : [...builtInProjects, ...made.map(({ projectId }) => projectId)];
			}),
			policy: async (projectId) => (await projectInForce(cache, builtInProjects, projectId))?.policy ?? DEFAULT_POLICY,
			admit: admission({
				projectOf: (projectId) => projectInForce(cache, builtInProjects, projectId),
				calls: callStore,
				limits: callLimits,
				now,
			}),
			livekit: async (projectId) => (await projectInForce(cache, builtInProjects, projectId))?.livekit,
		},
		callStore: countedCalls({
			store: callStore,
			limits: callLimits,
			uncounted: builtInProjects,
			onError: (error, callId) => log.warn({ err: error, callId }, "a call could not be counted"),
		}),
	};
}
