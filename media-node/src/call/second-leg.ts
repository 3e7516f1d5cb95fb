import { type CallEnd, type CallRecord, newId } from "@trunkline/contracts";
import { bridgeRequest, type ConfigStore, DomainError, queuedCall } from "@trunkline/domain";
import { BackToBack } from "./back-to-back.ts";
import { OutboundCall } from "./outbound-call.ts";
import { outboundPlan } from "./outbound-plan.ts";
import type { LiveCall, SipLegEvent, UserAgent } from "./ports.ts";
import type { CallDeps } from "./runner.ts";
import type { DialSecondLeg, SecondLegEvent, SecondLegRequest } from "./second-leg-types.ts";

export interface SecondLegsOptions {
	deps: CallDeps;
	userAgent: UserAgent;
	configStore: Pick<ConfigStore, "getTrunk">;
	/** why this node takes no more calls */
	refusal(): string | undefined;
	run(call: LiveCall): void;
}

/**
 * Second legs are calls like others: with a record of their own, which is written before anything is dialled, and with the project's policy held before the
 * INVITE. Their room is the first leg.
 */
export function secondLegs({ deps, userAgent, configStore, refusal, run }: SecondLegsOptions): DialSecondLeg {
	const dial = async (request: SecondLegRequest, pair: BackToBack, onEvent: (event: SecondLegEvent) => void): Promise<void> => {
		const full = refusal();
		if (full !== undefined) return onEvent(failed("internal-error", full));
		const dialled = bridgeRequest(await lineOf(configStore, request), request, deps.random);
		const now = deps.clock.now();
		const queued = queuedCall({
			callId: newId("SCL_", deps.random),
			projectId: request.projectId,
			region: deps.region,
			request: dialled,
			now,
		});
		// Nobody else could run it: its other half is here.
		const record: CallRecord = { ...queued, state: "claimed", owner: deps.nodeId, bridgedWith: request.callId };
		if (!(await deps.calls.createCall(record))) throw new Error("a call with this id exists already");
		const joined: CallDeps = { ...deps, rooms: pair.second, roomUrl: async () => "", token: async () => "" };
		run(new SecondLeg(joined, record, userAgent, onEvent));
	};
	return (request, onEvent) => {
		const pair = new BackToBack();
		dial(request, pair, onEvent).catch((error: unknown) => {
			if (!(error instanceof DomainError)) deps.log.error({ callId: request.callId, err: error }, "a second leg could not be dialled");
			onEvent(failed("unreachable", error instanceof Error ? error.message : String(error)));
		});
		return pair.first;
	};
}

async function lineOf(configStore: Pick<ConfigStore, "getTrunk">, { projectId, trunkId, line }: SecondLegRequest) {
	if (trunkId === "same") {
		if (line !== undefined) return line;
		throw new DomainError(
			"failed_precondition",
			'settings.transfer.bridgeTrunkId is "same", but the call came in over an inbound trunk, which has no address to dial: name an outbound trunk',
		);
	}
	const trunk = await configStore.getTrunk(projectId, trunkId);
	if (trunk?.kind === "outbound") return trunk;
	throw new DomainError(
		"failed_precondition",
		`settings.transfer.bridgeTrunkId names ${trunkId}, which is no outbound trunk of the project`,
	);
}

const failed = (reason: CallEnd["reason"], message: string): SecondLegEvent => ({
	type: "target-failed",
	end: { by: "node", reason, message },
});

class SecondLeg extends OutboundCall {
	readonly #tell: (event: SecondLegEvent) => void;
	#answered = false;

	constructor(deps: CallDeps, record: CallRecord, userAgent: UserAgent, tell: (event: SecondLegEvent) => void) {
		super(deps, record, outboundPlan(record, deps.log), userAgent, () => {});
		this.#tell = tell;
	}

	override onLeg(event: SipLegEvent): void {
		if (event.type === "provisional" && event.status !== 100)
			this.#tell({ type: "target-ringing", status: event.status, reason: event.reason });
		super.onLeg(event);
	}

	protected override onBridged(): void {
		this.#answered = true;
		this.#tell({ type: "target-answered", callId: this.callId });
	}

	protected override onEnded(end: CallEnd): void {
		super.onEnded(end);
		if (!this.#answered) this.#tell({ type: "target-failed", end });
	}
}
