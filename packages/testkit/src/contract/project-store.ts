import { DEFAULT_POLICY, type Project } from "@trunkline/contracts";
import type { ProjectStore } from "@trunkline/domain";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";

const NOW = 1_800_000_000_000;

export interface ProjectStoreUnderTest {
	store: ProjectStore;
	close?: () => Promise<void>;
}

/** What every ProjectStore does. One store serves all tests; each has ids of its own, ascending. */
export function projectStoreContract(name: string, factory: () => Promise<ProjectStoreUnderTest>): void {
	let tested: ProjectStoreUnderTest;
	let store: ProjectStore;
	let count = 0;
	let prefix = "";

	const projectOf = (id: string, changes: Partial<Project> = {}): Project => ({
		projectId: `p_${prefix}${id}`,
		name: id,
		apiKeys: [{ key: `API${prefix}${id}`, secrets: [{ secret: `secret of ${id}`, createdAt: NOW }], createdAt: NOW }],
		policy: DEFAULT_POLICY,
		createdAt: NOW,
		updatedAt: NOW,
		version: 1,
		...changes,
	});
	const key = (id: string, ...secrets: Project["apiKeys"][number]["secrets"]): Project["apiKeys"][number] => ({
		key: `API${prefix}${id}`,
		secrets,
		createdAt: NOW,
	});

	describe(`ProjectStore: ${name}`, () => {
		beforeAll(async () => {
			tested = await factory();
			store = tested.store;
		}, 60_000);
		afterAll(() => tested.close?.());
		beforeEach(() => {
			prefix = `${String(++count).padStart(3, "0")}x`;
		});

		it("gives back what it was given, by id and by each key", async () => {
			const full = projectOf("a", {
				livekit: { url: "wss://a.livekit.cloud", apiKey: "APIlk", apiSecret: "s3cret" },
				apiKeys: [
					key("a1", { secret: "one", createdAt: NOW }, { secret: "two", createdAt: NOW - 1, expiresAt: NOW + 1 }),
					key("a2", { secret: "three", createdAt: NOW }),
				],
				policy: { ...DEFAULT_POLICY, callsPerSecond: null, allowedPrefixes: ["+44"] },
			});
			await store.createProject(full);
			expect(await store.getProject(full.projectId)).toStrictEqual(full);
			expect(await store.findByApiKey(`API${prefix}a1`)).toStrictEqual(full);
			expect(await store.findByApiKey(`API${prefix}a2`)).toStrictEqual(full);
			expect(await store.findByApiKey(`API${prefix}a`)).toBeUndefined();
			expect(await store.getProject(`p_${prefix}`)).toBeUndefined();
			expect(await store.findByApiKey("")).toBeUndefined();
			expect(await store.getProject("x".repeat(5000))).toBeUndefined();
		});

		it("has one project of an id and of a key", async () => {
			await store.createProject(projectOf("a"));
			await expect(store.createProject(projectOf("a", { apiKeys: [] }))).rejects.toMatchObject({ code: "already_exists" });
			await expect(store.createProject(projectOf("b", { apiKeys: projectOf("a").apiKeys }))).rejects.toMatchObject({
				code: "already_exists",
			});
			expect(await store.getProject(`p_${prefix}b`)).toBeUndefined();
			const results = await Promise.allSettled(
				Array.from({ length: 8 }, (_, i) =>
					store.createProject(projectOf(`r${i}`, { apiKeys: [key("same", { secret: "s", createdAt: NOW })] })),
				),
			);
			expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
		});

		it("replaces a version by the next one only", async () => {
			const project = projectOf("a");
			expect(await store.replaceProject({ ...project, version: 2 })).toBe(false);
			await store.createProject(project);
			expect(await store.replaceProject({ ...project, version: 3 })).toBe(false);
			expect(await store.replaceProject({ ...project, version: 1 })).toBe(false);
			const races = await Promise.all(
				Array.from({ length: 8 }, (_, i) => store.replaceProject({ ...project, version: 2, name: `writer ${i}` })),
			);
			expect(races.filter(Boolean)).toHaveLength(1);
			expect(await store.getProject(project.projectId)).toMatchObject({ version: 2, name: `writer ${races.indexOf(true)}` });
		});

		it("keys come and go with their project's versions", async () => {
			const project = projectOf("a");
			await store.createProject(project);
			const second = key("b", { secret: "s", createdAt: NOW });
			expect(await store.replaceProject({ ...project, version: 2, apiKeys: [second] })).toBe(true);
			expect(await store.findByApiKey(`API${prefix}a`)).toBeUndefined();
			expect((await store.findByApiKey(`API${prefix}b`))?.version).toBe(2);
			const other = projectOf("c");
			await store.createProject(other);
			await expect(store.replaceProject({ ...other, version: 2, apiKeys: [second] })).rejects.toMatchObject({ code: "already_exists" });
			expect(await store.getProject(other.projectId)).toStrictEqual(other);
		});

		it("deletes a project with its keys, which are free then", async () => {
			const project = projectOf("a");
			await store.createProject(project);
			expect(await store.deleteProject(project.projectId)).toStrictEqual(project);
			expect(await store.deleteProject(project.projectId)).toBeUndefined();
			expect(await store.findByApiKey(`API${prefix}a`)).toBeUndefined();
			expect((await store.listProjects({})).map(({ projectId }) => projectId)).not.toContain(project.projectId);
			await store.createProject(projectOf("b", { apiKeys: project.apiKeys }));
		});

		it("lists in the order of ids, page by page", async () => {
			for (const id of ["c", "a", "b"]) await store.createProject(projectOf(id));
			const after = { afterId: `p_${prefix}` };
			const names = async (page: object): Promise<string[]> =>
				(await store.listProjects({ ...after, ...page })).map((project) => project.name);
			expect(await names({})).toEqual(["a", "b", "c"]);
			expect(await names({ limit: 2 })).toEqual(["a", "b"]);
			expect(await names({ afterId: `p_${prefix}b`, limit: 2 })).toEqual(["c"]);
		});
	});
}
