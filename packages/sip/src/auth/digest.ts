import { SipUsageError } from "../errors.ts";
import { hex, utf8Encode } from "../grammar/text.ts";
import type { Hashes } from "./hashes.ts";

/** In order of strength. */
export type DigestAlgorithm = "SHA-512-256" | "SHA-256" | "MD5";

const STRENGTH: readonly DigestAlgorithm[] = ["MD5", "SHA-256", "SHA-512-256"];

/** RFC 8760 §2.4, RFC 7616 §3.7 */
export const isStronger = (a: DigestAlgorithm, b: DigestAlgorithm): boolean => STRENGTH.indexOf(a) > STRENGTH.indexOf(b);

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
	qop?: "auth" | "auth-int";
	/** what `auth-int` protects too; unset = empty */
	body?: Uint8Array;
	nc: string;
	cnonce: string;
}

/** `response` of RFC 7616 §3.4.1 (RFC 2617 §3.2.2 for MD5). */
export function digestResponse(hashes: Hashes, input: DigestInput): string {
	const hashBytes = (bytes: Uint8Array): string => hex(hashOf(hashes, input.algorithm)(bytes));
	const hash = (text: string): string => hashBytes(utf8Encode(text));
	const secret = hash(`${input.username}:${input.realm}:${input.password}`);
	const ha1 = input.session ? hash(`${secret}:${input.nonce}:${input.cnonce}`) : secret;
	// RFC 7616 §3.4.3
	const entity = input.qop === "auth-int" ? `:${hashBytes(input.body ?? new Uint8Array(0))}` : "";
	const ha2 = hash(`${input.method}:${input.uri}${entity}`);
	if (input.qop === undefined) return hash(`${ha1}:${input.nonce}:${ha2}`);
	return hash(`${ha1}:${input.nonce}:${input.nc}:${input.cnonce}:${input.qop}:${ha2}`);
}

function hashOf(hashes: Hashes, algorithm: DigestAlgorithm): (bytes: Uint8Array) => Uint8Array {
	if (algorithm === "MD5") return (bytes) => hashes.md5(bytes);
	if (algorithm === "SHA-256") return (bytes) => hashes.sha256(bytes);
	const { sha512t256 } = hashes;
	if (sha512t256 === undefined) throw new SipUsageError("there is no SHA-512-256 among the hashes");
	return (bytes) => sha512t256(bytes);
}

/** undefined: an algorithm we do not have. Unset means MD5 (RFC 3261 §22.4). */
export function parseAlgorithm(
	text: string | undefined,
	hashes: Pick<Hashes, "sha512t256"> = {},
): { algorithm: DigestAlgorithm; session: boolean } | undefined {
	const upper = (text ?? "MD5").toUpperCase();
	const session = upper.endsWith("-SESS");
	const algorithm = session ? upper.slice(0, -5) : upper;
	if (algorithm === "SHA-512-256") return hashes.sha512t256 === undefined ? undefined : { algorithm, session };
	return algorithm === "MD5" || algorithm === "SHA-256" ? { algorithm, session } : undefined;
}
