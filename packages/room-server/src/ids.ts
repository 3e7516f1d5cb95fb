import { randomBytes, randomInt } from "node:crypto";

const alphabet = "23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/** An id as LiveKit makes them: prefix, "_", 12 characters. */
export function newSid(prefix: "RM" | "PA" | "TR" | "ND" | "EV"): string {
	let id = "";
	for (const byte of randomBytes(12)) id += alphabet[byte % alphabet.length];
	return `${prefix}_${id}`;
}

export function newSsrc(): number {
	return randomInt(1, 0xffff_ffff);
}
