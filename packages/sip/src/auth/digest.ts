import { hex, utf8Encode } from "../grammar/text.ts";
import type { Hashes } from "./hashes.ts";

/** In order of strength. */
export type DigestAlgorithm = "SHA-256" | "MD5";

export interface DigestInput {
	algorithm: DigestAlgorithm;
	/** the -sess variant (RFC 7616 §3.4.2) */
	session: boolean;
	username: string;
	realm: string;
	password: string;
	method: string;
	uri: string;
	nonce: string;
	/** unset: RFC 2069 form, without nc and cnonce */
	qop?: "auth";
	nc: string;
	cnonce: string;
}

/** `response` of RFC 7616 §3.4.1 (RFC 2617 §3.2.2 for MD5). */
export function digestResponse(hashes: Hashes, input: DigestInput): string {
	const hash = (text: string): string => hex(input.algorithm === "MD5" ? hashes.md5(utf8Encode(text)) : hashes.sha256(utf8Encode(text)));
	const secret = hash(`${input.username}:${input.realm}:${input.password}`);
	const ha1 = input.session ? hash(`${secret}:${input.nonce}:${input.cnonce}`) : secret;
	const ha2 = hash(`${input.method}:${input.uri}`);
	if (input.qop === undefined) return hash(`${ha1}:${input.nonce}:${ha2}`);
	return hash(`${ha1}:${input.nonce}:${input.nc}:${input.cnonce}:${input.qop}:${ha2}`);
}

/** undefined: an algorithm we do not have. Unset means MD5 (RFC 3261 §22.4). */
export function parseAlgorithm(text: string | undefined): { algorithm: DigestAlgorithm; session: boolean } | undefined {
	const upper = (text ?? "MD5").toUpperCase();
	const session = upper.endsWith("-SESS");
	const algorithm = session ? upper.slice(0, -5) : upper;
	return algorithm === "MD5" || algorithm === "SHA-256" ? { algorithm, session } : undefined;
}
