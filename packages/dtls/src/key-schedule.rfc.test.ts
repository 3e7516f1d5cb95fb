import { createHmac, createPrivateKey, createPublicKey, diffieHellman } from "node:crypto";
import { describe, expect, it } from "vitest";
import { prf } from "./key-schedule.ts";
import { nodeCrypto } from "./node-crypto.ts";

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(/\s/g, ""), "hex");

it("P_SHA256 (RFC 5246 §5): the vector of the TLS working group's list", () => {
	const made = prf(nodeCrypto, hex("9bbe436ba940f017b17652849a71db35"), "test label", hex("a0ba9f936cda311827a6f796ffd5198c"), 100);
	expect(made.toString("hex")).toBe(
		"e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a6b301791e90d35c9c9a46b4e14baf9af0fa022f7077def17abfd3797c0564bab4fbc91666e9def9b97fce34f796789baa48082d122ee42c5a72e5a5110fff70187347b66",
	);
});

describe("HMAC-SHA256 (RFC 4231 §4)", () => {
	it.each([
		["0b".repeat(20), "4869205468657265", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"],
		[
			"4a656665",
			"7768617420646f2079612077616e7420666f72206e6f7468696e673f",
			"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
		],
		// a key above the block
		[
			"aa".repeat(131),
			"54657374205573696e67204c6172676572205468616e20426c6f636b2d53697a65204b6579202d2048617368204b6579204669727374",
			"60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
		],
	])("key %s", (key, data, expected) => {
		expect(nodeCrypto.hmac(hex(key))(hex(data)).toString("hex")).toBe(expected);
		expect(nodeCrypto.hmac(hex(key))(hex(data))).toEqual(createHmac("sha256", hex(key)).update(hex(data)).digest());
	});
});

describe("X25519 (RFC 7748)", () => {
	it("agrees with a key from elsewhere", () => {
		const alice = createPrivateKey({
			key: hex(`302e020100300506032b656e04220420${"aa".repeat(32)}`),
			...{ format: "der", type: "pkcs8" },
		});
		const own = nodeCrypto.keyExchange(29);
		const theirs = createPublicKey(alice).export({ format: "der", type: "spki" }).subarray(12);
		const expected = diffieHellman({
			privateKey: alice,
			publicKey: createPublicKey({ key: Buffer.concat([hex("302a300506032b656e032100"), own.publicKey]), format: "der", type: "spki" }),
		});
		expect(own.agree(theirs)).toEqual(expected);
	});

	it("§6.1: a key of small order, which gives zeros, is none; nor is one of another length", () => {
		const own = nodeCrypto.keyExchange(29);
		expect(own.agree(Buffer.alloc(32))).toBeUndefined();
		expect(own.agree(Buffer.alloc(31, 9))).toBeUndefined();
	});
});

it("P-256 (RFC 8422 §5.11): what is no point of the curve is no key", () => {
	const [own, theirs] = [nodeCrypto.keyExchange(23), nodeCrypto.keyExchange(23)];
	expect(own.agree(theirs.publicKey)).toEqual(theirs.agree(own.publicKey));
	expect(own.agree(Buffer.concat([Buffer.from([4]), Buffer.alloc(64, 1)]))).toBeUndefined();
	expect(own.agree(Buffer.alloc(0))).toBeUndefined();
});
