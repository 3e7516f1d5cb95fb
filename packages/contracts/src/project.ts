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
	/** without `livekit`: yes, its calls may be put into any room of the deployment's server, which other projects use too */
	sharedRooms: z.boolean().default(false),
	/** what is not given has its default */
	policy: policySchema.partial().default({}),
});
export type CreateProject = z.infer<typeof createProjectSchema>;

/** What is not given stays as it is; `livekit: null` goes back to the deployment's server. */
export const updateProjectSchema = z.strictObject({
	name: nameSchema.optional(),
	livekit: livekitSchema.nullable().optional(),
	/** has to be true beside `livekit: null` */
	sharedRooms: z.boolean().optional(),
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

const millisecondsSchema = z.int().meta({ description: "milliseconds since the epoch" });

const viewFields = {
	projectId: z.string().meta({ examples: ["p_3nVKGYxUmDbQ"] }),
	name: z.string(),
	apiKeys: z.array(
		z.object({
			key: z.string(),
			createdAt: millisecondsSchema,
			secrets: z
				.array(z.object({ createdAt: millisecondsSchema, expiresAt: millisecondsSchema.optional() }))
				.meta({ description: "the current one first; the previous one while a rotation lasts" }),
		}),
	),
	livekit: z.object({ url: z.string(), apiKey: z.string() }).optional().meta({ description: "absent: the deployment's LiveKit server" }),
	policy: policySchema,
	createdAt: millisecondsSchema,
	updatedAt: millisecondsSchema,
	version: z.int().meta({ description: "goes up with each change" }),
};

/** A project as the API shows it: no secret in it. */
export const projectViewSchema = z.object(viewFields).meta({ id: "Project" });
export type ProjectView = z.infer<typeof projectViewSchema>;

export const projectWithKeySchema = z
	.object({
		...viewFields,
		apiKey: z.object({ key: z.string(), secret: z.string() }).meta({ description: "the secret is shown here and never again" }),
	})
	.meta({ id: "ProjectWithKey" });
export type ProjectWithKey = z.infer<typeof projectWithKeySchema>;

const MAX_PAGE = 100;

export const listProjectsQuerySchema = z.strictObject({
	limit: z
		.string()
		.regex(/^\d{1,3}$/, `must be a number from 1 to ${MAX_PAGE}`)
		.transform(Number)
		.pipe(z.int().min(1).max(MAX_PAGE))
		.optional()
		.meta({ description: `projects on a page, ${MAX_PAGE} when not said` }),
	cursor: z.string().min(1).max(256).optional().meta({ description: "nextCursor of the page before" }),
});
export type ListProjectsQuery = z.infer<typeof listProjectsQuerySchema>;

export const projectPageSchema = z
	.object({
		projects: z.array(projectViewSchema),
		nextCursor: z.string().optional().meta({ description: "give it as `cursor` for the next page; absent on the last one" }),
	})
	.meta({ id: "ProjectPage", description: "in the order of their ids" });
export type ProjectPage = z.infer<typeof projectPageSchema>;
