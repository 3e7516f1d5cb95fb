import type { DispatchRule, InboundTrunk, OutboundTrunk, Trunk } from "@trunkline/contracts";
import {
	type ConfigStore,
	DomainError,
	normalizeNumber,
	type Page,
	ruleConflictError,
	ruleConflictKeys,
	trunkConflictError,
	trunkConflictKeys,
} from "@trunkline/domain";

interface Project {
	trunks: Map<string, Trunk>;
	rules: Map<string, DispatchRule>;
	/** conflict key → id of the trunk or rule that holds it */
	trunkClaims: Map<string, string>;
	ruleClaims: Map<string, string>;
}

/** The configuration in memory; what goes in and out is copied, so that nobody shares an object with the store. */
export class MemoryConfigStore implements ConfigStore {
	readonly #projects = new Map<string, Project>();

	async createTrunk(projectId: string, trunk: Trunk): Promise<void> {
		const project = this.#project(projectId);
		if (project.trunks.has(trunk.trunkId)) throw new DomainError("already_exists", `Trunk ${trunk.trunkId} exists already`);
		if (trunk.kind === "inbound") claim(project.trunkClaims, trunkConflictKeys(trunk), trunk.trunkId, trunkConflictError);
		project.trunks.set(trunk.trunkId, structuredClone(trunk));
	}

	async getTrunk(projectId: string, trunkId: string): Promise<Trunk | undefined> {
		return structuredClone(this.#project(projectId).trunks.get(trunkId));
	}

	async listInboundTrunks(projectId: string, page: Page): Promise<InboundTrunk[]> {
		const trunks = [...this.#project(projectId).trunks.values()].filter((trunk) => trunk.kind === "inbound");
		return paged(trunks, (trunk) => trunk.trunkId, page);
	}

	async listOutboundTrunks(projectId: string, page: Page): Promise<OutboundTrunk[]> {
		const trunks = [...this.#project(projectId).trunks.values()].filter((trunk) => trunk.kind === "outbound");
		return paged(trunks, (trunk) => trunk.trunkId, page);
	}

	async deleteTrunk(projectId: string, trunkId: string): Promise<Trunk | undefined> {
		const project = this.#project(projectId);
		const trunk = project.trunks.get(trunkId);
		project.trunks.delete(trunkId);
		release(project.trunkClaims, trunkId);
		return trunk;
	}

	async inboundTrunksFor(projectId: string, calledNumber: string): Promise<InboundTrunk[]> {
		const called = normalizeNumber(calledNumber);
		const trunks = await this.listInboundTrunks(projectId, {});
		return trunks.filter(({ numbers }) => numbers.length === 0 || numbers.some((number) => normalizeNumber(number) === called));
	}

	async createRule(projectId: string, rule: DispatchRule): Promise<void> {
		const project = this.#project(projectId);
		if (project.rules.has(rule.ruleId)) throw new DomainError("already_exists", `Dispatch rule ${rule.ruleId} exists already`);
		const nameOf = (id: string): string => project.rules.get(id)?.name ?? "";
		claim(project.ruleClaims, ruleConflictKeys(rule), rule.ruleId, (_key, other) => ruleConflictError(other, nameOf(other)));
		project.rules.set(rule.ruleId, structuredClone(rule));
	}

	async getRule(projectId: string, ruleId: string): Promise<DispatchRule | undefined> {
		return structuredClone(this.#project(projectId).rules.get(ruleId));
	}

	async listRules(projectId: string, page: Page): Promise<DispatchRule[]> {
		return paged([...this.#project(projectId).rules.values()], (rule) => rule.ruleId, page);
	}

	async deleteRule(projectId: string, ruleId: string): Promise<DispatchRule | undefined> {
		const project = this.#project(projectId);
		const rule = project.rules.get(ruleId);
		project.rules.delete(ruleId);
		release(project.ruleClaims, ruleId);
		return rule;
	}

	async rulesFor(projectId: string, trunkId: string | undefined): Promise<DispatchRule[]> {
		const rules = await this.listRules(projectId, {});
		return rules.filter(({ trunkIds }) => trunkIds.length === 0 || (trunkId !== undefined && trunkIds.includes(trunkId)));
	}

	#project(projectId: string): Project {
		let project = this.#projects.get(projectId);
		if (!project) {
			project = { trunks: new Map(), rules: new Map(), trunkClaims: new Map(), ruleClaims: new Map() };
			this.#projects.set(projectId, project);
		}
		return project;
	}
}

function claim(
	claims: Map<string, string>,
	keys: readonly string[],
	id: string,
	conflict: (key: string, other: string) => DomainError,
): void {
	for (const key of keys) {
		const other = claims.get(key);
		if (other !== undefined) throw conflict(key, other);
	}
	for (const key of keys) claims.set(key, id);
}

function release(claims: Map<string, string>, id: string): void {
	for (const [key, holder] of claims) if (holder === id) claims.delete(key);
}

function paged<T>(items: T[], idOf: (item: T) => string, { afterId, limit }: Page): T[] {
	const sorted = items.filter((item) => afterId === undefined || idOf(item) > afterId).sort((a, b) => (idOf(a) < idOf(b) ? -1 : 1));
	return structuredClone(limit ? sorted.slice(0, limit) : sorted);
}
