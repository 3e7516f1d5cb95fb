import { DomainError } from "../errors.ts";
import { nearnessOf } from "./countries.ts";
import { commonPin, type Pin } from "./pins.ts";

/** A region of the deployment. */
export interface ServedRegion {
	region: string;
	/** ISO 3166 countries that calls are placed to from here, "*" = every one; unset = as `countries.ts` says by the region's name */
	countries?: readonly string[];
}

export interface RegionQuestion {
	/** at least one; the first is the home region */
	served: readonly [ServedRegion, ...ServedRegion[]];
	/** `settings.regions` of the trunk */
	trunk?: Pin;
	/** what the request says */
	request?: Pin;
	/** ISO 3166, of the request or else of the trunk; "" = not said */
	country?: string;
}

export interface RegionChoice {
	region: string;
	/** unset: the call is not pinned, the home region takes it */
	pin?: readonly string[];
	/** why, in words */
	reason: string;
}

/**
 * The region that places an outbound call. The same question has the same answer always, so that retries of one request never become two calls: it does not
 * depend on who is busy. Throws `invalid_argument` for a region that is not served, `failed_precondition` when trunk, country and request leave none.
 */
export function chooseRegion({ served, trunk, request, country = "" }: RegionQuestion): RegionChoice {
	for (const region of request ?? []) checkServed(region, served);
	const pin = commonPin([
		{ by: "trunk", regions: trunk },
		{ by: "request", regions: request },
	]);
	const named = pin === undefined ? served : served.filter(({ region }) => pin.regions.includes(region));
	if (pin !== undefined && named.length === 0) throw nowhere(pin.regions, pin.by, served);
	const where = pin === undefined ? "" : `, ${pin.by === "trunk" ? "the trunk" : "the request"} allows ${pin.regions.join(", ")}`;
	if (country === "") return chosen(pin === undefined ? served : ordered(pin.regions, named), pin?.regions, `no country${where}`);
	const serving = servingCountry(named, country);
	if (serving.length === 0) {
		const names = named.map(({ region }) => region).join(", ");
		throw new DomainError(
			"failed_precondition",
			`destination_country ${country} is served by none of the regions that the call may be placed from (${names}): ` +
				"nothing is placed from elsewhere; name the country at a region of the deployment, or leave destination_country out",
			{ country },
		);
	}
	const inPinOrder = pin === undefined ? serving : ordered(pin.regions, serving);
	return chosen(
		inPinOrder,
		inPinOrder.map(({ region }) => region),
		`destination_country ${country}${where}`,
	);
}

/** Those that calls to this country are placed from: those that say so, and otherwise those in the country, or else near it. */
export function servingCountry(served: readonly ServedRegion[], country: string): readonly ServedRegion[] {
	const said = served.filter(({ countries }) => countries?.includes(country));
	if (said.length > 0) return said;
	const rest = served.filter(({ countries }) => countries === undefined);
	for (const nearness of ["home", "near"] as const) {
		const found = rest.filter(({ region }) => nearnessOf(region, country) === nearness);
		if (found.length > 0) return found;
	}
	return served.filter(
		({ region, countries }) => countries?.includes("*") || (countries === undefined && nearnessOf(region, country) === "unknown"),
	);
}

function checkServed(region: string, served: readonly ServedRegion[]): void {
	if (served.some((one) => one.region === region)) return;
	const names = served.map((one) => one.region).join(", ");
	throw new DomainError("invalid_argument", `destination region ${JSON.stringify(region)} is not served here, regions are: ${names}`);
}

function nowhere(regions: readonly string[], by: string, served: readonly ServedRegion[]): DomainError {
	const names = served.map((one) => one.region).join(", ");
	const message =
		regions.length === 0
			? "trunk and request leave no region that the call may be placed from: they name different ones"
			: `the ${by} pins the call to ${regions.join(", ")}, and this deployment serves ${names}: nothing is placed from elsewhere`;
	return new DomainError("failed_precondition", message, { field: "regions" });
}

/** As the pin names them: its first is the one that is wanted most. */
function ordered(pin: readonly string[], served: readonly ServedRegion[]): readonly ServedRegion[] {
	return [...served].sort((a, b) => pin.indexOf(a.region) - pin.indexOf(b.region));
}

function chosen(served: readonly ServedRegion[], pin: readonly string[] | undefined, reason: string): RegionChoice {
	const [first] = served;
	if (first === undefined) throw new Error("a choice of no region");
	return {
		region: first.region,
		...(pin === undefined ? {} : { pin }),
		reason: pin === undefined ? "not pinned: the home region" : reason,
	};
}
