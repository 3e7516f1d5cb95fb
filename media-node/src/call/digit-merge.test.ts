import { expect, it } from "vitest";
import { DigitMerge, type DigitWay } from "./digit-merge.ts";

/** digits that count of [ms, way, digits] reports */
function counted(...reports: [number, DigitWay, string][]): string {
	const merge = new DigitMerge();
	return reports.flatMap(([at, way, digits]) => [...digits].filter((digit) => merge.accept(way, digit, at))).join("");
}

it.each<[string, [number, DigitWay, string][], string]>([
	[
		"one way only, however fast",
		[
			[0, "rtp", "1111"],
			[10, "rtp", "11"],
		],
		"111111",
	],
	[
		"INFO only",
		[
			[0, "info", "55"],
			[100, "info", "5"],
		],
		"555",
	],
	[
		"both ways, RTP first",
		[
			[0, "rtp", "1"],
			[200, "info", "1"],
			[400, "rtp", "2"],
			[600, "info", "2"],
		],
		"12",
	],
	[
		"both ways, INFO first",
		[
			[0, "info", "1"],
			[90, "rtp", "1"],
		],
		"1",
	],
	[
		"twice the same digit both ways",
		[
			[0, "rtp", "11"],
			[300, "info", "11"],
		],
		"11",
	],
	[
		"crossed",
		[
			[0, "rtp", "1"],
			[10, "info", "1"],
			[20, "info", "2"],
			[30, "rtp", "2"],
		],
		"12",
	],
	[
		"later than two seconds it is another press",
		[
			[0, "rtp", "1"],
			[2_001, "info", "1"],
		],
		"11",
	],
	[
		"another digit is another press",
		[
			[0, "rtp", "1"],
			[100, "info", "2"],
		],
		"12",
	],
	[
		"reported three ways: one press, and the next one is another",
		[
			[0, "in-band", "5"],
			[60, "info", "5"],
			[90, "rtp", "5"],
			[500, "in-band", "5"],
			[560, "info", "5"],
			[590, "rtp", "5"],
		],
		"55",
	],
])("%s", (_, reports, digits) => expect(counted(...reports)).toBe(digits));
