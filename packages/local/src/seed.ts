import type { ConfigStore } from "@trunkline/domain";
import { DEMO_ROOM } from "./banner.ts";

const DEMO_NUMBER = "+15550100";

/**
 * Two things so that the first call works with no set-up: a trunk for +15550100 and a rule to the room "hello". Only for a project that
 * has no trunk at all, so that what a user deletes stays deleted as long as anything else is there.
 */
export async function seed(store: ConfigStore, projectId: string, now: number): Promise<boolean> {
	if ((await store.listInboundTrunks(projectId, { limit: 1 })).length > 0 || (await store.listRules(projectId, { limit: 1 })).length > 0)
		return false;
	const times = { createdAt: now, updatedAt: now, version: 1 };
	await store.createTrunk(projectId, {
		kind: "inbound",
		trunkId: "ST_first",
		name: "First trunk",
		metadata: "",
		numbers: [DEMO_NUMBER],
		allowedAddresses: [],
		allowedNumbers: [],
		authUsername: "",
		authPassword: "",
		authRealm: "",
		headers: {},
		headersToAttributes: {},
		attributesToHeaders: {},
		includeHeaders: "NO",
		krispEnabled: false,
		mediaEncryption: "DISABLE",
		...times,
	});
	await store.createRule(projectId, {
		ruleId: "SDR_first",
		rule: { type: "direct", roomName: DEMO_ROOM, pin: "" },
		trunkIds: ["ST_first"],
		hidePhoneNumber: false,
		inboundNumbers: [],
		numbers: [],
		name: "First rule",
		metadata: "",
		attributes: {},
		roomPreset: "",
		krispEnabled: false,
		mediaEncryption: "DISABLE",
		...times,
	});
	return true;
}
