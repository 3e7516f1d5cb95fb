import type { DispatchRule } from "@trunkline/contracts";
import { checkAttributes, checkCombinations, checkList, checkNameAndMetadata, checkText, invalid } from "../check.ts";
import { MAX_PIN_LENGTH } from "../limits.ts";
import { checkMedia } from "../media.ts";

/** Throws `invalid_argument` when the rule may not be stored. LiveKit takes an empty room name and a PIN that no caller can enter. */
export function validateDispatchRule(rule: DispatchRule): void {
	const target = rule.rule;
	if (target.type === "direct") {
		if (target.roomName === "") throw invalid("missing room name");
		checkText("room_name", target.roomName);
	} else checkText("room_prefix", target.roomPrefix);
	if (!/^\d*$/.test(target.pin)) throw invalid("pin must have digits only");
	if (target.pin.length > MAX_PIN_LENGTH) throw invalid(`pin must have at most ${MAX_PIN_LENGTH} digits`);
	checkList("trunk_ids", rule.trunkIds);
	checkList("inbound_numbers", rule.inboundNumbers);
	checkList("numbers", rule.numbers);
	checkCombinations({ trunk_ids: rule.trunkIds, inbound_numbers: rule.inboundNumbers, numbers: rule.numbers });
	checkNameAndMetadata(rule);
	checkAttributes("attributes", rule.attributes);
	checkText("room_preset", rule.roomPreset);
	checkMedia(rule.media);
}
