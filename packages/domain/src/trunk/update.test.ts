import type { MediaConfig } from "@trunkline/contracts";
import { describe, expect, test } from "vitest";
import { dispatchRule, inboundTrunk, outboundTrunk } from "../samples.ts";
import { replacedDispatchRule, updatedDispatchRule } from "../dispatch-rule/update.ts";
import { replacedTrunk, updatedInboundTrunk, updatedOutboundTrunk } from "./update.ts";

const media = (over: Partial<MediaConfig> = {}): MediaConfig => ({ onlyListedCodecs: false, codecs: [], ...over });
const list = { set: [], add: [], remove: [], clear: false };

describe("a partial update", () => {
	test("changes what it names, the version and the time", () => {
		const trunk = inboundTrunk({
			numbers: ["+1"],
			authUsername: "u",
			authPassword: "p",
			name: "n",
			headers: { a: "b" },
			createdAt: 5,
			updatedAt: 5,
			version: 3,
		});
		const update = { numbers: { ...list, add: ["2"] }, authPassword: "q", metadata: "" };
		expect(updatedInboundTrunk(trunk, update, 9)).toEqual({ ...trunk, numbers: ["+1", "2"], authPassword: "q", updatedAt: 9, version: 4 });
		expect(trunk.numbers).toEqual(["+1"]);
		// another machine's clock
		expect(updatedInboundTrunk(trunk, {}, 2)).toEqual({ ...trunk, version: 4 });
	});

	test("knows two ways of writing one network", () => {
		const trunk = inboundTrunk({ allowedAddresses: ["10.0.0.0/8", "::ffff:192.0.2.1"] });
		const after = updatedInboundTrunk(trunk, { allowedAddresses: { ...list, remove: ["192.0.2.1/32"], add: ["10.9.9.9/8"] } }, 1);
		expect(after.allowedAddresses).toEqual(["10.0.0.0/8"]);
	});

	test("of an outbound trunk", () => {
		const update = { address: "b", transport: "TLS", destinationCountry: "DE", fromHost: "c", authUsername: "", name: "n" } as const;
		expect(updatedOutboundTrunk(outboundTrunk({ authUsername: "u" }), update, 1)).toEqual({
			...outboundTrunk(),
			...update,
			updatedAt: 1,
			version: 2,
		});
	});

	test("of a rule", () => {
		const rule = dispatchRule({ trunkIds: ["ST_a"], attributes: { a: "1", b: "2" } });
		const target = { type: "callee", roomPrefix: "p", pin: "", randomize: true } as const;
		const update = { trunkIds: { ...list, add: ["ST_a", "ST_b"] }, rule: target, attributes: { a: "", c: "3" }, name: "x", metadata: "m" };
		expect(updatedDispatchRule(rule, update, 7)).toEqual({
			...rule,
			trunkIds: ["ST_a", "ST_b"],
			rule: target,
			attributes: { b: "2", c: "3" },
			name: "x",
			metadata: "m",
			updatedAt: 7,
			version: 2,
		});
	});

	test("replaces media whole, but for encryption, which it never takes away by not naming it", () => {
		const before = inboundTrunk({
			media: media({ codecs: [{ name: "PCMU", rate: 8000 }], encryption: "REQUIRE", mediaTimeoutMs: 5 }),
			mediaEncryption: "REQUIRE",
		});
		const of = (update: Parameters<typeof updatedInboundTrunk>[1]) => {
			const after = updatedInboundTrunk(before, update, 1);
			return [after.media, after.mediaEncryption];
		};
		expect(of({})).toEqual([before.media, "REQUIRE"]);
		expect(of({ media: media() })).toEqual([media({ encryption: "REQUIRE" }), "REQUIRE"]);
		expect(of({ media: media({ encryption: "DISABLE" }) })).toEqual([media({ encryption: "DISABLE" }), "DISABLE"]);
		expect(of({ mediaEncryption: "ALLOW" })).toEqual([{ ...before.media, encryption: "ALLOW" }, "ALLOW"]);
		const plain = updatedInboundTrunk(inboundTrunk(), { mediaEncryption: "ALLOW" }, 1);
		expect([plain.media, plain.mediaEncryption]).toEqual([undefined, "ALLOW"]);
	});
});

describe("a replacement", () => {
	test("resets what it does not set; id, creation and version go on", () => {
		const trunk = inboundTrunk({
			trunkId: "ST_1",
			name: "n",
			numbers: ["1"],
			authUsername: "u",
			authPassword: "p",
			createdAt: 3,
			updatedAt: 3,
			version: 7,
		});
		const next = inboundTrunk({ trunkId: "", numbers: ["2"], createdAt: 9, updatedAt: 9 });
		expect(replacedTrunk(trunk, next, 9)).toEqual({ ...next, trunkId: "ST_1", createdAt: 3, version: 8 });
		expect(replacedDispatchRule(dispatchRule({ createdAt: 3, name: "n" }), dispatchRule({ ruleId: "" }), 9)).toEqual(
			dispatchRule({ createdAt: 3, updatedAt: 9, version: 2 }),
		);
	});

	test.each([
		["the same user, no password", "u", "", "p"],
		["the same user, another password", "u", "q", "q"],
		["no user", "", "", ""],
		["another user", "v", "", ""],
	])("password with %s", (_, authUsername, authPassword, kept) => {
		const trunk = outboundTrunk({ authUsername: "u", authPassword: "p" });
		expect(replacedTrunk(trunk, { ...trunk, authUsername, authPassword }, 1).authPassword).toBe(kept);
		// who has no user had no password to keep
		expect(replacedTrunk(outboundTrunk({ authPassword: "p" }), outboundTrunk(), 1).authPassword).toBe("");
	});
});
