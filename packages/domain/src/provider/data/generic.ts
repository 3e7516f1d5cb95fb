import type { ProviderProfile } from "@trunkline/contracts";

export const generic: ProviderProfile = {
	id: "generic",
	name: "Any SIP peer",
	summary: "Nothing is assumed but the RFCs.",
	asOf: "2026-11-22",
	sources: { rfc3261: "RFC 3261", rfc3263: "RFC 3263", rfc3551: "RFC 3551", rfc4733: "RFC 4733" },
	hosts: [],
	addresses: [],
	signallingComplete: false,
	transports: [
		{ transport: "UDP", port: 5060, source: "rfc3261" },
		{ transport: "TCP", port: 5060, source: "rfc3261" },
		{ transport: "TLS", port: 5061, source: "rfc3261" },
	],
	codecs: [
		{ name: "PCMU", source: "rfc3551" },
		{ name: "PCMA", source: "rfc3551" },
	],
	dtmf: { methods: ["rfc4733"], source: "rfc4733" },
	srtp: { support: "unknown", suites: [], source: "rfc3261" },
	authentication: { inbound: ["ip", "digest"], outbound: ["ip", "digest"], realm: "any", source: "rfc3261" },
	registration: { support: "unknown", source: "rfc3261" },
	numbers: { inbound: [], outbound: "as-given", callerId: "as agreed with the peer", source: "rfc3261" },
	userPhone: { wanted: "unknown", source: "rfc3261" },
	refer: { host: "as-given", diversion: false, notify: "unknown" },
	referNotes: { support: "unknown", kinds: [], targets: "as agreed with the peer", source: "rfc3261" },
	sessionTimers: { support: "unknown", source: "rfc3261" },
	headersToAttributes: {},
	headers: [],
	failover: {
		theirs: { statuses: [503], source: "rfc3263" },
		final: { statuses: [], source: "rfc3263" },
		// RFC 3263 §4.3: after a 503 the next target is tried; a busy or unwilling callee is so at every target.
		ours: [503],
	},
	statuses: [],
	limits: [],
	settings: {},
	notes: [],
};
