import { lookup, Resolver } from "node:dns/promises";
import { setTimeout as delay } from "node:timers/promises";
import {
	type Address,
	AnswerCache,
	type Destination,
	type DnsAnswer,
	type DnsQuestion,
	isIpv4,
	isIpv6,
	Resolution,
	type SipTransport,
} from "@trunkline/sip";
import { UnreachableError } from "../call/ports.ts";

export interface DnsOptions {
	/** `ip` or `ip:port` of name servers; none = the system's, its hosts file included */
	servers?: readonly string[];
	/** of the node, the preferred first */
	families: readonly (4 | 6)[];
	/** of the node, the preferred first; asked at each resolution */
	transports: () => readonly SipTransport[];
	/** ms since any fixed instant; never goes back */
	now: () => number;
	/** 0..1, 1 excluded: which of several servers is first */
	random: () => number;
	/** for all questions of one destination, ms; 5000 */
	patienceMs?: number;
}

/** One try at one name server takes so long; ms. */
const QUERY_TIMEOUT_MS = 1_500;
const TRIES = 2;
/** getaddrinfo tells no TTL. */
const SYSTEM_TTL_MS = 30_000;

/** RFC 3263 with this machine's resolver: where a request for a destination goes. */
export class SipResolver {
	readonly #options: DnsOptions;
	readonly #resolver = new Resolver({ timeout: QUERY_TIMEOUT_MS, tries: TRIES });
	readonly #cache = new AnswerCache();
	/** questions that are being asked, so that a hundred calls at a time ask once */
	readonly #asking = new Map<string, Promise<DnsAnswer>>();

	/** Throws when a server is no `ip` or `ip:port`. */
	constructor(options: DnsOptions) {
		this.#options = options;
		if (options.servers !== undefined && options.servers.length > 0) this.#resolver.setServers(options.servers);
	}

	/** In the order in which they are to be tried, at least one. Rejects with UnreachableError, in words. */
	async resolve(destination: Destination, signal?: AbortSignal): Promise<readonly Address[]> {
		const { families, transports, random, now, patienceMs } = this.#options;
		const resolution = new Resolution(
			destination,
			{ families, transports: transports(), random, ...(patienceMs === undefined ? {} : { patience: patienceMs }) },
			now(),
		);
		const done = new AbortController();
		const gone = new Promise<never>((_, reject) => {
			const give = (): void => reject(new UnreachableError("given up while the name was looked up"));
			if (signal?.aborted === true) give();
			else signal?.addEventListener("abort", give, { once: true, signal: done.signal });
		});
		gone.catch(() => {});
		try {
			const targets = await Promise.race([this.#run(resolution, done.signal), gone]);
			return targets.map((target) => peerOf(destination, target, transports()));
		} finally {
			done.abort();
		}
	}

	/** Questions that wait are given up; for the end of the process. */
	close(): void {
		this.#resolver.cancel();
	}

	async #run(resolution: Resolution, over: AbortSignal): Promise<readonly Address[]> {
		const { now } = this.#options;
		const pending = new Set<Promise<void>>();
		const deadline = resolution.nextTimeout();
		const late = delay(Math.max(0, (deadline ?? now()) - now()), undefined, { signal: over, ref: false }).catch(() => {});
		let isLate = false;
		void late.then(() => (isLate = true));
		for (;;) {
			for (let output = resolution.pollOutput(); output !== undefined; output = resolution.pollOutput()) {
				if (output.kind === "resolved") return output.targets;
				if (output.kind === "failed") throw new UnreachableError(output.message);
				const { question } = output;
				const answered: Promise<void> = this.#answer(question).then((answer) => {
					pending.delete(answered);
					resolution.handle({ kind: "answer", question, answer }, now());
				});
				pending.add(answered);
			}
			await Promise.race([late, ...pending]);
			// The timer may be a little early by the other clock.
			if (isLate) resolution.handleTimeout(Math.max(now(), deadline ?? 0));
		}
	}

	async #answer(question: DnsQuestion): Promise<DnsAnswer> {
		const known = this.#cache.get(question, this.#options.now());
		if (known !== undefined) return known;
		const key = `${question.type} ${question.name}`;
		let asking = this.#asking.get(key);
		if (asking === undefined) {
			asking = this.#ask(question).then((answer) => {
				this.#asking.delete(key);
				this.#cache.put(question, answer, this.#options.now());
				return answer;
			});
			this.#asking.set(key, asking);
		}
		return asking;
	}

	async #ask({ type, name }: DnsQuestion): Promise<DnsAnswer> {
		try {
			switch (type) {
				case "NAPTR":
					return { naptr: await this.#resolver.resolveNaptr(name), ttl: SYSTEM_TTL_MS };
				case "SRV":
					return { srv: await this.#resolver.resolveSrv(name), ttl: SYSTEM_TTL_MS };
				case "A":
				case "AAAA":
					return await this.#addresses(name, type === "A" ? 4 : 6);
			}
		} catch (error) {
			const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
			return NONE.has(code) ? { ttl: 0, ...(type === "A" || type === "AAAA" ? { failure: code } : {}) } : { ttl: 0, failure: code };
		}
	}

	/** The system's own look-up knows its hosts file, which nobody else does; name servers that were set come before it. */
	async #addresses(name: string, family: 4 | 6): Promise<DnsAnswer> {
		if ((this.#options.servers?.length ?? 0) > 0 && name !== "localhost") {
			try {
				const records = await (family === 4 ? this.#resolver.resolve4(name, { ttl: true }) : this.#resolver.resolve6(name, { ttl: true }));
				const ttl = Math.min(...records.map((record) => record.ttl)) * 1_000;
				if (records.length > 0) return { addresses: records.map(({ address }) => address), ttl };
			} catch {
				// Not there; it may be in the hosts file.
			}
		}
		const found = await lookup(name, { all: true, family });
		return { addresses: found.map(({ address }) => address), ttl: SYSTEM_TTL_MS };
	}
}

/** There is no such name, or it has no such record. */
const NONE: ReadonlySet<string> = new Set(["ENOTFOUND", "ENODATA", "EAI_NODATA", "EAI_NONAME"]);

function peerOf({ host, transport }: Destination, target: Address, ours: readonly SipTransport[]): Address {
	// RFC 5922 §4: the certificate has to name the host that was asked for, not what DNS made of it.
	if (target.transport === "TLS") return !isIpv4(host) && !isIpv6(host) ? { ...target, tls: { serverName: host } } : target;
	// RFC 3261 §18.1.1, where nobody asked for UDP in so many words
	return transport === undefined && target.transport === "UDP" && ours.includes("TCP") ? { ...target, largeByTcp: true } : target;
}
