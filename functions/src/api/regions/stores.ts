import type {
	AdmissionRequest,
	CallLimitStore,
	RegistrationRecord,
	RegistrationStore,
	Refusal,
	TransferOutcome,
	TransferRecord,
	TransferStore,
} from "@trunkline/domain";
import { ByCallId, type PerRegion } from "./by-call-id.ts";

/** Transfers that one process remembers the region of: each is asked for many times a second while somebody waits for it. */
const REMEMBERED = 10_000;

/** Transfers, each in the region of its call. */
export class RegionalTransferStore implements TransferStore {
	readonly #regions: ByCallId<TransferStore>;
	readonly #known = new Map<string, TransferStore>();
	readonly #regionOf: (callId: string) => Promise<string | undefined>;

	/** `regionOf`: where a call is whose id does not say it */
	constructor(regions: PerRegion<TransferStore>, regionOf: (callId: string) => Promise<string | undefined>) {
		this.#regions = new ByCallId(regions);
		this.#regionOf = regionOf;
	}

	async createTransfer(transfer: TransferRecord): Promise<boolean> {
		const named = this.#regions.named(transfer.callId);
		const region = named === undefined ? await this.#regionOf(transfer.callId) : undefined;
		const store = named ?? (region === undefined ? await this.#storeOf(transfer.command.transferId) : this.#regions.in(region));
		this.#remember(transfer.command.transferId, store);
		return store.createTransfer(transfer);
	}

	async getTransfer(transferId: string): Promise<TransferRecord | undefined> {
		return (await this.#storeOf(transferId)).getTransfer(transferId);
	}

	async takeTransfer(transferId: string): Promise<TransferRecord | undefined> {
		return (await this.#storeOf(transferId)).takeTransfer(transferId);
	}

	async settleTransfer(transferId: string, from: readonly TransferRecord["state"][], outcome: TransferOutcome): Promise<boolean> {
		return (await this.#storeOf(transferId)).settleTransfer(transferId, from, outcome);
	}

	async #storeOf(transferId: string): Promise<TransferStore> {
		const known = this.#known.get(transferId);
		if (known !== undefined) return known;
		const { store, found } = await this.#regions.of(transferId, (one) => one.getTransfer(transferId));
		if (found !== undefined) this.#remember(transferId, store);
		return store;
	}

	#remember(transferId: string, store: TransferStore): void {
		this.#known.delete(transferId);
		this.#known.set(transferId, store);
		const [oldest] = this.#known.keys();
		if (this.#known.size > REMEMBERED && oldest !== undefined) this.#known.delete(oldest);
	}
}

/** What counts against a project's limits, where its calls are: each region counts for itself. */
export class RegionalCallLimitStore implements CallLimitStore {
	readonly #regions: ByCallId<CallLimitStore>;

	constructor(regions: PerRegion<CallLimitStore>) {
		this.#regions = new ByCallId(regions);
	}

	async admit(projectId: string, request: AdmissionRequest): Promise<Refusal | undefined> {
		return this.#of(request.callId).admit(projectId, request);
	}

	async answered(projectId: string, callId: string, now: number): Promise<void> {
		await this.#of(callId).answered(projectId, callId, now);
	}

	async settle(projectId: string, callId: string, usedMs: number, now: number): Promise<void> {
		await this.#of(callId).settle(projectId, callId, usedMs, now);
	}

	async liveCalls(projectId: string): Promise<{ callId: string; since: number }[]> {
		const found = await Promise.all(this.#regions.all.map((store) => store.liveCalls(projectId)));
		return found.flat().sort((a, b) => a.since - b.since);
	}

	#of(callId: string): CallLimitStore {
		const [home] = this.#regions.all;
		const store = this.#regions.named(callId) ?? home;
		if (store === undefined) throw new Error("a deployment has at least one region");
		return store;
	}
}

/** A trunk's registration, in whichever region holds it: for people to see. */
export class RegionalRegistrationStore implements Pick<RegistrationStore, "getRegistration"> {
	readonly #stores: readonly Pick<RegistrationStore, "getRegistration">[];

	constructor(regions: PerRegion<Pick<RegistrationStore, "getRegistration">>) {
		this.#stores = regions.map(({ store }) => store);
	}

	/** The one that was written last, where several regions register the trunk. */
	async getRegistration(projectId: string, trunkId: string): Promise<RegistrationRecord | undefined> {
		const found = await Promise.all(this.#stores.map((store) => store.getRegistration(projectId, trunkId)));
		return found.flatMap((record) => record ?? []).sort((a, b) => b.leaseUntil - a.leaseUntil)[0];
	}
}
