import type { Project } from "@trunkline/contracts";
import { DomainError, type Page, type ProjectStore } from "@trunkline/domain";

/** Projects in memory; what goes in and out is copied. */
export class MemoryProjectStore implements ProjectStore {
	readonly #projects = new Map<string, Project>();

	async createProject(project: Project): Promise<void> {
		if (this.#projects.has(project.projectId)) throw new DomainError("already_exists", `the project ${project.projectId} exists already`);
		this.#checkKeys(project);
		this.#projects.set(project.projectId, structuredClone(project));
	}

	async getProject(projectId: string): Promise<Project | undefined> {
		return structuredClone(this.#projects.get(projectId));
	}

	async findByApiKey(apiKey: string): Promise<Project | undefined> {
		return structuredClone([...this.#projects.values()].find((project) => project.apiKeys.some(({ key }) => key === apiKey)));
	}

	async listProjects({ afterId, limit }: Page): Promise<Project[]> {
		const ids = [...this.#projects.keys()].filter((id) => !afterId || id > afterId).sort();
		return (limit ? ids.slice(0, limit) : ids).flatMap((id) => structuredClone(this.#projects.get(id)) ?? []);
	}

	async replaceProject(project: Project): Promise<boolean> {
		if (this.#projects.get(project.projectId)?.version !== project.version - 1) return false;
		this.#checkKeys(project);
		this.#projects.set(project.projectId, structuredClone(project));
		return true;
	}

	async deleteProject(projectId: string): Promise<Project | undefined> {
		const project = this.#projects.get(projectId);
		this.#projects.delete(projectId);
		return project;
	}

	#checkKeys({ projectId, apiKeys }: Project): void {
		const others = [...this.#projects.values()].filter((other) => other.projectId !== projectId);
		const taken = new Set(others.flatMap((other) => other.apiKeys.map(({ key }) => key)));
		if (apiKeys.some(({ key }) => taken.has(key))) throw new DomainError("already_exists", "an API key of the project is taken");
	}
}
