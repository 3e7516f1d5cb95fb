import type {
	CallEnd,
	CallMedia,
	CallRecord,
	CallTrace,
	CommandMessage,
	DialMessage,
	DispatchRule,
	InboundTrunk,
	NoiseSuppression,
	OutboundTrunk,
	Trunk,
	WebhookSettings,
} from "@trunkline/contracts";

export interface Page {
	/** exclusive: items whose id sorts after this */
	afterId?: string;
	/** at most this many; 0 or unset = all */
	limit?: number;
}

/**
 * Trunks and rules. Every method is a bounded number of key reads and at most one transaction, whatever is stored.
 * Conflicts (LiveKit's rules, `domain/src/trunk/conflicts.ts`) are held by condition checks inside the write's transaction, never by
 * list-then-write; a conflict throws `DomainError("invalid_argument", …)` that names the other trunk or rule.
 */
export interface ConfigStore {
	createTrunk(projectId: string, trunk: Trunk): Promise<void>;
	getTrunk(projectId: string, trunkId: string): Promise<Trunk | undefined>;
	/** sorted by id; the list is paged by key, so cost grows with what is returned, not with what is stored */
	listInboundTrunks(projectId: string, page: Page): Promise<InboundTrunk[]>;
	listOutboundTrunks(projectId: string, page: Page): Promise<OutboundTrunk[]>;
	/**
	 * `next` in the place of `previous`, which the caller has read: only while that very version is stored, and with everything that belongs to it, all
	 * or nothing. False when it is another version by now, or gone: read again. `next.version` is `previous.version` + 1, kind and id are the same.
	 */
	updateTrunk(projectId: string, previous: Trunk, next: Trunk): Promise<boolean>;
	/** Those of these that exist and are of this kind, in any order; at most 100. */
	inboundTrunksById(projectId: string, trunkIds: readonly string[]): Promise<InboundTrunk[]>;
	outboundTrunksById(projectId: string, trunkIds: readonly string[]): Promise<OutboundTrunk[]>;
	/** the deleted trunk, undefined when there was none */
	deleteTrunk(projectId: string, trunkId: string): Promise<Trunk | undefined>;
	/** Trunks that name this called number (normalised), and wildcard trunks; strongly consistent in the home region. */
	inboundTrunksFor(projectId: string, calledNumber: string): Promise<InboundTrunk[]>;
	/** Trunks that have this number (normalised) to call from, and those that have "*". */
	outboundTrunksFor(projectId: string, number: string): Promise<OutboundTrunk[]>;
	/** Outbound trunks of all projects whose settings turn registration on, at most 1000: what a node has to register. */
	registeringTrunks(): Promise<{ projectId: string; trunk: OutboundTrunk }[]>;

	createRule(projectId: string, rule: DispatchRule): Promise<void>;
	getRule(projectId: string, ruleId: string): Promise<DispatchRule | undefined>;
	listRules(projectId: string, page: Page): Promise<DispatchRule[]>;
	/** As `updateTrunk`. */
	updateRule(projectId: string, previous: DispatchRule, next: DispatchRule): Promise<boolean>;
	/** Those of these that exist, in any order; at most 100. */
	rulesById(projectId: string, ruleIds: readonly string[]): Promise<DispatchRule[]>;
	deleteRule(projectId: string, ruleId: string): Promise<DispatchRule | undefined>;
	/**
	 * Rules that name the trunk, and rules that name none; with `calledNumber` only those of them that name this number (normalised) or none. An inbound
	 * call gives it, so that its cost does not grow with the numbers that have rules of their own.
	 */
	rulesFor(projectId: string, trunkId: string | undefined, calledNumber?: string): Promise<DispatchRule[]>;
	/** Rules that name the trunk. */
	rulesNaming(projectId: string, trunkId: string): Promise<DispatchRule[]>;
}

/** What a transition may change beside the state. */
export type CallPatch = Partial<
	Pick<
		CallRecord,
		| "owner"
		| "leaseUntil"
		| "trunkId"
		| "ruleId"
		| "roomName"
		| "participantIdentity"
		| "participantId"
		| "sipCallId"
		| "answeredAt"
		| "endedAt"
		| "end"
		| "decision"
		| "media"
		| "bridgedWith"
		| "leftRoomAt"
		| "recording"
	>
>;

/**
 * Call records of one region. Every write is conditional; `undefined` from a conditional write means that somebody else was first.
 * Expired items (TTL) count as absent even while DynamoDB still holds them.
 */
export interface CallStore {
	/** Writes a `queued` (outbound) or `received` (inbound) call; false when the id exists. */
	createCall(call: CallRecord): Promise<boolean>;
	getCall(callId: string): Promise<CallRecord | undefined>;
	/**
	 * Takes a call for a node: from `queued`, or from `claimed`/`joining` of another owner whose lease is over. Never from `dialing` on: no call
	 * is ever dialled twice.
	 */
	claimCall(callId: string, nodeId: string, now: number, leaseUntil: number): Promise<CallRecord | undefined>;
	/**
	 * `from` → `to`, only when the record is in one of `from` and (unless owner is undefined) belongs to `owner`. Appends one timeline entry
	 * and adds one to the version. Gives the new record.
	 */
	transitionCall(
		callId: string,
		step: {
			from: readonly CallRecord["state"][];
			to: CallRecord["state"];
			owner?: string;
			at: number;
			event: string;
			detail?: string;
			patch?: CallPatch;
		},
	): Promise<CallRecord | undefined>;
	/**
	 * How the audio of a call that goes on is now, in the place of what is there. False, and nothing is written, when the call has ended or another owner has it. No
	 * transition: state, version and timeline stay, and nobody is told.
	 */
	noteQuality(callId: string, owner: string, media: CallMedia): Promise<boolean>;
	/** From any state but `ended`/`cancelled` to `ended`; undefined when it had ended before. */
	endCall(callId: string, at: number, end: CallEnd, patch?: CallPatch): Promise<CallRecord | undefined>;
	/** Calls that have not ended and are in the room still (`leftRoomAt`); newest first. */
	liveCallsInRoom(projectId: string, roomName: string): Promise<CallRecord[]>;
	/**
	 * A page of the project's calls, newest first. It reads a bounded number of calls, so a page may be short or empty and still have a next one.
	 * Going on from `next` neither skips nor repeats a call, whatever is created meanwhile.
	 */
	findCalls(projectId: string, search: CallSearch): Promise<FoundCalls>;
}

/** A place between calls in the order of lists: after the call that was created then and has this id, which need not exist any more. */
export interface CallCursor {
	createdAt: number;
	callId: string;
}

export interface CallSearch {
	/** created at or after, ms */
	since?: number;
	/** created before, ms */
	until?: number;
	roomName?: string;
	trunkId?: string;
	direction?: CallRecord["direction"];
	/** one of these; unset = any */
	states?: readonly CallRecord["state"][];
	after?: CallCursor;
	/** at least 1 */
	limit: number;
}

export interface FoundCalls {
	calls: CallRecord[];
	/** unset: this was the last page */
	next?: CallCursor;
}

/** How far one receiver of a call's events is. */
export interface EventDelivery {
	/** of the events of its timeline (`callEvents`), how many are dealt with */
	delivered: number;
	/** failures in a row */
	attempts: number;
	/** ms; not tried again before */
	nextAt: number;
}

/** A call's events in the hands of one deliverer. */
export interface ClaimedEvents {
	record: CallRecord;
	/** by receiver; who is not in it has had nothing */
	deliveries: Record<string, EventDelivery>;
	claim: string;
}

/**
 * Calls whose timeline has entries that are not delivered. Every write to a call record puts it there, in the same write; so a transition cannot be
 * without its events, and one deliverer at a time keeps them in order.
 */
export interface EventOutbox {
	/** Ids of at most `limit` calls whose time has come. */
	dueCalls(now: number, limit: number): Promise<string[]>;
	/** undefined: nothing is due at `now`, or somebody else is at it until his `until`. */
	claimEvents(callId: string, now: number, until: number): Promise<ClaimedEvents | undefined>;
	/**
	 * Gives the call back. `nextAt` unset: all is delivered; unless the call has gone on meanwhile, it leaves the outbox. False when the claim was over and
	 * somebody else has it.
	 */
	settleEvents(claimed: ClaimedEvents, deliveries: Record<string, EventDelivery>, nextAt: number | undefined): Promise<boolean>;
}

/** Where recordings of calls go when they are complete. */
export interface RecordingStore {
	/** `content` in order and once. Rejects, and keeps nothing, when it cannot be kept whole. */
	putRecording(key: string, content: AsyncIterable<Uint8Array>): Promise<void>;
}

/** Traces of the calls of one region. */
export interface TraceStore {
	/** In the place of what is there of the call. */
	putTrace(trace: CallTrace): Promise<void>;
	/** undefined: there is none, or none any more */
	getTrace(projectId: string, callId: string): Promise<CallTrace | undefined>;
}

/** Where projects' events go. */
export interface WebhookStore {
	getWebhooks(projectId: string): Promise<WebhookSettings>;
	putWebhooks(projectId: string, settings: WebhookSettings): Promise<void>;
}

export interface Received<T> {
	message: T;
	/** done: delete it */
	ack(): Promise<void>;
	/** give it back at once */
	release(): Promise<void>;
}

/** What of the platform's AbortSignal is needed here; pure packages have no DOM types. */
export interface AbortSignalLike {
	readonly aborted: boolean;
	addEventListener(type: "abort", listener: () => void): void;
	removeEventListener(type: "abort", listener: () => void): void;
}

/** Commands for one node, which alone receives from it; at least once, any order. */
export interface CommandQueue {
	send(message: CommandMessage): Promise<void>;
	/** As `DialQueue.receive`. */
	receive(max: number, waitMs: number, signal?: AbortSignalLike): Promise<Received<CommandMessage>[]>;
}

/** Work for the nodes of one region; at least once, any order. */
export interface DialQueue {
	send(message: DialMessage): Promise<void>;
	/** Waits up to `waitMs` (at most 20 s) for up to `max` messages (at most 10). Messages that fail the schema are dead-lettered, not returned. */
	receive(max: number, waitMs: number, signal?: AbortSignalLike): Promise<Received<DialMessage>[]>;
}

/** A transfer of a call to somebody else, as the node that runs the call is told. */
export interface TransferCommand {
	/** STR_…; the same for retries of one request */
	transferId: string;
	/** value of Refer-To: `<sip:…>` or `tel:…` */
	transferTo: string;
	playDialtone: boolean;
	headers: Record<string, string>;
	ringingTimeoutMs: number;
}

/** A call that goes to another room while its telephone leg stays up. */
export interface MoveCommand {
	/** STR_…, like a transfer's */
	transferId: string;
	destinationRoom: string;
}

/** A caller who waits with music, and is not heard in the room meanwhile; or who comes back. */
export interface HoldCommand {
	/** STR_…, like a transfer's */
	transferId: string;
	on: boolean;
	music: "tune" | "silence";
}

/** Both directions of a call into a file, from now on or no more. */
export interface RecordingCommand {
	/** STR_…, like a transfer's */
	transferId: string;
	recording: "start" | "stop";
	/** unset: as the trunk says */
	notice?: boolean;
}

/** Noise is taken out of a call from now on, or no more. */
export interface SuppressCommand {
	/** STR_…, like a transfer's */
	transferId: string;
	noiseSuppression: NoiseSuppression;
}

/** Digits for the telephone of a call. */
export interface DigitsCommand {
	/** STR_…, like a transfer's */
	transferId: string;
	/** 0-9 * # A-D; w = 500 ms pause */
	digits: string;
}

/** What a call's node is asked for by an item in the calls table: each is taken once and settled once. */
export type CallCommand = TransferCommand | MoveCommand | HoldCommand | RecordingCommand | SuppressCommand | DigitsCommand;

export interface TransferOutcome {
	status: "ongoing" | "failed" | "successful";
	/** `livekit.SIPTransferReason` */
	reason: "unspecified" | "completed" | "call-ended" | "rejected" | "ringing-timeout" | "subscription-terminated" | "canceled";
	/** when a SIP response told the outcome */
	sipStatus?: { code: number; reason: string };
	/** in words, for people */
	message?: string;
	/** Nothing was tried: the call is being transferred to another target, has no answer yet, is not (or no longer) there, or is joined to another telephone. */
	refused?: "elsewhere" | "not-answered" | "gone" | "joined";
}

/** A transfer, a move or a hold that was asked for, and what came of it. */
export interface TransferRecord {
	projectId: string;
	callId: string;
	command: CallCommand;
	/** requested → ongoing (the call's node has it) → over */
	state: "requested" | "ongoing" | "over";
	/** once it is over */
	outcome?: TransferOutcome;
	/** seconds since the epoch: DynamoDB TTL */
	expiresAtSeconds: number;
}

/** Transfers of the calls of one region, by id. Every write is conditional, so each transfer is asked for, taken and settled once. */
export interface TransferStore {
	/** false: there is one with this id */
	createTransfer(transfer: TransferRecord): Promise<boolean>;
	getTransfer(transferId: string): Promise<TransferRecord | undefined>;
	/** `requested` → `ongoing`; undefined: somebody has taken it, it was given up, or there is none. */
	takeTransfer(transferId: string): Promise<TransferRecord | undefined>;
	/** One of `from` → `over`; false when it is in none of them. */
	settleTransfer(transferId: string, from: readonly TransferRecord["state"][], outcome: TransferOutcome): Promise<boolean>;
}

/**
 * Transfers an answered call and waits for the outcome, no longer than the ringing timeout. Throws `unavailable` when its node cannot be told, and
 * `canceled` when `signal` aborts; the transfer then goes on.
 */
export type TransferPort = CommandPort<TransferCommand>;

/** As `TransferPort`, for whatever a call's node may be asked for. */
export type CommandPort<Command extends CallCommand = CallCommand> = (
	call: CallRecord,
	command: Command,
	signal?: AbortSignalLike,
) => Promise<TransferOutcome>;

/** A trunk's registration in one region, as the node that holds it says. Times in ms since the epoch. */
export interface RegistrationRecord {
	projectId: string;
	trunkId: string;
	nodeId: string;
	/** after it another node may take it over */
	leaseUntil: number;
	state: "registering" | "registered" | "failed";
	/** host, or host and port */
	registrar: string;
	/** where the registrar sends calls */
	contact?: string;
	/** until then the registrar keeps the binding, as far as is known */
	registeredUntil?: number;
	/** of the last failure, in words */
	message?: string;
	sipStatus?: number;
	/** when it is tried again */
	retryAt?: number;
	updatedAt: number;
	/** seconds since the epoch: DynamoDB TTL */
	expiresAtSeconds: number;
}

/** Who registers which trunk, in one region: a lease for each, so that exactly one node does. */
export interface RegistrationStore {
	getRegistration(projectId: string, trunkId: string): Promise<RegistrationRecord | undefined>;
	/** Takes or renews the lease and says how it goes. False, and nothing is written: another node has it until after `now`. */
	holdRegistration(record: RegistrationRecord, now: number): Promise<boolean>;
	/** Gives the lease up; nothing happens when another node has it. */
	releaseRegistration(projectId: string, trunkId: string, nodeId: string): Promise<void>;
}

/** A media node, as it says of itself every few seconds. Times in ms since the epoch. */
export interface NodeRecord {
	nodeId: string;
	region: string;
	/** of its code and settings: nodes of one deployment have the same */
	build: string;
	/** since when the region has nodes of this build: a greater one is newer */
	deployedAt: number;
	/** draining: its calls go on, it takes no more */
	state: "ready" | "draining";
	/** what its Contact and SDP say */
	advertised: { address: string; sipPort: number };
	/** where peers send SIP that they pass on, UDP; unset: it takes none */
	relay?: { address: string; port: number };
	commandQueueUrl?: string;
	/** the ECS task that it is, by its ARN */
	task?: string;
	calls: number;
	maxCalls: number;
	/** how late its clock is */
	lateMs: number;
	/** of all its cores, 0..1 */
	cpuShare: number;
	heartbeatAt: number;
	/** seconds since the epoch: DynamoDB TTL */
	expiresAtSeconds: number;
}

/**
 * The nodes of one region. A node that has said nothing for `NODE_DEAD_AFTER_MS` is dead: exactly one peer, or the sweeper, claims it and buries it, and from
 * the claim on it is told so should it come back.
 */
export interface NodeRegistry {
	/** Writes the node's record. False, and nothing is written: it was taken for dead and claimed; its calls are not its own any more. */
	beat(node: NodeRecord): Promise<boolean>;
	/** Those that have said something lately. */
	liveNodes(region: string, now: number): Promise<NodeRecord[]>;
	/** Also a dead one, as long as it is known. */
	getNode(nodeId: string): Promise<NodeRecord | undefined>;
	/** For a node that stops and has no calls any more. One that was claimed stays known as dead. */
	removeNode(nodeId: string): Promise<void>;
	/** Dead ones that nobody has buried, or began to bury just now. */
	deadNodes(region: string, now: number): Promise<NodeRecord[]>;
	/**
	 * Takes a dead node to bury it, for `NODE_BURIAL_MS`: true for exactly one of those who ask. `certain`: it is known to be dead although its last word is
	 * not old.
	 */
	claimDead(nodeId: string, by: string, now: number, certain?: boolean): Promise<boolean>;
	/** Nothing of it is left. Nothing happens when somebody else has it by now. */
	buried(nodeId: string, by: string, now: number): Promise<void>;
}

/** Calls that have not ended, by the node that runs them. */
export interface OwnedCalls {
	/** At most `limit`; undefined = of calls that no node has taken yet. A call that was written a moment ago may be missing. */
	liveCallsOf(nodeId: string | undefined, limit: number): Promise<CallRecord[]>;
}
