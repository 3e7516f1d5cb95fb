import { getCall, hangUpCall, holdCall, listCalls, recordCall, suppressNoise } from "./calls.ts";
import { pressDigits } from "./digits.ts";
import { explain } from "./explain.ts";
import { getProvider, listProviders } from "./providers.ts";
import { getTrunkRegistration } from "./registration.ts";
import { deleteRuleSettings, dial, getRuleSettings, listRegions, putRuleSettings } from "./regions.ts";
import type { V1Route } from "./route.ts";
import { placeTestCall } from "./test-calls.ts";
import { getTrace, getTracePcapng } from "./traces.ts";
import { deleteTrunkSettings, getTrunkSettings, putTrunkSettings } from "./trunk-settings.ts";
import { getWebhooks, putWebhooks } from "./webhooks.ts";

/** All of `/v1`; the router and `openapi.json` are made from this. */
export const V1_ROUTES: readonly V1Route[] = [
	explain,
	listCalls,
	dial,
	getCall,
	getTrace,
	getTracePcapng,
	hangUpCall,
	holdCall,
	suppressNoise,
	recordCall,
	pressDigits,
	placeTestCall,
	getWebhooks,
	putWebhooks,
	getTrunkSettings,
	putTrunkSettings,
	deleteTrunkSettings,
	getTrunkRegistration,
	getRuleSettings,
	putRuleSettings,
	deleteRuleSettings,
	listRegions,
	listProviders,
	getProvider,
];
