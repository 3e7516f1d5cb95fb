import type { Project } from "@trunkline/contracts";
import { DomainError } from "../errors.ts";
import type { ProjectCache } from "./cache.ts";

/**
 * The project whose policy and LiveKit server hold; undefined for one that the deployment itself brings (`builtIn`), which has the deployment's. One that
 * is deleted has neither: it throws `unauthenticated`, as its calls must not go on with somebody else's limits, or into somebody else's rooms.
 */
export async function projectInForce(
	projects: Pick<ProjectCache, "getProject">,
	builtIn: readonly string[],
	projectId: string,
): Promise<Project | undefined> {
	if (builtIn.includes(projectId)) return undefined;
	const project = await projects.getProject(projectId);
	if (project === undefined) throw new DomainError("unauthenticated", `the project ${JSON.stringify(projectId)} is gone`);
	return project;
}
