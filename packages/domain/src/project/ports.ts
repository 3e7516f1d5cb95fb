import type { Project } from "@trunkline/contracts";
import type { AdmissionRequest, Refusal } from "../policy/admission.ts";
import type { Page } from "../ports.ts";

/** Projects and their API keys. Each method is a bounded number of key reads and at most one transaction. */
export interface ProjectStore {
	/** Throws `already_exists` when the id or an API key is taken. */
	createProject(project: Project): Promise<void>;
	getProject(projectId: string): Promise<Project | undefined>;
	/** The project of an API key; strongly consistent. */
	findByApiKey(apiKey: string): Promise<Project | undefined>;
	/** sorted by id */
	listProjects(page: Page): Promise<Project[]>;
	/**
	 * Replaces the project's version `project.version - 1`; false when the stored one is another, or gone. Throws `already_exists` when an added API key
	 * is taken.
	 */
	replaceProject(project: Project): Promise<boolean>;
	/** The project that is deleted with its keys, undefined when there is none. */
	deleteProject(projectId: string): Promise<Project | undefined>;
}

/** Encrypts what must not lie in a table as it is. `context` says what it belongs to; opening with another one fails. */
export interface SecretBox {
	seal(plain: string, context: string): Promise<string>;
	/** Rejects when `sealed` is not what `seal` gave for this context. */
	open(sealed: string, context: string): Promise<string>;
}

/** What counts against the limits of projects; exact at the cap however many ask at once. */
export interface CallLimitStore {
	/** Takes a slot for the call; the refusal when a limit is in the way. The same call id takes one slot however often it asks. */
	admit(projectId: string, request: AdmissionRequest): Promise<Refusal | undefined>;
	/** The call was answered. */
	answered(projectId: string, callId: string, now: number): Promise<void>;
	/** The call is over; `usedMs` from the answer to the end, 0 without an answer. Idempotent. */
	settle(projectId: string, callId: string, usedMs: number, now: number): Promise<void>;
	/** Calls that hold a slot, and since when (ms); oldest first. */
	liveCalls(projectId: string): Promise<{ callId: string; since: number }[]>;
}

/** A trunk that takes calls to a number. */
export interface NumberOwner {
	projectId: string;
	trunkId: string;
	/** canonical source networks; none = any source */
	networks: string[];
	/** ms since the epoch: until then it counts although its trunk does not say so (yet) */
	reservedUntil: number;
}

/** Across all projects: by normalised number, and under "" for numbers that nobody names. */
export interface NumberOwnerStore {
	get(number: string): Promise<NumberOwner[]>;
	/** `change` gives the new list, undefined to leave it; it is asked again when somebody else was faster. What it throws ends the change. */
	change(number: string, change: (owners: NumberOwner[]) => Promise<NumberOwner[] | undefined>): Promise<void>;
}
