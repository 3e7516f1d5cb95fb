import type { JsonValue } from "@bufbuild/protobuf";
import {
	type CreateSIPDispatchRuleRequest,
	RoomConfiguration,
	SIPDispatchRule,
	SIPDispatchRuleCallee,
	SIPDispatchRuleDirect,
	SIPDispatchRuleIndividual,
	SIPDispatchRuleInfo,
} from "@livekit/protocol";
import type { DispatchRule, DispatchTarget } from "@trunkline/contracts";
import { DomainError } from "@trunkline/domain";
import { encryptionOf, mediaOf, protoEncryption, protoMedia, protoTimestamp } from "./common.ts";

/** The rule of a create request: `dispatch_rule`, or the older fields beside it, which count only without it. */
export function requestedRule(request: CreateSIPDispatchRuleRequest): SIPDispatchRuleInfo {
	if (request.dispatchRule !== undefined) return request.dispatchRule;
	const { rule, trunkIds, inboundNumbers, hidePhoneNumber, name, metadata, attributes, roomPreset, roomConfig } = request;
	const info = new SIPDispatchRuleInfo({ trunkIds, inboundNumbers, hidePhoneNumber, name, metadata, attributes, roomPreset });
	if (rule !== undefined) info.rule = rule;
	if (roomConfig !== undefined) info.roomConfig = roomConfig;
	return info;
}

/** A rule as it is first stored; `now` in ms since the epoch. Throws `invalid_argument` when it does not say what it does. */
export function dispatchRuleOf(info: SIPDispatchRuleInfo, ruleId: string, now: number): DispatchRule {
	return {
		ruleId,
		rule: targetOf(info.rule),
		trunkIds: info.trunkIds,
		hidePhoneNumber: info.hidePhoneNumber,
		inboundNumbers: info.inboundNumbers,
		numbers: info.numbers,
		name: info.name,
		metadata: info.metadata,
		attributes: info.attributes,
		roomPreset: info.roomPreset,
		...(info.roomConfig === undefined ? {} : { roomConfig: info.roomConfig.toJson() as Record<string, unknown> }),
		krispEnabled: info.krispEnabled,
		mediaEncryption: encryptionOf(info.mediaEncryption),
		...mediaOf(info.media),
		createdAt: now,
		updatedAt: now,
		version: 1,
	};
}

export function protoDispatchRule(rule: DispatchRule): SIPDispatchRuleInfo {
	return new SIPDispatchRuleInfo({
		sipDispatchRuleId: rule.ruleId,
		rule: protoTarget(rule.rule),
		trunkIds: rule.trunkIds,
		hidePhoneNumber: rule.hidePhoneNumber,
		inboundNumbers: rule.inboundNumbers,
		numbers: rule.numbers,
		name: rule.name,
		metadata: rule.metadata,
		attributes: rule.attributes,
		roomPreset: rule.roomPreset,
		...(rule.roomConfig === undefined
			? {}
			: { roomConfig: RoomConfiguration.fromJson(rule.roomConfig as JsonValue, { ignoreUnknownFields: true }) }),
		krispEnabled: rule.krispEnabled,
		mediaEncryption: protoEncryption(rule.mediaEncryption),
		...protoMedia(rule.media),
		createdAt: protoTimestamp(rule.createdAt),
		updatedAt: protoTimestamp(rule.updatedAt),
	});
}

/** Throws `invalid_argument` when the rule does not say what it does. */
export function targetOf(rule: SIPDispatchRule | undefined): DispatchTarget {
	if (rule === undefined) throw new DomainError("invalid_argument", "missing rule");
	const { case: kind, value } = rule.rule;
	switch (kind) {
		case "dispatchRuleDirect":
			return { type: "direct", roomName: value.roomName, pin: value.pin };
		case "dispatchRuleIndividual":
			return { type: "individual", roomPrefix: value.roomPrefix, pin: value.pin, noRandomness: value.noRandomness };
		case "dispatchRuleCallee":
			return { type: "callee", roomPrefix: value.roomPrefix, pin: value.pin, randomize: value.randomize };
		case undefined:
			throw new DomainError("invalid_argument", "twirp error unknown: unsupported SIP Dispatch Rule: <nil>");
	}
}

function protoTarget(target: DispatchTarget): SIPDispatchRule {
	switch (target.type) {
		case "direct":
			return new SIPDispatchRule({ rule: { case: "dispatchRuleDirect", value: new SIPDispatchRuleDirect(target) } });
		case "individual":
			return new SIPDispatchRule({ rule: { case: "dispatchRuleIndividual", value: new SIPDispatchRuleIndividual(target) } });
		case "callee":
			return new SIPDispatchRule({ rule: { case: "dispatchRuleCallee", value: new SIPDispatchRuleCallee(target) } });
	}
}
