import type { CallStore, CommandQueue, ConfigStore, DialQueue, RegistrationStore, TransferStore } from "@trunkline/domain";
import type { Metrics } from "@trunkline/observability";
import type { Admit } from "./call/call-deps.ts";
import type { PolicyOf } from "./call/fraud.ts";
import type { Recordings, RoomConnector } from "./call/ports.ts";
import type { CallLog } from "./call/runner.ts";
import type { NoiseSuppressorOptions } from "./media/noise/suppressors.ts";
import type { NodeRelaySettings } from "./relay/node-relay.ts";
import type { PeerRegion } from "./region.ts";
import type { SipOptions } from "./sip-options.ts";
import type { TraceOptions } from "./trace/node-traces.ts";
import type { InboundTrunks } from "./ua/inbound-trunks.ts";

export interface LiveKitAccess {
	url: string;
	apiKey: string;
	apiSecret: string;
}

export interface MediaNodeOptions {
	nodeId?: string;
	region: string;
	/** of the deployment; unset: there is no other */
	peerRegions?: readonly PeerRegion[];
	projectId: string;
	sip: SipOptions;
	/** `…6`: the same for IPv6 beside IPv4 */
	rtp: {
		bindHost: string;
		advertisedAddress: string;
		bindHost6?: string;
		advertisedAddress6?: string;
		/** the deployment's own prompts, a folder for each language */
		promptsDirectory?: string | undefined;
		portRange: readonly [number, number];
		/** what held callers hear, 8 kHz; unset: a tune of our own */
		holdMusic?: Int16Array | undefined;
		/** what takes noise out of calls that want it; unset: DTLN */
		noiseSuppressor?: NoiseSuppressorOptions | undefined;
	};
	/** of projects that name no server of their own */
	livekit: LiveKitAccess;
	/** unset: all calls are of `projectId` */
	projects?: {
		forInbound(calledNumber: string, source: string): Promise<string | undefined>;
		/** the project's own LiveKit server; undefined = the one above */
		livekit(projectId: string): Promise<LiveKitAccess | undefined>;
		/** where its calls may go; unset: the deployment's default policy */
		policy?: PolicyOf;
		/** counts calls that the node begins by itself (second legs) against its limits; unset: nothing is counted */
		admit?: Admit;
		/** of all projects; unset: nobody knows them all, so strangers are answered */
		inboundTrunks?: InboundTrunks;
	};
	configStore: ConfigStore;
	callStore: CallStore;
	dialQueue: DialQueue;
	/** this node's own; unset: its calls take no commands */
	commandQueue?: CommandQueue;
	transferStore: TransferStore;
	/** unset: trunks are not registered from here */
	registrationStore?: RegistrationStore;
	/** how often the trunks that register are looked at; default 15,000 */
	registrationPollMs?: number;
	/** false = LiveKit's behaviour: a rule without trunks takes calls that passed no trunk */
	strictDispatch: boolean;
	/** calls at a time; above it new ones get 503 */
	maxCalls: number;
	/** no dial requests are taken while it says so: another node has more to spare */
	busy?(): boolean;
	/** peers may have taken this node for dead: it takes no calls while it says so */
	silent?(): boolean;
	/** the time that nodes and API agree on, ms since the epoch; unset: this machine's */
	sharedNow?(): number;
	/** new calls get 503 while half of the event loop's turns are later than this; default 100 */
	overloadMs?: number;
	/** threads that calls' audio is in; 0 or unset: in this one. With `rooms` there are none. */
	mediaWorkers?: number;
	mediaTimeoutMs?: { first: number; later: number };
	/** how often the quality of calls that go on is written to their records; 0 or unset: when they have ended */
	qualityEveryMs?: number;
	/** how long a call's room may be gone before the call ends; unset: 60,000 */
	roomRecoveryMs?: number;
	/** when the relays (TURN) are used that a room server names; unset: "auto", where nothing else leads */
	roomRelays?: "auto" | "at-once" | "only";
	/** asked at each digit that a caller presses; unset: digits are on no record */
	recordsDigits?: (projectId: string) => Promise<boolean>;
	/** where measurements of calls go; unset: nowhere */
	metrics?: Metrics;
	/** where recordings of calls go; unset: none are made */
	recordings?: Recordings;
	/** calls' SIP messages; unset: they are not kept */
	traces?: TraceOptions | undefined;
	/** what strangers get: a 404, nothing, or ("auto", the default) nothing once every inbound trunk says which addresses may call */
	unknownSources?: "auto" | "answer" | "drop";
	/** with `nonceSecret`: requests are passed on between the nodes of the region; unset: this node answers all that comes */
	relay?: Omit<NodeRelaySettings, "secret">;
	/** signs digest nonces; the same on every node of a fleet */
	nonceSecret?: Uint8Array;
	log: CallLog;
	rooms?: RoomConnector;
}

export interface NodeStats {
	calls: number;
	transactions: number;
	dialogs: number;
	legs: number;
	rtpPorts: number;
	/** threads for audio that take calls now */
	mediaWorkers: number;
	/** those that have stopped by themselves */
	mediaWorkersLost: number;
	/** frames of audio that came 20 ms late or more since the start: what jitter buffers of telephones have to make up for */
	lateFrames: number;
	/** trunks that are registered from here now */
	registrations: number;
}
