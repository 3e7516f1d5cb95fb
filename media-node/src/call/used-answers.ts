/**
 * Answers to digest challenges that have opened a call on this node (RFC 7616 §3.3: "a server … SHOULD reject" a count that it has seen): who
 * overhears one cannot send it again, from elsewhere, within the nonce's lifetime. Only right answers come here, so strangers fill nothing.
 */
export class UsedAnswers {
	readonly #lifetimeMs: number;
	/** until when each is remembered; all are remembered equally long, so the oldest is the first */
	readonly #until = new Map<string, number>();

	/** `lifetimeMs`: how long a nonce is good for */
	constructor(lifetimeMs: number) {
		this.#lifetimeMs = lifetimeMs;
	}

	/** false: this nonce and count were used before */
	use(nonce: string, nc: string, now: number): boolean {
		for (const [answer, until] of this.#until) {
			if (until > now) break;
			this.#until.delete(answer);
		}
		const answer = `${nonce} ${nc.toLowerCase()}`;
		if (this.#until.has(answer)) return false;
		this.#until.set(answer, now + this.#lifetimeMs);
		return true;
	}

	get size(): number {
		return this.#until.size;
	}
}
