import type { ProviderProfile } from "@trunkline/contracts";
import { generic } from "./generic.ts";

/** A contact centre or PBX that offers nothing in its INVITE. */
export const genesysAvaya: ProviderProfile = {
	...generic,
	id: "genesys-avaya",
	name: "Genesys, Avaya and the like",
	summary: "INVITEs without SDP (delayed offer), session timers, REFER through several proxies; everything else as agreed.",
	sources: {
		...generic.sources,
		sip402: "https://github.com/livekit/sip/issues/402",
		sip506: "https://github.com/livekit/sip/issues/506",
		sip771: "https://github.com/livekit/sip/issues/771",
		sip582: "https://github.com/livekit/sip/issues/582",
	},
	notes: [
		{ text: "INVITEs come without SDP: our 200 has the offer, their ACK the answer (RFC 3261 §13.2.1).", source: "sip402" },
		{ text: "The same was reported of Avaya.", source: "sip506" },
		{
			text: "Behind Avaya's Session Manager requests in the dialog pass several proxies: the route set counts, Contact alone does not.",
			source: "sip771",
		},
		{ text: "A refresh that is not answered ends calls at 15 minutes.", source: "sip582" },
	],
};
