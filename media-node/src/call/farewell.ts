import type { CallEnd, EndReason } from "@trunkline/contracts";
import { headersFromAttributes } from "@trunkline/domain";
import { parseReasons, reasonPhrase, writeReason } from "@trunkline/sip";
import type { HeaderList } from "./ports.ts";
import { sendableHeaders } from "./sendable-headers.ts";

/** ITU-T Q.850 causes that say what we mean; whatever else happened is a normal clearing with our words. */
const Q850: Readonly<Partial<Record<EndReason, readonly [cause: number, text: string]>>> = {
	hangup: [16, "Normal call clearing"],
	transferred: [16, "Normal call clearing"],
	cancelled: [16, "Normal call clearing"],
	"room-closed": [16, "Normal call clearing"],
	"participant-removed": [16, "Normal call clearing"],
	"no-answer": [19, "No answer from user"],
	"media-timeout": [102, "Recovery on timer expiry"],
	"max-duration": [102, "Recovery on timer expiry"],
	"room-failed": [41, "Temporary failure"],
	shutdown: [41, "Temporary failure"],
	"internal-error": [41, "Temporary failure"],
	"media-mismatch": [88, "Incompatible destination"],
};

/**
 * Headers of our BYE or CANCEL: why (RFC 3326), and what the trunk maps from the participant's attributes. `refused` are names that cannot be
 * sent. A Reason of the trunk's own stands for ours.
 */
export function farewellHeaders(
	end: CallEnd | undefined,
	from: {
		attributes: Readonly<Record<string, string>>;
		attributesToHeaders: Readonly<Record<string, string>>;
		/** of whoever asked for the end; they stand for mapped ones of the same name */
		given: HeaderList;
	},
): { headers: HeaderList; refused: string[] } {
	const names = new Set(from.given.map(([name]) => name.toLowerCase()));
	const mapped = headersFromAttributes(from.attributes, from.attributesToHeaders)
		.filter(({ name }) => !names.has(name.toLowerCase()))
		.map(({ name, value }) => [name, value] as const);
	const { headers, refused } = sendableHeaders([...from.given, ...mapped]);
	const [cause, text] = Q850[end?.reason ?? "hangup"] ?? [31, "Normal, unspecified"];
	const own: HeaderList = headers.some(([name]) => name.toLowerCase() === "reason")
		? []
		: [["Reason", writeReason({ protocol: "Q.850", cause, text })]];
	return { headers: [...own, ...headers], refused };
}

/** What the peer's BYE or refusal says of why, in words for people; undefined when it says nothing, or that all is well. */
export function peerReason(headers: HeaderList): string | undefined {
	const reasons = parseReasons(headers.filter(([name]) => name.toLowerCase() === "reason").map(([, value]) => value));
	const words = reasons.map(({ protocol, cause, text }) => {
		const phrase = text ?? (protocol === "SIP" && cause !== undefined ? reasonPhrase(cause) : undefined);
		return `${protocol}${cause === undefined ? "" : ` ${cause}`}${phrase === undefined ? "" : ` ${phrase}`}`;
	});
	return words.length === 0 ? undefined : words.join("; ").slice(0, 256);
}
