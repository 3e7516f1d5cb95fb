import { createProjectSchema, DEFAULT_POLICY, type Project, rotateKeySchema, updateProjectSchema } from "@trunkline/contracts";
import { describe, expect, test } from "vitest";
import { ProjectCache } from "./cache.ts";
import { liveSecrets, MAX_API_KEYS, newProject, projectView, updatedProject, withNewKey, withoutKey, withRotatedKey } from "./project.ts";

const NOW = 1_800_000_000_000;
let counter = 0;
const random = (length: number): Uint8Array => Uint8Array.from({ length }, () => (counter = (counter * 31 + 7) % 229));
const at = (now: number) => ({ now, random });
const create = (request: unknown = {}) => newProject(createProjectSchema.parse({ sharedRooms: true, ...(request as object) }), at(NOW));
const livekit = { url: "wss://a.livekit.cloud", apiKey: "APIx", apiSecret: "hunter2" };

describe("projects", () => {
	test("a new one has a key, a secret and the default policy", () => {
		const { project, key } = create({ policy: { concurrentCalls: 5 } });
		expect(project).toMatchObject({
			version: 1,
			createdAt: NOW,
			updatedAt: NOW,
			name: "",
			policy: { ...DEFAULT_POLICY, concurrentCalls: 5 },
		});
		expect(project.projectId).toMatch(/^p_[1-9A-HJ-NP-Za-km-z]{12}$/);
		expect(key.key).toMatch(/^API[1-9A-HJ-NP-Za-km-z]{12}$/);
		expect(key.secret).toMatch(/^[1-9A-HJ-NP-Za-km-z]{43}$/);
		expect(liveSecrets(project, key.key, NOW)).toEqual([key.secret]);
	});
	test("an update changes what is given", () => {
		const { project } = create({ name: "a", livekit });
		const update = (request: unknown, from = project) => updatedProject(from, updateProjectSchema.parse(request), NOW + 1);
		expect(update({ policy: { callsPerSecond: null } })).toEqual({
			...project,
			version: 2,
			updatedAt: NOW + 1,
			policy: { ...DEFAULT_POLICY, callsPerSecond: null },
		});
		expect(update({ name: "b" })).toMatchObject({ name: "b", livekit });
		expect(update({ livekit: null, sharedRooms: true })).not.toHaveProperty("livekit");
		expect(() => update({ livekit: null })).toThrow("sharedRooms: true");
		expect(() => newProject(createProjectSchema.parse({ name: "a" }), at(NOW))).toThrow("livekit is missing");
		expect(() => update({ version: 2 })).toThrow(expect.objectContaining({ code: "aborted" }));
	});
	test("what it shows has no secret", () => {
		const { project, key } = create({ livekit });
		const rotated = withRotatedKey(project, key.key, rotateKeySchema.parse({}), at(NOW)).project;
		const shown = JSON.stringify(projectView(rotated));
		for (const secret of [key.secret, ...liveSecrets(rotated, key.key, NOW), "hunter2"]) expect(shown).not.toContain(secret);
		expect(projectView(rotated)).toMatchObject({ livekit: { url: livekit.url, apiKey: "APIx" }, apiKeys: [{ key: key.key }] });
	});
	test.each([
		{ policy: { allowedPrefixes: ["44"] } },
		{ policy: { callsPerSecond: -1 } },
		{ policy: { concurrentCalls: 1.5 } },
		{ policy: { concurrentCall: 1 } },
		{ livekit: { ...livekit, url: "ftp://x" } },
		{ name: "x".repeat(256) },
		{ projectId: "mine" },
	])("%j is refused", (request) => expect(createProjectSchema.safeParse(request).success).toBe(false));
});

describe("keys", () => {
	const rotate = (project: Project, key: string, request: unknown, now: number) =>
		withRotatedKey(project, key, rotateKeySchema.parse(request), at(now));

	test("two secrets are live while a rotation lasts", () => {
		const { project, key } = create();
		const { project: rotated, key: second } = rotate(project, key.key, { graceMs: 1000 }, NOW);
		expect(liveSecrets(rotated, key.key, NOW + 999)).toEqual([second.secret, key.secret]);
		expect(liveSecrets(rotated, key.key, NOW + 1000)).toEqual([second.secret]);
		expect(() => rotate(rotated, key.key, {}, NOW + 999)).toThrow(expect.objectContaining({ code: "failed_precondition" }));
		const forced = rotate(rotated, key.key, { force: true }, NOW + 999);
		expect(liveSecrets(forced.project, key.key, NOW + 999)).toEqual([forced.key.secret, second.secret]);
		const third = rotate(rotated, key.key, {}, NOW + 1000);
		expect(liveSecrets(third.project, key.key, NOW + 1000)).toEqual([third.key.secret, second.secret]);
	});
	test("without grace the old secret is refused at once", () => {
		const { project, key } = create();
		const rotated = rotate(project, key.key, { graceMs: 0 }, NOW);
		expect(liveSecrets(rotated.project, key.key, NOW)).toEqual([rotated.key.secret]);
	});
	test("are added up to a limit, and taken away", () => {
		let { project } = create();
		for (let i = 1; i < MAX_API_KEYS; i++) project = withNewKey(project, at(NOW)).project;
		expect(new Set(project.apiKeys.map(({ key }) => key)).size).toBe(MAX_API_KEYS);
		expect(() => withNewKey(project, at(NOW))).toThrow(expect.objectContaining({ code: "resource_exhausted" }));
		const [first] = project.apiKeys;
		const less = withoutKey(project, first?.key ?? "", NOW);
		expect(liveSecrets(less, first?.key ?? "", NOW)).toEqual([]);
		expect(() => withoutKey(less, first?.key ?? "", NOW)).toThrow(expect.objectContaining({ code: "not_found" }));
	});
});

describe("cache", () => {
	function setUp(options: { max?: number } = {}) {
		const { project, key } = create();
		const stored = new Map([[key.key, project]]);
		const reads: string[] = [];
		let now = NOW;
		let failing = false;
		const cache = new ProjectCache({
			store: {
				findByApiKey: async (name) => {
					reads.push(name);
					if (failing) throw new Error("down");
					return stored.get(name);
				},
				getProject: async (id) => {
					reads.push(id);
					return [...stored.values()].find(({ projectId }) => projectId === id);
				},
			},
			now: () => now,
			ttlMs: 10_000,
			...options,
		});
		return {
			cache,
			reads,
			stored,
			project,
			key,
			pass: (ms: number) => void (now += ms),
			fail: (yes: boolean) => void (failing = yes),
		};
	}

	test("one read per key and time to live, however many ask at once", async () => {
		const { cache, reads, key, pass } = setUp();
		await Promise.all(Array.from({ length: 20 }, () => cache.findByApiKey(key.key)));
		pass(9_999);
		expect((await cache.findByApiKey(key.key))?.secrets).toEqual([key.secret]);
		expect(reads).toHaveLength(1);
		pass(1);
		await cache.findByApiKey(key.key);
		expect(reads).toHaveLength(2);
	});
	test("a secret ends when it ends, not when the cache does", async () => {
		const { cache, stored, project, key, pass } = setUp();
		const rotated = withRotatedKey(project, key.key, rotateKeySchema.parse({ graceMs: 5000 }), at(NOW));
		stored.set(key.key, rotated.project);
		expect((await cache.findByApiKey(key.key))?.secrets).toHaveLength(2);
		pass(5000);
		expect((await cache.findByApiKey(key.key))?.secrets).toEqual([rotated.key.secret]);
	});
	test("unknown keys are remembered, push out no known one, and are not read when they cannot be keys", async () => {
		const { cache, reads, key } = setUp({ max: 3 });
		await cache.findByApiKey(key.key);
		for (let i = 0; i < 50; i++) expect(await cache.findByApiKey(`APIguess${i}`)).toBeUndefined();
		await cache.findByApiKey("APIguess49");
		await cache.findByApiKey(key.key);
		expect(reads).toHaveLength(51);
		for (const text of ["", "a b", "../x", "x".repeat(65), "é"]) expect(await cache.findByApiKey(text)).toBeUndefined();
		expect(reads).toHaveLength(51);
		await cache.findByApiKey("APIguess0");
		expect(reads).toHaveLength(52);
	});
	test("a failure is not remembered", async () => {
		const { cache, key, fail } = setUp();
		fail(true);
		await expect(cache.findByApiKey(key.key)).rejects.toThrow("down");
		fail(false);
		expect(await cache.findByApiKey(key.key)).toBeDefined();
	});
	test("forgets on demand, at most once a second", async () => {
		const { cache, key, pass, reads } = setUp();
		await cache.findByApiKey(key.key);
		expect(cache.forget(key.key)).toBe(false);
		pass(1000);
		expect([cache.forget(key.key), cache.forget(key.key)]).toEqual([true, false]);
		await cache.findByApiKey(key.key);
		expect(reads).toHaveLength(2);
	});
	test("projects by id", async () => {
		const { cache, project, reads } = setUp();
		expect((await cache.getProject(project.projectId))?.projectId).toBe(project.projectId);
		await cache.getProject(project.projectId);
		expect(await cache.getProject("#")).toBeUndefined();
		expect(reads).toEqual([project.projectId]);
	});
});
