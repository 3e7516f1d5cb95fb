/**
 * Number ranges that nobody calls by accident and fraud is made of. Read 2026-11-22 from: ITU-T E.164 assigned country codes (satellite, shared and
 * international codes), the North American Numbering Plan's list of area codes (islands with the country code 1), the national numbering plans that
 * the ITU publishes (premium and shared-cost ranges), and what carriers block unless asked (geographic permissions of Twilio, Plivo, Telnyx); checked
 * against the number types of libphonenumber's metadata. "x" is any digit. The list is short on purpose: ordinary numbers of nearly all countries pass; who calls a country in earnest names it in `allowedPrefixes`.
 */
export type RangeKind = "premium" | "shared-cost" | "satellite" | "high-risk";

export interface BlockedRange {
	/** "+", digits, "x" */
	prefix: string;
	kind: RangeKind;
	name: string;
}

const INTERNATIONAL: readonly [prefixes: string, kind: RangeKind, name: string][] = [
	["870", "satellite", "Inmarsat"],
	["881", "satellite", "satellite networks (Iridium, Globalstar)"],
	["882 883", "satellite", "international networks"],
	["878", "high-risk", "universal personal telecommunications"],
	["979", "premium", "international premium rate"],
	["808", "shared-cost", "international shared cost"],
	["888 991", "high-risk", "international trial and special services"],
];

const NORTH_AMERICA: readonly [prefixes: string, kind: RangeKind, name: string][] = [
	["1900 1976", "premium", "North American premium rate"],
	["1xxx976", "premium", "North American 976 exchange"],
	["1700", "high-risk", "North American carrier-specific numbers"],
	["1242", "high-risk", "Bahamas"],
	["1246", "high-risk", "Barbados"],
	["1264", "high-risk", "Anguilla"],
	["1268", "high-risk", "Antigua and Barbuda"],
	["1284", "high-risk", "British Virgin Islands"],
	["1345", "high-risk", "Cayman Islands"],
	["1441", "high-risk", "Bermuda"],
	["1473", "high-risk", "Grenada"],
	["1649", "high-risk", "Turks and Caicos Islands"],
	["1658 1876", "high-risk", "Jamaica"],
	["1664", "high-risk", "Montserrat"],
	["1721", "high-risk", "Sint Maarten"],
	["1758", "high-risk", "Saint Lucia"],
	["1767", "high-risk", "Dominica"],
	["1784", "high-risk", "Saint Vincent and the Grenadines"],
	["1809 1829 1849", "high-risk", "Dominican Republic"],
	["1868", "high-risk", "Trinidad and Tobago"],
	["1869", "high-risk", "Saint Kitts and Nevis"],
];

/** Small networks whose numbers are sold as revenue-share numbers far more often than they are called. */
const COUNTRIES: readonly [prefixes: string, kind: RangeKind, name: string][] = [
	["53", "high-risk", "Cuba"],
	["220", "high-risk", "Gambia"],
	["224", "high-risk", "Guinea"],
	["231", "high-risk", "Liberia"],
	["232", "high-risk", "Sierra Leone"],
	["235", "high-risk", "Chad"],
	["236", "high-risk", "Central African Republic"],
	["239", "high-risk", "São Tomé and Príncipe"],
	["245", "high-risk", "Guinea-Bissau"],
	["246", "high-risk", "Diego Garcia"],
	["247", "high-risk", "Ascension"],
	["252", "high-risk", "Somalia"],
	["257", "high-risk", "Burundi"],
	["269", "high-risk", "Comoros"],
	["290", "high-risk", "Saint Helena"],
	["291", "high-risk", "Eritrea"],
	["500", "high-risk", "Falkland Islands"],
	["592", "high-risk", "Guyana"],
	["670", "high-risk", "Timor-Leste"],
	["672", "high-risk", "Antarctica and Norfolk Island"],
	["674", "high-risk", "Nauru"],
	["675", "high-risk", "Papua New Guinea"],
	["676", "high-risk", "Tonga"],
	["677", "high-risk", "Solomon Islands"],
	["678", "high-risk", "Vanuatu"],
	["681", "high-risk", "Wallis and Futuna"],
	["682", "high-risk", "Cook Islands"],
	["683", "high-risk", "Niue"],
	["685", "high-risk", "Samoa"],
	["686", "high-risk", "Kiribati"],
	["688", "high-risk", "Tuvalu"],
	["690", "high-risk", "Tokelau"],
	["691", "high-risk", "Micronesia"],
	["692", "high-risk", "Marshall Islands"],
	["850", "high-risk", "North Korea"],
	["960", "high-risk", "Maldives"],
];

const NATIONAL: readonly [prefixes: string, kind: RangeKind, name: string][] = [
	["2786", "premium", "South Africa"],
	["3090", "premium", "Greece"],
	["31900 31906 31909", "premium", "Netherlands"],
	["3290", "premium", "Belgium"],
	["3389", "premium", "France"],
	["3381 3382", "shared-cost", "France"],
	["34803 34806 34807 34905 34907", "premium", "Spain"],
	["34901 34902", "shared-cost", "Spain"],
	["35160 35176", "premium", "Portugal"],
	["358600 358700", "premium", "Finland"],
	["37090", "premium", "Lithuania"],
	["37190", "premium", "Latvia"],
	["37290", "premium", "Estonia"],
	["39892 39893 39894 39895 39899", "premium", "Italy"],
	["4090", "premium", "Romania"],
	["4190", "premium", "Switzerland"],
	["42090", "premium", "Czechia"],
	["43900 43901 43930 43931 43939", "premium", "Austria"],
	["449 44871 44872 44873", "premium", "United Kingdom"],
	["4470", "high-risk", "United Kingdom, personal numbers"],
	["44843 44844 44845", "shared-cost", "United Kingdom"],
	["4590", "premium", "Denmark"],
	["46900 46939 46944", "premium", "Sweden"],
	["4782", "premium", "Norway"],
	["4870", "premium", "Poland"],
	["49900 49190 49137", "premium", "Germany"],
	["49180", "shared-cost", "Germany"],
	["52900", "premium", "Mexico"],
	["55900", "premium", "Brazil"],
	["6119", "premium", "Australia"],
	["64900", "premium", "New Zealand"],
	["81990", "premium", "Japan"],
	["8260", "premium", "South Korea"],
	["90900", "premium", "Türkiye"],
	["9721900", "premium", "Israel"],
	["7809 7803", "premium", "Russia"],
];

export const BLOCKED_RANGES: readonly BlockedRange[] = [...INTERNATIONAL, ...NORTH_AMERICA, ...COUNTRIES, ...NATIONAL].flatMap(
	([prefixes, kind, name]) => prefixes.split(" ").map((digits) => ({ prefix: `+${digits}`, kind, name })),
);
