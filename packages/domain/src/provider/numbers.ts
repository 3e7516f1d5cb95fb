import type { InboundTrunk } from "@trunkline/contracts";
import { normalizeNumber } from "../number.ts";
import { providerProfile } from "./profiles.ts";

/** ITU-T E.164: country codes of one and two digits; all others have three. */
const SHORT_COUNTRY_CODE = /^(?:[17]|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58])/;

/** What a call to one of the trunk's numbers may name, normalised: the number, and its national form where the provider may send that. */
export function calledForms(trunk: InboundTrunk): Set<string> {
	const own = trunk.numbers.map(normalizeNumber);
	return new Set([...own, ...(hasNationalForm(trunk) ? own.flatMap(nationalForms) : [])]);
}

/** The trunk's own number that a call to `called` is for; `called` itself when it is one, or none of them. */
export function trunkNumberOf(trunk: InboundTrunk | undefined, called: string): string {
	if (trunk === undefined || !hasNationalForm(trunk)) return called;
	const wanted = normalizeNumber(called);
	const own = trunk.numbers.map(normalizeNumber);
	return own.includes(wanted) ? called : (own.find((number) => nationalForms(number).includes(wanted)) ?? called);
}

function hasNationalForm({ settings }: InboundTrunk): boolean {
	return settings?.provider !== undefined && providerProfile(settings.provider).numbers.inbound.includes("national");
}

/** Without country code, and with the 0 that most countries put before it; normalised like every number, so with "+". */
function nationalForms(number: string): string[] {
	if (!/^\+\d{7,15}$/.test(number)) return [];
	const digits = number.slice(1);
	const national = digits.slice(SHORT_COUNTRY_CODE.exec(digits)?.[0].length ?? 3);
	return [`+${national}`, `+0${national}`];
}
