import type { Millis } from "../machine.ts";
import { Recent } from "./recent.ts";
import { firstSight } from "./scan.ts";
import { sourceOf } from "./source.ts";

/** Why a datagram was dropped without a word. */
export type DropReason = "banned" | "rate" | "scanner" | "junk" | "unknown";

/** What a source can do wrong; so many points each, and at `banAt` points within `strikeWindowMs` it is banned. */
export type Strike = "scanner" | "junk" | "malformed" | "flood" | "no-trunk" | "bad-credentials" | "bad-method" | "foreign-dialog";

const POINTS: Readonly<Record<Strike, number>> = {
	scanner: 10,
	junk: 1,
	malformed: 1,
	flood: 0.05,
	"no-trunk": 1,
	"bad-credentials": 2,
	"bad-method": 1,
	"foreign-dialog": 5,
};

export interface DefenceLimits {
	/** datagrams per second of a source that nobody knows, and how many at once after a pause */
	strangerRate: number;
	strangerBurst: number;
	/** of one that has calls, or had some */
	peerRate: number;
	peerBurst: number;
	/** new connections per second of one source, and at once */
	connectionRate: number;
	connectionBurst: number;
	strikeWindowMs: Millis;
	banAt: number;
	/** the first ban; each further one is twice as long */
	shortestBanMs: Millis;
	longestBanMs: Millis;
	/** how long a source counts as a peer after its last call began or ended; what it sends meanwhile makes it no longer */
	peerMs: Millis;
	/** most entries of each table: strangers, peers, bans */
	tableSize: number;
}

export const DEFENCE_LIMITS: DefenceLimits = {
	strangerRate: 20,
	strangerBurst: 40,
	peerRate: 5_000,
	peerBurst: 10_000,
	connectionRate: 10,
	connectionBurst: 30,
	strikeWindowMs: 60_000,
	banAt: 20,
	shortestBanMs: 60_000,
	longestBanMs: 3_600_000,
	peerMs: 600_000,
	tableSize: 10_000,
};

export interface DefenceOptions {
	limits?: Partial<DefenceLimits>;
	/** never banned, and never unknown: on some trunk's list of addresses, or with a live call */
	isProtected(host: string): boolean;
	/** requests of sources that are neither peers nor protected are dropped; asked for each */
	dropsUnknown?(): boolean;
}

export interface Ban {
	/** IP address, or IPv6 /64 */
	source: string;
	ms: Millis;
	/** the last thing it did */
	strike: Strike;
}

export type DefenceCounts = Readonly<
	Record<`dropped-${DropReason}` | `strikes-${Strike}` | "bans" | "banned" | "strangers" | "peers", number>
>;

interface Bucket {
	tokens: number;
	at: Millis;
}

interface Stranger {
	datagrams: Bucket;
	connections: Bucket | undefined;
	points: number;
	since: Millis;
}

interface Peer {
	datagrams: Bucket;
	until: Millis;
}

interface Banned {
	until: Millis;
	ms: Millis;
}

/**
 * Stands before the parser: who sends too much, names itself as an attack tool, sends what is no SIP, or has done wrong too often, is not answered
 * at all. Memory is bounded, and strangers fill tables of their own: nobody who has calls is pushed out by them. Addresses of UDP can be forged, so
 * `isProtected` sources are never banned, whatever is sent in their name.
 */
export class Defence {
	readonly #limits: DefenceLimits;
	readonly #options: DefenceOptions;
	readonly #strangers: Recent<Stranger>;
	readonly #peers: Recent<Peer>;
	readonly #bans: Recent<Banned>;
	readonly #dropped: Record<DropReason, number> = { banned: 0, rate: 0, scanner: 0, junk: 0, unknown: 0 };
	readonly #strikes: Record<Strike, number> = {
		...{ scanner: 0, junk: 0, malformed: 0, flood: 0 },
		...{ "no-trunk": 0, "bad-credentials": 0, "bad-method": 0, "foreign-dialog": 0 },
	};
	#banCount = 0;

	constructor(options: DefenceOptions) {
		this.#options = options;
		this.#limits = { ...DEFENCE_LIMITS, ...options.limits };
		this.#strangers = new Recent(this.#limits.tableSize);
		this.#peers = new Recent(this.#limits.tableSize);
		this.#bans = new Recent(this.#limits.tableSize);
	}

	/** "pass": to the parser. `ban` is set when this datagram was the last straw. */
	admit(bytes: Uint8Array, host: string, now: Millis): { verdict: "pass" | DropReason; ban?: Ban } {
		const source = sourceOf(host);
		const peer = this.#peer(source, now);
		if (peer !== undefined) return take(peer.datagrams, this.#limits.peerRate, this.#limits.peerBurst, now) ? PASS : this.#drop("rate");
		const known = this.#options.isProtected(host);
		const banned = this.#bans.peek(source);
		// Who was put on a trunk's list after its ban does not wait for the end of it.
		if (banned !== undefined && now < banned.until && !known) return this.#drop("banned");
		const bucket = this.#stranger(source, now).datagrams;
		const { peerRate, peerBurst, strangerRate, strangerBurst } = this.#limits;
		if (!take(bucket, known ? peerRate : strangerRate, known ? peerBurst : strangerBurst, now))
			return this.#drop("rate", host, "flood", now);
		const sight = firstSight(bytes);
		if (sight === "junk" || sight === "scanner") return this.#drop(sight, host, sight, now);
		// A response is worth something only to whoever holds its branch; a carrier may answer from an address that is on no list.
		if (sight === "request" && !known && this.#options.dropsUnknown?.() === true) return this.#drop("unknown");
		return PASS;
	}

	/** May this source open another connection? Asked when it is accepted, before anything is read. */
	admitConnection(host: string, now: Millis): boolean {
		const source = sourceOf(host);
		if (this.#peer(source, now) !== undefined) return true;
		const banned = this.#bans.peek(source);
		if (banned !== undefined && now < banned.until) {
			this.#drop("banned");
			return false;
		}
		const stranger = this.#stranger(source, now);
		const { connectionRate, connectionBurst } = this.#limits;
		stranger.connections ??= { tokens: connectionBurst, at: now };
		if (take(stranger.connections, connectionRate, connectionBurst, now)) return true;
		this.#drop("rate");
		return false;
	}

	/** The source is one that calls go to or come from: a larger allowance, no strikes, and a ban that it has is over. */
	trust(host: string, now: Millis): void {
		const source = sourceOf(host);
		this.#bans.delete(source);
		this.#strangers.delete(source);
		const until = now + this.#limits.peerMs;
		const peer = this.#peer(source, now);
		if (peer === undefined) this.#peers.set(source, { datagrams: { tokens: this.#limits.peerBurst, at: now }, until });
		else peer.until = until;
	}

	/** Has calls with us, or had some lately. */
	isPeer(host: string, now: Millis): boolean {
		const peer = this.#peers.peek(sourceOf(host));
		return peer !== undefined && now < peer.until;
	}

	isBanned(host: string, now: Millis): boolean {
		const banned = this.#bans.peek(sourceOf(host));
		return banned !== undefined && now < banned.until;
	}

	/** Notes what a source did wrong; the ban that follows from it, to be logged. Peers and protected sources get none. */
	strike(host: string, strike: Strike, now: Millis): Ban | undefined {
		this.#strikes[strike]++;
		const source = sourceOf(host);
		if (this.isPeer(host, now)) return undefined;
		const stranger = this.#stranger(source, now);
		if (now - stranger.since > this.#limits.strikeWindowMs) Object.assign(stranger, { since: now, points: 0 });
		stranger.points += POINTS[strike];
		if (stranger.points < this.#limits.banAt || this.#options.isProtected(host)) return undefined;
		stranger.points = 0;
		return this.#ban(source, strike, now);
	}

	counts(now: Millis): DefenceCounts {
		let banned = 0;
		for (const { until } of this.#bans.values()) if (now < until) banned++;
		return {
			...prefixed("dropped-", this.#dropped),
			...prefixed("strikes-", this.#strikes),
			...{ bans: this.#banCount, banned, strangers: this.#strangers.size, peers: this.#peers.size },
		};
	}

	/** Twice as long as the one before, when that was not long ago. */
	#ban(source: string, strike: Strike, now: Millis): Ban {
		const { shortestBanMs, longestBanMs } = this.#limits;
		const before = this.#bans.peek(source);
		const again = before !== undefined && now < before.until + longestBanMs;
		const ms = again ? Math.min(before.ms * 2, longestBanMs) : shortestBanMs;
		this.#bans.set(source, { until: now + ms, ms });
		this.#banCount++;
		return { source, ms, strike };
	}

	#drop(reason: DropReason, host?: string, strike?: Strike, now: Millis = 0): { verdict: DropReason; ban?: Ban } {
		this.#dropped[reason]++;
		const ban = host === undefined || strike === undefined ? undefined : this.strike(host, strike, now);
		return ban === undefined ? DROPS[reason] : { verdict: reason, ban };
	}

	#peer(source: string, now: Millis): Peer | undefined {
		const peer = this.#peers.touch(source);
		if (peer === undefined) return undefined;
		if (now < peer.until) return peer;
		this.#peers.delete(source);
		return undefined;
	}

	#stranger(source: string, now: Millis): Stranger {
		const known = this.#strangers.touch(source);
		if (known !== undefined) return known;
		const { peerBurst } = this.#limits;
		// More than a stranger has: what is too much is cut off when it is taken.
		const stranger: Stranger = { datagrams: { tokens: peerBurst, at: now }, connections: undefined, points: 0, since: now };
		this.#strangers.set(source, stranger);
		return stranger;
	}
}

const PASS = { verdict: "pass" } as const;
const DROPS: Readonly<Record<DropReason, { verdict: DropReason }>> = {
	banned: { verdict: "banned" },
	rate: { verdict: "rate" },
	scanner: { verdict: "scanner" },
	junk: { verdict: "junk" },
	unknown: { verdict: "unknown" },
};

/** A token bucket: false when it is empty. A clock that goes back fills nothing. */
function take(bucket: Bucket, perSecond: number, burst: number, now: Millis): boolean {
	bucket.tokens = Math.min(burst, bucket.tokens + (Math.max(0, now - bucket.at) * perSecond) / 1000);
	bucket.at = now;
	if (bucket.tokens < 1) return false;
	bucket.tokens -= 1;
	return true;
}

function prefixed<P extends string, K extends string>(prefix: P, counts: Record<K, number>): Record<`${P}${K}`, number> {
	return Object.fromEntries(Object.entries(counts).map(([name, count]) => [`${prefix}${name}`, count])) as Record<`${P}${K}`, number>;
}
