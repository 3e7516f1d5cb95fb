// Builders for tests of this package: a valid trunk, rule and so on, with what a case is about overridden.
import type { DialRequest, DispatchRule, DispatchTarget, InboundTrunk, OutboundTrunk } from "@trunkline/contracts";
import { buildDialRequest, type ParticipantRequest } from "./call/dial.ts";

export function inboundTrunk(over: Partial<InboundTrunk> = {}): InboundTrunk {
	return {
		kind: "inbound",
		trunkId: "ST_in",
		name: "",
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
		createdAt: 0,
		updatedAt: 0,
		version: 1,
		...over,
	};
}

export function outboundTrunk(over: Partial<OutboundTrunk> = {}): OutboundTrunk {
	return {
		kind: "outbound",
		trunkId: "ST_out",
		name: "",
		metadata: "",
		address: "sip.example.com",
		destinationCountry: "",
		transport: "AUTO",
		numbers: ["+15550001"],
		authUsername: "",
		authPassword: "",
		fromHost: "",
		headers: {},
		headersToAttributes: {},
		attributesToHeaders: {},
		includeHeaders: "NO",
		mediaEncryption: "DISABLE",
		createdAt: 0,
		updatedAt: 0,
		version: 1,
		...over,
	};
}

export function direct(roomName: string, pin = ""): DispatchTarget {
	return { type: "direct", roomName, pin };
}

export function dispatchRule(over: Partial<DispatchRule> = {}): DispatchRule {
	return {
		ruleId: "SDR_a",
		rule: direct("lobby"),
		trunkIds: [],
		hidePhoneNumber: false,
		inboundNumbers: [],
		numbers: [],
		name: "",
		metadata: "",
		attributes: {},
		roomPreset: "",
		krispEnabled: false,
		mediaEncryption: "DISABLE",
		createdAt: 0,
		updatedAt: 0,
		version: 1,
		...over,
	};
}

export function participantRequest(over: Partial<ParticipantRequest> = {}): ParticipantRequest {
	return {
		trunkId: "ST_out",
		callTo: "+15559999",
		number: "",
		toUserOverride: "",
		roomName: "lobby",
		participantIdentity: "",
		participantName: "",
		participantMetadata: "",
		participantAttributes: {},
		dtmf: "",
		playDialtone: false,
		hidePhoneNumber: false,
		headers: {},
		includeHeaders: "NO",
		krispEnabled: false,
		mediaEncryption: "DISABLE",
		waitUntilAnswered: false,
		...over,
	};
}

export function dialRequest(over: Partial<ParticipantRequest> = {}): DialRequest {
	return buildDialRequest(participantRequest(over), outboundTrunk(), { random: (length) => new Uint8Array(length) });
}
