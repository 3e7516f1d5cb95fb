import { nodeHashes, seededBytes, seededRandom } from "@trunkline/testkit";
import { describe, expect, it, test } from "vitest";
import { nextHop, responseAddress } from "./dialog/next-hop.ts";
import { SipEndpoint } from "./endpoint.ts";
import type { Address, EndpointOptions, SipEvent, SipInput } from "./endpoint-types.ts";
import { parseVia, type Via } from "./grammar/via.ts";
import { header } from "./message/headers.ts";
import type { SipMessage } from "./message/message.ts";
import { parseMessage } from "./message/parse.ts";

const OURS = { host: "192.0.2.10", host6: "2001:db8::10", port: 5060, tlsPort: 5061 };
const CARRIER: Address = { host: "198.51.100.7", port: 5060, transport: "UDP" };
const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

interface Sent {
	message: SipMessage;
	to: Address;
}

function endpoint(options: Partial<EndpointOptions> = {}) {
	const machine = new SipEndpoint({
		userAgent: "t",
		contact: OURS,
		random: seededBytes(seededRandom(3)),
		hashes: nodeHashes,
		...options,
	});
	const sent: Sent[] = [];
	const events: SipEvent[] = [];
	const drain = (): void => {
		for (let out = machine.pollOutput(); out !== undefined; out = machine.pollOutput()) {
			if (out.kind === "event") events.push(out.event);
			else {
				const parsed = parseMessage(out.bytes);
				if (!parsed.ok) throw new Error(parsed.detail);
				sent.push({ message: parsed.message, to: out.to });
			}
		}
	};
	const handle = (input: SipInput, now = 0): void => {
		machine.handle(input, now);
		drain();
	};
	const advance = (now: number): void => {
		machine.handleTimeout(now);
		drain();
	};
	return { machine, sent, events, handle, advance };
}

function call(target: Address, over: Partial<Extract<SipInput, { kind: "call" }>> = {}): SipInput {
	return {
		kind: "call",
		leg: "1",
		requestUri: "sip:+1@carrier.example",
		from: { uri: "sip:us@192.0.2.10" },
		to: { uri: "sip:+1@carrier.example" },
		target,
		...over,
	};
}

const big = { contentType: "application/sdp", bytes: new Uint8Array(1_300).fill(0x61) };

function answer(request: SipMessage | undefined, status: number, extra = ""): Uint8Array {
	if (request?.kind !== "request") throw new Error("no request");
	const kept = request.headers.filter(({ key }) => ["via", "from", "to", "call-id", "cseq"].includes(key));
	const lines = kept.map(({ key, name, value }) => `${name}: ${key === "to" && status > 100 ? `${value};tag=t` : value}`);
	return encode(`SIP/2.0 ${status} X\r\n${lines.join("\r\n")}\r\n${extra}Content-Length: 0\r\n\r\n`);
}

function incoming(
	via: string,
	uri = "sip:+15550100@192.0.2.10",
	more = "Contact: <sip:peer@198.51.100.7>\r\n",
	method = "INVITE",
): Uint8Array {
	return encode(
		`${method} ${uri} SIP/2.0\r\nVia: ${via};branch=z9hG4bK${method}\r\nFrom: <sip:a@b>;tag=f\r\nTo: <sip:c@d>\r\nCall-ID: 1\r\nCSeq: 1 ${method}\r\n${more}Content-Length: 0\r\n\r\n`,
	);
}

const viaOf = (sent: Sent | undefined): Via | undefined => parseVia((sent && header(sent.message, "via")) ?? "");
const line = (sent: Sent | undefined, name: string): string | undefined => sent && header(sent.message, name);
const methods = (sent: readonly Sent[]): string[] =>
	sent.map(({ message, to }) => `${message.kind === "request" ? message.method : message.status} ${to.transport}`);

describe("Via and Contact say the transport and the address of the peer's family", () => {
	test.each<[string, Address, string, string]>([
		["UDP", CARRIER, "SIP/2.0/UDP 192.0.2.10:5060", "<sip:us@192.0.2.10:5060>"],
		["TCP", { ...CARRIER, transport: "TCP" }, "SIP/2.0/TCP 192.0.2.10:5060", "<sip:us@192.0.2.10:5060;transport=tcp>"],
		["TLS", { ...CARRIER, transport: "TLS", port: 5061 }, "SIP/2.0/TLS 192.0.2.10:5061", "<sip:us@192.0.2.10:5061;transport=tls>"],
		["IPv6", { ...CARRIER, host: "2001:db8::7" }, "SIP/2.0/UDP [2001:db8::10]:5060", "<sip:us@[2001:db8::10]:5060>"],
	])("%s", (_, target, via, contact) => {
		const { handle, sent } = endpoint();
		handle(call(target));
		expect(line(sent[0], "via")?.split(";")[0]).toBe(via);
		expect(line(sent[0], "contact")).toBe(contact);
	});

	it("without ports and addresses of their own TLS and IPv6 use what there is", () => {
		const { handle, sent } = endpoint({ contact: { host: "192.0.2.10", port: 5070 } });
		handle(call({ host: "2001:db8::7", port: 5061, transport: "TLS" }));
		expect(line(sent[0], "contact")).toBe("<sip:us@192.0.2.10:5070;transport=tls>");
	});

	it("§8.1.1.8: If the Request-URI contains a SIPS URI, the Contact header field MUST contain a SIPS URI as well", () => {
		const { handle, sent } = endpoint();
		handle(call({ ...CARRIER, transport: "TLS", port: 5061 }, { requestUri: "sips:+1@carrier.example" }));
		expect(line(sent[0], "contact")).toBe("<sips:us@192.0.2.10:5061>");
	});

	test.each([
		["Request-URI", "sips:+15550100@192.0.2.10", "Contact: <sip:p@198.51.100.7>\r\n", "sips"],
		["top Record-Route", "sip:+15550100@192.0.2.10", "Record-Route: <sips:p.example;lr>\r\nContact: <sip:p@198.51.100.7>\r\n", "sips"],
		["Contact, no Record-Route", "sip:+15550100@192.0.2.10", 'Contact: "sip:" <sips:p@198.51.100.7>\r\n', "sips"],
		[
			"Contact, but Record-Route is not",
			"sip:+15550100@192.0.2.10",
			"Record-Route: <sip:p;lr>\r\nContact: <sips:p@198.51.100.7>\r\n",
			"sip",
		],
	])("§12.1.1: SIPS in the %s → Contact of the response", (_, uri, more, scheme) => {
		const { handle, sent, events } = endpoint();
		const remote: Address = { host: "198.51.100.7", port: 40_000, transport: "TLS", connection: "c1" };
		handle({ kind: "received", bytes: incoming("SIP/2.0/TLS 198.51.100.7", uri, more), remote });
		const [event] = events;
		if (event?.type !== "incoming") throw new Error("no INVITE");
		handle({ kind: "accept", leg: event.leg });
		expect(line(sent.at(-1), "contact")?.split(":")[0]).toBe(`<${scheme}`);
	});
});

describe("RFC 3261 §18.1.1: requests that are too large for UDP", () => {
	const AUTO: Address = { ...CARRIER, largeByTcp: true };

	it("MUST be sent using TCP, and the top Via MUST be changed", () => {
		const { handle, sent } = endpoint();
		handle(call(AUTO, { body: big }));
		expect(methods(sent)).toEqual(["INVITE TCP"]);
		expect(viaOf(sent[0])).toMatchObject({ transport: "TCP", host: "192.0.2.10", port: 5060 });
	});

	it("a small one, and one to a trunk that was set to UDP, goes by UDP", () => {
		for (const [target, body] of [
			[AUTO, undefined],
			[CARRIER, big],
		] as const) {
			const { handle, sent } = endpoint();
			handle(call(target, body && { body }));
			expect(methods(sent)).toEqual(["INVITE UDP"]);
			expect(viaOf(sent[0])?.transport).toBe("UDP");
		}
	});

	it("SHOULD retry the request using UDP when the connection is refused, with the timers of UDP", () => {
		const { handle, sent, events, advance } = endpoint();
		handle(call(AUTO, { body: big }));
		handle({ kind: "transport-error", remote: { ...CARRIER, transport: "TCP" }, message: "ECONNREFUSED" }, 100);
		expect(methods(sent)).toEqual(["INVITE TCP", "INVITE UDP"]);
		expect(viaOf(sent[1])).toEqual({ ...viaOf(sent[0]), transport: "UDP" });
		expect(events).toEqual([]);
		advance(600);
		expect(methods(sent)).toEqual(["INVITE TCP", "INVITE UDP", "INVITE UDP"]);
		handle({ kind: "transport-error", remote: CARRIER, message: "port unreachable" }, 700);
		expect(events).toMatchObject([{ type: "failed", cause: "transport" }]);
	});

	it.each([{}, { abandon: true }])("but no call that was given up while the connection was tried: %j", (cancel) => {
		const { handle, sent, events } = endpoint();
		handle(call(AUTO, { body: big }));
		handle({ kind: "cancel", leg: "1", ...cancel }, 50);
		handle({ kind: "transport-error", remote: { ...CARRIER, transport: "TCP" }, message: "ETIMEDOUT" }, 5_000);
		expect(methods(sent)).toEqual(["INVITE TCP"]);
		expect(events).toMatchObject([{ type: "failed", cause: "cancelled" }]);
	});

	it("CANCEL and the ACK of a refusal go the way of the INVITE, with its Via (§9.1, §17.1.1.3)", () => {
		const { handle, sent } = endpoint();
		handle(call(AUTO, { body: big }));
		handle({ kind: "received", bytes: answer(sent[0]?.message, 180), remote: { ...AUTO, transport: "TCP" } });
		handle({ kind: "cancel", leg: "1" });
		handle({ kind: "received", bytes: answer(sent[0]?.message, 487), remote: { ...AUTO, transport: "TCP" } });
		expect(methods(sent)).toEqual(["INVITE TCP", "CANCEL TCP", "ACK TCP"]);
		expect(new Set(sent.map((one) => line(one, "via"))).size).toBe(1);
	});
});

describe("RFC 3261 §18.2.2: responses", () => {
	const via = (text: string): Via => parseVia(text) as Via;
	const source: Address = { host: "198.51.100.7", port: 40_000, transport: "TCP", connection: "c1" };

	it("MUST be sent using the existing connection; when it is gone, to the received address and the port of sent-by", () => {
		expect(responseAddress(via("SIP/2.0/TCP 10.0.0.1:5070"), source)).toEqual({ ...source, port: 5070 });
	});

	it("or the default port of the transport", () => {
		expect(responseAddress(via("SIP/2.0/TCP 10.0.0.1"), source).port).toBe(5060);
		expect(responseAddress(via("SIP/2.0/TLS sbc.example"), { ...source, transport: "TLS" })).toEqual({
			...source,
			transport: "TLS",
			port: 5061,
			tls: { serverName: "sbc.example" },
		});
	});

	it("an INVITE over a connection is answered by it, from the 100 on", () => {
		const { handle, sent } = endpoint();
		handle({ kind: "received", bytes: incoming("SIP/2.0/TCP 10.0.0.1:5070"), remote: source });
		expect(sent[0]?.to).toEqual({ ...source, port: 5070 });
	});
});

describe("requests inside a dialog", () => {
	const peer: Address = { host: "198.51.100.7", port: 40_000, transport: "TCP", connection: "c1" };

	test.each<[string, string, Address, Address]>([
		["the peer's own address: its connection", "sip:p@198.51.100.7:5070", peer, { ...peer, port: 5070 }],
		["a private address behind NAT: its connection", "sip:p@10.0.0.1", peer, { ...peer, port: 5060 }],
		["a name: its connection", "sip:p@sbc.example:5080", peer, { ...peer, port: 5080 }],
		["another address: none", "sip:p@203.0.113.9", peer, { host: "203.0.113.9", port: 5060, transport: "TCP" }],
		["another transport: none", "sip:p@198.51.100.7;transport=udp", peer, { host: "198.51.100.7", port: 5060, transport: "UDP" }],
		[
			"sips at a name: the name is what a new connection is verified by",
			"sips:p@sbc.example",
			{ ...peer, transport: "TLS" },
			{ ...peer, transport: "TLS", port: 5061, tls: { serverName: "sbc.example" } },
		],
		[
			"another address of a trunk over TLS: the trunk's name",
			"sip:p@203.0.113.9;transport=tls",
			{ host: "198.51.100.7", port: 5061, transport: "TLS", tls: { serverName: "carrier.example" } },
			{ host: "203.0.113.9", port: 5061, transport: "TLS", tls: { serverName: "carrier.example" } },
		],
		[
			"a Contact that names UDP, of a trunk over TLS: TLS, to the trunk",
			"sip:p@203.0.113.9:5060;transport=udp",
			{ host: "198.51.100.7", port: 5061, transport: "TLS", tls: { serverName: "carrier.example" } },
			{ host: "198.51.100.7", port: 5061, transport: "TLS", tls: { serverName: "carrier.example" } },
		],
		[
			"a Contact that names TCP, of a caller over TLS: its connection, or a new one to the port of TLS",
			"sip:p@198.51.100.7:5060;transport=tcp",
			{ ...peer, transport: "TLS" },
			{ ...peer, transport: "TLS", port: 5061 },
		],
		["UDP by default stays so", "sip:p@198.51.100.7", { ...CARRIER, largeByTcp: true }, { ...CARRIER, largeByTcp: true }],
	])("%s", (_, uri, from, expected) => {
		expect(nextHop(uri, from)).toEqual(expected);
	});

	it("a peer that comes back by another connection is asked by that one", () => {
		const { handle, sent, events } = endpoint({ allow: ["INFO"] });
		handle({ kind: "received", bytes: incoming("SIP/2.0/TCP 198.51.100.7"), remote: peer });
		const [event] = events;
		if (event?.type !== "incoming") throw new Error("no INVITE");
		handle({ kind: "accept", leg: event.leg });
		const inDialog = (method: string, cseq: number, connection: string, host = peer.host): void => {
			const text = new TextDecoder().decode(incoming("SIP/2.0/TCP 198.51.100.7", undefined, "", method));
			const bytes = encode(text.replace("<sip:c@d>", `<sip:c@d>;tag=${event.localTag}`).replace(/CSeq: 1/, `CSeq: ${cseq}`));
			handle({ kind: "received", bytes, remote: { ...peer, host, connection } });
		};
		inDialog("ACK", 1, "c1");
		inDialog("INFO", 2, "c2");
		inDialog("OPTIONS", 3, "c3", "203.0.113.66");
		handle({ kind: "bye", leg: event.leg });
		expect(methods(sent.slice(-1))).toEqual(["BYE TCP"]);
		expect(sent.at(-1)?.to).toEqual({ ...peer, port: 5060, connection: "c2" });
	});
});

describe("RFC 3261 table 4: timers of reliable transports", () => {
	const TCP: Address = { ...CARRIER, transport: "TCP" };

	it("A, E and G are not started: nothing is repeated; B ends the INVITE", () => {
		const { handle, sent, events, advance } = endpoint();
		handle(call(TCP));
		advance(31_999);
		expect(methods(sent)).toEqual(["INVITE TCP"]);
		advance(32_000);
		expect(events).toMatchObject([{ type: "failed", cause: "timeout" }]);

		const server = endpoint();
		server.handle({ kind: "received", bytes: incoming("SIP/2.0/TCP 198.51.100.7"), remote: { ...TCP, connection: "c" } });
		const [event] = server.events;
		if (event?.type !== "incoming") throw new Error("no INVITE");
		server.handle({ kind: "reject", leg: event.leg, status: 486 });
		server.advance(31_000);
		expect(methods(server.sent)).toEqual(["100 TCP", "486 TCP"]);
	});

	it("D, J and K are zero: a finished transaction is forgotten at once", () => {
		const { handle, sent, machine, advance } = endpoint();
		handle(call(TCP));
		handle({ kind: "received", bytes: answer(sent[0]?.message, 486), remote: TCP });
		advance(0);
		expect(machine.stats()).toMatchObject({ transactions: 0, timers: 0 });
	});

	it("errors of a connection end the requests of one TLS identity only", () => {
		const tls = (serverName: string): Address => ({ host: "198.51.100.7", port: 5061, transport: "TLS", tls: { serverName } });
		const { handle, events } = endpoint();
		handle(call(tls("a.example")));
		handle(call(tls("b.example"), { leg: "2" }));
		handle({ kind: "transport-error", remote: tls("b.example"), message: "certificate" });
		expect(events).toMatchObject([{ type: "failed", leg: "2", cause: "transport", message: "certificate" }]);
	});
});
