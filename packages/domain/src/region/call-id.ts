import { newId, type RandomBytes } from "@trunkline/contracts";

/** AWS region names, as in `eu-west-1`, `ap-southeast-2`, `us-gov-east-1`. */
const REGION = /^([a-z]{2,3})((?:-[a-z]{2,12}){1,2})-(\d{1,2})$/;
const DIRECTIONS: Readonly<Record<string, string>> = {
	north: "n",
	south: "s",
	east: "e",
	west: "w",
	central: "c",
	northeast: "ne",
	northwest: "nw",
	southeast: "se",
	southwest: "sw",
	gov: "g",
	iso: "i",
	isob: "ib",
};
const RANDOM_PART = 12;

/**
 * A region in three to eight letters and digits, as AWS abbreviates it in the ids of its availability zones: `euw1` is `eu-west-1`. "" for names that AWS
 * does not have, such as `local`: calls there have ids without a region.
 */
export function regionCode(region: string): string {
	const [, area = "", middle = "", number = ""] = REGION.exec(region) ?? [];
	if (area === "") return "";
	const directions = middle.slice(1).split("-");
	if (directions.some((direction) => DIRECTIONS[direction] === undefined)) return "";
	return area + directions.map((direction) => DIRECTIONS[direction]).join("") + number;
}

/** SCL_, the region's code, and 12 characters of base 58: whoever has the id knows where the call's record is. */
export function newCallId(region: string, random: RandomBytes): string {
	return inRegion(newId("SCL_", random), region);
}

/** The same id, in this region. `callId` has no region yet. */
export function inRegion(callId: string, region: string): string {
	return `SCL_${regionCode(region)}${callId.slice("SCL_".length)}`;
}

/** The code of the region that the id names; "" when it names none. */
export function regionCodeOf(callId: string): string {
	return callId.startsWith("SCL_") ? callId.slice("SCL_".length, -RANDOM_PART) : "";
}
