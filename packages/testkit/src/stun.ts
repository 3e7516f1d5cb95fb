import { createHmac } from "node:crypto";

/** A connectivity check as an ICE agent sends it (RFC 8445 §7.2.4), without FINGERPRINT; `transaction`: 12 bytes. */
export function bindingRequest(username: string, password: string, nominate: boolean, transaction = "000102030405060708090a0b"): Buffer {
	const name = Buffer.alloc((username.length + 3) & ~3);
	name.write(username);
	const attributes = Buffer.concat([Buffer.from([0, 6, 0, username.length]), name, Buffer.from(nominate ? [0, 0x25, 0, 0] : [])]);
	const header = Buffer.from(`000100002112a442${transaction}`, "hex");
	header.writeUInt16BE(attributes.length + 24, 2);
	const mac = createHmac("sha1", password).update(header).update(attributes).digest();
	return Buffer.concat([header, attributes, Buffer.from([0, 8, 0, 20]), mac]);
}
