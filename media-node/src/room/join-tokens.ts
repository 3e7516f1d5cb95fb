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
		const valid = [this.#refreshed, this.#own].find(
			(token) => token !== undefined && now + MARGIN_MS < (expiryOf(token) ?? Number.POSITIVE_INFINITY),
		);
		return valid ?? this.#own;
	}

	/** As `current`, but a new one where there is a way to get it: of a server that may have other keys by now. */
	async fresh(now: number): Promise<string> {
		if (this.#renew === undefined) return this.current(now);
		this.#own = await this.#renew();
		this.#refreshed = undefined;
		return this.#own;
	}
}
