import { getCall, hangUpCall, holdCall, listCalls, recordCall, suppressNoise } from "./calls.ts";
import { explain } from "./explain.ts";
import { getProvider, listProviders } from "./providers.ts";
import { getTrunkRegistration } from "./registration.ts";
import type { V1Route } from "./route.ts";
import { deleteTrunkSettings, getTrunkSettings, putTrunkSettings } from "./trunk-settings.ts";
import { getWebhooks, putWebhooks } from "./webhooks.ts";

/** All of `/v1`; the router and `openapi.json` are made from this. */
export const V1_ROUTES: readonly V1Route[] = [
	explain,
	listCalls,
	getCall,
	hangUpCall,
	holdCall,
	suppressNoise,
	recordCall,
	getWebhooks,
	putWebhooks,
	getTrunkSettings,
	putTrunkSettings,
	deleteTrunkSettings,
	getTrunkRegistration,
	listProviders,
	getProvider,
];
