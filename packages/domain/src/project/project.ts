import {
	type CreateProject,
	DEFAULT_POLICY,
	type FraudPolicy,
	newId,
	type Project,
	type ProjectApiKey,
	type ProjectSecret,
	type ProjectView,
	type RandomBytes,
	randomBase58,
	type RotateKey,
	type UpdateProject,
} from "@trunkline/contracts";
import { DomainError } from "../errors.ts";

export const MAX_API_KEYS = 10;
/** 43 characters of base 58 are 251 bits. */
const SECRET_LENGTH = 43;

/** An API key or a rotated one, with the only sight of its secret. */
export interface NewKey {
	key: string;
	secret: string;
}

interface Now {
	/** ms since the epoch */
	now: number;
	random: RandomBytes;
}

/** A project with one API key. */
export function newProject(request: CreateProject, { now, random }: Now): { project: Project; key: NewKey } {
	if (request.livekit === undefined) checkSharedRooms(request.sharedRooms);
	const apiKey = newApiKey({ now, random });
	const project: Project = {
		projectId: newId("p_", random),
		name: request.name,
		apiKeys: [apiKey],
		...(request.livekit === undefined ? {} : { livekit: request.livekit }),
		policy: changedPolicy(DEFAULT_POLICY, request.policy),
		createdAt: now,
		updatedAt: now,
		version: 1,
	};
	return { project, key: { key: apiKey.key, secret: apiKey.secrets[0].secret } };
}

/** Throws `aborted` when the request names another version. */
export function updatedProject(project: Project, request: UpdateProject, now: number): Project {
	if (request.version !== undefined && request.version !== project.version)
		throw new DomainError("aborted", `version ${request.version} is not the current one, ${project.version}: read the project again`);
	const updated: Project = {
		...next(project, now),
		name: request.name ?? project.name,
		policy: changedPolicy(project.policy, request.policy ?? {}),
	};
	if (request.livekit === null) {
		checkSharedRooms(request.sharedRooms);
		delete updated.livekit;
	} else if (request.livekit !== undefined) updated.livekit = request.livekit;
	return updated;
}

/** A LiveKit server's rooms are one name space: a project without a server of its own could call into the rooms of others, and listen. */
function checkSharedRooms(sharedRooms = false): void {
	if (sharedRooms) return;
	throw new DomainError(
		"invalid_argument",
		"livekit is missing: give the project a LiveKit server of its own, or sharedRooms: true if its calls may share the rooms of the deployment's server with other projects",
	);
}

/** Throws `resource_exhausted` when the project has all the keys it may have. */
export function withNewKey(project: Project, { now, random }: Now): { project: Project; key: NewKey } {
	if (project.apiKeys.length >= MAX_API_KEYS)
		throw new DomainError("resource_exhausted", `the project has ${project.apiKeys.length} API keys, ${MAX_API_KEYS} is the limit`);
	const apiKey = newApiKey({ now, random });
	return {
		project: { ...next(project, now), apiKeys: [...project.apiKeys, apiKey] },
		key: { key: apiKey.key, secret: apiKey.secrets[0].secret },
	};
}

/** Throws `not_found`. */
export function withoutKey(project: Project, key: string, now: number): Project {
	keyOf(project, key);
	return { ...next(project, now), apiKeys: project.apiKeys.filter((apiKey) => apiKey.key !== key) };
}

/**
 * A new secret for a key; the previous one is accepted for `graceMs` beside it. Throws `not_found`, and `failed_precondition` while an earlier rotation lasts:
 * a third secret would put out clients that still use the first.
 */
export function withRotatedKey(project: Project, key: string, request: RotateKey, { now, random }: Now): { project: Project; key: NewKey } {
	const apiKey = keyOf(project, key);
	const [previous, oldest] = apiKey.secrets;
	if (oldest?.expiresAt !== undefined && oldest.expiresAt > now && !request.force)
		throw new DomainError(
			"failed_precondition",
			`the key ${key} still has two secrets, for ${Math.ceil((oldest.expiresAt - now) / 60_000)} minutes more; with "force": true the older one is refused at once`,
		);
	const current: ProjectSecret = { secret: randomBase58(SECRET_LENGTH, random), createdAt: now };
	const rotated: ProjectApiKey = {
		...apiKey,
		secrets: request.graceMs === 0 ? [current] : [current, { ...previous, expiresAt: now + request.graceMs }],
	};
	return {
		project: { ...next(project, now), apiKeys: project.apiKeys.map((other) => (other.key === key ? rotated : other)) },
		key: { key, secret: current.secret },
	};
}

/** The secrets of a key that are accepted at `now`: one or two, the current one first. None for a key that is not the project's. */
export function liveSecrets(project: Project, key: string, now: number): string[] {
	const apiKey = project.apiKeys.find((candidate) => candidate.key === key);
	return (apiKey?.secrets ?? []).filter(({ expiresAt }) => expiresAt === undefined || expiresAt > now).map(({ secret }) => secret);
}

/** Without any secret. */
export function projectView(project: Project): ProjectView {
	const { apiKeys, livekit, ...rest } = project;
	return {
		...rest,
		apiKeys: apiKeys.map(({ key, createdAt, secrets }) => ({
			key,
			createdAt,
			secrets: secrets.map(({ secret: _, ...times }) => times),
		})),
		...(livekit === undefined ? {} : { livekit: { url: livekit.url, apiKey: livekit.apiKey } }),
	};
}

function newApiKey({ now, random }: Now): ProjectApiKey {
	return { key: newId("API", random), secrets: [{ secret: randomBase58(SECRET_LENGTH, random), createdAt: now }], createdAt: now };
}

function keyOf(project: Project, key: string): ProjectApiKey {
	const apiKey = project.apiKeys.find((candidate) => candidate.key === key);
	if (apiKey === undefined) throw new DomainError("not_found", `the project has no API key ${JSON.stringify(key)}`);
	return apiKey;
}

function next<T extends Pick<Project, "version" | "updatedAt">>(project: T, now: number): T {
	return { ...project, version: project.version + 1, updatedAt: now };
}

function changedPolicy(policy: FraudPolicy, changes: { [Field in keyof FraudPolicy]?: FraudPolicy[Field] | undefined }): FraudPolicy {
	const given = Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined));
	return { ...policy, ...given };
}
