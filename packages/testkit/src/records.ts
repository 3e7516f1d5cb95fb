import type { CallRecord, DialRequest, DispatchRule, InboundTrunk, OutboundTrunk } from "@trunkline/contracts";
import type { NodeRecord } from "@trunkline/domain";

/** Whole records with plain values; `changes` are what a test is about. */
export function inboundTrunk(changes: Partial<InboundTrunk> = {}): InboundTrunk {
	return {
		kind: "inbound",
		trunkId: "ST_111111111111",
		name: "front desk",
		metadata: "",
		numbers: [],
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
		createdAt: 1_700_000_000_000,
		updatedAt: 1_700_000_000_000,
		version: 1,
		...changes,
	};
}

export function outboundTrunk(changes: Partial<OutboundTrunk> = {}): OutboundTrunk {
	return {
		kind: "outbound",
		trunkId: "ST_222222222222",
		name: "carrier",
		metadata: "",
		address: "sip.example.com",
		destinationCountry: "",
		transport: "AUTO",
		numbers: ["+15550100"],
		authUsername: "",
		authPassword: "",
		fromHost: "",
		headers: {},
		headersToAttributes: {},
		attributesToHeaders: {},
		includeHeaders: "NO",
		mediaEncryption: "DISABLE",
		createdAt: 1_700_000_000_000,
		updatedAt: 1_700_000_000_000,
		version: 1,
		...changes,
	};
}

export function dispatchRule(changes: Partial<DispatchRule> = {}): DispatchRule {
	return {
		ruleId: "SDR_11111111111",
		rule: { type: "direct", roomName: "lobby", pin: "" },
		trunkIds: [],
		hidePhoneNumber: false,
		inboundNumbers: [],
		numbers: [],
		name: "to the lobby",
		metadata: "",
		attributes: {},
		roomPreset: "",
		krispEnabled: false,
		mediaEncryption: "DISABLE",
		createdAt: 1_700_000_000_000,
		updatedAt: 1_700_000_000_000,
		version: 1,
		...changes,
	};
}

export function dialRequest(changes: Partial<DialRequest> = {}): DialRequest {
	return {
		trunkId: "ST_222222222222",
		address: "sip.example.com",
		transport: "UDP",
		callTo: "+15550199",
		from: "+15550100",
		fromHost: "",
		authUsername: "",
		authPassword: "",
		toUserOverride: "",
		roomName: "lobby",
		participantIdentity: "sip_+15550199",
		participantName: "",
		participantMetadata: "",
		participantAttributes: {},
		dtmf: "",
		playDialtone: false,
		hidePhoneNumber: false,
		headers: {},
		headersToAttributes: {},
		attributesToHeaders: {},
		includeHeaders: "NO",
		ringingTimeoutMs: 30_000,
		maxCallDurationMs: 3_600_000,
		krispEnabled: false,
		mediaEncryption: "DISABLE",
		waitUntilAnswered: false,
		...changes,
	};
}

/** A queued outbound call; `createdAt` is the caller's, since expiry is measured against a clock. */
export function callRecord(changes: Partial<CallRecord> & Pick<CallRecord, "callId" | "createdAt">): CallRecord {
	return {
		projectId: "project",
		region: "local",
		direction: "outbound",
		state: "queued",
		version: 1,
		trunkId: "ST_222222222222",
		ruleId: "",
		roomName: "lobby",
		participantIdentity: "sip_+15550199",
		participantId: "",
		from: "+15550100",
		to: "+15550199",
		sipCallId: "",
		request: dialRequest(),
		timeline: [{ at: changes.createdAt, event: "queued" }],
		expiresAtSeconds: Math.floor(changes.createdAt / 1000) + 86_400,
		...changes,
	};
}

export function nodeRecord(changes: Partial<NodeRecord> & Pick<NodeRecord, "nodeId" | "heartbeatAt">): NodeRecord {
	return {
		region: "local",
		build: "1",
		deployedAt: 1_700_000_000_000,
		state: "ready",
		advertised: { address: "192.0.2.1", sipPort: 5060 },
		calls: 0,
		maxCalls: 100,
		lateMs: 0,
		cpuShare: 0,
		expiresAtSeconds: 4_000_000_000,
		...changes,
	};
}
