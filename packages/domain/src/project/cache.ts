import type { Project } from "@trunkline/contracts";
import { liveSecrets } from "./project.ts";
import type { ProjectStore } from "./ports.ts";

export interface ProjectCacheOptions {
	store: Pick<ProjectStore, "findByApiKey" | "getProject">;
	/** ms since the epoch */
	now(): number;
	/** how long what was read is believed: a rotated secret or a changed policy is in effect everywhere after it */
	ttlMs?: number;
	/** entries of each kind: keys, unknown keys, projects */
	max?: number;
}

interface Entry {
	readAt: number;
	project: Promise<Project | undefined>;
}

const TTL_MS = 10_000;
const MAX_ENTRIES = 1000;
/** A secret that does not verify may be newer than what was read; a stranger's costs no more than one read per key in this time. */
const REFRESH_AFTER_MS = 1000;

/** The shape of every key that a project has; anything else is not looked for. */
const API_KEY = /^[\w-]{1,64}$/;
const PROJECT_ID = /^[\w.-]{1,128}$/;

/**
 * Projects by API key and by id, read at most once per `ttlMs` each, however many ask at once. Keys that nobody has are remembered apart from those
 * that somebody has: a stranger who tries keys pushes out no project.
 */
export class ProjectCache {
	readonly #options: Required<ProjectCacheOptions>;
	readonly #byKey = new Map<string, Entry>();
	readonly #unknown = new Map<string, Entry>();
	readonly #byId = new Map<string, Entry>();

	constructor(options: ProjectCacheOptions) {
		this.#options = { ttlMs: TTL_MS, max: MAX_ENTRIES, ...options };
	}

	/** The project of a key and the key's secrets that are live now. Rejects when the store cannot be reached. */
	async findByApiKey(apiKey: string): Promise<{ project: Project; secrets: string[] } | undefined> {
		if (!API_KEY.test(apiKey)) return undefined;
		const entry = this.#fresh(this.#byKey, apiKey) ?? this.#fresh(this.#unknown, apiKey) ?? this.#readKey(apiKey);
		const project = await entry.project;
		const secrets = project === undefined ? [] : liveSecrets(project, apiKey, this.#options.now());
		return project === undefined || secrets.length === 0 ? undefined : { project, secrets };
	}

	/** Forgets a key that was read more than a second ago: false when it is as good as new. */
	forget(apiKey: string): boolean {
		const entry = this.#byKey.get(apiKey);
		if (entry === undefined || this.#options.now() - entry.readAt < REFRESH_AFTER_MS) return false;
		return this.#byKey.delete(apiKey);
	}

	/** A project was changed or deleted here: this process knows it at once. Both its keys before and after. */
	forgetProject({ projectId, apiKeys }: Pick<Project, "projectId" | "apiKeys">): void {
		this.#byId.delete(projectId);
		for (const { key } of apiKeys) {
			this.#byKey.delete(key);
			this.#unknown.delete(key);
		}
	}

	async getProject(projectId: string): Promise<Project | undefined> {
		if (!PROJECT_ID.test(projectId)) return undefined;
		const entry = this.#fresh(this.#byId, projectId);
		return (entry ?? this.#read(this.#byId, projectId, () => this.#options.store.getProject(projectId))).project;
	}

	#readKey(apiKey: string): Entry {
		const entry = this.#read(this.#unknown, apiKey, () => this.#options.store.findByApiKey(apiKey));
		// Not awaited: it is the caller who hears of a failure.
		void entry.project.then(
			(project) => {
				if (project === undefined || this.#unknown.get(apiKey) !== entry) return;
				this.#unknown.delete(apiKey);
				this.#put(this.#byKey, apiKey, entry);
			},
			() => undefined,
		);
		return entry;
	}

	#read(entries: Map<string, Entry>, name: string, read: () => Promise<Project | undefined>): Entry {
		const entry = { readAt: this.#options.now(), project: read() };
		this.#put(entries, name, entry);
		// A failure is no answer to remember.
		entry.project.catch(() => {
			if (entries.get(name) === entry) entries.delete(name);
		});
		return entry;
	}

	#fresh(entries: Map<string, Entry>, name: string): Entry | undefined {
		const entry = entries.get(name);
		return entry !== undefined && this.#options.now() - entry.readAt < this.#options.ttlMs ? entry : undefined;
	}

	#put(entries: Map<string, Entry>, name: string, entry: Entry): void {
		entries.delete(name);
		entries.set(name, entry);
		// A Map keeps the order of insertion: the first one is the oldest.
		const [oldest] = entries.keys();
		if (entries.size > this.#options.max && oldest !== undefined) entries.delete(oldest);
	}
}
