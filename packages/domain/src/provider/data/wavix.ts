import type { ProviderProfile } from "@trunkline/contracts";
import { addresses } from "./ranges.ts";

const READ = "2026-11-22";

export const wavix: ProviderProfile = {
	id: "wavix",
	name: "Wavix",
	summary:
		"Digest with the trunk id as user name and the gateway as realm; calls may come from any of four gateways, two of which have no published address.",
	asOf: READ,
	sources: {
		livekit: "https://docs.wavix.com/sip-trunking/guides/livekit",
		livekitdocs: "https://docs.livekit.io/telephony/start/providers/wavix",
		freeswitch: "Wavix's guide for FreeSWITCH",
		trunks: "https://docs.wavix.com/sip-trunking/sip-trunks",
		undocumented: "not documented by the provider",
	},
	hosts: [
		{ host: "us.wavix.net", region: "Dallas", source: "livekit" },
		{ host: "nl.wavix.net", region: "Amsterdam", source: "livekit" },
		{ host: "sg.wavix.net", region: "Singapore", source: "livekit" },
		{ host: "au.wavix.net", region: "Australia", source: "livekit" },
	],
	addresses: addresses(
		{ use: "signalling", asOf: READ, source: "freeswitch" },
		{ Dallas: ["209.58.144.243"], Amsterdam: ["95.211.82.14"] },
	),
	signallingComplete: false,
	transports: [
		{ transport: "UDP", port: 5060, source: "freeswitch", unsure: true },
		{ transport: "TCP", port: 5060, source: "livekitdocs", unsure: true, note: "of numbers that are sent to a SIP URI" },
	],
	codecs: [
		{ name: "PCMU", source: "undocumented", unsure: true, note: "assumed" },
		{ name: "PCMA", source: "undocumented", unsure: true, note: "assumed" },
	],
	dtmf: { methods: ["rfc4733"], source: "undocumented", unsure: true, note: "assumed" },
	srtp: {
		support: "yes",
		suites: [],
		source: "trunks",
		unsure: true,
		note: "for a number or trunk by support ticket; suites are not published",
	},
	authentication: {
		inbound: ["ip"],
		outbound: ["digest", "ip"],
		realm: "trunk-host",
		source: "trunks",
		note: "the user name is the trunk id. IP authentication after manual approval, one address for one trunk; such a trunk cannot receive numbers",
	},
	registration: {
		support: "yes",
		source: "trunks",
		unsure: true,
		note: "603 for want of one contradicts the guide for LiveKit, which does without",
	},
	numbers: {
		inbound: ["e164", "without-plus"],
		outbound: "as-given",
		callerId: "a number of the account",
		source: "trunks",
		note: "full international, + or not; 0, 00 and 011 in front have to go",
	},
	userPhone: { wanted: "unknown", source: "undocumented", unsure: true },
	refer: { host: "dialog-peer", diversion: false, notify: "unknown" },
	referNotes: { support: "yes", kinds: ["blind"], targets: "sip:+number@<gateway>; another Wavix number alone", source: "trunks" },
	sessionTimers: { support: "unknown", source: "undocumented", unsure: true },
	headersToAttributes: {},
	headers: [],
	failover: {
		theirs: { statuses: [], source: "trunks", note: "after a failure calls may come from any gateway" },
		final: { statuses: [], source: "undocumented", unsure: true },
		ours: [503],
	},
	statuses: [
		{ status: 603, meaning: "the rate is above the account's cap, or there is no active registration", source: "trunks", unsure: true },
	],
	limits: [{ what: "call length, calls at a time, cost of a call", value: "set in their console", source: "trunks" }],
	settings: {},
	notes: [
		{
			text: "Addresses of sg.wavix.net and au.wavix.net are in their console only: calls of this profile are let in from anywhere unless the trunk names allowed_addresses.",
			source: "livekit",
			unsure: true,
		},
		{ text: "A number is sent to [did]@host;transport=tcp.", source: "livekitdocs" },
	],
};
