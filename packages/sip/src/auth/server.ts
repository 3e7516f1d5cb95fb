import { parseAuthField, writeAuthField } from "../grammar/challenge.ts";
import { equalConstantTime, hex, utf8Encode } from "../grammar/text.ts";
import type { Millis } from "../machine.ts";
import { type DigestAlgorithm, type DigestInput, digestResponse, parseAlgorithm } from "./digest.ts";
import type { Hashes } from "./hashes.ts";

/** Nonces are signed, not stored: any node with the same secret can check what another one gave out. */
export interface NonceScope {
	hashes: Hashes;
	/** key of the HMAC; at least 16 random bytes */
	secret: Uint8Array;
	realm: string;
	/** what else the nonce is bound to, such as the Call-ID: an answer heard there is worth nothing elsewhere */
	scope?: string;
	/** ms since the epoch, the same clock on all nodes */
	now: Millis;
}

/**
 * Value of one WWW-Authenticate (401) or Proxy-Authenticate (407) header. Send one for each algorithm, strongest first (RFC 7616 §3.7).
 * `stale`: the credentials were right but the nonce had expired.
 */
export function challenge(options: NonceScope & { algorithm?: DigestAlgorithm; stale?: boolean }): string {
	const params: [string, string][] = [
		["realm", options.realm],
		["nonce", makeNonce(options)],
		["algorithm", options.algorithm ?? "MD5"],
		["qop", "auth"],
	];
	if (options.stale) params.push(["stale", "true"]);
	return writeAuthField("Digest", params, true);
}

/**
 * "missing": no credentials for our realm, challenge; "stale": right, but for a nonce that has expired or is not ours, challenge with stale;
 * "malformed": 400; "refused": wrong user, password or URI.
 */
export type Verdict = "ok" | "missing" | "stale" | "malformed" | "refused";

export interface VerifyOptions extends NonceScope {
	/** all values of Authorization (401) or Proxy-Authorization (407) */
	values: readonly string[];
	method: string;
	/** Request-URI as it arrived */
	requestUri: string;
	username: string;
	password: string;
	/** how long a nonce is good for; default 60 s */
	nonceLifetime?: Millis;
	/** Called last, for an answer that is right in all else; false = this nonce and count were used before. Without it a replay within the lifetime passes. */
	unused?: (nonce: string, nc: string) => boolean;
}

/** Checks digest credentials. Comparisons of secrets take constant time. Never throws on what a peer sent. */
export function verifyAuthorization(options: VerifyOptions): Verdict {
	const credentials = readCredentials(options);
	if (typeof credentials === "string") return credentials;
	// RFC 7616 §3.4.6: the server must check that the "uri" is the one requested, or credentials for one call open another.
	if (credentials.uri !== options.requestUri) return "refused";
	const { realm, password, method, username } = options;
	const expected = digestResponse(options.hashes, { ...credentials, username, realm, password, method });
	const rightUser = equalConstantTime(fingerprint(options, credentials.username), fingerprint(options, username));
	const rightResponse = equalConstantTime(expected, credentials.response);
	if (!rightUser || !rightResponse) return "refused";
	// RFC 7616 §3.3: a nonce that is not valid, with a digest that is right for it, is stale and not wrong: phones begin a call with the
	// nonce of their last one (RFC 3261 §22.3), or with one from before this node was started.
	const age = nonceAge(options, credentials.nonce);
	if (age === undefined || age > (options.nonceLifetime ?? 60_000)) return "stale";
	return options.unused === undefined || options.unused(credentials.nonce, credentials.nc) ? "ok" : "stale";
}

type Given = Omit<DigestInput, "realm" | "password" | "method"> & { response: string };

function readCredentials(options: VerifyOptions): Given | "missing" | "malformed" {
	const fields = options.values.map(parseAuthField).filter((field) => field?.scheme === "digest");
	const params = fields.find((field) => field?.params.get("realm") === options.realm)?.params;
	if (params === undefined) return "missing";
	for (const name of ["nonce", "uri", "response", "username"]) if (!params.has(name)) return "malformed";
	const text = (name: string): string => params.get(name) ?? "";
	const algorithm = parseAlgorithm(params.get("algorithm"));
	const qop = params.get("qop");
	const [nc, cnonce] = [text("nc"), text("cnonce")];
	// We offer qop=auth; without qop is how RFC 2069 peers answer.
	const counted = qop === "auth" && /^[0-9a-f]{8}$/i.test(nc) && cnonce !== "";
	if (algorithm === undefined || (qop !== undefined && !counted)) return "malformed";
	return {
		...algorithm,
		...{ username: text("username"), uri: text("uri"), nonce: text("nonce"), nc, cnonce, response: text("response").toLowerCase() },
		...(qop === "auth" && { qop }),
	};
}

function makeNonce(options: NonceScope): string {
	const at = Math.trunc(options.now).toString(16);
	return `${at}.${sign(options, at)}`;
}

/** undefined: not given out by us for this realm and scope, or from the future. */
function nonceAge(options: NonceScope, nonce: string): Millis | undefined {
	const dot = nonce.indexOf(".");
	const at = nonce.slice(0, Math.max(dot, 0));
	if (!/^[0-9a-f]{1,13}$/.test(at) || !equalConstantTime(sign(options, at), nonce.slice(dot + 1))) return undefined;
	const age = options.now - Number.parseInt(at, 16);
	// Clocks of nodes differ a little.
	return age < -5000 ? undefined : age;
}

function sign(options: NonceScope, at: string): string {
	const text = `nonce\0${at}\0${options.realm}\0${options.scope ?? ""}`;
	return hex(options.hashes.hmacSha256(options.secret, utf8Encode(text)).subarray(0, 16));
}

/** Hash of a name, so that comparing tells not even its length. */
function fingerprint(options: NonceScope, name: string): string {
	return hex(options.hashes.hmacSha256(options.secret, utf8Encode(`user\0${name}`)));
}
