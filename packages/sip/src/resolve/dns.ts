import type { Millis } from "../machine.ts";

export type DnsType = "NAPTR" | "SRV" | "A" | "AAAA";

export interface DnsQuestion {
	readonly type: DnsType;
	readonly name: string;
}

/** RFC 3403 §4 */
export interface NaptrRecord {
	readonly order: number;
	readonly preference: number;
	readonly flags: string;
	readonly service: string;
	readonly replacement: string;
}

/** RFC 2782 */
export interface SrvRecord {
	readonly priority: number;
	readonly weight: number;
	readonly port: number;
	readonly name: string;
}

/** What the name service said; no records and no `failure` = the name or the type does not exist. CNAMEs have been followed. */
export interface DnsAnswer {
	readonly naptr?: readonly NaptrRecord[];
	readonly srv?: readonly SrvRecord[];
	/** IP literals */
	readonly addresses?: readonly string[];
	/** how long the answer holds */
	readonly ttl: Millis;
	/** there was no answer: time-out, refused, server failure */
	readonly failure?: string;
}

export function questionKey({ type, name }: DnsQuestion): string {
	return `${type} ${name.toLowerCase()}`;
}

/** Longer ones would keep a carrier's move unseen; shorter ones would ask again within one call set-up. */
const MAX_TTL: Millis = 3_600_000;
const MIN_TTL: Millis = 1_000;
/** RFC 2308 §5 leaves the negative TTL to the zone's SOA, which resolvers do not hand on. */
const NONE_TTL: Millis = 30_000;
const FAILURE_TTL: Millis = 2_000;
const MAX_ANSWERS = 2_000;

/** Answers while their TTL lasts. The oldest goes when there are too many. */
export class AnswerCache {
	readonly #answers = new Map<string, { answer: DnsAnswer; until: Millis }>();

	get(question: DnsQuestion, now: Millis): DnsAnswer | undefined {
		const key = questionKey(question);
		const known = this.#answers.get(key);
		if (known === undefined) return undefined;
		if (known.until > now) return known.answer;
		this.#answers.delete(key);
		return undefined;
	}

	put(question: DnsQuestion, answer: DnsAnswer, now: Millis): void {
		const key = questionKey(question);
		this.#answers.delete(key);
		this.#answers.set(key, { answer, until: now + holdFor(answer) });
		if (this.#answers.size <= MAX_ANSWERS) return;
		for (const oldest of this.#answers.keys()) {
			this.#answers.delete(oldest);
			return;
		}
	}

	get size(): number {
		return this.#answers.size;
	}
}

function holdFor(answer: DnsAnswer): Millis {
	if (answer.failure !== undefined) return FAILURE_TTL;
	const none = (answer.naptr ?? answer.srv ?? answer.addresses ?? []).length === 0;
	return none ? NONE_TTL : Math.min(MAX_TTL, Math.max(MIN_TTL, answer.ttl));
}
