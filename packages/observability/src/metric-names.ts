/**
 * Every metric there is: nothing else can be recorded, and dashboard, alarms and scaling are made from this list. No imports, so that the
 * infrastructure can read it too.
 */

export const METRIC_NAMESPACE = "Trunkline";

export type MetricUnit = "Count" | "Milliseconds" | "Percent" | "None";

/**
 * What becomes of a minute of one metric. `counter`: the sum. `distribution`: its values, or 100 that stand for them in order, so percentiles
 * and extremes hold, sums and counts do not. The others are gauges, one value a minute and node, so that `Sum` over a minute is the fleet's,
 * `Average` a node's and `SampleCount` the number of nodes.
 */
export type MetricKind = "counter" | "distribution" | "latest" | "mean" | "highest";

/** Who records it: the media node, or a Lambda function. */
export type MetricSource = "node" | "api" | "events";

export interface MetricDefinition {
	unit: MetricUnit;
	kind: MetricKind;
	source: MetricSource;
	/** what tells its series apart beside stage and region, each with all the values it may have: never a number, an address or an id */
	dimensions: Readonly<Record<string, readonly string[]>>;
	description: string;
}

/** of calls */
const CALL = ["inbound", "outbound"] as const;
/** of audio: uplink = telephone → room */
const AUDIO = ["uplink", "downlink"] as const;

/** `EndReason` of packages/contracts, but for what no call fails of. */
export const FAILURE_REASONS = [
	"busy",
	"declined",
	"no-answer",
	"cancelled",
	"not-found",
	"unauthorized",
	"no-trunk",
	"no-rule",
	"wrong-pin",
	"rejected",
	"media-timeout",
	"media-mismatch",
	"room-failed",
	"room-closed",
	"peer-gone",
	"unreachable",
	"not-claimed",
	"shutdown",
	"internal-error",
	"other",
] as const;

/** What the API is asked for: one that waits for people says nothing about the others' speed. */
export const API_OPERATIONS = ["dial", "transfer", "configuration", "calls", "rooms", "other"] as const;

/** HTTP statuses that the API answers errors with. */
export const API_ERROR_CODES = [
	"400",
	"401",
	"403",
	"404",
	"408",
	"409",
	"412",
	"413",
	"429",
	"500",
	"501",
	"502",
	"503",
	"other",
] as const;

/** What became of a message that a node received from the dial queue. */
export const CLAIM_OUTCOMES = ["claimed", "late", "taken", "given-back", "other-region", "failed"] as const;

export const METRICS = {
	ActiveCallsPerNode: {
		...{ unit: "Count", kind: "latest", source: "node", dimensions: {} },
		description: "calls of a node now: Average = calls a node, Sum = calls of the region, SampleCount = nodes that live",
	},
	ActiveCalls: { unit: "Count", kind: "latest", source: "node", dimensions: { direction: CALL }, description: "calls now; Sum over nodes" },
	FreeSlots: {
		...{ unit: "Count", kind: "latest", source: "node", dimensions: {} },
		description: "calls that a node would still take now, 0 while it drains or is late; Sum over nodes",
	},
	NodeCpu: { unit: "Percent", kind: "mean", source: "node", dimensions: {}, description: "of the process, of all cores that it may use" },
	ClockLateness: {
		...{ unit: "Milliseconds", kind: "highest", source: "node", dimensions: {} },
		description: "how late the latest of the node's threads was at worst, as the median of half a second; audio is due each 20 ms",
	},
	LateFrames: {
		unit: "Count",
		kind: "counter",
		source: "node",
		dimensions: {},
		description: "frames of audio that left 20 ms late or more",
	},
	CallAttempts: {
		...{ unit: "Count", kind: "counter", source: "node", dimensions: { direction: CALL } },
		description: "calls that a trunk took (inbound) or a node dials (outbound)",
	},
	CallAnswers: {
		...{ unit: "Count", kind: "counter", source: "node", dimensions: { direction: CALL } },
		description: "of them that were answered; answers / attempts is the answer-seizure ratio (ITU-T E.411)",
	},
	CallFailures: {
		...{ unit: "Count", kind: "counter", source: "node", dimensions: { reason: FAILURE_REASONS } },
		description: "calls that ended without an answer, or after one by a fault; `end.reason` of the call's record",
	},
	EncryptedCalls: {
		...{ unit: "Percent", kind: "distribution", source: "node", dimensions: {} },
		description: "100 or 0 for each answered call that is over; Average = share of calls with SRTP",
	},
	RequestToInvite: {
		...{ unit: "Milliseconds", kind: "distribution", source: "node", dimensions: {} },
		description: "from the API's record of an outbound call to its INVITE: queue, claim, room",
	},
	InviteToRinging: {
		...{ unit: "Milliseconds", kind: "distribution", source: "node", dimensions: {} },
		description: "post-dial delay: from our INVITE to the first 18x (outbound)",
	},
	InviteToAnswer: {
		...{ unit: "Milliseconds", kind: "distribution", source: "node", dimensions: { direction: CALL } },
		description: "from INVITE to 200; of outbound calls a person's time to answer is in it",
	},
	DialClaims: {
		...{ unit: "Count", kind: "counter", source: "node", dimensions: { outcome: CLAIM_OUTCOMES } },
		description: "messages of the dial queue, by what became of them; `taken` = delivered twice, harmless",
	},
	DeadNodesBuried: {
		...{ unit: "Count", kind: "counter", source: "node", dimensions: {} },
		description: "nodes that went without a word and whose calls a peer has ended, or the sweeper where none is left",
	},
	CallsTurnedAway: {
		...{ unit: "Count", kind: "counter", source: "node", dimensions: { why: ["draining", "full", "late"] } },
		description: "INVITEs that got 503 with Retry-After before anybody looked at them",
	},
	DroppedDatagrams: {
		...{ unit: "Count", kind: "counter", source: "node", dimensions: {} },
		description: "SIP of strangers that was dropped before anything read it",
	},
	BannedSources: { unit: "Count", kind: "latest", source: "node", dimensions: {}, description: "addresses that are banned now" },
	CallMos: {
		...{ unit: "None", kind: "distribution", source: "node", dimensions: { direction: AUDIO } },
		description: "mean opinion score of 5 s of a call (ITU-T G.107)",
	},
	CallPacketLoss: {
		...{ unit: "Percent", kind: "distribution", source: "node", dimensions: { direction: AUDIO } },
		description: "of 5 s of a call",
	},
	CallJitter: {
		...{ unit: "Milliseconds", kind: "distribution", source: "node", dimensions: { direction: AUDIO } },
		description: "RFC 3550 §6.4.1",
	},
	CallRoundTrip: {
		...{ unit: "Milliseconds", kind: "distribution", source: "node", dimensions: {} },
		description: "between node and telephone, from RTCP",
	},
	CallConcealedFrames: {
		...{ unit: "Count", kind: "counter", source: "node", dimensions: { direction: AUDIO } },
		description: "made up because nothing was there to be played",
	},
	CallLatePackets: {
		...{ unit: "Count", kind: "counter", source: "node", dimensions: { direction: AUDIO } },
		description: "that came too late to be played",
	},
	ApiRequests: {
		...{ unit: "Count", kind: "counter", source: "api", dimensions: { operation: API_OPERATIONS } },
		description: "requests that were answered",
	},
	ApiLatency: {
		...{ unit: "Milliseconds", kind: "distribution", source: "api", dimensions: { operation: API_OPERATIONS } },
		description: "until the answer; dial and transfer wait for people",
	},
	ApiErrors: {
		...{ unit: "Count", kind: "counter", source: "api", dimensions: { code: API_ERROR_CODES } },
		description: "answers of 400 and above, by HTTP status; 429 = a key or a project is over its limits",
	},
	CallsNotClaimed: {
		...{ unit: "Count", kind: "counter", source: "api", dimensions: {} },
		description: "outbound calls that no node took in time, ended by the API",
	},
	EventsGivenUp: {
		...{ unit: "Count", kind: "counter", source: "events", dimensions: {} },
		description: "call events that a receiver did not take for days",
	},
} as const satisfies Record<string, MetricDefinition>;

export type MetricName = keyof typeof METRICS;

/** The values that tell this metric's series apart; all of them must be said. */
export type MetricDimensions<N extends MetricName> = {
	readonly [D in keyof (typeof METRICS)[N]["dimensions"]]: (typeof METRICS)[N]["dimensions"][D] extends readonly (infer V extends string)[]
		? V
		: never;
};

/** A dimension as CloudWatch has it: `direction` is `Direction`. */
export const dimensionName = (name: string): string => `${name.slice(0, 1).toUpperCase()}${name.slice(1)}`;
