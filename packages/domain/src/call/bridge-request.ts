import type { DialRequest, OutboundTrunk, RandomBytes, TrunkSettings } from "@trunkline/contracts";
import { DomainError } from "../errors.ts";
import { MAX_CALL_DURATION_MS } from "../limits.ts";
import { sipUriText, userOfSipUri } from "../sip-uri.ts";
import { buildDialRequest } from "./dial.ts";

/** Whom a call is to be joined to, and on whose behalf. */
export interface BridgeTarget {
	/** `tel:` or `sip:` URI, in `<>` or not: a Refer-To value */
	target: string;
	headers: Record<string, string>;
	ringingTimeoutMs: number;
	/** our number in the call that is to be joined: the caller's number of the new one, where the trunk has it */
	ownNumber: string;
	/** it is to take the other telephone's place in a room, and may be transferred in its turn */
	inRoom?: boolean;
}

/**
 * What a node dials when it joins a call to somebody else. `line`: the trunk, or "same" with the dial request of the call itself. Throws DomainError for a
 * target that cannot be dialled.
 */
export function bridgeRequest(line: OutboundTrunk | DialRequest, bridge: BridgeTarget, random: RandomBytes): DialRequest {
	const { headers, ringingTimeoutMs, ownNumber } = bridge;
	const { callTo, requestUri, replaces } = dialTarget(bridge.target);
	const added = { ...headers, ...(replaces === undefined ? {} : { Replaces: replaces }) };
	const target = { callTo, ...(requestUri === undefined ? {} : { requestUri }) };
	if (!("kind" in line)) {
		const own = { ...line };
		delete own.requestUri;
		delete own.fromHeader;
		delete own.displayName;
		return {
			...own,
			...target,
			...NOBODY,
			headers: { ...line.headers, ...added },
			ringingTimeoutMs,
			toUserOverride: "",
			...(bridge.inRoom === true ? {} : withoutTransfer(line.settings)),
		};
	}
	const isOurs = line.numbers.includes(ownNumber) || (line.numbers.includes("*") && ownNumber !== "");
	const request = buildDialRequest(
		{ ...PLAIN, trunkId: line.trunkId, callTo, number: isOurs ? ownNumber : "", headers: added, ringingTimeoutMs },
		line,
		{ random },
	);
	return { ...request, ...target, ...NOBODY, ...(bridge.inRoom === true ? {} : withoutTransfer(line.settings)) };
}

/** The user or number to dial; a SIP URI stays whole, as it may be of another host than the trunk's. */
export function dialTarget(target: string): { callTo: string; requestUri?: string; replaces?: string } {
	const uri = target.startsWith("<") && target.endsWith(">") ? target.slice(1, -1) : target;
	const number = /^tel:([^;?]+)/i.exec(uri)?.[1];
	// RFC 3966 §5.1.1: visual separators are for people.
	if (number !== undefined) return { callTo: number.replace(/[-.()]/g, "") };
	const [address = "", uriHeaders = ""] = uri.split("?", 2);
	if (!/^sip:/i.test(address)) throw new DomainError("invalid_argument", "only sip: and tel: URIs can be dialled");
	const requestUri = sipUriText("transfer_to", { raw: withoutMethod(address) });
	const replaces = replacesOf(uriHeaders);
	return { callTo: userOfSipUri(requestUri), requestUri, ...(replaces === undefined ? {} : { replaces }) };
}

/** RFC 3261 §19.1.5: headers of a URI are escaped. Only Replaces (RFC 3891) is taken from there; the rest is a stranger's wish. */
function replacesOf(uriHeaders: string): string | undefined {
	const value = /(?:^|&)replaces=([^&]*)/i.exec(uriHeaders)?.[1];
	if (value === undefined) return undefined;
	try {
		const text = decodeURIComponent(value);
		return /^[\x21-\x7e]{1,512}$/.test(text) ? text : undefined;
	} catch {
		return undefined;
	}
}

/** The new leg is not transferred any further: a REFER of its telephone is about a call that it is only half of. */
function withoutTransfer(settings: TrunkSettings | undefined): { settings?: TrunkSettings } {
	return settings === undefined ? {} : { settings: { ...settings, transfer: { incoming: "refuse", replaces: false } } };
}

/** RFC 3515 §2.1: a Refer-To may have `;method=INVITE`, which has no place in a Request-URI (RFC 3261 §19.1.1). */
const withoutMethod = (uri: string): string => uri.replace(/;method=invite(?=;|$)/i, "");

/** Written as a Refer-To value. */
export const referToOf = (uri: string): string => (/^tel:/i.test(uri) ? uri : `<${uri}>`);

/** A leg that is joined to another one is in no room. */
const NOBODY = {
	roomName: "",
	participantIdentity: "",
	participantName: "",
	participantMetadata: "",
	participantAttributes: {},
	playDialtone: false,
	dtmf: "",
	waitUntilAnswered: false,
	maxCallDurationMs: MAX_CALL_DURATION_MS,
} as const;

const PLAIN = {
	...NOBODY,
	toUserOverride: "",
	hidePhoneNumber: false,
	includeHeaders: "NO",
	krispEnabled: false,
	mediaEncryption: "DISABLE",
} as const;
