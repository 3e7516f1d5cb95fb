import type { DialRequest, TrunkSettings } from "@trunkline/contracts";
import type { Metrics } from "@trunkline/observability";
import type { CallStore, TransferOutcome } from "@trunkline/domain";
import type { MayCall } from "./fraud.ts";
import type { Clock, MediaPort, Recordings, RoomConnector, SipLeg } from "./ports.ts";
import type { RoomIdentity } from "./room-identity.ts";
import type { DialSecondLeg } from "./second-leg-types.ts";
import type { TrunkLimits } from "./trunk-limits.ts";

export interface CallLog {
	info(fields: Record<string, unknown>, message: string): void;
	warn(fields: Record<string, unknown>, message: string): void;
	error(fields: Record<string, unknown>, message: string): void;
}

export type Admit = (call: { projectId: string; callId: string; dial: DialRequest }) => Promise<DialRequest>;

export interface CallDeps {
	clock: Clock;
	media: MediaPort;
	rooms: RoomConnector;
	calls: CallStore;
	projectId: string;
	/** each project may have a LiveKit server of its own */
	roomUrl(projectId: string): Promise<string>;
	token(identity: RoomIdentity, projectId: string): Promise<string>;
	nodeId: string;
	region: string;
	/** ms without a packet before the call is ended: before the first one, and later */
	mediaTimeoutMs: { first: number; later: number };
	random(length: number): Uint8Array;
	/** Does the call's project want the digits that callers press on the records of its calls? Unset: none does. */
	recordsDigits?: ((projectId: string) => Promise<boolean>) | undefined;
	/** where a call's media and rooms are; unset: in a place of the call's own */
	place?: string;
	/** two telephones joined in place; unset: in this thread */
	backToBack?: (() => { first: RoomConnector; second: RoomConnector }) | undefined;
	/** dials somebody whom a call is to be joined to; unset: calls are never joined */
	dialSecondLeg?: DialSecondLeg | undefined;
	log: CallLog;
	/** ms from one time to the next that the quality of a call is written while it goes on; 0 or unset: it is known at the end */
	qualityEveryMs?: number | undefined;
	/** unset: nobody measures */
	metrics?: Metrics | undefined;
	/** where recordings of calls go; unset: none are made */
	recordings?: Recordings | undefined;
	/** asked before an INVITE of ours leaves: why the project may not call that; unset: the API has seen to it */
	mayCall?: MayCall | undefined;
	/** our tag of a call that goes out; unset: its id */
	localTag?: ((callId: string) => string) | undefined;
	/**
	 * Counts a call that the node begins by itself against its project's limits, as the API does with those that are placed through it; gives the dial request as
	 * the policy allows it. Rejects with `resource_exhausted` for a limit. Unset: nothing is counted.
	 */
	admit?: Admit | undefined;
	/** `settings.limits` of trunks; `onOver` releases the slot */
	trunkLimits?: TrunkLimits | undefined;
	/** what came of transfers; called once for each */
	onTransfer(transferIds: readonly string[], outcome: TransferOutcome): void;
	/** the call is gone; nothing of it is left */
	onOver(callId: string): void;
}

/** What a REFER needs of the call. */
export interface Referrer {
	leg: SipLeg | undefined;
	/** our address in the dialog */
	uri: string;
	attributesToHeaders: Readonly<Record<string, string>>;
	/** false: the peer's Allow has no REFER */
	allowsRefer?: boolean;
	/** our number in the call */
	ownNumber: string;
	/** what was dialled; unset for a call that came in */
	line: DialRequest | undefined;
	/** the trunk's */
	settings: TrunkSettings | undefined;
	/** host of the far end's address, without port */
	peerHost: string;
}
