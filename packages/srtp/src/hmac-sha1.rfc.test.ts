import { createHmac, randomBytes } from "node:crypto";
import { describe, expect, it, test } from "vitest";
import { hmacSha1 } from "./hmac-sha1.ts";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const text = (words: string): Uint8Array => new TextEncoder().encode(words);
const NOTHING = new Uint8Array(0);

describe("RFC 2202 §3, HMAC-SHA-1", () => {
	test.each([
		["1", new Uint8Array(20).fill(0x0b), text("Hi There"), "b617318655057264e28bc0b6fb378c8ef146be00"],
		["2", text("Jefe"), text("what do ya want for nothing?"), "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"],
		["3", new Uint8Array(20).fill(0xaa), new Uint8Array(50).fill(0xdd), "125d7342b9ac11cd91a39af48aa17b4f63f175d3"],
		["4", Uint8Array.from({ length: 25 }, (_, i) => i + 1), new Uint8Array(50).fill(0xcd), "4c9007f4026250c6bc8414f9bf50c86c2d7235da"],
		["5", new Uint8Array(20).fill(0x0c), text("Test With Truncation"), "4c1a03424b55e07fe7f27be1d58bb9324a9a5a04"],
	])("case %s", (_name, key, message, tag) => {
		expect(hex(hmacSha1(key)(message, NOTHING))).toBe(tag);
	});
});

it("is node:crypto's for every length, wherever the message ends and the tail begins", () => {
	const key = randomBytes(20);
	const mac = hmacSha1(key);
	for (let length = 0; length < 300; length++) {
		const message = randomBytes(length);
		const tail = randomBytes(length % 71);
		const expected = createHmac("sha1", key).update(message).update(tail).digest("hex");
		expect(hex(mac(message, tail)), `${length} bytes and ${tail.length}, key ${hex(key)}, ${hex(message)}`).toBe(expected);
	}
});

it("two keys do not disturb each other", () => {
	const [a, b] = [hmacSha1(new Uint8Array(20).fill(1)), hmacSha1(new Uint8Array(20).fill(2))];
	const message = text("the same");
	const first = hex(a(message, NOTHING));
	expect(hex(b(message, NOTHING))).not.toBe(first);
	expect(hex(a(message, NOTHING))).toBe(first);
});
