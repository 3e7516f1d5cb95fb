import type { DispatchRule, InboundTrunk, OutboundTrunk, Trunk } from "@trunkline/contracts";
import {
	type ConfigStore,
	DomainError,
	calledForms,
	normalizeNumber,
	type Page,
	ruleConflictError,
	ruleConflictKeys,
	trunkConflictError,
	trunkConflictKeys,
} from "@trunkline/domain";
import { IndexedItems } from "./indexed-items.ts";

interface Project {
	inbound: IndexedItems<InboundTrunk>;
	outbound: IndexedItems<OutboundTrunk>;
	rules: IndexedItems<DispatchRule>;
}

/** The configuration in memory; what goes in and out is copied, so that nobody shares an object with the store. */
export class MemoryConfigStore implements ConfigStore {
	readonly #projects = new Map<string, Project>();

	async createTrunk(projectId: string, trunk: Trunk): Promise<void> {
		const { inbound, outbound } = this.#project(projectId);
		const items = trunk.kind === "inbound" ? inbound : outbound;
		if (items.get(trunk.trunkId)) throw new DomainError("already_exists", `Trunk ${trunk.trunkId} exists already`);
		if (trunk.kind === "outbound") return outbound.put(trunk);
		const taken = inbound.holderOf(trunk);
		if (taken) throw trunkConflictError(taken.claim, taken.holder.trunkId);
		inbound.put(trunk);
	}

	async getTrunk(projectId: string, trunkId: string): Promise<Trunk | undefined> {
		const { inbound, outbound } = this.#project(projectId);
		return inbound.get(trunkId) ?? outbound.get(trunkId);
	}

	async updateTrunk(projectId: string, previous: Trunk, next: Trunk): Promise<boolean> {
		const { inbound, outbound } = this.#project(projectId);
		if (next.kind === "outbound") return outbound.replace(previous.version, next);
		if (inbound.get(next.trunkId)?.version !== previous.version) return false;
		const taken = inbound.holderOf(next);
		if (taken) throw trunkConflictError(taken.claim, taken.holder.trunkId, next.trunkId);
		return inbound.replace(previous.version, next);
	}

	async inboundTrunksById(projectId: string, trunkIds: readonly string[]): Promise<InboundTrunk[]> {
		return this.#project(projectId).inbound.some(trunkIds);
	}

	async outboundTrunksById(projectId: string, trunkIds: readonly string[]): Promise<OutboundTrunk[]> {
		return this.#project(projectId).outbound.some(trunkIds);
	}

	async listInboundTrunks(projectId: string, page: Page): Promise<InboundTrunk[]> {
		return this.#project(projectId).inbound.list(page);
	}

	async listOutboundTrunks(projectId: string, page: Page): Promise<OutboundTrunk[]> {
		return this.#project(projectId).outbound.list(page);
	}

	async deleteTrunk(projectId: string, trunkId: string): Promise<Trunk | undefined> {
		const { inbound, outbound } = this.#project(projectId);
		return inbound.delete(trunkId) ?? outbound.delete(trunkId);
	}

	async inboundTrunksFor(projectId: string, calledNumber: string): Promise<InboundTrunk[]> {
		return this.#project(projectId).inbound.found([numbered(calledNumber), ANY]);
	}

	async outboundTrunksFor(projectId: string, number: string): Promise<OutboundTrunk[]> {
		return this.#project(projectId).outbound.found([numbered(number), numbered("*")]);
	}

	async registeringTrunks(): Promise<{ projectId: string; trunk: OutboundTrunk }[]> {
		return [...this.#projects].flatMap(([projectId, { outbound }]) => outbound.found([REGISTERING]).map((trunk) => ({ projectId, trunk })));
	}

	async createRule(projectId: string, rule: DispatchRule): Promise<void> {
		const { rules } = this.#project(projectId);
		if (rules.get(rule.ruleId)) throw new DomainError("already_exists", `Dispatch rule ${rule.ruleId} exists already`);
		const taken = rules.holderOf(rule);
		if (taken) throw ruleConflictError(taken.holder.ruleId, taken.holder.name);
		rules.put(rule);
	}

	async getRule(projectId: string, ruleId: string): Promise<DispatchRule | undefined> {
		return this.#project(projectId).rules.get(ruleId);
	}

	async updateRule(projectId: string, previous: DispatchRule, next: DispatchRule): Promise<boolean> {
		const { rules } = this.#project(projectId);
		if (rules.get(next.ruleId)?.version !== previous.version) return false;
		const taken = rules.holderOf(next);
		if (taken) throw ruleConflictError(taken.holder.ruleId, taken.holder.name);
		return rules.replace(previous.version, next);
	}

	async rulesById(projectId: string, ruleIds: readonly string[]): Promise<DispatchRule[]> {
		return this.#project(projectId).rules.some(ruleIds);
	}

	async listRules(projectId: string, page: Page): Promise<DispatchRule[]> {
		return this.#project(projectId).rules.list(page);
	}

	async deleteRule(projectId: string, ruleId: string): Promise<DispatchRule | undefined> {
		return this.#project(projectId).rules.delete(ruleId);
	}

	async rulesFor(projectId: string, trunkId: string | undefined, calledNumber?: string): Promise<DispatchRule[]> {
		const trunks = trunkId === undefined ? [ANY] : [trunkId, ANY];
		if (calledNumber === undefined) return this.#project(projectId).rules.found(trunks);
		const numbers = [ANY, numbered(calledNumber)];
		return this.#project(projectId).rules.found(trunks.flatMap((trunk) => numbers.map((number) => JSON.stringify([trunk, number]))));
	}

	async rulesNaming(projectId: string, trunkId: string): Promise<DispatchRule[]> {
		return this.#project(projectId).rules.found([trunkId]);
	}

	#project(projectId: string): Project {
		let project = this.#projects.get(projectId);
		if (!project) {
			project = {
				inbound: new IndexedItems<InboundTrunk>({
					idOf: ({ trunkId }) => trunkId,
					claimsOf: trunkConflictKeys,
					pointersOf: (trunk) => (trunk.numbers.length === 0 ? [ANY] : [...calledForms(trunk)].map(numbered)),
				}),
				outbound: new IndexedItems<OutboundTrunk>({
					idOf: ({ trunkId }) => trunkId,
					claimsOf: () => [],
					pointersOf: ({ numbers, settings }) => [
						...numbers.map(numbered),
						...(settings?.registration?.enabled === true ? [REGISTERING] : []),
					],
				}),
				rules: new IndexedItems<DispatchRule>({
					idOf: ({ ruleId }) => ruleId,
					claimsOf: ruleConflictKeys,
					pointersOf: (rule) => {
						const trunks = rule.trunkIds.length === 0 ? [ANY] : rule.trunkIds;
						const numbers = rule.numbers.length === 0 ? [ANY] : rule.numbers.map(numbered);
						return [...trunks, ...trunks.flatMap((trunk) => numbers.map((number) => JSON.stringify([trunk, number])))];
					},
				}),
			};
			this.#projects.set(projectId, project);
		}
		return project;
	}
}

const REGISTERING = "registering";

/** where items are that name no number or trunk; no number and no id is empty */
const ANY = "";

function numbered(number: string): string {
	return `number ${normalizeNumber(number)}`;
}
