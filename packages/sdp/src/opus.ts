import type { OpusParameters } from "./types.ts";

/** Of a line that a stranger wrote; real ones have seven. */
const MAX_PARAMETERS = 32;

/** RFC 7587 §6.1: what follows the payload type in a=fmtp. What is not understood counts as absent. */
export function readOpusParameters(text = ""): OpusParameters {
	const given = new Map(text.split(";", MAX_PARAMETERS).map(nameAndValue));
	const maxAverageBitrate = within(given.get("maxaveragebitrate"), 6_000, 510_000);
	return {
		maxPlaybackRate: within(given.get("maxplaybackrate"), 8_000, 48_000) ?? 48_000,
		...(maxAverageBitrate !== undefined && { maxAverageBitrate }),
		useInbandFec: given.get("useinbandfec") === "1",
		useDtx: given.get("usedtx") === "1",
		stereo: given.get("stereo") === "1",
		cbr: given.get("cbr") === "1",
	};
}

/** Stereo is said to be of no use in both directions: a telephone has one ear. */
export function writeOpusParameters(wanted: Partial<OpusParameters> = {}): string {
	const { maxPlaybackRate, maxAverageBitrate, useInbandFec = true, useDtx = false, stereo = false, cbr = false } = wanted;
	const parameters: [string, number | undefined][] = [
		["maxplaybackrate", maxPlaybackRate],
		["maxaveragebitrate", maxAverageBitrate],
		["stereo", Number(stereo)],
		["sprop-stereo", Number(stereo)],
		["useinbandfec", Number(useInbandFec)],
		["usedtx", Number(useDtx)],
		["cbr", cbr ? 1 : undefined],
	];
	return parameters.flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${value}`])).join(";");
}

function nameAndValue(parameter: string): [name: string, value: string] {
	const equals = parameter.indexOf("=");
	if (equals < 0) return [parameter.trim().toLowerCase(), ""];
	return [parameter.slice(0, equals).trim().toLowerCase(), parameter.slice(equals + 1).trim()];
}

function within(text: string | undefined, min: number, max: number): number | undefined {
	if (text === undefined || !/^\d{1,9}$/.test(text)) return undefined;
	const value = Number(text);
	return value >= min && value <= max ? value : undefined;
}
