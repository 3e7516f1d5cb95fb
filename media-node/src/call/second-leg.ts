import type { CallEnd, CallRecord, DialRequest } from "@trunkline/contracts";
import { bridgeRequest, type ConfigStore, DomainError, newCallId, queuedCall } from "@trunkline/domain";
import { BackToBack } from "./back-to-back.ts";
import { OutboundCall } from "./outbound-call.ts";
import { outboundPlan } from "./outbound-plan.ts";
import type { LiveCall, SipLegEvent, UserAgent } from "./ports.ts";
import type { CallDeps } from "./runner.ts";
import type { RoomIdentity } from "./room-identity.ts";
import type { DialSecondLeg, GivenRoom, SecondLegEvent, SecondLegRequest } from "./second-leg-types.ts";

export interface SecondLegsOptions {
	deps: CallDeps;
	userAgent: UserAgent;
	configStore: Pick<ConfigStore, "getTrunk">;
	/** why a second leg over this trunk must not leave from this region; unset: nothing is pinned */
	keepsFrom?(line: Pick<DialRequest, "settings" | "destinationCountry">): string | undefined;
	/** why this node takes no more calls */
	refusal(): string | undefined;
	/** Keeps the place of a call that is about to be run, so that two at once cannot both have the last one; gives the end of it. */
	keepPlace(): () => void;
	run(call: LiveCall): void;
}

/**
 * Second legs are calls like others: with a record of their own, which is written before anything is dialled, and with the project's policy held before the
 * INVITE. Their room is the first leg.
 */
export function secondLegs({ deps, userAgent, configStore, keepsFrom, refusal, keepPlace, run }: SecondLegsOptions): DialSecondLeg {
	const dial = async (
		request: SecondLegRequest,
		pair: Pick<BackToBack, "second">,
		onEvent: (event: SecondLegEvent) => void,
	): Promise<SecondLeg | undefined> => {
		const full = refusal();
		if (full !== undefined) {
			onEvent(failed("internal-error", full));
			return undefined;
		}
		const place = keepPlace();
		try {
			return await placed(request, pair, onEvent);
		} finally {
			place();
		}
	};
	const placed = async (
		request: SecondLegRequest,
		pair: Pick<BackToBack, "second">,
		onEvent: (event: SecondLegEvent) => void,
	): Promise<SecondLeg> => {
		const { projectId } = request;
		const callId = newCallId(deps.region, deps.random);
		const line = await lineOf(configStore, request);
		const held = keepsFrom?.(line);
		if (held !== undefined) throw new DomainError("failed_precondition", held);
		const wanted = bridgeRequest(line, request, deps.random);
		const dialled = (await deps.admit?.({ projectId, callId, dial: wanted })) ?? wanted;
		const queued = queuedCall({ callId, projectId, region: deps.region, request: dialled, now: deps.clock.now() });
		// Nobody else could run it: its other half is here.
		const record: CallRecord = { ...queued, state: "claimed", owner: deps.nodeId, bridgedWith: request.callId };
		if (!(await deps.calls.createCall(record))) throw new Error("a call with this id exists already");
		const leg = new SecondLeg(deps, { place: request.place, rooms: pair.second }, record, userAgent, onEvent);
		run(leg);
		return leg;
	};
	return (request, onEvent) => {
		const pair = deps.backToBack?.() ?? new BackToBack();
		let leg: SecondLeg | undefined;
		dial(request, pair, onEvent).then(
			(dialled) => {
				leg = dialled;
			},
			(error: unknown) => {
				if (!(error instanceof DomainError)) deps.log.error({ callId: request.callId, err: error }, "a second leg could not be dialled");
				onEvent(refused(error));
			},
		);
		return { rooms: pair.first, takeRoom: (room) => leg?.takePlace(room) === true };
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

function refused(error: unknown): SecondLegEvent {
	const message = error instanceof Error ? error.message : String(error);
	if (!(error instanceof DomainError) || error.code !== "resource_exhausted") return failed("unreachable", message);
	const end: CallEnd = { by: "node", reason: "rejected", sipStatus: 503, sipReason: "Service Unavailable", message };
	return { type: "target-failed", end };
}

class SecondLeg extends OutboundCall {
	readonly #tell: (event: SecondLegEvent) => void;
	readonly #place: { identity: RoomIdentity | undefined };
	readonly #own: Record<string, string>;
	#answered = false;

	constructor(
		deps: CallDeps,
		beside: Pick<CallDeps, "rooms" | "place">,
		record: CallRecord,
		userAgent: UserAgent,
		tell: (event: SecondLegEvent) => void,
	) {
		const place: { identity: RoomIdentity | undefined } = { identity: undefined };
		const joined: CallDeps = {
			...deps,
			...beside,
			// Once it has the first leg's place in its room it may be moved to other rooms.
			rooms: { join: (options, signal) => (place.identity === undefined ? beside : deps).rooms.join(options, signal) },
			roomUrl: async (projectId) => (place.identity === undefined ? "" : deps.roomUrl(projectId)),
			token: async (identity, projectId) => (place.identity === undefined ? "" : deps.token(identity, projectId)),
		};
		const plan = outboundPlan(record, deps.log);
		super(joined, record, plan, userAgent, () => {});
		this.#tell = tell;
		this.#place = place;
		this.#own = plan.attributes;
	}

	/** RFC 5589: the transfer target has the referrer's place: the participant stays as he is, and is this telephone from now on. */
	takePlace({ link, identity }: GivenRoom): boolean {
		const { session } = link;
		if (session === undefined || this.media === undefined) return false;
		const { roomName } = identity;
		this.#place.identity = identity;
		this.takeRoom(link);
		this.records.patch({ roomName, participantIdentity: identity.identity, participantId: session.participantSid });
		const before = session.attributes();
		// Whose numbers are not shown stay so; the status is that of the participant, who is there already.
		const isTold = (name: string): boolean => name !== "sip.callStatus" && (!NUMBERS.has(name) || before[name] !== undefined);
		const shown = Object.entries(this.#own).filter(([name]) => isTold(name));
		this.setAttributes({ ...Object.fromEntries(shown), ...(before["sip.hold"] === undefined ? {} : { "sip.hold": "" }) });
		const music = before["sip.holdMusic"];
		if (music === "tune" || music === "silence") this.dispatch({ type: "room-taken", music });
		return true;
	}

	protected override roomIdentity(): RoomIdentity {
		return this.#place.identity ?? super.roomIdentity();
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

const NUMBERS: ReadonlySet<string> = new Set(["sip.phoneNumber", "sip.trunkPhoneNumber", "sip.hostname"]);
