import type { InboundTrunk } from "@trunkline/contracts";
import { asksForCredentials } from "../explain/inbound.ts";
import { sourceNetworks } from "../trunk/conflicts.ts";
import type { SipHeader } from "./headers.ts";

/** A PASSporT that is cut off proves nothing: a longer one is left out. */
const MAX_IDENTITY_LENGTH = 4096;
const MAX_LENGTH = 1024;

/**
 * Does the trunk know who is at the other end? RFC 3325 §5: what a peer asserts counts only when it is of the trust domain: its address is on the
 * trunk's list, or it has shown the trunk's credentials.
 */
export function isTrustedTrunk(trunk: InboundTrunk | undefined): boolean {
	if (trunk === undefined) return false;
	if (asksForCredentials(trunk)) return true;
	const networks = sourceNetworks(trunk);
	return networks.length > 0 && !networks.some((address) => /\/0+$/.test(address.trim()));
}

/** The caller does not want its number told (RFC 3323 §4.2, RFC 3325 §9.3). */
export function wantsPrivacy(headers: readonly SipHeader[]): boolean {
	return valuesOf(headers, "privacy").some((value) =>
		value.split(";").some((token) => ["id", "user", "header"].includes(token.trim().toLowerCase())),
	);
}

/**
 * Attributes of what carriers say of a call beside From and To: `sip.assertedIdentity` (P-Asserted-Identity, RFC 3325), `sip.diversion` (RFC 5806),
 * `sip.historyInfo` (RFC 7044), `sip.verstat` (3GPP TS 24.229 §7.2A.20, Twilio's header) and `sip.identity` (RFC 8224). Assertions of a peer that is
 * not trusted are left out; with `hidden`, so is all that has numbers in it.
 */
export function identityAttributes(headers: readonly SipHeader[], caller: { trusted: boolean; hidden: boolean }): Record<string, string> {
	const attributes: Record<string, string> = {};
	const put = (name: string, value: string | undefined, most = MAX_LENGTH): void => {
		if (value !== undefined && value !== "" && value.length <= most) attributes[name] = value;
	};
	if (caller.trusted) put("sip.verstat", verstat(headers));
	if (caller.hidden) return attributes;
	if (caller.trusted) put("sip.assertedIdentity", uriOf(valuesOf(headers, "p-asserted-identity")[0]));
	put("sip.diversion", all(headers, "diversion"));
	put("sip.historyInfo", all(headers, "history-info"));
	put("sip.identity", valuesOf(headers, "identity", "y")[0], MAX_IDENTITY_LENGTH);
	return attributes;
}

/** Of the asserted identity, of From, or in Twilio's own header: TN-Validation-Passed-A and so on. */
function verstat(headers: readonly SipHeader[]): string | undefined {
	for (const value of [...valuesOf(headers, "p-asserted-identity"), ...valuesOf(headers, "from", "f")]) {
		const found = /;\s*verstat\s*=\s*([\w.-]{1,64})/i.exec(value)?.[1];
		if (found !== undefined) return found;
	}
	const [twilio] = valuesOf(headers, "x-twilio-verstat");
	return twilio !== undefined && /^[\w.-]{1,64}$/.test(twilio) ? twilio : undefined;
}

/** All values in order, as one list (RFC 3261 §7.3.1); whole elements only. */
function all(headers: readonly SipHeader[], name: string): string | undefined {
	let list = "";
	for (const value of valuesOf(headers, name)) {
		const longer = list === "" ? value : `${list}, ${value}`;
		if (longer.length > MAX_LENGTH) break;
		list = longer;
	}
	return list === "" ? undefined : list;
}

/** URI of a name-addr or addr-spec, without header parameters. */
function uriOf(value: string | undefined): string | undefined {
	if (value === undefined) return undefined;
	const bracketed = /<\s*([^<>\s]+)\s*>/.exec(value)?.[1];
	return bracketed ?? value.split(/[;,]/)[0]?.trim();
}

function valuesOf(headers: readonly SipHeader[], ...names: string[]): string[] {
	return headers.filter(({ name }) => names.includes(name.toLowerCase())).map(({ value }) => value.trim());
}
