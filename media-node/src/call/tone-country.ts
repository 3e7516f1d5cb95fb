import { callProgressCountry } from "@trunkline/audio";
import type { Referrer } from "./call-deps.ts";

/** Whose tones the call has: the trunk's destination country, or that of the number that was called. */
export function countryOf({ line, ownNumber }: Pick<Referrer, "line" | "ownNumber">): string | undefined {
	return line?.destinationCountry ?? callProgressCountry(line?.callTo ?? ownNumber);
}
