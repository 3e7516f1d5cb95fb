import type { RandomBytes } from "@trunkline/contracts";
import type { CallStore, ConfigStore, DialQueue } from "@trunkline/domain";
import type { Log } from "@trunkline/observability";

export interface ApiKey {
	secret: string;
	projectId: string;
}

/** Everything the API needs from outside; `wire.ts` and local mode build it, tests too. */
export interface ApiDeps {
	configStore: ConfigStore;
	callStore: CallStore;
	dialQueue(region: string): DialQueue;
	keys: { lookup(apiKey: string): ApiKey | undefined };
	/** the first one is used unless a request names another */
	regions: readonly [string, ...string[]];
	/** ms since the epoch */
	clock(): number;
	/** resolves after `ms`, or at once when `signal` aborts; never rejects */
	sleep(ms: number, signal?: AbortSignal): Promise<void>;
	random: RandomBytes;
	/** answers the Twirp services of LiveKit other than SIP, authentication included */
	roomService(request: Request): Promise<Response>;
	log: Log;
}

/** One authenticated SIP request, as a route sees it. */
export interface RpcContext {
	deps: ApiDeps;
	projectId: string;
	/** X-Livekit-Request-Id; the same for all retries of one request */
	requestId: string | undefined;
	/** aborts when the client goes away */
	signal: AbortSignal;
}
