import { regionCode } from "./call-id.ts";

/**
 * Where calls to a country are placed from, when nobody says which of the deployment's regions serve it. Each AWS region is in one country; countries are in
 * areas. `docs/regions.md` has the same table for people.
 */
type Area = "north-america" | "south-america" | "europe" | "middle-east" | "africa" | "asia" | "oceania";

/** AWS regions, and the country and area that each is in. */
const HOMES: Readonly<Record<string, readonly [country: string, area: Area]>> = {
	"us-east-1": ["US", "north-america"],
	"us-east-2": ["US", "north-america"],
	"us-west-1": ["US", "north-america"],
	"us-west-2": ["US", "north-america"],
	"ca-central-1": ["CA", "north-america"],
	"ca-west-1": ["CA", "north-america"],
	"mx-central-1": ["MX", "north-america"],
	"sa-east-1": ["BR", "south-america"],
	"eu-west-1": ["IE", "europe"],
	"eu-west-2": ["GB", "europe"],
	"eu-west-3": ["FR", "europe"],
	"eu-central-1": ["DE", "europe"],
	"eu-central-2": ["CH", "europe"],
	"eu-north-1": ["SE", "europe"],
	"eu-south-1": ["IT", "europe"],
	"eu-south-2": ["ES", "europe"],
	"il-central-1": ["IL", "middle-east"],
	"me-south-1": ["BH", "middle-east"],
	"me-central-1": ["AE", "middle-east"],
	"af-south-1": ["ZA", "africa"],
	"ap-south-1": ["IN", "asia"],
	"ap-south-2": ["IN", "asia"],
	"ap-east-1": ["HK", "asia"],
	"ap-east-2": ["TW", "asia"],
	"ap-northeast-1": ["JP", "asia"],
	"ap-northeast-2": ["KR", "asia"],
	"ap-northeast-3": ["JP", "asia"],
	"ap-southeast-1": ["SG", "asia"],
	"ap-southeast-3": ["ID", "asia"],
	"ap-southeast-5": ["MY", "asia"],
	"ap-southeast-7": ["TH", "asia"],
	"ap-southeast-2": ["AU", "oceania"],
	"ap-southeast-4": ["AU", "oceania"],
	"ap-southeast-6": ["NZ", "oceania"],
};

const codes = (text: string): readonly string[] => text.split(" ");

/** ISO 3166-1 alpha-2, each once. */
const COUNTRIES: Readonly<Record<Area, readonly string[]>> = {
	"north-america": codes(
		"US CA MX AG AI AW BB BM BQ BS BZ CR CU CW DM DO GD GL GP GT HN HT JM KN KY LC MF MQ MS NI PA PM PR SV SX TC TT UM VC VG VI BL",
	),
	"south-america": codes("AR BO BR CL CO EC FK GF GY PE PY SR UY VE BV GS"),
	europe: codes(
		"AD AL AT AX BA BE BG BY CH CY CZ DE DK EE ES FI FO FR GB GG GI GR HR HU IE IM IS IT JE LI LT LU LV MC MD ME MK MT NL NO PL PT RO RS RU SE SI SJ SK SM UA VA XK",
	),
	"middle-east": codes("AE AM AZ BH GE IL IQ IR JO KW LB OM PS QA SA SY TR YE"),
	africa: codes(
		"AO BF BI BJ BW CD CF CG CI CM CV DJ DZ EG EH ER ET GA GH GM GN GQ GW KE KM LR LS LY MA MG ML MR MU MW MZ NA NE NG RE RW SC SD SH SL SN SO SS ST SZ TD TG TN TZ UG YT ZA ZM ZW TF",
	),
	asia: codes("AF BD BN BT CN HK ID IN IO JP KG KH KP KR KZ LA LK MM MN MO MV MY NP PH PK SG TH TJ TL TM TW UZ VN"),
	oceania: codes("AQ AS AU CC CK CX FJ FM GU HM KI MH MP NC NF NR NU NZ PF PG PN PW SB TK TO TV VU WF WS"),
};

const areaOf = new Map(
	Object.entries(COUNTRIES).flatMap(([area, countries]) => countries.map((country) => [country, area as Area] as const)),
);

/** Countries whose rules want calls to their numbers to be placed inside the country: no neighbour does. */
const INSIDE_ONLY: ReadonlySet<string> = new Set(["IN", "CN", "AE", "SA"]);

/** How well a region serves a country: "home" = in the country, "near" = in the same part of the world. Undefined = not at all. */
export type Nearness = "home" | "near";

/** Of an AWS region by its name; "unknown": no region of AWS, such as `local`. One of AWS that is not in the table serves what it says alone. */
export function nearnessOf(region: string, country: string): Nearness | "unknown" | undefined {
	const home = HOMES[region];
	if (home === undefined) return regionCode(region) === "" ? "unknown" : undefined;
	if (home[0] === country) return "home";
	return !INSIDE_ONLY.has(country) && areaOf.get(country) === home[1] ? "near" : undefined;
}

/** For documents and tests. */
export const regionHomes = (): Readonly<Record<string, readonly [country: string, area: string]>> => HOMES;
export const areaOfCountry = (country: string): string | undefined => areaOf.get(country);
