import { type CallRecord, newId, type RandomBytes } from "@trunkline/contracts";
import { type CallStore, type ConfigStore, mayBeIn } from "@trunkline/domain";
import type { InboundInvite } from "../call/ports.ts";
import { Bucket } from "./bucket.ts";

/** At its limit a node has other work than records of what it cannot take. */
const RATE = { perSecond: 2, burst: 20 };
const TTL_SECONDS = 86_400;

export interface RefusedCallsOptions {
	calls: CallStore;
	configStore: Pick<ConfigStore, "inboundTrunksFor" | "rulesFor">;
	projectFor(calledNumber: string, source: string): Promise<string | undefined>;
	nodeId: string;
	region: string;
	now(): number;
	random: RandomBytes;
	log: { warn(fields: Record<string, unknown>, message: string): void };
}

/** Calls that the node refuses before it looks at them (503: full, overloaded, draining) have a record and a trace too, within bounds. */
export class RefusedCalls {
	readonly #options: RefusedCallsOptions;
	readonly #bucket: Bucket;

	constructor(options: RefusedCallsOptions) {
		this.#options = options;
		this.#bucket = new Bucket(RATE, options.now);
	}

	refused(invite: InboundInvite, refusal: { status: number; reason: string }): void {
		if (!this.#bucket.take()) return;
		this.#record(invite, refusal).catch((error: unknown) =>
			this.#options.log.warn({ err: error }, "a refused call could not be put on record"),
		);
	}

	async #record(invite: InboundInvite, { status, reason }: { status: number; reason: string }): Promise<void> {
		const { calls, projectFor, nodeId, region, now, random } = this.#options;
		const at = now();
		const record: CallRecord = {
			callId: newId("SCL_", random),
			projectId: "",
			region,
			direction: "inbound",
			state: "ended",
			version: 1,
			owner: nodeId,
			trunkId: "",
			ruleId: "",
			roomName: "",
			participantIdentity: "",
			participantId: "",
			from: invite.from.user,
			to: invite.to.user,
			sipCallId: invite.sipCallId,
			timeline: [{ at, event: "ended" }],
			createdAt: at,
			endedAt: at,
			end: {
				by: "node",
				reason: "rejected",
				sipStatus: status,
				sipReason: reason,
				message: MESSAGES[reason] ?? "the media node takes no calls",
			},
			expiresAtSeconds: Math.floor(at / 1000) + TTL_SECONDS,
		};
		const projectId = await projectFor(invite.to.user, invite.source.address);
		if (projectId !== undefined && (await this.#mayBeHere(projectId, invite.to.user))) await calls.createCall({ ...record, projectId });
	}

	/** Some trunk has the number, and none of those that have it, nor their rules, keeps its calls out of this region: such a call leaves nothing here. */
	async #mayBeHere(projectId: string, number: string): Promise<boolean> {
		const { configStore, region } = this.#options;
		const trunks = await configStore.inboundTrunksFor(projectId, number);
		const rules = await Promise.all(trunks.map(({ trunkId }) => configStore.rulesFor(projectId, trunkId, number)));
		return trunks.length > 0 && [...trunks, ...rules.flat()].every(({ settings }) => mayBeIn(region, settings?.regions));
	}
}

const MESSAGES: Readonly<Record<string, string>> = {
	"At Capacity": "the media node is at its limit of calls",
	Overloaded: "the media node is overloaded",
	"Shutting Down": "the media node is shutting down",
};
