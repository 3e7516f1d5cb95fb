import * as z from "zod";
import { type FraudPolicy, policySchema } from "./policy.ts";

export interface ProjectSecret {
	secret: string;
	/** ms since the epoch */
	createdAt: number;
	/** ms since the epoch; tokens signed with it are refused from then on. Unset: it is the key's current secret. */
	expiresAt?: number;
}

/** An API key as LiveKit's SDKs use it: `key` is the issuer of a token, a secret signs it. */
export interface ProjectApiKey {
	key: string;
	/** the current one first; while a rotation lasts, the previous one second */
	secrets: [ProjectSecret] | [ProjectSecret, ProjectSecret];
	createdAt: number;
}

/** The LiveKit server on which a project's rooms are, with the key that joins them. */
export interface ProjectLiveKit {
	url: string;
	apiKey: string;
	apiSecret: string;
}

/** Trunks, rules and calls belong to one project, and nothing of one is seen by another. */
export interface Project {
	projectId: string;
	name: string;
	apiKeys: ProjectApiKey[];
	/** unset = the deployment's LiveKit server */
	livekit?: ProjectLiveKit;
	policy: FraudPolicy;
	createdAt: number;
	updatedAt: number;
	/** optimistic version, 1 on create */
	version: number;
}

const nameSchema = z.string().max(255);
const livekitSchema = z.strictObject({
	url: z.url({ protocol: /^(https?|wss?)$/ }).max(1024),
	apiKey: z.string().min(1).max(255),
	apiSecret: z.string().min(1).max(512),
});

export const createProjectSchema = z.strictObject({
	name: nameSchema.default(""),
	livekit: livekitSchema.optional(),
	/** what is not given has its default */
	policy: policySchema.partial().default({}),
});
export type CreateProject = z.infer<typeof createProjectSchema>;

/** What is not given stays as it is; `livekit: null` goes back to the deployment's server. */
export const updateProjectSchema = z.strictObject({
	name: nameSchema.optional(),
	livekit: livekitSchema.nullable().optional(),
	policy: policySchema.partial().optional(),
	/** the update is refused when the project has another version by now */
	version: z.number().int().positive().optional(),
});
export type UpdateProject = z.infer<typeof updateProjectSchema>;

export const rotateKeySchema = z.strictObject({
	/** how long the previous secret is accepted beside the new one; a day unless given, 0 = not at all */
	graceMs: z
		.number()
		.int()
		.min(0)
		.max(30 * 24 * 3600 * 1000)
		.default(24 * 3600 * 1000),
	/** rotate although an earlier rotation still lasts: the oldest secret is refused at once */
	force: z.boolean().default(false),
});
export type RotateKey = z.infer<typeof rotateKeySchema>;

/** A project as the API shows it: no secret in it. */
export interface ProjectView {
	projectId: string;
	name: string;
	apiKeys: { key: string; createdAt: number; secrets: { createdAt: number; expiresAt?: number }[] }[];
	livekit?: { url: string; apiKey: string };
	policy: FraudPolicy;
	createdAt: number;
	updatedAt: number;
	version: number;
}
