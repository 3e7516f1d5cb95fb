import type { TrunkSettings } from "./trunk-settings.ts";
import type { IncludeHeaders, MediaConfig, MediaEncryption, Transport } from "./trunk.ts";

/**
 * Life of a call. Outbound: queued → claimed → joining → dialing → ringing → active → ended (or queued → cancelled);
 * inbound: received → ringing → active → ended. Each arrow is one conditional write on the call item.
 */
export type CallState = "queued" | "claimed" | "joining" | "dialing" | "received" | "ringing" | "active" | "ended" | "cancelled";

/** Everything a node needs to place a call; fixed at the API, so that a node reads no configuration to dial. */
export interface DialRequest {
	trunkId: string;
	/** host[:port] from the trunk */
	address: string;
	transport: Transport;
	/** user part of the request URI */
	callTo: string;
	/** user part of From */
	from: string;
	fromHost: string;
	/** the trunk's, ISO 3166; whose ringback and busy tone the room hears; unset: the called number says */
	destinationCountry?: string;
	authUsername: string;
	authPassword: string;
	/** unset → the number is the display name; "" → none (RFC 3261 §20.10 name-addr without display-name) */
	displayName?: string;
	toUserOverride: string;
	/** request URI in the place of callTo at the trunk's address; the INVITE is sent to the trunk's address all the same */
	requestUri?: string;
	/** From in the place of `from` at `fromHost`; display name "" = none, unless `displayName` is set */
	fromHeader?: { uri: string; displayName: string };
	roomName: string;
	participantIdentity: string;
	participantName: string;
	participantMetadata: string;
	participantAttributes: Record<string, string>;
	/** digits 0-9 * # a-d, `w` = 500 ms pause; sent after the answer, before audio is bridged */
	dtmf: string;
	playDialtone: boolean;
	hidePhoneNumber: boolean;
	headers: Record<string, string>;
	headersToAttributes: Record<string, string>;
	attributesToHeaders: Record<string, string>;
	includeHeaders: IncludeHeaders;
	ringingTimeoutMs: number;
	maxCallDurationMs: number;
	krispEnabled: boolean;
	mediaEncryption: MediaEncryption;
	media?: MediaConfig;
	waitUntilAnswered: boolean;
	/** the call may be placed from these regions alone; unset = it is not pinned */
	regions?: readonly string[];
	/** the trunk's, as they were when the call was asked for */
	settings?: TrunkSettings;
}

export interface TimelineEntry {
	at: number;
	event: string;
	detail?: string;
}

/** Who ended the call: the telephone side, somebody in the room, an API call, or the node itself (time-outs, shutdown, faults). */
export type EndedBy = "peer" | "room" | "api" | "node";

/** Why, in a word that programs can switch on. */
export type EndReason =
	| "hangup"
	| "transferred"
	| "busy"
	| "declined"
	| "no-answer"
	| "cancelled"
	| "not-found"
	| "unauthorized"
	| "no-trunk"
	| "no-rule"
	| "wrong-pin"
	| "rejected"
	| "media-timeout"
	| "media-mismatch"
	| "max-duration"
	| "room-failed"
	| "room-closed"
	| "participant-removed"
	| "peer-gone"
	| "unreachable"
	| "not-claimed"
	| "shutdown"
	| "internal-error";

export interface CallEnd {
	by: EndedBy;
	reason: EndReason;
	/** final SIP status, where there was one */
	sipStatus?: number;
	/** its reason phrase or, for 4xx with a body, the body */
	sipReason?: string;
	/** in words, for people */
	message?: string;
}

/** As agreed with the telephone, and how it went. */
export interface CallMedia {
	codec: string;
	/** SRTP suite; unset = in the clear */
	srtp?: string;
	/** SRTP whose keys came by signalling without TLS */
	keysInTheClear?: true;
	/** of RTP, with `quality` and at the end; with SRTP, what was received was decrypted */
	packets?: {
		received: number;
		sent: number;
		lost: number;
		/** that came from elsewhere */
		refused: number;
		/** that SRTP did not let in */
		srtpErrors: number;
	};
	/** of a call that was answered, while it goes on as of some seconds ago: uplink = telephone → room, downlink = room → telephone */
	quality?: { uplink: CallQuality; downlink: CallQuality };
}

/** One direction of a call. What nobody could tell is unset: without RTCP of the telephone there is no round trip. */
export interface CallQuality {
	packets: number;
	lost: number;
	/** came after a later one, or too late to be played */
	late: number;
	duplicates: number;
	/** frames that were made up because nothing was there to be played */
	concealed: number;
	/** mean and worst of 5 s intervals */
	jitterMs?: number;
	maxJitterMs?: number;
	roundTripMs?: number;
	maxRoundTripMs?: number;
	/** mean while somebody spoke, −dBov: 0 is loudest */
	level?: number;
	/** ITU-T G.107, 1..4.5 */
	mos?: number;
	minMos?: number;
	/** At most 60 values of each, however long the call. Records of earlier versions have the first one alone. */
	scores: { everyMs: number; mos: readonly number[]; lossPercent?: readonly number[]; levelDbov?: readonly (number | null)[] };
}

/** A call's two directions in one stereo file: the telephone on the left, what it heard on the right. */
export interface CallRecording {
	/** where the store of recordings has it, or will have it when the call is over */
	key: string;
	startedAt: number;
	/** unset while it goes on */
	durationMs?: number;
	bytes?: number;
	/** why there is none, or not all of it */
	problem?: string;
}

export interface CallRecord {
	callId: string;
	projectId: string;
	region: string;
	direction: "inbound" | "outbound";
	/** of the API request that asked for it, as the API's log has it */
	requestId?: string;
	state: CallState;
	/** optimistic version: each transition is conditional on it */
	version: number;
	/** node that runs the call */
	owner?: string;
	/** ms since the epoch; after it a call that has not reached `dialing` may be taken over */
	leaseUntil?: number;
	trunkId: string;
	ruleId: string;
	roomName: string;
	participantIdentity: string;
	participantId: string;
	/** telephone numbers or SIP users */
	from: string;
	to: string;
	sipCallId: string;
	request?: DialRequest;
	/** the call that this one was joined to in place: the second leg of a transfer, and the call that was transferred */
	bridgedWith?: string;
	/** ms: it goes on without its room, since when another telephone has the room's place, or its own place there. `roomName` says which room it was. */
	leftRoomAt?: number;
	/** as agreed with the telephone; `srtp` = its suite, unset = in the clear */
	media?: CallMedia;
	/** the latest; earlier ones are in the timeline */
	recording?: CallRecording;
	timeline: TimelineEntry[];
	/** decision trace of an inbound call: candidates and the first test that failed */
	decision?: DecisionStep[];
	createdAt: number;
	answeredAt?: number;
	endedAt?: number;
	end?: CallEnd;
	/** seconds since the epoch: DynamoDB TTL */
	expiresAtSeconds: number;
}

export interface DecisionStep {
	kind: "trunk" | "rule" | "region";
	id: string;
	outcome: "selected" | "candidate" | "rejected";
	/** the first test that failed, with the exact strings compared */
	test?: string;
	detail?: string;
}
