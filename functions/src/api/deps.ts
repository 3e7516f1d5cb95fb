import type { RandomBytes } from "@trunkline/contracts";
import type {
	CallLimitStore,
	CallStore,
	CommandPort,
	ConfigStore,
	DialQueue,
	NodeRoom,
	ProjectCache,
	ProjectStore,
	ServedRegion,
	TransferPort,
	TransferStore,
} from "@trunkline/domain";
import type { Log, Metrics } from "@trunkline/observability";
import type { IdempotencyKey } from "./call-id.ts";
import type { Grants } from "./grants.ts";
import type { V1Deps } from "./v1/deps.ts";
import type { Rate } from "./v1/rate-limit.ts";

export interface ApiKey {
	secret: string;
	/** the one before it, while a rotation lasts */
	previousSecret?: string;
	projectId: string;
}

export interface ApiKeys {
	lookup(apiKey: string): ApiKey | undefined | Promise<ApiKey | undefined>;
	/** Drops what is remembered of a key, so that it is read anew; false when it was read a moment ago. */
	forget?(apiKey: string): boolean;
}

/** Projects that are made through /v1/projects. */
export interface ProjectDeps {
	store: ProjectStore;
	cache: ProjectCache;
	callLimits: CallLimitStore;
	/** of the deployment itself: they are in no store */
	builtIn: readonly string[];
	/** bearer of /v1/projects; unset: projects cannot be changed here */
	adminSecret?: string;
}

/** What the API knows of the deployment's regions. */
export interface RegionalDeps {
	/** the first is the home region */
	served: readonly [RegionView, ...RegionView[]];
	/** live nodes of a region; unset: nobody knows, and calls wait in the queue for one */
	nodesOf?(region: string): Promise<readonly RegionNode[]>;
}

export interface RegionView extends ServedRegion {
	/** of its media nodes */
	livekitUrl?: string;
	/** where carriers send calls: host or host:port */
	sipAddress?: string;
}

export interface RegionNode extends NodeRoom {
	build: string;
	/** ms since the epoch */
	heartbeatAt: number;
}

/** Everything the API needs from outside; `wire.ts` and local mode build it, tests too. */
export interface ApiDeps {
	configStore: ConfigStore;
	callStore: CallStore;
	dialQueue(region: string): DialQueue;
	keys: ApiKeys;
	/** unset: there are no projects but those of `keys` */
	projects?: ProjectDeps;
	/** the first one is used unless a request names another */
	regions: readonly [string, ...string[]];
	/** the same, with what they serve; unset: each serves every country */
	regional?: RegionalDeps;
	/** ms since the epoch */
	clock(): number;
	/** resolves after `ms`, or at once when `signal` aborts; never rejects */
	sleep(ms: number, signal?: AbortSignal): Promise<void>;
	random: RandomBytes;
	/** answers the Twirp services of LiveKit other than SIP, authentication included */
	roomService(request: Request): Promise<Response>;
	/** transfers calls; unset: TransferSIPParticipant is not offered */
	transfer?: TransferPort;
	/** moves calls to other rooms and holds them; unset: neither is offered */
	command?: CommandPort;
	/** earlier ones, by id: a retry is answered when the call is over, too */
	transfers?: Pick<TransferStore, "getTransfer">;
	/** unset: there is no `/v1` */
	v1?: V1Deps;
	/** requests that one API key may make of one process; `DEFAULT_RATE` unless said */
	requestRate?: Rate;
	/** unset: nobody measures */
	metrics?: Metrics;
	/** called when a request is answered: a Lambda function may be asked nothing for a long time */
	flushMetrics?(): void;
	log: Log;
}

/** One authenticated SIP request, as a route sees it. */
export interface RpcContext {
	deps: ApiDeps;
	projectId: string;
	grants: Grants;
	/** says that requests are retries of one: `Idempotency-Key`, or X-Livekit-Request-Id, which SDKs send by themselves */
	idempotency: IdempotencyKey | undefined;
	/** the caller's own headers, for what is asked of LiveKit's server on his behalf */
	requestHeaders: Headers;
	/** what a route adds to the headers of its answer */
	answerHeaders: Headers;
	/** aborts when the client goes away */
	signal: AbortSignal;
}
