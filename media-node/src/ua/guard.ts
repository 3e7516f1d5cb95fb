import { type Ban, Defence, type DefenceCounts, type DefenceLimits, type Strike } from "@trunkline/sip";
import type { AllowedSources } from "./allowed-sources.ts";

/** What the user agent asks before it listens to anybody. */
export interface SourcePolicy {
	/** false: drop it without a word */
	admits(bytes: Uint8Array, host: string): boolean;
	/** false: close the connection that was just accepted */
	admitsConnection(host: string): boolean;
	/** has calls with us */
	trust(host: string): void;
	/** has calls with us, or is on some trunk's list */
	isKnown(host: string): boolean;
	strike(host: string, strike: Strike): void;
	/** do both belong to one trunk? */
	sameParty(peer: string, source: string): boolean;
}

export interface GuardOptions {
	sources: AllowedSources;
	/** "answer": strangers get 404; "drop": nothing; "auto": nothing once every inbound trunk says which addresses may call */
	unknownSources: "auto" | "answer" | "drop";
	/** is there a call with this address? */
	live(host: string): boolean;
	/** ms, monotonic or not: only differences count */
	now(): number;
	limits?: Partial<DefenceLimits>;
	log: { warn(fields: Record<string, unknown>, message: string): void };
}

/** The defence with a clock, the trunks' addresses and a log around it: one line per ban, nothing per datagram. */
export class Guard implements SourcePolicy {
	readonly #options: GuardOptions;
	readonly #defence: Defence;

	constructor(options: GuardOptions) {
		this.#options = options;
		const { sources, live, unknownSources } = options;
		this.#defence = new Defence({
			...(options.limits === undefined ? {} : { limits: options.limits }),
			isProtected: (host) => isThisMachine(host) || sources.has(host) || live(host),
			dropsUnknown: () => unknownSources === "drop" || (unknownSources === "auto" && sources.closed),
		});
	}

	admits(bytes: Uint8Array, host: string): boolean {
		const { verdict, ban } = this.#defence.admit(bytes, host, this.#options.now());
		this.#tell(ban);
		return verdict === "pass";
	}

	admitsConnection(host: string): boolean {
		return this.#defence.admitConnection(host, this.#options.now());
	}

	trust(host: string): void {
		this.#defence.trust(host, this.#options.now());
	}

	isKnown(host: string): boolean {
		return this.#defence.isPeer(host, this.#options.now()) || this.#options.sources.has(host);
	}

	strike(host: string, strike: Strike): void {
		this.#tell(this.#defence.strike(host, strike, this.#options.now()));
	}

	sameParty(peer: string, source: string): boolean {
		return this.#options.sources.together(peer, source);
	}

	counts(): DefenceCounts {
		return this.#defence.counts(this.#options.now());
	}

	#tell(ban: Ban | undefined): void {
		if (ban !== undefined) this.#options.log.warn({ ...ban }, "a source is banned");
	}
}

/** A ban here would lock out whoever works on this machine; nobody else can send from these addresses. */
function isThisMachine(host: string): boolean {
	return host === "127.0.0.1" || host === "::1" || host === "::ffff:127.0.0.1";
}
