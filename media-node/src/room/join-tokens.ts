/** When a token expires; undefined: it does not say so. Nothing is verified: the server does that. ms since 1970 */
export function expiryOf(token: string): number | undefined {
	try {
		const claims: unknown = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString("utf8"));
		if (typeof claims !== "object" || claims === null || !("exp" in claims) || typeof claims.exp !== "number") return undefined;
		return claims.exp * 1000;
	} catch {
		return undefined;
	}
}

/** A token that is about to expire is as good as none when the way to the server takes a while. */
const MARGIN_MS = 10_000;
const holds = (token: string, now: number): boolean => now + MARGIN_MS < (expiryOf(token) ?? Number.POSITIVE_INFINITY);

/** The tokens of a participant: the call's own, and the one that the server keeps giving in its place (RefreshToken), which knows of changes since. */
export class JoinTokens {
	#own: string;
	#refreshed: string | undefined;
	#renew: (() => Promise<string>) | undefined;

	/** `renew` makes a new one of the call's own, with the API secret of now */
	constructor(own: string, renew: (() => Promise<string>) | undefined) {
		this.#own = own;
		this.#renew = renew;
	}

	refresh(token: string): void {
		if (token !== "") this.#refreshed = token;
	}

	/** Into another room, by the server: the call's own tokens are of the one before. */
	moveTo(token: string): void {
		if (token === "") return;
		this.#own = token;
		this.#refreshed = undefined;
		this.#renew = undefined;
	}

	/** The newest that holds, ms since 1970. */
	async current(now: number): Promise<string> {
		return [this.#refreshed, this.#own].find((token) => token !== undefined && holds(token, now)) ?? this.#own;
	}

	/** To join anew with: the server's own while it holds, as it says what has been changed and forbidden since the join; else a new one, with the keys of now. */
	async fresh(now: number): Promise<string> {
		if (this.#refreshed !== undefined && holds(this.#refreshed, now)) return this.#refreshed;
		if (this.#renew === undefined) return this.#own;
		this.#own = await this.#renew();
		this.#refreshed = undefined;
		return this.#own;
	}

	/** The server did not accept it: it may be another one by now, with other keys. True: `fresh` has another one. */
	refused(token: string): boolean {
		if (token !== this.#refreshed) return false;
		this.#refreshed = undefined;
		return true;
	}
}
