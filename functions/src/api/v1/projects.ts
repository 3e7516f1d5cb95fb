import { createHash, timingSafeEqual } from "node:crypto";
import { createProjectSchema, type Project, rotateKeySchema, updateProjectSchema } from "@trunkline/contracts";
import {
	DomainError,
	type NewKey,
	newProject,
	projectView,
	updatedProject,
	withNewKey,
	withoutKey,
	withRotatedKey,
} from "@trunkline/domain";
import { type Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import * as z from "zod";
import type { ApiDeps, ProjectDeps } from "../deps.ts";
import { errorResponse, responseForError } from "../errors.ts";

const MAX_BODY_BYTES = 64 * 1024;
const PAGE_SIZE = 100;
/** Somebody else changed the project in between: the change is made to what he wrote. */
const MAX_ATTEMPTS = 10;

const pageSchema = z.strictObject({
	after_id: z.string().max(256).optional(),
	limit: z.coerce.number().int().min(1).max(PAGE_SIZE).default(PAGE_SIZE),
});

/** `/v1/projects`, for the administrator of the deployment alone. To be mounted there. */
export function projectRoutes(deps: ApiDeps): Hono {
	const app = new Hono();
	const { projects } = deps;
	if (projects?.adminSecret === undefined) {
		app.all("*", () => errorResponse("not_found", "projects cannot be changed here: this server was started without an admin secret"));
		return app;
	}
	const { adminSecret } = projects;
	app.use(async (context, next) => (isAdmin(context, adminSecret) ? next() : errorResponse("unauthenticated", "permissions denied")));
	app.use(
		bodyLimit({
			maxSize: MAX_BODY_BYTES,
			onError: () => errorResponse("malformed", `the request body is larger than ${MAX_BODY_BYTES} bytes`),
		}),
	);
	const admin = new ProjectAdmin(deps, projects);
	app.post("/", async (context) => context.json(await admin.create(await bodyOf(context, createProjectSchema)), 201));
	app.get("/", async (context) => context.json(await admin.list(parsed(pageSchema, context.req.query()))));
	app.get("/:id", async (context) => context.json(await admin.get(context.req.param("id"))));
	app.patch("/:id", async (context) =>
		context.json(await admin.update(context.req.param("id"), await bodyOf(context, updateProjectSchema))),
	);
	app.delete("/:id", async (context) => context.json(await admin.delete(context.req.param("id"))));
	app.post("/:id/keys", async (context) => context.json(await admin.addKey(context.req.param("id")), 201));
	app.post("/:id/keys/:key/rotate", async (context) => {
		const { id, key } = context.req.param();
		return context.json(await admin.rotateKey(id, key, await bodyOf(context, rotateKeySchema)));
	});
	app.delete("/:id/keys/:key", async (context) => {
		const { id, key } = context.req.param();
		return context.json(await admin.deleteKey(id, key));
	});
	app.onError((error) => {
		if (!(error instanceof DomainError)) deps.log.error({ err: error }, "request failed");
		return responseForError(error);
	});
	return app;
}

/** What an answer with a new secret looks like: it is shown here and never again. */
type WithKey = ReturnType<typeof projectView> & { apiKey: NewKey };

class ProjectAdmin {
	readonly #deps: ApiDeps;
	readonly #projects: ProjectDeps;

	constructor(deps: ApiDeps, projects: ProjectDeps) {
		this.#deps = deps;
		this.#projects = projects;
	}

	async create(request: z.infer<typeof createProjectSchema>): Promise<WithKey> {
		const { project, key } = newProject(request, this.#now());
		await this.#projects.store.createProject(project);
		this.#audit("project.create", project, { key: key.key });
		return { ...projectView(project), apiKey: key };
	}

	async list({
		after_id,
		limit,
	}: z.infer<typeof pageSchema>): Promise<{ projects: ReturnType<typeof projectView>[]; next_after_id?: string }> {
		const projects = await this.#projects.store.listProjects({ limit, ...(after_id === undefined ? {} : { afterId: after_id }) });
		const last = projects.length === limit ? projects.at(-1) : undefined;
		return { projects: projects.map(projectView), ...(last === undefined ? {} : { next_after_id: last.projectId }) };
	}

	async get(projectId: string): Promise<ReturnType<typeof projectView>> {
		return projectView(await this.#stored(projectId));
	}

	async update(projectId: string, request: z.infer<typeof updateProjectSchema>): Promise<ReturnType<typeof projectView>> {
		const { project } = await this.#change(projectId, (before) => ({ project: updatedProject(before, request, this.#deps.clock()) }));
		const { policy, ...rest } = request;
		const fields = [...Object.keys(rest), ...Object.keys(policy ?? {}).map((field) => `policy.${field}`)];
		this.#audit("project.update", project, { fields });
		return projectView(project);
	}

	/** A project that has trunks or rules stays: their numbers would be nobody's, and calls to them lost without a word. */
	async delete(projectId: string): Promise<ReturnType<typeof projectView>> {
		const project = await this.#stored(projectId);
		const { configStore } = this.#deps;
		const [inbound, outbound, rules] = await Promise.all([
			configStore.listInboundTrunks(projectId, { limit: 1 }),
			configStore.listOutboundTrunks(projectId, { limit: 1 }),
			configStore.listRules(projectId, { limit: 1 }),
		]);
		const left = [...inbound, ...outbound].map(({ trunkId }) => trunkId).concat(rules.map(({ ruleId }) => ruleId));
		if (left.length > 0)
			throw new DomainError("failed_precondition", `the project still has trunks or rules (${left.join(", ")}, …): delete them first`);
		if ((await this.#projects.store.deleteProject(projectId)) === undefined) throw notFound(projectId);
		this.#audit("project.delete", project, {});
		return projectView(project);
	}

	async addKey(projectId: string): Promise<WithKey> {
		return this.#keyChange("key.create", projectId, (project) => withNewKey(project, this.#now()));
	}

	async rotateKey(projectId: string, key: string, request: z.infer<typeof rotateKeySchema>): Promise<WithKey> {
		return this.#keyChange("key.rotate", projectId, (project) => withRotatedKey(project, key, request, this.#now()));
	}

	async deleteKey(projectId: string, key: string): Promise<ReturnType<typeof projectView>> {
		const { project } = await this.#change(projectId, (before) => ({ project: withoutKey(before, key, this.#deps.clock()) }));
		this.#audit("key.delete", project, { key });
		return projectView(project);
	}

	async #keyChange(action: string, projectId: string, change: (project: Project) => { project: Project; key: NewKey }): Promise<WithKey> {
		const { project, key } = await this.#change(projectId, change);
		this.#audit(action, project, { key: key.key });
		return { ...projectView(project), apiKey: key };
	}

	async #change<T extends { project: Project }>(projectId: string, change: (project: Project) => T): Promise<T> {
		for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
			const changed = change(await this.#stored(projectId));
			if (await this.#projects.store.replaceProject(changed.project)) return changed;
		}
		throw new DomainError("aborted", "others are changing the project at this moment; try again");
	}

	async #stored(projectId: string): Promise<Project> {
		const project = await this.#projects.store.getProject(projectId);
		if (project === undefined) throw notFound(projectId);
		return project;
	}

	#now(): Parameters<typeof newProject>[1] {
		return { now: this.#deps.clock(), random: this.#deps.random };
	}

	/** Who holds the admin secret did it; which fields, and none of their values. */
	#audit(action: string, { projectId, version }: Project, fields: Record<string, unknown>): void {
		this.#deps.log.info({ audit: true, action, projectId, version, ...fields }, "project changed");
	}
}

function isAdmin({ req }: Context, adminSecret: string): boolean {
	const header = req.header("authorization") ?? "";
	const digest = (text: string): Buffer => createHash("sha256").update(text).digest();
	// Digests have one length, and the time that comparing them takes says nothing of the secret.
	return timingSafeEqual(digest(header), digest(`Bearer ${adminSecret}`));
}

/** No body at all is an empty object: every field has a default then. */
async function bodyOf<T>({ req }: Context, schema: z.ZodType<T>): Promise<T> {
	const text = await req.text();
	let body: unknown = {};
	try {
		if (text !== "") body = JSON.parse(text);
	} catch {
		throw new DomainError("invalid_argument", "the body is no JSON");
	}
	return parsed(schema, body);
}

function parsed<T>(schema: z.ZodType<T>, value: unknown): T {
	const result = schema.safeParse(value);
	if (result.success) return result.data;
	// Values are left out: one of them may be a secret in the wrong place.
	throw new DomainError(
		"invalid_argument",
		result.error.issues.map(({ path, message }) => `${path.join(".") || "body"}: ${message}`).join("; "),
	);
}

function notFound(projectId: string): DomainError {
	return new DomainError("not_found", `there is no project ${JSON.stringify(projectId)}`);
}
