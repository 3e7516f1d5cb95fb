import { SimClock, SimNet, simEndpoint } from "@trunkline/testkit";
import { describe, expect, it } from "vitest";
import type { Address } from "../endpoint-types.ts";
import { utf8Encode } from "../grammar/text.ts";
import { header } from "../message/headers.ts";
import type { SipMessage, SipRequest } from "../message/message.ts";
import { parseMessage } from "../message/parse.ts";

const A: Address = { host: "192.0.2.1", port: 5060, transport: "UDP" };
const B: Address = { host: "192.0.2.2", port: 5070, transport: "UDP" };
const sdp = (text: string) => ({ contentType: "application/sdp", bytes: utf8Encode(text) });
const IDLE = { transactions: 0, dialogs: 0, legs: 0, unanswered: 0, timers: 0 };

/** Our call stands, and our re-INVITE is out; the test is the peer. */
function reinviting() {
	const clock = new SimClock();
	const net = new SimNet(clock, { delay: [0, 0] });
	const host = simEndpoint(clock, net, A);
	const sent = (): SipMessage[] =>
		net.sent.map(({ bytes }) => {
			const parsed = parseMessage(bytes);
			if (!parsed.ok) throw new Error(parsed.detail);
			return parsed.message;
		});
	const requests = (method: string): SipRequest[] =>
		sent().flatMap((message) => (message.kind === "request" && message.method === method ? [message] : []));
	const answer = (request: SipRequest | undefined, status: string): void => {
		if (request === undefined) throw new Error("no request to answer");
		const lines = ["via", "from", "call-id", "cseq"].map((name) => `${name}: ${header(request, name)}`).join("\r\n");
		const to = header(request, "to") ?? "";
		const tagged = to.includes(";tag=") || status.startsWith("100") ? to : `${to};tag=bob`;
		const text = `SIP/2.0 ${status}\r\n${lines}\r\nTo: ${tagged}\r\nContact: <sip:bob@192.0.2.2:5070>\r\nContent-Length: 0\r\n\r\n`;
		host.handle({ kind: "received", bytes: utf8Encode(text), remote: B });
	};
	host.handle({
		...{ kind: "call", leg: "out", requestUri: "sip:bob@192.0.2.2:5070", from: { uri: "sip:alice@192.0.2.1" } },
		...{ to: { uri: "sip:bob@192.0.2.2" }, target: B, body: sdp("offer") },
	});
	answer(requests("INVITE")[0], "200 OK");
	host.handle({ kind: "request", leg: "out", transaction: "hold", method: "INVITE", body: sdp("hold") });
	return { clock, host, answer, requests };
}

describe("a re-INVITE of ours that gets 100 and then nothing", () => {
	it("is cancelled after 64*T1 (RFC 3261 §9.1), and the call goes on when it is answered then", () => {
		const { clock, host, answer, requests } = reinviting();
		answer(requests("INVITE")[1], "100 Trying");
		clock.runFor(31_999);
		expect(requests("CANCEL")).toEqual([]);
		clock.runFor(2);
		const [cancel] = requests("CANCEL");
		expect(header(cancel as SipMessage, "cseq")).toBe("2 CANCEL");
		expect(header(cancel as SipMessage, "via")).toBe(header(requests("INVITE")[1] as SipMessage, "via"));
		answer(cancel, "200 OK");
		answer(requests("INVITE")[1], "487 Request Terminated");
		expect(host.of("in-dialog-response")).toMatchObject([{ transaction: "hold", response: { status: 487 } }]);
		clock.runFor(100_000);
		expect(requests("BYE")).toEqual([]);
		host.handle({ kind: "request", leg: "out", transaction: "again", method: "INVITE", body: sdp("hold") });
		expect(requests("INVITE")).toHaveLength(3);
	});

	it("and not answered even so: nobody is there any more, BYE", () => {
		const { clock, host, answer, requests } = reinviting();
		answer(requests("INVITE")[1], "100 Trying");
		clock.runFor(64_001);
		expect(host.of("in-dialog-response")).toMatchObject([{ transaction: "hold", cause: "timeout" }]);
		answer(requests("BYE")[0], "200 OK");
		expect(host.of("ended")).toMatchObject([{ by: "local", cause: "gone" }]);
		clock.runUntilIdle(200_000);
		expect(host.machine.stats()).toEqual(IDLE);
	});

	it("one that is answered in time is not cancelled", () => {
		const { clock, answer, requests } = reinviting();
		answer(requests("INVITE")[1], "100 Trying");
		clock.runFor(10_000);
		answer(requests("INVITE")[1], "200 OK");
		clock.runFor(100_000);
		expect(requests("CANCEL")).toEqual([]);
		expect(requests("ACK")).toHaveLength(2);
	});
});
