import { DEFAULT_POLICY, type FraudPolicy, type ProjectLiveKit } from "@trunkline/contracts";
import {
	admission,
	type CallLimitStore,
	type CallStore,
	countedCalls,
	type NumberOwnerStore,
	type NumberOwnership,
	numberOwnership,
	ProjectCache,
	projectInForce,
	type ProjectStore,
} from "@trunkline/domain";
import { SignJWT } from "jose";
import { verifiedToken } from "./auth.ts";
import type { ApiDeps, ApiKeys } from "./deps.ts";
import { forwardTo } from "./forward.ts";

export interface ProjectOptions {
	store: ProjectStore;
	owners: NumberOwnerStore;
	callLimits: CallLimitStore;
	/** of the deployment itself: their keys are in `ApiDeps.keys`, and they are in no store */
	builtInProjects: readonly string[];
	/** gets inbound calls that no project owns, and alone may have a trunk for any number from anywhere */
	fallbackProject?: string;
	adminSecret?: string;
}

export interface WithProjects {
	deps: ApiDeps;
	/** Which project an inbound call belongs to: for the media node. */
	projectForInbound: NumberOwnership["projectForInbound"];
	/** For the media node: tells the limits of a call's project that it is answered or over. */
	callStore: CallStore;
	/** For the media node: the LiveKit server and key of a call's project, undefined = the deployment's. Throws when the project is gone. */
	livekitOf(projectId: string): Promise<ProjectLiveKit | undefined>;
	/** For the media node: where a project's calls may go. */
	policyOf(projectId: string): Promise<FraudPolicy>;
	/** For the media node: counts calls that it begins by itself. */
	admit: ReturnType<typeof admission>;
}

/** An API for the projects of `deps` and those that are made through /v1/projects. */
export function withProjects(deps: ApiDeps, options: ProjectOptions): WithProjects {
	const { store, owners, callLimits, builtInProjects, fallbackProject, adminSecret } = options;
	const cache = new ProjectCache({ store, now: deps.clock });
	const ownership = numberOwnership({
		store: deps.configStore,
		owners,
		isProject: async (projectId) => builtInProjects.includes(projectId) || (await cache.getProject(projectId)) !== undefined,
		...(fallbackProject === undefined ? {} : { fallbackProject }),
		now: deps.clock,
	});
	const keys = keysWithProjects(deps.keys, cache);
	const callStore = countedCalls({
		store: deps.callStore,
		limits: callLimits,
		uncounted: builtInProjects,
		onError: (error, callId) => deps.log.warn({ err: error, callId }, "a call could not be counted"),
	});
	return {
		deps: {
			...deps,
			callStore,
			configStore: ownership.configStore,
			keys,
			projects: { store, cache, callLimits, builtIn: builtInProjects, ...(adminSecret === undefined ? {} : { adminSecret }) },
			roomService: roomServiceOfProjects({ keys, clock: deps.clock }, cache, deps.roomService),
		},
		projectForInbound: (calledNumber, source) => ownership.projectForInbound(calledNumber, source),
		callStore,
		livekitOf: async (projectId) => (await projectInForce(cache, builtInProjects, projectId))?.livekit,
		policyOf: async (projectId) => (await projectInForce(cache, builtInProjects, projectId))?.policy ?? DEFAULT_POLICY,
		admit: admission({
			projectOf: (projectId) => projectInForce(cache, builtInProjects, projectId),
			calls: deps.callStore,
			limits: callLimits,
			now: deps.clock,
		}),
	};
}

/** Keys of the deployment itself, then those of projects. */
function keysWithProjects(builtIn: ApiKeys, projects: ProjectCache): ApiKeys {
	return {
		lookup: async (apiKey) => {
			const own = await builtIn.lookup(apiKey);
			if (own !== undefined) return own;
			const found = await projects.findByApiKey(apiKey);
			const [secret, previousSecret] = found?.secrets ?? [];
			if (found === undefined || secret === undefined) return undefined;
			return { projectId: found.project.projectId, secret, ...(previousSecret === undefined ? {} : { previousSecret }) };
		},
		forget: (apiKey) => projects.forget(apiKey),
	};
}

/**
 * A project's own LiveKit server knows its own key only: a request that is signed with a key from here goes there signed with that one. Everything else
 * goes on as it is.
 */
function roomServiceOfProjects(
	deps: Pick<ApiDeps, "keys" | "clock">,
	projects: ProjectCache,
	otherwise: ApiDeps["roomService"],
): ApiDeps["roomService"] {
	return async (request) => {
		const token = await verifiedToken(request, deps);
		const livekit = token.kind === "verified" ? (await projects.getProject(token.projectId))?.livekit : undefined;
		if (token.kind !== "verified" || livekit === undefined) return otherwise(request);
		const signed = await new SignJWT(token.payload)
			.setProtectedHeader({ alg: "HS256" })
			.setIssuer(livekit.apiKey)
			.sign(new TextEncoder().encode(livekit.apiSecret));
		const headers = new Headers(request.headers);
		headers.set("authorization", `Bearer ${signed}`);
		const url = new URL(request.url);
		url.searchParams.delete("access_token");
		const body = request.body === null ? {} : { body: request.body, duplex: "half" };
		return forwardTo(livekit.url)(new Request(url, { method: request.method, headers, ...body } as RequestInit));
	};
}
