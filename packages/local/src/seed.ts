import type { ConfigStore } from "@trunkline/domain";

export const DEMO_NUMBER = "+15550100";
export const DEMO_ROOM = "hello";
const TRUNK_ID = "ST_first";
const RULE_ID = "SDR_first";

/**
 * Two things so that the first call works with no set-up: a trunk for +15550100 and a rule to the room "hello". Only for a project that has
 * nothing of its own; a trunk without its rule is a first start that was cut off, and is completed.
 */
export async function seed(store: ConfigStore, projectId: string, now: number): Promise<boolean> {
	const [trunks, rules] = await Promise.all([store.listInboundTrunks(projectId, { limit: 2 }), store.listRules(projectId, { limit: 1 })]);
	if (rules.length > 0 || trunks.some(({ trunkId }) => trunkId !== TRUNK_ID)) return false;
	if (trunks.length === 0) await createTrunk(store, projectId, now);
	await createRule(store, projectId, now);
	return true;
}

/** Whether a call to +15550100 still reaches the room "hello" by the trunk and the rule of the first start. */
export async function isDemoThere(store: ConfigStore, projectId: string): Promise<boolean> {
	const [trunk, rule] = await Promise.all([store.getTrunk(projectId, TRUNK_ID), store.getRule(projectId, RULE_ID)]);
	return trunk !== undefined && rule !== undefined;
}

async function createTrunk(store: ConfigStore, projectId: string, now: number): Promise<void> {
	await store.createTrunk(projectId, {
		kind: "inbound",
		trunkId: TRUNK_ID,
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
		createdAt: now,
		updatedAt: now,
		version: 1,
	});
}

async function createRule(store: ConfigStore, projectId: string, now: number): Promise<void> {
	await store.createRule(projectId, {
		ruleId: RULE_ID,
		rule: { type: "direct", roomName: DEMO_ROOM, pin: "" },
		trunkIds: [TRUNK_ID],
		hidePhoneNumber: false,
		inboundNumbers: [],
		numbers: [],
		name: "First rule",
		metadata: "",
		attributes: {},
		roomPreset: "",
		krispEnabled: false,
		mediaEncryption: "DISABLE",
		createdAt: now,
		updatedAt: now,
		version: 1,
	});
}
