import fc from "fast-check";
import { simEndpoint, SimClock, SimNet } from "@trunkline/testkit";
import { describe, expect, it } from "vitest";
import { utf8Encode } from "../grammar/text.ts";
import { parseNameAddr, writeNameAddr } from "../grammar/name-addr.ts";
import { parseUri, writeUri } from "../grammar/uri.ts";
import { parseVia, writeVia } from "../grammar/via.ts";
import { readEnvelope } from "./envelope.ts";
import { field } from "./headers.ts";
import { LIMITS } from "./limits.ts";
import type { SipMessage } from "./message.ts";
import { parseMessage } from "./parse.ts";
import { SAMPLES } from "./samples.test-data.ts";
import { writeMessage } from "./write.ts";

const token = fc.stringMatching(/^[A-Za-z][A-Za-z0-9-]{0,12}$/);
const value = fc
	.string({ unit: "grapheme", maxLength: 40 })
	.filter((text) => !/[\0\r\n]/.test(text) && text.isWellFormed())
	.map((text) => text.trim());
const headerField = fc
	.tuple(token, value)
	.map(([name, text]) => field(name, text))
	.filter(({ key }) => key !== "content-length");
const message: fc.Arbitrary<SipMessage> = fc
	.record({ headers: fc.array(headerField, { maxLength: 20 }), body: fc.uint8Array({ maxLength: 200 }) })
	.chain((rest) =>
		fc.oneof(
			fc.record({
				kind: fc.constant("request" as const),
				method: token,
				uri: fc.stringMatching(/^[!-~]{1,30}$/),
				headers: fc.constant(rest.headers),
				body: fc.constant(rest.body),
			}),
			fc.record({
				kind: fc.constant("response" as const),
				status: fc.integer({ min: 100, max: 699 }),
				reason: value,
				headers: fc.constant(rest.headers),
				body: fc.constant(rest.body),
			}),
		),
	);

/** A sample with some bytes changed, removed, doubled or put in: closer to SIP than random bytes. */
const mutated = fc
	.record({
		sample: fc.constantFrom(...SAMPLES.map(({ text }) => utf8Encode(text))),
		edits: fc.array(
			fc.record({
				at: fc.nat(2000),
				kind: fc.constantFrom("set", "cut", "insert"),
				bytes: fc.oneof(
					fc.uint8Array({ minLength: 1, maxLength: 4 }),
					fc.constantFrom("\r\n", ";", "<", '"', ",", "\r\n\r\n", "\\", "%").map(utf8Encode),
				),
			}),
			{ minLength: 1, maxLength: 6 },
		),
	})
	.map(({ sample, edits }) => {
		let bytes = [...sample];
		for (const { at, kind, bytes: change } of edits) {
			const index = at % (bytes.length + 1);
			bytes = [
				...bytes.slice(0, index),
				...(kind === "cut" ? [] : change),
				...bytes.slice(kind === "insert" ? index : index + change.length),
			];
		}
		return Uint8Array.from(bytes);
	});

/** fast-check prints its seed and the shrunk case when a property fails. */
const runs = { numRuns: 2000 };

describe("the parser against arbitrary bytes", () => {
	it("never throws", () => {
		fc.assert(
			fc.property(fc.oneof(fc.uint8Array({ maxLength: 300 }), mutated), (bytes) => {
				const parsed = parseMessage(bytes);
				if (parsed.ok) readEnvelope(parsed.message);
			}),
			runs,
		);
	});

	it("whatever parses can be written, and parses again to the same", () => {
		fc.assert(
			fc.property(mutated, (bytes) => {
				const parsed = parseMessage(bytes);
				if (!parsed.ok) return;
				const headers = parsed.message.headers.filter(({ key, name }) => key !== "content-length" && name.length <= 64);
				const once = parseMessage(writeMessage({ ...parsed.message, headers }));
				expect(once.ok && { ...once.message, headers: once.message.headers.slice(0, -1) }).toEqual({ ...parsed.message, headers });
			}),
			runs,
		);
	});

	it("write then parse gives the message back", () => {
		fc.assert(
			fc.property(message, (original) => {
				const parsed = parseMessage(writeMessage(original));
				expect(parsed).toMatchObject({ ok: true, message: { kind: original.kind, body: original.body } });
				if (parsed.ok) expect(parsed.message.headers).toEqual([...original.headers, field("Content-Length", String(original.body.length))]);
			}),
			runs,
		);
	});

	it("URI, name-addr and Via: what parses can be written and parses to the same", () => {
		const near = fc.oneof(fc.string({ maxLength: 60 }), fc.stringMatching(/^(sip:|sips:|tel:|<sip:|"x" <|SIP\/2\.0\/UDP )[!-~ ]{0,40}$/));
		fc.assert(
			fc.property(near, (text) => {
				const uri = parseUri(text);
				if (uri !== undefined) expect(parseUri(writeUri(uri))).toEqual(uri);
				const address = parseNameAddr(text);
				// biome-ignore lint/suspicious/noControlCharactersInRegex: quoting leaves them out
				if (address !== undefined && !/[\u0000-\u001f\u007f]/.test(address.displayName ?? ""))
					expect(parseNameAddr(writeNameAddr(address))).toEqual(address);
				const via = parseVia(text);
				if (via !== undefined) expect(parseVia(writeVia(via))).toEqual(via);
			}),
			{ numRuns: 5000 },
		);
	});
});

describe("every prefix of a message", () => {
	it.each(SAMPLES)("$name: is refused without an exception, only the whole is accepted", ({ text }) => {
		const bytes = utf8Encode(text);
		for (let length = 0; length < bytes.length; length++)
			expect(parseMessage(bytes.subarray(0, length)).ok, `length ${length}`).toBe(false);
		expect(parseMessage(bytes).ok).toBe(true);
	});
});

describe("the endpoint against arbitrary bytes", () => {
	it("never throws, and what it sends is SIP", () => {
		const remote = { host: "192.0.2.9", port: 5060, transport: "UDP" } as const;
		fc.assert(
			fc.property(fc.array(mutated, { maxLength: 5 }), (datagrams) => {
				const clock = new SimClock();
				const net = new SimNet(clock);
				const host = simEndpoint(clock, net, { host: "192.0.2.1", port: 5060, transport: "UDP" }, { allow: ["INFO"] });
				for (const bytes of datagrams) host.handle({ kind: "received", bytes, remote });
				for (const { leg } of host.of("incoming")) host.handle({ kind: "accept", leg });
				clock.runUntilIdle(300_000);
				for (const { bytes } of net.sent) expect(parseMessage(bytes).ok).toBe(true);
				expect(host.machine.stats()).toEqual({ transactions: 0, dialogs: 0, legs: 0, unanswered: 0, timers: 0 });
			}),
			{ numRuns: 500 },
		);
	});
});

it("a header name as long as the parser takes one is written again", () => {
	const name = "X".repeat(LIMITS.headerName);
	const parsed = parseMessage(utf8Encode(`OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\n${name}: x\r\n\r\n`));
	if (!parsed.ok) throw new Error(parsed.detail);
	expect(new TextDecoder().decode(writeMessage(parsed.message))).toContain(`\r\n${name}: x\r\n`);
});
