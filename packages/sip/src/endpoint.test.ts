import { SimClock, SimNet, type SimPacket, simEndpoint } from "@trunkline/testkit";
import { describe, expect, it } from "vitest";
import type { Address, EndpointOptions, SipInput } from "./endpoint-types.ts";
import { header } from "./message/headers.ts";
import { parseMessage } from "./message/parse.ts";

const A: Address = { host: "192.0.2.1", port: 5060, transport: "UDP" };
const B: Address = { host: "192.0.2.2", port: 5070, transport: "UDP" };

function pair(options: { a?: Partial<EndpointOptions>; b?: Partial<EndpointOptions> } = {}) {
	const clock = new SimClock();
	const net = new SimNet(clock);
	return { clock, net, a: simEndpoint(clock, net, A, options.a), b: simEndpoint(clock, net, B, options.b) };
}

const call = (extra: Partial<Extract<SipInput, { kind: "call" }>> = {}): SipInput => ({
	kind: "call",
	leg: "out",
	requestUri: "sip:bob@192.0.2.2:5070",
	from: { uri: "sip:alice@192.0.2.1" },
	to: { uri: "sip:bob@192.0.2.2" },
	target: B,
	...extra,
});

/** "INVITE" / "180 INVITE" of what was sent, in order. */
function summary(packets: readonly SimPacket[]): string[] {
	return packets.map(({ bytes }) => {
		const parsed = parseMessage(bytes);
		if (!parsed.ok) return parsed.code;
		const { message } = parsed;
		return message.kind === "request" ? message.method : `${message.status} ${header(message, "cseq")?.split(" ")[1]}`;
	});
}

describe("a call between two endpoints", () => {
	it("rings, is answered, is hung up, and leaves nothing behind", () => {
		const { clock, net, a, b } = pair();
		a.handle(call());
		clock.runFor(10);
		const leg = b.of("incoming")[0]?.leg ?? "";
		b.handle({ kind: "ring", leg, status: 180 });
		clock.runFor(10);
		b.handle({ kind: "accept", leg, body: { contentType: "application/sdp", bytes: new Uint8Array([118, 61, 48]) } });
		clock.runFor(10);
		expect(a.of("answered")[0]?.response.body).toEqual(new Uint8Array([118, 61, 48]));
		expect(b.of("acked")).toHaveLength(1);
		a.handle({ kind: "bye", leg: "out" });
		clock.runFor(10);
		expect(summary(net.sent)).toEqual(["INVITE", "100 INVITE", "180 INVITE", "200 INVITE", "ACK", "BYE", "200 BYE"]);
		expect(a.of("ended")).toMatchObject([{ by: "local", cause: "bye" }]);
		expect(b.of("ended")).toMatchObject([{ by: "remote", cause: "bye" }]);
		clock.runUntilIdle(64_000);
		expect(a.machine.stats()).toEqual({ transactions: 0, dialogs: 0, legs: 0 });
		expect(b.machine.stats()).toEqual({ transactions: 0, dialogs: 0, legs: 0 });
	});
});
