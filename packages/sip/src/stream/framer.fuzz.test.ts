import fc from "fast-check";
import { expect, it } from "vitest";
import { parseMessage } from "../message/parse.ts";
import { StreamFramer, type StreamResult } from "./framer.ts";
import { STREAM_LIMITS } from "./limits.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

const header = fc.oneof(
	fc.constantFrom(
		"l: 3",
		"Content-Length : 3",
		"c: text/plain",
		"X: l: 9",
		"Content-Length:\r\n\t3",
		"l: 4",
		"l:",
		"L: 03",
		"X: é",
		"l: ３",
	),
	fc.string({ maxLength: 12 }).map((text) => `X: ${text}`),
);
const message = fc
	.tuple(
		fc.constantFrom("INVITE sip:a@b SIP/2.0", "SIP/2.0 200 OK", "GET / HTTP/1.0", "X"),
		fc.array(header, { maxLength: 4 }),
		fc.constantFrom("", "abc", "\r\n\r\n"),
	)
	.map(([line, headers, body]) => `${[line, ...headers, `Content-Length: ${body.length}`].join("\r\n")}\r\n\r\n${body}`);
const piece = fc.oneof({ weight: 6, arbitrary: message }, fc.constantFrom("\r\n", "\r\n\r\n", "\r", "\n", "\0"));
const stream = fc.oneof(
	{ weight: 5, arbitrary: fc.array(piece, { maxLength: 6 }).map((pieces) => bytes(pieces.join(""))) },
	fc.uint8Array({ maxLength: 200 }),
);

function feed(chunks: readonly Uint8Array[]): StreamResult & { pending: number } {
	const framer = new StreamFramer();
	const results = chunks.map((chunk) => framer.push(chunk));
	const fault = results.at(-1)?.fault;
	return { items: results.flatMap(({ items }) => items), pending: fault === undefined ? framer.pending : 0, ...(fault && { fault }) };
}

function cut(data: Uint8Array, at: readonly number[]): Uint8Array[] {
	const places = [0, ...[...at].map((n) => n % (data.length + 1)).sort((a, b) => a - b), data.length];
	return places.slice(1).map((end, index) => data.slice(places[index], end));
}

const RUNS = { numRuns: 5_000 };

it("however the bytes are cut up on the way, the same messages come out, and the same fault", () => {
	fc.assert(
		fc.property(stream, fc.array(fc.nat(2_000), { maxLength: 12 }), (data, places) => {
			const whole = feed([data]);
			expect(feed(cut(data, places))).toEqual(whole);
			expect(feed([...data].map((byte) => Uint8Array.of(byte)))).toEqual(whole);
		}),
		RUNS,
	);
});

it("each message is one that the parser reads to its last byte, or refuses", () => {
	fc.assert(
		fc.property(stream, (data) => {
			for (const item of feed([data]).items) {
				if (item.kind !== "message") continue;
				const parsed = parseMessage(item.bytes);
				if (!parsed.ok) continue;
				const { message } = parsed;
				const head = item.bytes.length - message.body.length;
				expect(new TextDecoder().decode(item.bytes.subarray(head - 4, head))).toBe("\r\n\r\n");
			}
		}),
		RUNS,
	);
});

it("nothing that comes makes it keep more than one message", () => {
	fc.assert(
		fc.property(fc.array(fc.uint8Array({ maxLength: 400 }), { maxLength: 40 }), fc.boolean(), (chunks, begun) => {
			const framer = new StreamFramer();
			if (begun) framer.push(bytes("INVITE sip:a@b SIP/2.0\r\nX: "));
			for (const chunk of chunks) framer.push(chunk);
			expect(framer.pending).toBeLessThanOrEqual(STREAM_LIMITS.head + STREAM_LIMITS.body);
		}),
		{ numRuns: 500 },
	);
});
