import { describe, expect, it, test } from "vitest";
import { StreamFramer, type StreamItem } from "./framer.ts";
import { STREAM_LIMITS } from "./limits.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const shown = (items: readonly StreamItem[]): string[] =>
	items.map((item) => (item.kind === "message" ? new TextDecoder().decode(item.bytes) : item.kind));
const request = (method: string, body = "", length = `Content-Length: ${body.length}\r\n`): string =>
	`${method} sip:a@b SIP/2.0\r\nCall-ID: 1\r\n${length}\r\n${body}`;

describe("RFC 3261 §18.3: Content-Length says where a message of a stream ends", () => {
	it("cuts messages that come in one piece, bodies included", () => {
		const [a, b, c] = [request("INVITE", "v=0\r\n\r\nx"), request("ACK"), "SIP/2.0 200 OK\r\nl: 2\r\n\r\nhi"];
		expect(shown(new StreamFramer().push(bytes(a + b + c)).items)).toEqual([a, b, c]);
	});

	it("waits for the rest of a head and of a body", () => {
		const framer = new StreamFramer();
		const whole = request("INVITE", "body");
		expect(framer.push(bytes(whole.slice(0, 20)))).toEqual({ items: [] });
		expect(framer.pending).toBe(20);
		expect(framer.push(bytes(whole.slice(20, -1)))).toEqual({ items: [] });
		expect(shown(framer.push(bytes(whole.slice(-1))).items)).toEqual([whole]);
		expect(framer.pending).toBe(0);
	});

	test.each([
		["long, any case", "cOnTent-LENGTH:4\r\n"],
		["compact", "L : 4\r\n"],
		["folded (§7.3.1)", "Content-Length:\r\n 4\r\n"],
		["twice, the same", "l: 4\r\nContent-Length: 4\r\n"],
		["behind a header that looks like it", "Content-Length-Like: 9\r\nX: a\r\n l: 7\r\nl\t: 4\r\n"],
	])("%s", (_, length) => {
		const whole = request("INVITE", "body", length);
		expect(shown(new StreamFramer().push(bytes(`${whole}\r\n`)).items)).toEqual([whole, "pong"]);
	});

	test.each([
		["missing", "", "no Content-Length"],
		["contradicting itself", "l: 4\r\nl: 5\r\n", "two values of Content-Length"],
		["no number", "l: 4a\r\n", "Content-Length is not one number"],
		["negative", "l: -1\r\n", "Content-Length is not one number"],
		["empty", "l:\r\n", "Content-Length is not one number"],
		["a list", "l: 4, 4\r\n", "Content-Length is not one number"],
		["absurd", "l: 99999999999999999999\r\n", "Content-Length is not one number"],
	])("%s → the connection is of no use any more", (_, length, detail) => {
		const framer = new StreamFramer();
		const first = request("OPTIONS");
		const fault = { code: "content-length", detail };
		const result = framer.push(bytes(first + request("INVITE", "body", length)));
		expect(result.fault).toEqual(fault);
		expect(shown(result.items)).toEqual([first]);
		expect(framer.push(bytes(first))).toEqual({ items: [], fault });
	});
});

it("messages are copies, of a Buffer too: what the socket does with its bytes later changes nothing", () => {
	const chunk = Buffer.from(request("OPTIONS"));
	const { items } = new StreamFramer().push(chunk);
	chunk.fill(0);
	expect(shown(items)).toEqual([request("OPTIONS")]);
});

describe("limits", () => {
	it("a body that is announced too large is refused before it comes", () => {
		const head = request("INVITE", "", `l: ${STREAM_LIMITS.body + 1}\r\n`);
		expect(new StreamFramer().push(bytes(head)).fault?.code).toBe("body-too-large");
		expect(new StreamFramer().push(bytes(request("INVITE", "", `l: ${STREAM_LIMITS.body}\r\n`))).fault).toBeUndefined();
	});

	it("a head that does not end is refused at its limit, however it comes", () => {
		for (const size of [1_000, 100_000]) {
			const framer = new StreamFramer();
			const head = bytes(`INVITE sip:a@b SIP/2.0\r\n${"X: y\r\n".repeat(10_000)}`);
			let taken = 0;
			let fault: string | undefined;
			for (; taken < head.length && fault === undefined; taken += size) fault = framer.push(head.subarray(taken, taken + size)).fault?.code;
			expect(fault).toBe("head-too-large");
			if (size === 1_000) expect(taken).toBeLessThanOrEqual(STREAM_LIMITS.head + size);
		}
	});

	test.each([
		["HTTP", "GET / HTTP/1.1\r\nHost: a\r\n\r\n"],
		["a TLS hello and nothing that ends a line", "\x16\x03\x01".padEnd(STREAM_LIMITS.firstLine + 1, "\0")],
		["half a line end", "\rINVITE"],
		["a line end the wrong way round before a line", "\n\r\nINVITE sip:a@b SIP/2.0 x\r\n".replace("SIP", "X")],
	])("%s is no SIP", (_, text) => {
		expect(new StreamFramer().push(bytes(text)).fault?.code).toBe("not-sip");
	});

	it("time grows with the bytes, not with their square: a long head byte by byte", () => {
		const head = bytes(`INVITE sip:a@b SIP/2.0\r\nX: ${"y".repeat(STREAM_LIMITS.head - 200)}\r\nl: 0\r\n\r\n`);
		const framer = new StreamFramer();
		const from = performance.now();
		let items = 0;
		for (let round = 0; round < 10; round++) for (const byte of head) items += framer.push(Uint8Array.of(byte)).items.length;
		expect(items).toBe(10);
		// 330,000 bytes; searched anew with each byte it would be 5,000,000,000 steps.
		expect(performance.now() - from).toBeLessThan(2_000);
	});
});

describe("RFC 5626 §3.5.1: keep-alive by line ends", () => {
	test.each([
		["\r\n", ["pong"]],
		["\r\n\r\n", ["pong", "ping"]],
		["\r\n\r\n\r\n\r\n", ["pong", "ping", "pong", "ping"]],
	])("%j", (text, expected) => {
		const whole = new StreamFramer();
		expect(shown(whole.push(bytes(text)).items)).toEqual(expected);
		const pieces = new StreamFramer();
		expect(shown([...bytes(text)].flatMap((byte) => pieces.push(Uint8Array.of(byte)).items))).toEqual(expected);
	});

	it("RFC 3261 §7.5: line ends before a start line are ignored, and are no part of the message", () => {
		expect(shown(new StreamFramer().push(bytes(`\r\n${request("BYE")}\r\n\r\n`)).items)).toEqual(["pong", request("BYE"), "pong", "ping"]);
	});
});
