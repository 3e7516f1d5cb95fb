import type { ProviderProfile } from "@trunkline/contracts";
import { addresses } from "./ranges.ts";

const READ = "2026-11-22";

export const plivo: ProviderProfile = {
	id: "plivo",
	name: "Plivo Zentrunk",
	summary: "UDP, TCP or TLS; IP access list, credentials or both; transfers end with 202 and BYE, possibly without any NOTIFY.",
	asOf: READ,
	sources: {
		specification: "https://docs.plivo.com/docs/sip-trunking/concepts/technical-specifications",
		faq: "https://docs.plivo.com/docs/faq/voice-api-and-SIP-trunking/sip-trunking",
		livekit: "https://docs.livekit.io/sip/quickstarts/configuring-plivo-trunk",
		publiccode: "public code that places calls over Plivo",
		jambonz: "https://github.com/jambonz/jambonz-feature-server/issues/218",
		undocumented: "not documented by the provider",
	},
	hosts: [{ host: "*.zt.plivo.com", region: "any", source: "specification", note: "the part before is the trunk's id" }],
	addresses: addresses(
		{ use: "signalling", asOf: READ, source: "specification" },
		{
			"N. California": ["13.52.9.0/25", "216.120.187.128/26"],
			Virginia: ["18.214.109.128/25", "18.215.142.0/26", "204.89.148.128/26"],
			Frankfurt: ["3.120.121.128/26"],
			"São Paulo": ["18.228.70.64/26"],
			Sydney: ["13.238.202.192/26"],
		},
	).flatMap((address) => [address, { ...address, use: "media" as const }]),
	signallingComplete: false,
	mediaPorts: { from: 10_000, to: 30_000, source: "specification" },
	transports: [
		{ transport: "UDP", port: 5060, source: "specification" },
		{ transport: "TCP", port: 5060, source: "specification" },
		{ transport: "TLS", port: 5061, source: "specification" },
	],
	codecs: [
		{ name: "PCMA", source: "specification" },
		{ name: "PCMU", source: "specification" },
	],
	dtmf: { methods: ["rfc4733"], source: "specification" },
	srtp: { support: "yes", suites: [], source: "specification", note: "with TLS, when the trunk is `secure`; off by default" },
	authentication: {
		inbound: ["ip"],
		outbound: ["ip", "digest"],
		realm: "any",
		source: "specification",
		note: "passwords have 5 to 20 characters of a limited set (publiccode)",
	},
	registration: { support: "no", source: "specification", note: "REGISTER is not among the methods" },
	numbers: {
		inbound: ["e164"],
		outbound: "as-given",
		callerId: "a Plivo number; anything else ends as unknown_caller_id",
		source: "specification",
	},
	userPhone: { wanted: "unknown", source: "undocumented", unsure: true },
	refer: { host: "dialog-peer", diversion: false, notify: "unknown" },
	referNotes: {
		support: "yes",
		kinds: ["blind"],
		targets: "sip:+E164@<trunk id>.zt.plivo.com",
		source: "publiccode",
		unsure: true,
		note: "in both directions. One page says that NOTIFY is not supported, the FAQ does not; attended transfer is claimed too",
	},
	sessionTimers: { support: "unknown", source: "undocumented", unsure: true },
	headersToAttributes: {},
	headers: [],
	failover: {
		theirs: { statuses: [], source: "undocumented", unsure: true },
		final: { statuses: [], source: "undocumented", unsure: true },
		ours: [503],
	},
	statuses: [],
	limits: [
		{
			what: "new calls a second of an account",
			value: "2",
			source: "specification",
			note: "above the trunk's rate calls fail at once, above the account's they wait",
		},
		{ what: "OPTIONS", value: "one in 10 to 15 s, or the sender is blocked", source: "specification" },
		{ what: "premium prefixes", value: "blocked", source: "specification" },
		{ what: "short calls", value: "surcharge when more than 20 % of calls last 0 s, or 6 s and less", source: "specification" },
	],
	optionsIntervalMs: 15_000,
	settings: {},
	notes: [
		{
			text: "Methods: INVITE ACK BYE CANCEL OPTIONS UPDATE REFER; not INFO, MESSAGE, PRACK, PUBLISH, REGISTER, SUBSCRIBE.",
			source: "specification",
		},
		{ text: "The origination URI of inbound calls needs its ;transport=tcp or ;transport=tls.", source: "livekit" },
		{
			text: "There are points of presence in Singapore and Mumbai whose addresses are not published: calls of this profile are let in from anywhere unless the trunk names allowed_addresses.",
			source: "specification",
			unsure: true,
		},
		{ text: "A transfer succeeds on 202 and BYE without NOTIFY.", source: "jambonz" },
	],
};
