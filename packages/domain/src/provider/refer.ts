import type { TrunkSettings } from "@trunkline/contracts";
import { normalizeNumber } from "../number.ts";
import { effectiveSettings } from "./effective.ts";

/** How a trunk's provider wants to be asked for a transfer. */
export interface ReferDialectOfCall {
	settings: TrunkSettings | undefined;
	/** host of the far end's address in the dialog, without port */
	peerHost: string;
	/** our number in the call */
	ownNumber: string;
}

/**
 * Value of Refer-To, and of Diversion where the provider wants one. A `tel:` target with "+" becomes a SIP URI at the host that the provider wants; every
 * other target is what somebody chose to write and stays as it is.
 */
export function referInDialect(
	transferTo: string,
	{ settings, peerHost, ownNumber }: ReferDialectOfCall,
): { referTo: string; diversion?: string } {
	const { host: wanted, diversion } = effectiveSettings(settings).refer;
	if (wanted === "as-given") return { referTo: transferTo };
	const host = wanted === "dialog-peer" ? peerHost : wanted;
	// RFC 3966 §3: a global number, whose visual separators are for people.
	const [, number] = /^<?tel:(\+[0-9\-.()]+)>?$/i.exec(transferTo) ?? [];
	const referTo = number === undefined || host === "" ? transferTo : `<sip:${number.replace(/[^+0-9]/g, "")}@${host}>`;
	const own = normalizeNumber(ownNumber);
	// RFC 5806: who sends the call on. Without a number of ours there is nobody to name.
	return diversion && /^\+\d+$/.test(own) ? { referTo, diversion: `<sip:${own}@${host}>` } : { referTo };
}
