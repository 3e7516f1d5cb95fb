import type { Credentials } from "../endpoint-types.ts";
import { type AuthField, parseAuthField, writeAuthField } from "../grammar/challenge.ts";
import { hex } from "../grammar/text.ts";
import { field, headers } from "../message/headers.ts";
import type { HeaderField, SipResponse } from "../message/message.ts";
import { type DigestAlgorithm, digestResponse, isStronger, parseAlgorithm } from "./digest.ts";
import type { Hashes } from "./hashes.ts";

/** More rounds than any honest chain of proxies asks for. */
const MAX_ROUNDS = 5;
/** Answers in one request: a proxy or two and the far end. */
const MAX_REALMS = 8;

interface Accepted {
	header: "Authorization" | "Proxy-Authorization";
	realm: string;
	nonce: string;
	opaque: string | undefined;
	algorithm: DigestAlgorithm;
	session: boolean;
	/** as the challenge named it; unset when it named none */
	algorithmName: string | undefined;
	qop: "auth" | "auth-int" | undefined;
	nc: number;
}

/** What was tried for one request and its repeats. */
export interface Attempts {
	rounds: number;
	readonly realms: Set<string>;
}

/** Digest client of one leg: remembers the challenges it met, so that later requests of the leg carry credentials at once (RFC 3261 §22.2, §22.3). */
export class DigestClient {
	readonly #credentials: Credentials | undefined;
	readonly #hashes: Hashes;
	readonly #random: (n: number) => Uint8Array;
	readonly #accepted = new Map<string, Accepted>();

	constructor(credentials: Credentials | undefined, hashes: Hashes, random: (n: number) => Uint8Array) {
		this.#credentials = credentials;
		this.#hashes = hashes;
		this.#random = random;
	}

	/**
	 * Learns from a 401 or 407. undefined: try again with `headersFor`. A text: why that is no use. For one request a realm is answered once,
	 * again only when it says that merely the nonce was stale (RFC 3261 §22.1: rejected credentials must not be tried again).
	 */
	learn(response: SipResponse, attempts: Attempts): string | undefined {
		if (this.#credentials === undefined) return "challenged, but there are no credentials";
		if (++attempts.rounds > MAX_ROUNDS) return `challenged more than ${MAX_ROUNDS} times`;
		const proxy = response.status === 407;
		const best = strongestByRealm(headers(response, proxy ? "proxy-authenticate" : "www-authenticate"), this.#hashes);
		if (best.size === 0) return "no challenge with an algorithm and qop that we have";
		for (const [realm, challenge] of best) {
			const header = proxy ? "Proxy-Authorization" : "Authorization";
			const key = `${header} ${realm}`;
			const before = this.#accepted.get(key);
			const stale = challenge.field.params.get("stale")?.toLowerCase() === "true";
			const nonce = challenge.field.params.get("nonce") ?? "";
			if (attempts.realms.has(key) && !(stale && nonce !== before?.nonce)) return "credentials refused";
			attempts.realms.add(key);
			this.#accepted.delete(key);
			this.#accepted.set(key, {
				header,
				realm,
				nonce,
				opaque: challenge.field.params.get("opaque"),
				algorithm: challenge.algorithm,
				session: challenge.session,
				algorithmName: challenge.field.params.get("algorithm"),
				qop: challenge.qop,
				nc: 0,
			});
		}
		for (const oldest of this.#accepted.keys()) {
			if (this.#accepted.size <= MAX_REALMS) break;
			this.#accepted.delete(oldest);
		}
		return undefined;
	}

	/** Authorization and Proxy-Authorization for a request; `uri` is its Request-URI byte for byte, `body` what auth-int protects. None before the first challenge. */
	headersFor(method: string, uri: string, body?: Uint8Array): HeaderField[] {
		const credentials = this.#credentials;
		if (credentials === undefined) return [];
		return [...this.#accepted.values()].map((accepted) =>
			field(accepted.header, this.#answer(accepted, credentials, { method, uri, body })),
		);
	}

	#answer(
		accepted: Accepted,
		credentials: Credentials,
		{ method, uri, body }: { method: string; uri: string; body: Uint8Array | undefined },
	): string {
		accepted.nc++;
		const nc = accepted.nc.toString(16).padStart(8, "0");
		const cnonce = hex(this.#random(8));
		const { realm, nonce, algorithm, session, qop } = accepted;
		const { username, password } = credentials;
		const response = digestResponse(this.#hashes, {
			...{ algorithm, session, username, realm, password, method, uri, nonce, nc, cnonce },
			...(qop && { qop }),
			...(body && { body }),
		});
		const params: [string, string][] = [
			["username", username],
			["realm", realm],
			["nonce", nonce],
			["uri", uri],
			["response", response],
		];
		if (accepted.algorithmName !== undefined) params.push(["algorithm", accepted.algorithmName]);
		if (accepted.opaque !== undefined) params.push(["opaque", accepted.opaque]);
		if (qop !== undefined) params.push(["qop", qop], ["nc", nc]);
		if (qop !== undefined || session) params.push(["cnonce", cnonce]);
		return writeAuthField("Digest", params, false);
	}
}

interface Challenge {
	field: AuthField;
	algorithm: DigestAlgorithm;
	session: boolean;
	qop: "auth" | "auth-int" | undefined;
}

/** RFC 7616 §3.7: of several challenges the client picks the strongest it can; RFC 3261 §22.3: every realm wants its own credentials. */
function strongestByRealm(values: readonly string[], hashes: Hashes): Map<string, Challenge> {
	const best = new Map<string, Challenge>();
	for (const value of values) {
		const challenge = usable(parseAuthField(value), hashes);
		const realm = challenge?.field.params.get("realm");
		if (challenge === undefined || realm === undefined) continue;
		const other = best.get(realm);
		if (other === undefined || isStronger(challenge.algorithm, other.algorithm)) best.set(realm, challenge);
	}
	return best;
}

function usable(field: AuthField | undefined, hashes: Hashes): Challenge | undefined {
	if (field?.scheme !== "digest" || !field.params.has("nonce")) return undefined;
	const algorithm = parseAlgorithm(field.params.get("algorithm"), hashes);
	// A name that we echo must not carry anything out of its parameter.
	if (algorithm === undefined) return undefined;
	const offered = field.params.get("qop");
	if (offered === undefined) return { field, ...algorithm, qop: undefined };
	const offers = offered.split(",").map((qop) => qop.trim().toLowerCase());
	// Without the body where there is the choice: what changes a body on its way (an ALG behind NAT) must not break the call.
	const qop = (["auth", "auth-int"] as const).find((known) => offers.includes(known));
	return qop === undefined ? undefined : { field, ...algorithm, qop };
}
