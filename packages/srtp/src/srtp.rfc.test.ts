import { describe, expect, it } from "vitest";
import { CounterMode, deriveSessionKey } from "./counter-mode.ts";
import { nodeCrypto } from "./node.ts";
import type { SrtpSuite } from "./suites.ts";
import { SrtpReceiver } from "./receiver.ts";
import { SrtpSender } from "./sender.ts";
import { type SessionKeys, transformWith } from "./transform.ts";

const hex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text.replaceAll(/\s/g, ""), "hex"));
const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

/** The keystream block number `block` under a session key and salt. */
function keystream(key: string, salt: string, block: number): string {
	const iv = new Uint8Array(16);
	iv.set(hex(salt));
	iv[14] = block >> 8;
	iv[15] = block & 0xff;
	const bytes = new Uint8Array(16);
	new CounterMode(nodeCrypto.aesBlocks(hex(key))).xor(iv, bytes, 0, 16);
	return toHex(bytes);
}

describe("RFC 3711 Appendix B.2 AES-CM", () => {
	it.each([
		[0x0000, "e03ead0935c95e80e166b16dd92b4eb4"],
		[0x0001, "d23513162b02d0f72a43a2fe4a5f97ab"],
		[0x0002, "41e95b3bb0a2e8dd477901e4fca894c0"],
		[0xfeff, "ec8cdf7398607cb0f2d21675ea9ea1e4"],
		[0xff00, "362b7c3c6773516318a077d7fc5073ae"],
		[0xff01, "6a2cc3787889374fbeb4c81b17ba6c44"],
	])("block %i", (block, expected) => {
		expect(keystream("2B7E151628AED2A6ABF7158809CF4F3C", "F0F1F2F3F4F5F6F7F8F9FAFBFCFD", block)).toBe(expected);
	});

	it("all blocks from the first on are one keystream", () => {
		const bytes = new Uint8Array(0xff02 * 16);
		new CounterMode(nodeCrypto.aesBlocks(hex("2B7E151628AED2A6ABF7158809CF4F3C"))).xor(
			hex("F0F1F2F3F4F5F6F7F8F9FAFBFCFD0000"),
			bytes,
			0,
			bytes.length,
		);
		expect(toHex(bytes.subarray(0, 32))).toBe("e03ead0935c95e80e166b16dd92b4eb4d23513162b02d0f72a43a2fe4a5f97ab");
		expect(toHex(bytes.subarray(0xff01 * 16))).toBe("6a2cc3787889374fbeb4c81b17ba6c44");
	});
});

describe("RFC 3711 Appendix B.3 key derivation", () => {
	it.each([
		["cipher key", 0, 16, "c61e7a93744f39ee10734afe3ff7a087"],
		["cipher salt", 2, 14, "30cbbc08863d8c85d49db34a9ae1"],
		[
			"auth key",
			1,
			94,
			"cebe321f6ff7716b6fd4ab49af256a156d38baa48f0a0acf3c34e2359e6cdbcee049646c43d9327ad175578ef72270986371c10c9a369ac2f94a8c5fbcdddc256d6e919a48b610ef17c2041e474035766b68642c59bbfc2f34db60dbdfb2",
		],
	])("%s", (_name, label, length, expected) => {
		const aes = nodeCrypto.aesBlocks(hex("E1F97A0D3E018BE0D64FA32C06DE4139"));
		const derived = deriveSessionKey(aes, hex("0EC675AD498AFEEBB6960B3AABE6"), label, length);
		expect(toHex(derived)).toBe(expected.slice(0, length * 2));
	});
});

describe("RFC 6188 §7 AES-256", () => {
	it.each([
		[0x0000, "92bdd28a93c3f52511c677d08b5515a4"],
		[0x0001, "9da71b2378a854f67050756ded165bac"],
		[0x0002, "63c4868b7096d88421b563b8c94c9a31"],
	])("§7.1 AES_256_CM block %i", (block, expected) => {
		const key = "57f82fe3613fd170a85ec93c40b1f0922ec4cb0dc025b58272147cc438944a98";
		expect(keystream(key, "f0f1f2f3f4f5f6f7f8f9fafbfcfd", block)).toBe(expected);
	});

	it.each([
		["cipher key", 0, 32, "5ba1064e30ec51613cad926c5a28ef731ec7fb397f70a960653caf06554cd8c4"],
		["cipher salt", 2, 14, "fa31791685ca444a9e07c6c64e93"],
		["auth key", 1, 20, "fd9c32d39ed5fbb5a9dc96b30818454d1313dc05"],
	])("§7.2 AES_256_CM_PRF: %s", (_name, label, length, expected) => {
		const aes = nodeCrypto.aesBlocks(hex("f0f04914b513f2763a1b1fa130f10e2998f6f6e43e4309d1e622a0e332b9f1b6"));
		expect(toHex(deriveSessionKey(aes, hex("3b04803de51ee7c96423ab5b78d2"), label, length))).toBe(expected);
	});
});

/** RFC 7714 gives session keys, not master keys. */
const keys = (key: string): SessionKeys => ({
	cipher: hex(key),
	salt: hex("51756964 2070726f 2071756f"),
	auth: new Uint8Array(0),
});
const KEY_128 = "000102030405060708090a0b0c0d0e0f";
const KEY_256 = `${KEY_128}101112131415161718191a1b1c1d1e1f`;

describe("RFC 7714 §16 SRTP, AEAD_AES_GCM", () => {
	const plain = hex("8040f17b 8041f8d3 5501a0b2 47616c6c 69612065 7374206f 6d6e6973 20646976 69736120 696e2070 61727465 73207472 6573");

	it.each([
		[
			"§16.1 AEAD_AES_128_GCM",
			"AEAD_AES_128_GCM",
			KEY_128,
			"8040f17b8041f8d35501a0b2f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d294e6f42a5f47a51c7d19b36de3adf8833899d7f27beb16a9152cf765ee4390cce",
		],
		[
			"§16.2 AEAD_AES_256_GCM",
			"AEAD_AES_256_GCM",
			KEY_256,
			"8040f17b8041f8d35501a0b232b1de78a822fe12ef9f78fa332e33aab18012389a58e2f3b50b2a0276ffae0f1ba63799b87b7aa3db36dfffd6b0f9bb7878d7a76c13",
		],
	] as const)("%s", (_name, suite: SrtpSuite, key, expected) => {
		const transform = transformWith(nodeCrypto, suite, keys(key), keys(key));
		const packet = new Uint8Array(plain.length + transform.overhead);
		packet.set(plain);
		transform.sealRtp(packet, 12, plain.length, 0x5501a0b2, 0, 0xf17b);
		expect(toHex(packet)).toBe(expected);
		expect(transform.openRtp(packet, 12, 0x5501a0b2, 0, 0xf17b)).toBe(true);
		expect(toHex(packet.subarray(0, plain.length))).toBe(toHex(plain));
	});
});

describe("RFC 7714 §17 SRTCP, AEAD_AES_GCM", () => {
	const plain = hex("81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61 deadbeef deadbeef deadbeef deadbeef deadbeef");

	it.each([
		[
			"§17.1 AEAD_AES_128_GCM",
			"AEAD_AES_128_GCM",
			KEY_128,
			"81c8000d4d61727363e94885dcdab67ca727d7662f6b7e997ff5c0f76c06f32dc676a5f1730d6fda4ce09b4686303ded0bb9275bc84aa45896cf4d2fc5abf87245d9eade800005d4",
		],
		[
			"§17.3 AEAD_AES_256_GCM",
			"AEAD_AES_256_GCM",
			KEY_256,
			"81c8000d4d617273d50ae4d1f5ce5d304ba297e47d470c282c3ece5dbffe0a50a2eaa5c1110555be8415f658c61de0476f1b6fad1d1eb30c4446839f57ff6f6cb26ac3be800005d4",
		],
	] as const)("%s", (_name, suite: SrtpSuite, key, expected) => {
		const transform = transformWith(nodeCrypto, suite, keys(key), keys(key));
		const packet = new Uint8Array(plain.length + transform.rtcpOverhead);
		packet.set(plain);
		transform.sealRtcp(packet, plain.length, 0x4d617273, 0x5d4);
		expect(toHex(packet)).toBe(expected);
		expect(transform.openRtcp(packet, 0x4d617273, 0x5d4)).toBe(true);
		expect(toHex(packet.subarray(0, plain.length))).toBe(toHex(plain));
	});
});

// RFC 3711 has no whole packet; these are the ones that libsrtp's own self-test is held to (test/srtp_driver.c).
describe("RFC 3711 §3.1 and §3.4, whole packets with HMAC-SHA1", () => {
	const master = hex("e1f97a0d3e018be0d64fa32c06de4139 0ec675ad498afeebb6960b3aabe6");

	it("SRTP, 80-bit tag", () => {
		const plain = hex(`800f1234decafbadcafebabe${"ab".repeat(16)}`);
		const packet = new Uint8Array(plain.length + 10);
		packet.set(plain);
		expect(new SrtpSender(nodeCrypto, "AES_CM_128_HMAC_SHA1_80", master).protectRtp(packet, plain.length)).toBe(packet.length);
		expect(toHex(packet)).toBe("800f1234decafbadcafebabe4e55dc4ce79978d88ca4d215949d2402b78d6acc99ea179b8dbb");
		const opened = new SrtpReceiver(nodeCrypto, "AES_CM_128_HMAC_SHA1_80", master).unprotectRtp(packet);
		expect(toHex(opened ?? new Uint8Array(0))).toBe(toHex(plain));
	});

	it.each(["AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32"] as const)("SRTCP of %s has an 80-bit tag (RFC 4568 §6.2.2)", (suite) => {
		const plain = hex(`81c8000bcafebabe${"ab".repeat(16)}`);
		const packet = new Uint8Array(plain.length + 14);
		packet.set(plain);
		expect(new SrtpSender(nodeCrypto, suite, master).protectRtcp(packet, plain.length)).toBe(packet.length);
		expect(toHex(packet)).toBe("81c8000bcafebabe7128035be487b9bdbef89041f977a5a880000001993e08cd54d6c1230798");
		expect(toHex(new SrtpReceiver(nodeCrypto, suite, master).unprotectRtcp(packet) ?? new Uint8Array(0))).toBe(toHex(plain));
	});
});
