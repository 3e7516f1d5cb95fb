import { SimClock, SimNet, simEndpoint } from "@trunkline/testkit";
import { describe, expect, it } from "vitest";
import type { Address, EndpointOptions, Suspicion } from "../endpoint-types.ts";
import { utf8Encode } from "../grammar/text.ts";
import { header } from "../message/headers.ts";
import { parseMessage } from "../message/parse.ts";

const PEER: Address = { host: "192.0.2.2", port: 5060, transport: "UDP" };
const SIBLING: Address = { host: "192.0.2.3", port: 5060, transport: "UDP" };
const STRANGER: Address = { host: "198.51.100.66", port: 5060, transport: "UDP" };

function world(options: Partial<EndpointOptions> = {}) {
	const clock = new SimClock();
	const net = new SimNet(clock);
	const suspicions: [string, Suspicion][] = [];
	const host = simEndpoint(
		clock,
		net,
		{ host: "192.0.2.1", port: 5060, transport: "UDP" },
		{ allow: ["INFO"], suspect: (remote, what) => void suspicions.push([remote.host, what]), ...options },
	);
	let branch = 0;
	const send = (method: string, cseq: number, from: Address, toTag = "", more = "", fixed?: string) => {
		branch += 1;
		const text = `${method} sip:bob@192.0.2.1 SIP/2.0
Via: SIP/2.0/UDP 192.0.2.2:5060;branch=${fixed ?? `z9hG4bK${branch}`}
Max-Forwards: 70
From: <sip:alice@192.0.2.2>;tag=them
To: <sip:bob@192.0.2.1>${toTag === "" ? "" : `;tag=${toTag}`}
Call-ID: one
CSeq: ${cseq} ${method}
Contact: <sip:alice@192.0.2.2:5060>
${more}Content-Length: 0

`;
		const before = net.sent.length;
		host.handle({ kind: "received", bytes: utf8Encode(text.replaceAll("\n", "\r\n")), remote: from });
		return net.sent.slice(before).map(({ bytes }) => statusOf(bytes));
	};
	const answered = (more = ""): string => {
		send("INVITE", 1, PEER, "", more);
		const [incoming] = host.of("incoming");
		if (incoming === undefined) throw new Error("no call came in");
		host.handle({ kind: "accept", leg: incoming.leg });
		send("ACK", 1, PEER, incoming.localTag, more);
		return incoming.localTag;
	};
	return { clock, net, host, suspicions, send, answered };
}

function statusOf(bytes: Uint8Array): number | string {
	const parsed = parseMessage(bytes);
	if (!parsed.ok) return parsed.detail;
	return parsed.message.kind === "response" ? parsed.message.status : `${parsed.message.method} ${header(parsed.message, "cseq") ?? ""}`;
}

describe("dialog hijack: a request inside a dialog needs Call-ID, both tags and an allowed source", () => {
	it("BYE and INFO from a foreign address are refused with 403 and told; the call goes on", () => {
		const { host, send, answered, suspicions } = world();
		const tag = answered();
		expect(send("BYE", 2, STRANGER, tag)).toEqual([403]);
		expect(send("INFO", 2, STRANGER, tag)).toEqual([403]);
		expect(send("ACK", 1, STRANGER, tag)).toEqual([]);
		expect(suspicions).toEqual(Array.from({ length: 3 }, () => [STRANGER.host, "foreign-dialog"]));
		expect(host.of("ended")).toEqual([]);
		// Its CSeq was not taken for the peer's either.
		expect(send("BYE", 2, PEER, tag)).toEqual([200]);
		expect(host.of("ended")).toHaveLength(1);
	});

	it("another port of the peer's address is the peer (NAT)", () => {
		const { send, answered } = world();
		expect(send("BYE", 2, { ...PEER, port: 61_234 }, answered())).toEqual([200]);
	});

	it("a proxy on the route may send, and who the trunk's addresses name; with a wrong tag nobody may", () => {
		const routed = world();
		expect(routed.send("BYE", 2, SIBLING, routed.answered("Record-Route: <sip:192.0.2.3;lr>\n"))).toEqual([200]);
		const listed = world({ sameParty: (peer, source) => peer === PEER.host && source === SIBLING.host });
		const tag = listed.answered();
		expect(listed.send("BYE", 2, STRANGER, tag)).toEqual([403]);
		expect(listed.send("BYE", 2, SIBLING, `${tag}x`)).toEqual([481]);
		expect(listed.send("BYE", 2, SIBLING, tag)).toEqual([200]);
	});

	it("a CANCEL from elsewhere cancels nothing", () => {
		const { host, send, suspicions } = world();
		send("INVITE", 1, PEER, "", "", "z9hG4bKinvite");
		expect(send("CANCEL", 1, STRANGER, "", "", "z9hG4bKinvite")).toEqual([481]);
		expect(host.of("cancelled")).toEqual([]);
		expect(suspicions).toEqual([[STRANGER.host, "foreign-dialog"]]);
		expect(send("CANCEL", 1, PEER, "", "", "z9hG4bKinvite")).toEqual([200, 487]);
	});
});

describe("amplification: what a forged address gets", () => {
	it("a sparing refusal is sent again once, not ten times, and for a repeated INVITE", () => {
		for (const sparing of [true, false]) {
			const { clock, net, host, send } = world();
			send("INVITE", 1, PEER, "", "", "z9hG4bKflood");
			const [incoming] = host.of("incoming");
			host.handle({ kind: "reject", leg: incoming?.leg ?? "", status: 404, sparing });
			clock.runFor(40_000);
			const refusals = net.sent.filter(({ bytes }) => statusOf(bytes) === 404).length;
			expect(refusals).toBe(sparing ? 2 : 11);
			expect(host.machine.stats()).toMatchObject({ transactions: 0, timers: 0 });
		}
		const { net, host, send } = world();
		send("INVITE", 1, PEER, "", "", "z9hG4bKflood");
		host.handle({ kind: "reject", leg: host.of("incoming")[0]?.leg ?? "", status: 404, sparing: true });
		send("INVITE", 1, PEER, "", "", "z9hG4bKflood");
		expect(net.sent.map(({ bytes }) => statusOf(bytes))).toEqual([100, 404, 404]);
		expect(host.of("incoming")).toHaveLength(1);
	});

	it("100 is sent once, however often the INVITE comes while nobody has answered", () => {
		const { net, send } = world();
		for (let i = 0; i < 3; i++) send("INVITE", 1, PEER, "", "", "z9hG4bKflood");
		// RFC 3261 §17.2.1: a repeated INVITE gets the latest provisional response again: one for one, never more.
		expect(net.sent).toHaveLength(3);
	});

	it("what is broken is told, and answered without keeping anything", () => {
		const { host, send, suspicions } = world();
		expect(send("INVITE", 1, STRANGER, "", "CSeq: 2 INVITE\n")).toEqual([400]);
		expect(send("REGISTER", 1, STRANGER)).toEqual([405]);
		host.handle({ kind: "received", bytes: new Uint8Array([1, 2, 3]), remote: STRANGER });
		host.handle({ kind: "received", bytes: new Uint8Array([13, 10, 13, 10]), remote: STRANGER });
		expect(suspicions.map(([, what]) => what)).toEqual(["malformed", "bad-method", "malformed"]);
		expect(host.machine.stats()).toMatchObject({ transactions: 0, legs: 0, dialogs: 0, timers: 0 });
	});
});
