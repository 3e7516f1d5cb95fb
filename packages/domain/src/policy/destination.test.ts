import { DEFAULT_POLICY } from "@trunkline/contracts";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkDestination, judgeDestination } from "./destination.ts";
import { BLOCKED_RANGES } from "./ranges.ts";

const verdict = (target: string, over: Partial<typeof DEFAULT_POLICY> = {}): string => {
	const judged = judgeDestination({ ...DEFAULT_POLICY, ...over }, target);
	return judged.allowed ? "allowed" : `blocked ${judged.prefix}`.trim();
};

describe("what a first user calls passes by default", () => {
	test.each([
		["a US number", "+14155552671"],
		["without +", "14155552671"],
		["ten digits", "4155552671"],
		["with what people write between digits", "+1 (415) 555-2671"],
		["Puerto Rico", "+17875551234"],
		["Canada", "+16135550187"],
		["United Kingdom, London", "+442079460018"],
		["United Kingdom, mobile", "+447400123456"],
		["Germany, Nuremberg, which dials 0911 at home", "+49911123456"],
		["Germany, mobile", "+4915123456789"],
		["Belgium, Ghent, which dials 09 at home", "+3292345678"],
		["Italy, Salerno", "+39089123456"],
		["Slovakia, mobile", "+421912123456"],
		["Romania, mobile", "+40712034567"],
		["India", "+919876543210"],
		["Brazil", "+5511961234567"],
		["Kenya", "+254712123456"],
		["Latvia, ordinary", "+37121234567"],
		["freephone", "+18005551234"],
		["international freephone", "+80012345678"],
		["a number as Europeans dial it", "00442079460018"],
		["a number as Americans dial it", "011442079460018"],
		["a number within a country", "02079460018"],
		["an example number", "+15550100"],
		["an example number without area code", "5550123"],
		["a SIP user", "alice"],
		["a SIP user with digits", "room-12345678"],
		["an extension", "1001"],
		["a short code with a star", "*97"],
		["a SIP URI", "sip:alice@pbx.example;transport=tcp"],
		["a tel URI", "tel:+14155552671;ext=5"],
		["a number within a country, named", "tel:5552671;phone-context=+1415"],
		["an extension of a company's exchange", "tel:1001;phone-context=+49911123"],
		["a global number, whose context says nothing", "tel:+14155552671;phone-context=+1876"],
		["a SIP user with + in it", "alice+19005551234"],
		["an extension with a tag", "1001+a"],
	])("%s: %s", (_, target) => expect(verdict(target)).toBe("allowed"));
});

describe("what fraud is made of does not", () => {
	test.each([
		["premium", "+19005551234", "+1900"],
		["premium, ten digits", "9005551234", "+1900"],
		["976 exchange", "+12129761234", "+1212976"],
		["Jamaica", "+18765551234", "+1876"],
		["Dominican Republic, ten digits", "(809) 555-1234", "+1809"],
		["Inmarsat", "+870776123456", "+870"],
		["Iridium", "+8816123456789", "+881"],
		["as Europeans dial it", "008816123456789", "+881"],
		["as Americans dial it", "0118816123456789", "+881"],
		["as Australians dial it", "00118816123456789", "+881"],
		["with + before the international prefix", "+008816123456789", "+881"],
		["with two +", "++8816123456789", "+881"],
		["UK premium", "+449098790000", "+449"],
		["UK personal number", "+447012345678", "+4470"],
		["Somalia", "+252612345678", "+252"],
		["Cuba", "+5351234567", "+53"],
		["Maldives", "+9607712345", "+960"],
		["German premium", "+499001234567", "+49900"],
		["in a tel URI", "tel:+1-900-555-1234;phone-context=example.com", "+1900"],
		["in a SIP URI", "<sips:+19005551234@carrier.example;user=phone>", "+1900"],
		["escaped", "sip:%2B19005551234@carrier.example", "+1900"],
		["with user parameters", "+19005551234;npdi", "+1900"],
		["with letters behind it", "19005551234x", "+1900"],
		["with a space that nobody sees", "+\u200b1900\u200b5551234", "+1900"],
		["with dots", "1.900.555.1234", "+1900"],
		["in full-width digits", "＋１９００５５５１２３４", "+1900"],
		["in Arabic digits", "١٩٠٠٥٥٥١٢٣٤", ""],
		["in Arabic digits, escaped", "sip:%D9%A1%D9%A9%D9%A0%D9%A0%D9%A5@carrier.example", ""],
		["behind a service code", "*6719005551234", ""],
		["behind GSM's", "#31#+19005551234", ""],
		["national premium", "0900123456", ""],
		["with + behind the international prefix", "00+19005551234", ""],
		["with + behind a trunk prefix", "sip:0%2B19005551234@carrier.example", ""],
		["with marks of RFC 3261 between the digits", "1_900~555!1234", "+1900"],
		["local within a country (RFC 3966)", "tel:9261234;phone-context=+1876", "+1876"],
		["short, within a premium range", "sip:51234;phone-context=%2B1-900-55@carrier.example;user=phone", "+1900"],
		["local within Jamaica, however it is written", "tel:5551234;npdi;PHONE-CONTEXT=+1876", "+1876"],
	])("%s: %s", (_, target, prefix) => expect(verdict(target)).toBe(`blocked ${prefix}`.trim()));
});

describe("the longest prefix decides", () => {
	test.each<[string, Partial<typeof DEFAULT_POLICY>, string]>([
		["+18765551234", { allowedPrefixes: ["+", "+1876"] }, "allowed"],
		["+18095551234", { allowedPrefixes: ["+", "+1876"] }, "blocked +1809"],
		["+18765551234", { allowedPrefixes: ["+1"] }, "blocked +1876"],
		["+442079460018", { allowedPrefixes: ["+1"] }, "blocked"],
		["+14155552671", { allowedPrefixes: ["+1"] }, "allowed"],
		["02079460018", { allowedPrefixes: ["+44"] }, "blocked"],
		["+14155552671", { allowedPrefixes: [] }, "blocked"],
		["1001", { allowedPrefixes: [] }, "allowed"],
		["+15550100", { allowedPrefixes: [] }, "allowed"],
		["+442079460018", { blockedPrefixes: ["+44"] }, "blocked +44"],
		["+442079460018", { blockedPrefixes: ["+44"], allowedPrefixes: ["+", "+4420"] }, "allowed"],
		["+442079460018", { blockedPrefixes: ["+44"], allowedPrefixes: ["+44"] }, "blocked +44"],
		["+442079460018", { blockedPrefixes: ["+4420"], allowedPrefixes: ["+", "+44"] }, "blocked +4420"],
		["+12129761234", { allowedPrefixes: ["+1", "+1212976"] }, "allowed"],
	])("%s with %j: %s", (target, over, expected) => expect(verdict(target, over)).toBe(expected));
});

test("a refusal names prefix, reason, and how to change it", () => {
	expect(() => checkDestination(DEFAULT_POLICY, "8765551234", "p_1")).toThrow(
		expect.objectContaining({
			code: "permission_denied",
			message:
				'the destination (read as +18765551234; "+" and country code in front leave no doubt) may not be called: +1876 is blocked unless named: ' +
				"high-risk, Jamaica. An administrator changes allowedPrefixes to name +1876 with PATCH /v1/projects/p_1",
			meta: { limit: "allowed_prefixes", prefix: "+1876" },
		}),
	);
	expect(() => checkDestination(DEFAULT_POLICY, "+14155552671", "p_1")).not.toThrow();
});

describe("properties", () => {
	const digits = fc.stringMatching(/^\d{7,15}$/);
	const policy = fc.record({
		allowedPrefixes: fc.array(fc.stringMatching(/^\+\d{0,4}$/), { maxLength: 5 }),
		blockedPrefixes: fc.array(fc.stringMatching(/^\+\d{0,4}$/), { maxLength: 5 }),
	});
	const anything = fc.oneof(fc.string({ unit: "binary" }), fc.stringMatching(/^[+*#%<>;:@0-9 sipteSIP().-]{0,40}$/), digits);

	test("any text has a verdict, and the same one each time", () => {
		fc.assert(
			fc.property(policy, anything, (given, target) => {
				expect(judgeDestination(given, target)).toEqual(judgeDestination(given, target));
			}),
			{ numRuns: 2000 },
		);
	});
	test("separators change nothing", () => {
		fc.assert(
			fc.property(policy, digits, fc.constantFrom(" ", "-", ".", "(", ")", "/"), (given, number, separator) => {
				const split = `+${number.slice(0, 3)}${separator}${number.slice(3)}`;
				expect(judgeDestination(given, split).allowed).toBe(judgeDestination(given, `+${number}`).allowed);
			}),
		);
	});
	test("a built-in range passes only where a prefix at least as long names it", () => {
		fc.assert(
			fc.property(fc.constantFrom(...BLOCKED_RANGES), digits, policy, ({ prefix }, rest, given) => {
				const number = (prefix.replaceAll("x", "4") + rest).slice(0, 16);
				const named = given.allowedPrefixes.some((allowed) => allowed.length >= prefix.length && number.startsWith(allowed));
				if (!named) expect(judgeDestination(given, number).allowed).toBe(false);
			}),
		);
	});
	test("blocking more never allows more", () => {
		fc.assert(
			fc.property(policy, fc.stringMatching(/^\+\d{0,4}$/), anything, (given, extra, target) => {
				if (judgeDestination(given, target).allowed) return;
				const stricter = { ...given, blockedPrefixes: [...given.blockedPrefixes, extra] };
				expect(judgeDestination(stricter, target).allowed).toBe(false);
			}),
		);
	});
});
