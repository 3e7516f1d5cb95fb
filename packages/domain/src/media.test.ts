import type { MediaConfig } from "@trunkline/contracts";
import { describe, expect, test } from "vitest";
import { mergeMedia } from "./media.ts";

const pcmu = { name: "PCMU", rate: 8000 };
const pcma = { name: "PCMA", rate: 8000 };
const media = (over: Partial<MediaConfig> = {}): MediaConfig => ({ onlyListedCodecs: false, codecs: [], ...over });
const merge = (base: Partial<MediaConfig> | undefined, over: Partial<MediaConfig> | undefined) =>
	mergeMedia(
		{ mediaEncryption: "DISABLE", ...(base && { media: media(base) }) },
		{ mediaEncryption: "DISABLE", ...(over && { media: media(over) }) },
	);

describe("mergeMedia", () => {
	test("nothing said is nothing", () => expect(merge(undefined, undefined)).toBeUndefined());
	test("one side alone", () => {
		expect(merge({ codecs: [pcmu] }, undefined)).toEqual(media({ codecs: [pcmu] }));
		expect(merge(undefined, { mediaTimeoutMs: 1 })).toEqual(media({ mediaTimeoutMs: 1 }));
	});
	test("codecs and only_listed_codecs go together", () => {
		expect(merge({ codecs: [pcmu], onlyListedCodecs: true }, { codecs: [pcma] })).toEqual(media({ codecs: [pcma] }));
		expect(merge({ codecs: [pcmu], onlyListedCodecs: true }, { mediaTimeoutMs: 1 })).toEqual(
			media({ codecs: [pcmu], onlyListedCodecs: true, mediaTimeoutMs: 1 }),
		);
	});
	test.each([
		[undefined, undefined, undefined],
		["ALLOW", undefined, "ALLOW"],
		["ALLOW", "REQUIRE", "REQUIRE"],
		["REQUIRE", "ALLOW", "ALLOW"],
		["REQUIRE", "DISABLE", "REQUIRE"],
		[undefined, "DISABLE", "DISABLE"],
	] as const)("encryption %s under %s is %s", (base, over, expected) => {
		expect(merge(base ? { encryption: base } : {}, over ? { encryption: over } : {})?.encryption).toBe(expected);
	});
	test("the older field counts when the newer is unset", () => {
		expect(mergeMedia({ mediaEncryption: "REQUIRE" }, { mediaEncryption: "DISABLE" })).toEqual(media({ encryption: "REQUIRE" }));
		expect(
			mergeMedia({ mediaEncryption: "REQUIRE", media: media({ encryption: "DISABLE" }) }, { mediaEncryption: "DISABLE" })?.encryption,
		).toBe("DISABLE");
	});
});
