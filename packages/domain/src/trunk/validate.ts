import type { InboundTrunk, OutboundTrunk } from "@trunkline/contracts";
import { parseNetwork } from "../address.ts";
import { checkCombinations, checkDuration, checkList, checkNameAndMetadata, checkText, invalid } from "../check.ts";
import { checkHeaderMaps, checkHeaders } from "../headers.ts";
import { checkCountry, checkHost } from "../host.ts";
import { MAX_CALL_DURATION_MS } from "../limits.ts";
import { checkMedia } from "../media.ts";
import { checkTrunkSettings } from "../provider/check.ts";

/**
 * Throws `invalid_argument` when the trunk may not be stored. Texts are LiveKit's where it checks the same; stricter than LiveKit where its
 * leniency opens the trunk: half a pair of credentials, and addresses that cannot be read.
 */
export function validateInboundTrunk(trunk: InboundTrunk): void {
	const hasAuth = trunk.authUsername !== "" || trunk.authPassword !== "";
	if (!hasAuth && trunk.allowedAddresses.length === 0 && trunk.numbers.length === 0) {
		throw invalid("for security, one of the fields must be set: AuthUsername+AuthPassword, AllowedAddresses or Numbers");
	}
	if ((trunk.authUsername === "") !== (trunk.authPassword === "")) {
		throw invalid("AuthUsername and AuthPassword must be set together: with one alone no call would be authenticated");
	}
	checkCommon(trunk);
	checkList("numbers", trunk.numbers);
	checkList("allowed_numbers", trunk.allowedNumbers);
	checkList("allowed_addresses", trunk.allowedAddresses);
	for (const address of trunk.allowedAddresses) {
		if (parseNetwork(address) === undefined) {
			throw invalid(
				`invalid allowed address ${JSON.stringify(address)}: must be an IP address or a CIDR block, like 203.0.113.7 or 203.0.113.0/24`,
			);
		}
	}
	checkCombinations({ numbers: trunk.numbers, allowed_numbers: trunk.allowedNumbers });
	checkText("auth_realm", trunk.authRealm);
	if (/["\\]/.test(trunk.authRealm)) throw invalid("auth_realm must not contain quotes or backslashes");
	checkDuration("ringing_timeout", trunk.ringingTimeoutMs, MAX_CALL_DURATION_MS);
	checkDuration("max_call_duration", trunk.maxCallDurationMs, MAX_CALL_DURATION_MS);
	checkTrunkSettings(trunk);
}

/** Throws `invalid_argument` when the trunk may not be stored; texts are LiveKit's where it checks the same. */
export function validateOutboundTrunk(trunk: OutboundTrunk): void {
	if (trunk.numbers.length === 0) throw invalid("no trunk numbers specified");
	if (trunk.address === "") throw invalid("no outbound address specified");
	checkHost("trunk address", trunk.address);
	checkHost("from_host", trunk.fromHost);
	checkList("numbers", trunk.numbers);
	checkCountry("destination_country", trunk.destinationCountry);
	checkCommon(trunk);
	checkTrunkSettings(trunk);
}

type Common = Pick<
	InboundTrunk,
	"name" | "metadata" | "authUsername" | "authPassword" | "headers" | "headersToAttributes" | "attributesToHeaders" | "media"
>;

function checkCommon(trunk: Common): void {
	checkNameAndMetadata(trunk);
	checkText("auth_username", trunk.authUsername);
	checkText("auth_password", trunk.authPassword);
	checkHeaders(trunk.headers);
	checkHeaderMaps(trunk);
	checkMedia(trunk.media);
}
