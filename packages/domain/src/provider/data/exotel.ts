import type { ProviderProfile } from "@trunkline/contracts";
import { addresses } from "./ranges.ts";

const READ = "2026-11-22";

export const exotel: ProviderProfile = {
	id: "exotel",
	name: "Exotel vSIP (India)",
	summary:
		"TCP on port 5070 or TLS on port 443, an IP access list on their side, no registration and no credentials. Alpha, without service level.",
	asOf: READ,
	sources: {
		tcp: "https://developer.exotel.com/docs/vsip/tcp-integration",
		tls: "https://developer.exotel.com/docs/vsip/tls-integration",
		flow: "https://docs.exotel.com/dynamic-sip-trunking/exotel-virtual-sip-trunking-to-flow-integration-guide",
		undocumented: "not documented by the provider",
	},
	hosts: [
		{ host: "pstn.in2.exotel.com", region: "Mumbai (data centre)", source: "tcp" },
		{ host: "pstn.in4.exotel.com", region: "Mumbai (cloud)", source: "tcp" },
		{ host: "pstn.sgp1.exotel.com", region: "Singapore", source: "flow" },
	],
	addresses: addresses(
		{ use: "media", asOf: READ, source: "tcp" },
		{ Mumbai: ["182.76.143.61", "122.15.8.184"], KA: ["14.194.10.247", "61.246.82.75"] },
	),
	signallingComplete: false,
	mediaPorts: { from: 10_000, to: 40_000, source: "tcp" },
	transports: [
		{ transport: "TCP", port: 5070, source: "tcp" },
		{ transport: "TLS", port: 443, source: "tls" },
	],
	codecs: [
		{ name: "PCMA", source: "tcp" },
		{ name: "PCMU", source: "tcp", note: "when PCMA is not possible" },
	],
	dtmf: { payloadType: 96, methods: ["rfc4733"], source: "tcp", note: "events 0-15; 96 from them, 101 in their examples from us" },
	srtp: { support: "yes", suites: [], source: "tls", note: "with TLS" },
	authentication: {
		inbound: ["ip"],
		outbound: ["ip"],
		realm: "any",
		source: "tcp",
		note: "a static public address of yours is on their access list",
	},
	registration: { support: "no", source: "tcp" },
	numbers: {
		inbound: ["e164"],
		outbound: "e164",
		callerId: "+91… of a registered Exophone, at <account sid>.pstn.exotel.com; anything else is rejected, with 403 among others",
		fromHost: "*.pstn.exotel.com",
		source: "tcp",
	},
	userPhone: { wanted: "unknown", source: "undocumented", unsure: true },
	refer: { host: "as-given", diversion: false, notify: "unknown" },
	referNotes: {
		support: "unknown",
		kinds: [],
		targets: "not documented",
		source: "tcp",
		unsure: true,
		note: "REFER is in Allow; what it does is not documented",
	},
	sessionTimers: { support: "unknown", source: "tcp", unsure: true, note: "Supported: replaces, timer is accepted" },
	headersToAttributes: {
		"X-Exotel-CallSid": "sip.exotel.callSid",
		"X-Exotel-LegSid": "sip.exotel.legSid",
		"X-Exotel-TrunkSid": "sip.exotel.trunkSid",
	},
	headers: [
		{ name: "X-Exotel-CallSid", meaning: "id of the call at Exotel; in every call", source: "tcp" },
		{ name: "X-Exotel-LegSid", meaning: "id of the leg", source: "tcp" },
		{ name: "X-Exotel-TrunkSid", meaning: "the trunk", source: "tcp" },
		{ name: "P-Asserted-Identity", meaning: "the caller", source: "tcp" },
		{ name: "P-Early-Media", meaning: "supported: early media may be sent (RFC 5009)", source: "tcp" },
		{ name: "Record-Route", meaning: "sip:<address>:443;transport=tls;lr even when the call came over TCP", source: "tcp" },
	],
	failover: {
		theirs: { statuses: [], source: "undocumented", unsure: true },
		final: { statuses: [], source: "undocumented", unsure: true },
		ours: [503],
	},
	statuses: [{ status: 403, meaning: "the calling number is no registered Exophone of the account", source: "tcp" }],
	limits: [{ what: "new calls a minute over one trunk", value: "200", source: "tcp" }],
	settings: { uri: { numbers: "e164" } },
	notes: [
		{
			text: "Addresses of signalling are not published: calls of this profile are let in from anywhere unless the trunk names allowed_addresses.",
			source: "tcp",
			unsure: true,
		},
		{ text: "A call that drops after 30 s is a NAT in the way; responses have to go where the request came from (rport).", source: "tcp" },
		{ text: "Outbound calls are routed by the Request-URI; To is not looked at.", source: "tcp" },
		{ text: "The Request-URI of inbound calls may have port 5061 and transport=tcp.", source: "tcp" },
	],
};
