import type {
	CreateProject,
	ListProjectsQuery,
	Project,
	ProjectPage,
	ProjectView,
	ProjectWithKey,
	RotateKey,
	UpdateProject,
} from "@trunkline/contracts";
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
import { changing } from "../changing.ts";
import type { ApiDeps, ProjectDeps } from "../deps.ts";

const PAGE_SIZE = 100;

/** What the administrator of a deployment does with its projects; each change is a line of the audit log. Throws DomainError. */
export class ProjectAdmin {
	readonly #deps: ApiDeps;
	readonly #projects: ProjectDeps;

	constructor(deps: ApiDeps, projects: ProjectDeps) {
		this.#deps = deps;
		this.#projects = projects;
	}

	async create(request: CreateProject): Promise<ProjectWithKey> {
		const { project, key } = newProject(request, this.#now());
		await this.#projects.store.createProject(project);
		this.#audit("project.create", project, { key: key.key });
		return { ...projectView(project), apiKey: key };
	}

	async list({ cursor, limit = PAGE_SIZE }: ListProjectsQuery): Promise<ProjectPage> {
		const projects = await this.#projects.store.listProjects({ limit, ...(cursor === undefined ? {} : { afterId: cursor }) });
		const last = projects.length === limit ? projects.at(-1) : undefined;
		return { projects: projects.map(projectView), ...(last === undefined ? {} : { nextCursor: last.projectId }) };
	}

	async get(projectId: string): Promise<ProjectView> {
		return projectView(await this.#stored(projectId));
	}

	async update(projectId: string, request: UpdateProject): Promise<ProjectView> {
		const { project } = await this.#change(projectId, (before) => ({ project: updatedProject(before, request, this.#deps.clock()) }));
		const { policy, ...rest } = request;
		const fields = [...Object.keys(rest), ...Object.keys(policy ?? {}).map((field) => `policy.${field}`)];
		this.#audit("project.update", project, { fields });
		return projectView(project);
	}

	/** A project that has trunks or rules stays: their numbers would be nobody's, and calls to them lost without a word. */
	async delete(projectId: string): Promise<ProjectView> {
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
		this.#projects.cache.forgetProject(project);
		this.#audit("project.delete", project, {});
		return projectView(project);
	}

	async addKey(projectId: string): Promise<ProjectWithKey> {
		return this.#keyChange("key.create", projectId, (project) => withNewKey(project, this.#now()));
	}

	async rotateKey(projectId: string, key: string, request: RotateKey): Promise<ProjectWithKey> {
		return this.#keyChange("key.rotate", projectId, (project) => withRotatedKey(project, key, request, this.#now()));
	}

	async deleteKey(projectId: string, key: string): Promise<ProjectView> {
		const { project } = await this.#change(projectId, (before) => ({ project: withoutKey(before, key, this.#deps.clock()) }));
		this.#audit("key.delete", project, { key });
		return projectView(project);
	}

	async #keyChange(
		action: string,
		projectId: string,
		change: (project: Project) => { project: Project; key: NewKey },
	): Promise<ProjectWithKey> {
		const { project, key } = await this.#change(projectId, change);
		this.#audit(action, project, { key: key.key });
		return { ...projectView(project), apiKey: key };
	}

	async #change<T extends { project: Project }>(projectId: string, change: (project: Project) => T): Promise<T> {
		return changing(this.#deps, {
			read: () => this.#stored(projectId),
			change,
			store: async (before, changed) => {
				const isStored = await this.#projects.store.replaceProject(changed.project);
				if (isStored) for (const project of [before, changed.project]) this.#projects.cache.forgetProject(project);
				return isStored;
			},
			what: "the project",
		});
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

function notFound(projectId: string): DomainError {
	return new DomainError("not_found", `there is no project ${JSON.stringify(projectId)}`);
}
