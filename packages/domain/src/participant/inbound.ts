import { sha256 } from "@noble/hashes/sha2.js";
import type { DispatchRule, RandomBytes } from "@trunkline/contracts";
import { randomBase58 } from "@trunkline/contracts";
import { hex, utf8 } from "../bytes.ts";

/** The room of a call that the rule accepts. Random parts come from `random`. */
export function roomForCall(rule: DispatchRule, call: { from: string; to: string; random: RandomBytes }): string {
	const target = rule.rule;
	switch (target.type) {
		case "direct":
			return target.roomName;
		case "individual": {
			const caller = rule.hidePhoneNumber ? lastDigits(call.from) : call.from;
			return joinParts(target.roomPrefix, caller, target.noRandomness ? "" : randomBase58(12, call.random));
		}
		case "callee":
			return joinParts(target.roomPrefix, call.to, target.randomize ? randomBase58(12, call.random) : "");
	}
}

export interface InboundCall {
	/** SCL_… */
	callId: string;
	/** Call-ID header */
	sipCallId: string;
	/** tag of From */
	remoteTag: string;
	from: string;
	/** host of From */
	fromHost: string;
	to: string;
	/** "" when the call passed no trunk */
	trunkId: string;
	/**
	 * Somebody in the room has the caller's usual identity, as when one caller, or two anonymous ones, call twice. LiveKit then throws the first call out
	 * of the room; with this set the newcomer gets an identity of its own.
	 */
	identityTaken?: boolean;
}

export interface SipParticipant {
	identity: string;
	name: string;
	metadata: string;
	attributes: Record<string, string>;
}

/** Identity, name, metadata and attributes of an inbound caller. The header maps of the trunk come on top (`attributesFromHeaders`). */
export function participantForInbound(rule: DispatchRule, call: InboundCall, callStatus: "ringing" | "active"): SipParticipant {
	const hidden = rule.hidePhoneNumber;
	const identity = `sip_${hidden ? hex(sha256(utf8(call.from)).subarray(0, 8)) : call.from}`;
	return {
		identity: call.identityTaken === true ? `${identity}_${call.callId}` : identity,
		name: `Phone ${hidden ? lastDigits(call.from) : call.from}`,
		metadata: rule.metadata,
		attributes: {
			...rule.attributes,
			"sip.callID": call.callId,
			"sip.callIDFull": call.sipCallId,
			"sip.callTag": call.remoteTag,
			"sip.trunkID": call.trunkId,
			"sip.ruleID": rule.ruleId,
			...(hidden ? {} : { "sip.phoneNumber": call.from, "sip.trunkPhoneNumber": call.to, "sip.hostname": call.fromHost }),
			"sip.callStatus": callStatus,
		},
	};
}

/** The last four characters, or the last one of a number so short that four would show it whole. */
function lastDigits(number: string): string {
	return number.slice(number.length > 4 ? -4 : -1);
}

function joinParts(...parts: string[]): string {
	return parts.filter((part) => part !== "").join("_");
}
