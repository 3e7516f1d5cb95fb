import { describe, expect, it } from "vitest";
import { field } from "../message/headers.ts";
import type { SipRequest } from "../message/message.ts";
import { readRefer, referAcceptedHeaders, referNotifyHeaders } from "./receive.ts";

const refer = (...headers: (readonly [string, string])[]): SipRequest => ({
	kind: "request",
	method: "REFER",
	uri: "sip:a@b",
	headers: [field("CSeq", "93809823 REFER"), ...headers.map(([name, value]) => field(name, value))],
	body: new Uint8Array(0),
});

describe("RFC 3515: a REFER as its receiver reads it", () => {
	it.each([
		["<sip:bob@biloxi.example;transport=tcp>", "sip:bob@biloxi.example;transport=tcp"],
		["sip:bob@biloxi.example", "sip:bob@biloxi.example"],
		['"Bob" <tel:+15550142>', "tel:+15550142"],
		["<sip:bob@biloxi.example;method=INVITE>", "sip:bob@biloxi.example;method=INVITE"],
		[
			"<sip:bob@biloxi.example?Replaces=12345%40x%3Bto-tag%3D1%3Bfrom-tag%3D2>",
			"sip:bob@biloxi.example?Replaces=12345%40x%3Bto-tag%3D1%3Bfrom-tag%3D2",
		],
	])("§2.1: Refer-To %s", (value, target) => {
		expect(readRefer(refer(["Refer-To", value]))).toEqual({ ok: true, refer: { target, id: 93_809_823, subscribes: true } });
	});

	it("§2.4.2: MUST return 400 with zero or more than one Refer-To", () => {
		for (const request of [
			refer(),
			refer(["Refer-To", "<sip:a@b>"], ["r", "<sip:c@d>"]),
			refer(["Refer-To", "<sip:a@b>, <sip:c@d>"]),
			refer(["Refer-To", "nonsense"]),
			refer(["Refer-To", "<http://b.example>"]),
			refer(["Refer-To", `<sip:${"a".repeat(2_000)}@b>`]),
		])
			expect(readRefer(request)).toMatchObject({ ok: false, status: 400 });
	});

	it("§2.1: a target with another method is not followed", () => {
		expect(readRefer(refer(["Refer-To", "<sip:a@b;method=BYE>"]))).toMatchObject({ ok: false, status: 501 });
	});

	it("§2.4.4, §2.4.6, §2.4.7: NOTIFY names the REFER by its CSeq, and the last one ends the subscription", () => {
		expect(referNotifyHeaders({ id: 7 }, false)).toEqual([
			["Event", "refer;id=7"],
			["Subscription-State", "active;expires=600"],
		]);
		expect(referNotifyHeaders({ id: 7 }, true)[1]).toEqual(["Subscription-State", "terminated;reason=noresource"]);
	});
});

describe("RFC 3892: Referred-By", () => {
	const target = ["Refer-To", "<sip:a@b>"] as const;

	it.each([
		["Referred-By", '"Alice" <sip:alice@a.example>;cid="x@a.example"', '"Alice" <sip:alice@a.example>;cid="x@a.example"'],
		["b", "sip:alice@a.example", "sip:alice@a.example"],
		["Referred-By", "nonsense", undefined],
		["Referred-By", `<sip:${"a".repeat(2_000)}@b>`, undefined],
	])("§3: %s: %s", (name, value, referredBy) => {
		const read = readRefer(refer(target, [name, value]));
		expect(read.ok && read.refer.referredBy).toBe(referredBy);
	});

	it("two are none", () => {
		const read = readRefer(refer(target, ["Referred-By", "sip:a@b"], ["Referred-By", "sip:c@d"]));
		expect(read.ok && read.refer.referredBy).toBeUndefined();
	});
});

describe("RFC 4488: a REFER without a subscription", () => {
	const target = ["Refer-To", "<sip:a@b>"] as const;

	it.each([
		["Refer-Sub: false", ["Refer-Sub", "false"], false],
		["Refer-Sub: FALSE;x=y", ["Refer-Sub", " FALSE ;x=y"], false],
		["Refer-Sub: true", ["Refer-Sub", "true"], true],
		["Refer-Sub: falsely", ["Refer-Sub", "falsely"], true],
		["Require: norefersub", ["Require", "foo, norefersub"], false],
	] as const)("%s", (_, header, subscribes) => {
		const read = readRefer(refer(target, header));
		expect(read).toMatchObject({ ok: true, refer: { subscribes } });
		expect(referAcceptedHeaders({ subscribes })).toEqual(subscribes ? [] : [["Refer-Sub", "false"]]);
	});
});
