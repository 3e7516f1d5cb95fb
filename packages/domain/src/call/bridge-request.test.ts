import { describe, expect, it, test } from "vitest";
import { outboundTrunk } from "../samples.ts";
import { bridgeRequest, dialTarget } from "./bridge-request.ts";

const random = (length: number): Uint8Array => new Uint8Array(length);
const wish = { target: "tel:+1-555-0142", headers: { "X-Order": "1" }, ringingTimeoutMs: 20_000, ownNumber: "+15550111" };

describe("the target of a transfer, as it is dialled", () => {
	test.each([
		["tel:+1-555-0142", { callTo: "+15550142" }],
		["tel:+15550142;phone-context=x", { callTo: "+15550142" }],
		["<sip:+15550142@carrier.example>", { callTo: "+15550142", requestUri: "sip:+15550142@carrier.example" }],
		["sip:bob@pbx.example:5070;method=INVITE", { callTo: "bob", requestUri: "sip:bob@pbx.example:5070" }],
		[
			"<sip:bob@pbx.example?Replaces=123%40x%3Bto-tag%3D1%3Bfrom-tag%3D2&Route=evil>",
			{ callTo: "bob", requestUri: "sip:bob@pbx.example", replaces: "123@x;to-tag=1;from-tag=2" },
		],
		["<sip:bob@pbx.example?Replaces=a%0D%0AX:%20y>", { callTo: "bob", requestUri: "sip:bob@pbx.example" }],
	])("%s", (target, dialled) => expect(dialTarget(target)).toEqual(dialled));

	test.each(["sips:bob@pbx.example", "http://x", "sip:", ""])("%j cannot be dialled", (target) => {
		expect(() => dialTarget(target)).toThrow(expect.objectContaining({ code: "invalid_argument" }));
	});
});

describe("the dial request", () => {
	const trunk = outboundTrunk({ numbers: ["+15550100", "+15550111"], headers: { "X-Trunk": "t" } });

	it("goes over the trunk, from our number in the call, into no room", () => {
		expect(bridgeRequest(trunk, wish, random)).toMatchObject({
			trunkId: trunk.trunkId,
			address: trunk.address,
			callTo: "+15550142",
			from: "+15550111",
			roomName: "",
			participantIdentity: "",
			headers: { "X-Trunk": "t", "X-Order": "1" },
			ringingTimeoutMs: 20_000,
			playDialtone: false,
		});
	});

	it("from one of the trunk's numbers when ours in the call is another trunk's", () => {
		expect(bridgeRequest(trunk, { ...wish, ownNumber: "+15559999" }, random).from).toBe("+15550100");
		expect(bridgeRequest(outboundTrunk({ numbers: ["*"] }), { ...wish, ownNumber: "+15559999" }, random).from).toBe("+15559999");
	});

	it("Replaces of the target is a header of the INVITE (RFC 3261 §19.1.5)", () => {
		const target = "<sip:bob@pbx.example?Replaces=123%3Bto-tag%3D1%3Bfrom-tag%3D2>";
		expect(bridgeRequest(trunk, { ...wish, target }, random)).toMatchObject({
			requestUri: "sip:bob@pbx.example",
			headers: { Replaces: "123;to-tag=1;from-tag=2" },
		});
	});

	it('"same": the line of the call itself, with its credentials, and nothing of its room; what came of the transfer is not transferred on', () => {
		const settings = { provider: "plivo", transfer: { bridgeTrunkId: "same", incoming: "bridge", replaces: true } } as const;
		const own = { ...bridgeRequest(trunk, wish, random), roomName: "lobby", participantIdentity: "sip_1", dtmf: "1", settings };
		const again = bridgeRequest(own, { ...wish, target: "tel:+15550177", headers: {} }, random);
		expect(again).toMatchObject({ callTo: "+15550177", address: trunk.address, roomName: "", participantIdentity: "", dtmf: "" });
		expect(again.settings).toEqual({ provider: "plivo", transfer: { incoming: "refuse", replaces: false } });
	});
});
