import { describe, expect, test } from "vitest";
import { inboundTrunk } from "../samples.ts";
import { calledForms, trunkNumberOf } from "../provider/numbers.ts";
import { trunkConflictKeys } from "./conflicts.ts";
import { matchInboundTrunk } from "./match.ts";

const number = "+15550100";
const call = { from: "+15551111", to: number, sourceAddress: "54.172.60.2" };
const twilio = inboundTrunk({ trunkId: "ST_tw", numbers: [number], settings: { provider: "twilio" } });

describe("a trunk that names its provider and no addresses", () => {
	test("takes calls from the provider's signalling networks", () => {
		expect(matchInboundTrunk([twilio], call).trunk).toBe(twilio);
	});

	test("refuses others, and says which address came and which networks there are", () => {
		const { trunk, steps } = matchInboundTrunk([twilio], { ...call, sourceAddress: "203.0.113.9" });
		expect(trunk).toBeUndefined();
		expect(steps[0]).toMatchObject({ outcome: "rejected", test: "provider" });
		expect(steps[0]?.detail).toMatch(
			/^source "203\.0\.113\.9" is not in \[54\.172\.60\.0\/30, .*\], where Twilio .* as of 2026-11-22; allowed_addresses/,
		);
	});

	test("media addresses are none that signalling comes from", () => {
		expect(matchInboundTrunk([twilio], { ...call, sourceAddress: "168.86.128.7" }).trunk).toBeUndefined();
	});

	test("allowed_addresses of its own take the place of the provider's", () => {
		const own = { ...twilio, allowedAddresses: ["0.0.0.0/0"] };
		expect(matchInboundTrunk([own], { ...call, sourceAddress: "203.0.113.9" }).trunk).toBe(own);
		const narrow = { ...twilio, allowedAddresses: ["203.0.113.0/24"] };
		const { steps } = matchInboundTrunk([narrow], call);
		expect(steps[0]).toMatchObject({ test: "allowed_addresses", detail: 'source "54.172.60.2" is not in [203.0.113.0/24]' });
	});

	test.each(["exotel", "plivo", "wavix", "genesys-avaya", "india", "generic"] as const)(
		"%s, not all of whose addresses are known, may come from anywhere",
		(provider) => {
			const trunk = { ...twilio, settings: { provider } };
			expect(matchInboundTrunk([trunk], { ...call, sourceAddress: "203.0.113.9" }).trunk).toBe(trunk);
		},
	);

	test("two providers may bring calls to one number; one provider twice is a conflict", () => {
		const telnyx = inboundTrunk({ trunkId: "ST_tx", numbers: [number], settings: { provider: "telnyx" } });
		expect(matchInboundTrunk([twilio, telnyx], call).trunk?.trunkId).toBe("ST_tw");
		expect(matchInboundTrunk([twilio, telnyx], { ...call, sourceAddress: "192.76.120.14" }).trunk?.trunkId).toBe("ST_tx");
		expect(trunkConflictKeys(twilio)).not.toEqual(trunkConflictKeys(telnyx));
		expect(trunkConflictKeys(twilio)).toEqual(trunkConflictKeys({ ...twilio, trunkId: "ST_other" }));
		// What may come from anywhere conflicts with what may come from anywhere.
		expect(trunkConflictKeys({ ...twilio, settings: { provider: "exotel" } })).toEqual(trunkConflictKeys({ ...twilio, settings: {} }));
	});

	test("a trunk with the very same networks in its list is as good but not equal", () => {
		const listed = inboundTrunk({ trunkId: "ST_a", numbers: [number], allowedAddresses: ["54.172.60.0/30"] });
		expect(matchInboundTrunk([listed, twilio], call).problem).toBeUndefined();
	});
});

describe("numbers of Telnyx come in three forms", () => {
	const trunk = inboundTrunk({ numbers: ["+12025550123", "+442079460123", "+35315550123"], settings: { provider: "telnyx" } });
	const from = { ...call, sourceAddress: "192.76.120.14" };

	test.each([
		["+12025550123", "+12025550123"],
		["12025550123", "12025550123"],
		["2025550123", "+12025550123"],
		["442079460123", "442079460123"],
		["02079460123", "+442079460123"],
		["2079460123", "+442079460123"],
		["015550123", "+35315550123"],
	])("%s is %s", (to, own) => {
		expect(matchInboundTrunk([trunk], { ...from, to }).trunk).toBe(trunk);
		expect(trunkNumberOf(trunk, to)).toBe(own);
	});

	test.each(["5550123", "025550123", "0012025550123"])("%s is none of them", (to) => {
		expect(matchInboundTrunk([trunk], { ...from, to }).steps[0]).toMatchObject({ outcome: "rejected", test: "numbers" });
		expect(trunkNumberOf(trunk, to)).toBe(to);
	});

	test("a trunk that names the number as it came is preferred", () => {
		const exact = inboundTrunk({ trunkId: "ST_exact", numbers: ["2025550123"], settings: { provider: "telnyx" } });
		expect(matchInboundTrunk([trunk, exact], { ...from, to: "2025550123" }).trunk?.trunkId).toBe("ST_exact");
	});

	test("other providers send them as they are", () => {
		const other = { ...trunk, settings: { provider: "twilio" as const } };
		expect([...calledForms(other)]).toEqual(trunk.numbers);
		expect(matchInboundTrunk([other], { ...call, to: "2025550123" }).trunk).toBeUndefined();
		expect(trunkNumberOf(other, "2025550123")).toBe("2025550123");
	});
});
