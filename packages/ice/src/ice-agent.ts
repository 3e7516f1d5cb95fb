import { bindingError, bindingRequest, bindingSuccess, type HmacSha1, integrityHolds, type KeyedHmac, keyOfPassword } from "./stun.ts";
import { parseBindingRequest, parseBindingResponse, ROLE_CONFLICT } from "./stun.ts";

/** One of our own ends of pairs. Whoever owns the agent owns the sockets (or relays) behind them. */
export interface LocalCandidate {
	/** of the agent's owner: packets go and come by it */
	id: number;
	/** RFC 8445 §5.1.2; also what a peer-reflexive candidate would have */
	priority: number;
	/** unset: UDP. A connection of ours to `to` alone is TCP (RFC 6544 §4.5, active). */
	transport?: "udp" | "tcp";
	to?: { address: string; port: number };
}

export interface RemoteCandidate {
	address: string;
	port: number;
	priority: number;
	/** unset: UDP */
	transport?: "udp" | "tcp";
}

export interface IceAgentOptions {
	ufrag: string;
	password: string;
	/** who offers controls; against a lite peer we do (RFC 8445 §6.1.1) */
	controlling: boolean;
	/** 8 random bytes (RFC 8445 §16.1) */
	tieBreaker: Uint8Array;
	random(length: number): Uint8Array;
	hmacSha1: HmacSha1;
}

/** A way to the peer. */
export interface IcePath {
	local: number;
	address: string;
	port: number;
}

export type IceOutput =
	| ({ kind: "send"; packet: Uint8Array } & IcePath)
	/** the pair that media go by, or another one than before */
	| ({ kind: "selected" } & IcePath)
	/** two checks of the pair in use are unanswered: not dead by RFC 7675, but a restart (RFC 8445 §2.4) may find a better way; once until it answers */
	| { kind: "silent" }
	/** no pair works, or the one that did is dead */
	| { kind: "failed"; reason: string };

interface Pair extends IcePath {
	priority: number;
	state: "waiting" | "in-progress" | "succeeded" | "failed";
	/** of the check that is under way */
	transaction: string;
	attempt: number;
	nextAt: number;
	nominating: boolean;
	/** the role that the check names */
	asControlling: boolean;
	/** answers 487 */
	conflicts: number;
}

/** RFC 8445 §14.2: between the first checks of different pairs */
const TA_MS = 20;
/**
 * RFC 8445 §14.3 has 500 ms for paths that nobody knows. Our description may come later than our check (it goes by signalling), and a check that is too early
 * is lost: WebRTC implementations repeat theirs much faster, too.
 */
const FIRST_RTO_MS = 50;
const LONGEST_RTO_MS = 1_600;
const MAX_ATTEMPTS = 9;
/** From the peer's description on: candidates may still come by signalling. */
const GIVE_UP_MS = 30_000;
/** RFC 7675 §5.1: every five seconds, give or take a fifth, and no more than 30 s without an answer */
const CONSENT_MS = 5_000;
const CONSENT_EXPIRES_MS = 30_000;
const SILENT_AFTER_CHECKS = 2;
/** Roles are settled after one change, or two when both change at once. A peer that has every role refused is no way. */
const MAX_CONFLICTS = 3;
/** A stranger may name any number of candidates. */
const MAX_PAIRS = 32;

/**
 * A full ICE agent (RFC 8445) for one component, as WebRTC with BUNDLE and rtcp-mux has it: it checks pairs, answers checks, nominates or follows, and keeps
 * consent (RFC 7675). No clock and no sockets: packets and time (ms) go in, what is to be done comes out of `poll`. Our candidates are the owner's.
 */
export class IceAgent {
	readonly #options: IceAgentOptions;
	readonly #ownKey: KeyedHmac;
	readonly #locals: LocalCandidate[] = [];
	readonly #remotes: RemoteCandidate[] = [];
	readonly #pairs: Pair[] = [];
	readonly #outputs: IceOutput[] = [];
	#controlling: boolean;
	#remote: { ufrag: string; key: KeyedHmac; isLite: boolean } | undefined;
	#selected: Pair | undefined;
	#nextCheckAt = 0;
	#giveUpAt = Number.POSITIVE_INFINITY;
	#consent: { transactions: string[]; nextAt: number; expiresAt: number } | undefined;
	#over = false;

	constructor(options: IceAgentOptions) {
		this.#options = options;
		this.#controlling = options.controlling;
		this.#ownKey = options.hmacSha1(keyOfPassword(options.password));
	}

	get controlling(): boolean {
		return this.#controlling;
	}

	/** Where media go: the nominated pair, or any that works until there is one (RFC 8445 §12.1). */
	get path(): IcePath | undefined {
		return this.#selected ?? this.#pairs.find(({ state }) => state === "succeeded");
	}

	/** Whether a packet from there may be the peer's: it has answered, or made, a check with our secrets. */
	isValid(address: string, port: number): boolean {
		return this.#pairs.some((pair) => pair.port === port && pair.address === address && pair.state === "succeeded");
	}

	/** Whether that is an address of the peer at all, of its description or of its checks. */
	isKnown(address: string, port: number): boolean {
		return this.#pairs.some((pair) => pair.port === port && pair.address === address);
	}

	poll(): IceOutput | undefined {
		return this.#outputs.shift();
	}

	/** Checks the pair in use now; `answeredAt` tells when it has answered. */
	probe(now: number): void {
		if (this.#consent === undefined || this.#over) return;
		this.#consent.nextAt = now;
		this.tick(now);
	}

	/** When the pair in use answered last, ms; undefined: there is none yet. */
	get answeredAt(): number | undefined {
		return this.#consent === undefined ? undefined : this.#consent.expiresAt - CONSENT_EXPIRES_MS;
	}

	/** When `tick` has something to do; undefined: never. */
	get nextAt(): number | undefined {
		if (this.#over || this.#remote === undefined) return undefined;
		let at = this.#selected === undefined ? this.#giveUpAt : (this.#consent?.nextAt ?? Number.POSITIVE_INFINITY);
		for (const pair of this.#pairs) {
			if (pair.state === "waiting") at = Math.min(at, Math.max(this.#nextCheckAt, pair.nextAt));
			else if (pair.state === "in-progress") at = Math.min(at, pair.nextAt);
		}
		return at;
	}

	addLocal(candidate: LocalCandidate, now: number): void {
		this.#locals.push(candidate);
		for (const remote of this.#remotes) this.#pair(candidate, remote, now);
		this.tick(now);
	}

	/** What it was is gone, a relay or a connection. The pair in use stays: whoever owns the agent restarts it then. */
	removeLocal(id: number): void {
		for (let i = this.#locals.length - 1; i >= 0; i--) if (this.#locals[i]?.id === id) this.#locals.splice(i, 1);
		for (let i = this.#pairs.length - 1; i >= 0; i--) {
			const pair = this.#pairs[i];
			if (pair?.local === id && pair !== this.#selected) this.#pairs.splice(i, 1);
		}
	}

	/** From the peer's description. Changed secrets are a restart (RFC 8445 §9), which is not for this agent: make another one. */
	setRemote(remote: { ufrag: string; password: string; isLite: boolean }, now: number): void {
		if (this.#remote !== undefined) return;
		this.#remote = { ufrag: remote.ufrag, key: this.#options.hmacSha1(keyOfPassword(remote.password)), isLite: remote.isLite };
		if (remote.isLite) this.#controlling = true;
		this.#giveUpAt = now + GIVE_UP_MS;
		this.tick(now);
	}

	/** RFC 8838: at any time */
	addRemote(candidate: RemoteCandidate, now: number): void {
		if (
			this.#remotes.some(
				(each) => each.address === candidate.address && each.port === candidate.port && each.transport === candidate.transport,
			)
		)
			return;
		if (this.#remotes.length >= MAX_PAIRS) return;
		this.#remotes.push(candidate);
		for (const local of this.#locals) this.#pair(local, candidate, now);
		this.tick(now);
	}

	tick(now: number): void {
		if (this.#over || this.#remote === undefined) return;
		if (this.#selected !== undefined) this.#keepConsent(this.#selected, now);
		else if (now >= this.#giveUpAt) return this.#fail("no way to the peer was found (ICE)");
		for (const pair of this.#pairs) if (pair.state === "in-progress" && now >= pair.nextAt) this.#repeat(pair, now);
		if (now < this.#nextCheckAt) return;
		const next = this.#pairs.filter(({ state }) => state === "waiting").toSorted((a, b) => b.priority - a.priority)[0];
		if (next === undefined) return;
		this.#nextCheckAt = now + TA_MS;
		this.#check(next, now);
	}

	/** One STUN packet. */
	receive(packet: Uint8Array, path: IcePath, now: number): void {
		if (this.#over) return;
		const request = parseBindingRequest(packet);
		if (request === undefined) return this.#onResponse(packet, path, now);
		const [ours, theirs] = request.username.split(":");
		if (ours !== this.#options.ufrag || (this.#remote !== undefined && theirs !== this.#remote.ufrag)) return;
		if (!integrityHolds(packet, request, this.#ownKey)) return;
		if (this.#isConflict(request.controlling, request.tieBreaker)) {
			this.#outputs.push({ kind: "send", ...path, packet: bindingError(packet, ROLE_CONFLICT, this.#ownKey) });
			return;
		}
		this.#outputs.push({ kind: "send", ...path, packet: bindingSuccess(packet, path.address, path.port, this.#ownKey) });
		this.#onCheck(path, request.useCandidate, request.priority, now);
	}

	close(): void {
		this.#over = true;
		this.#outputs.length = 0;
	}

	/** RFC 8445 §7.3.1.4: the peer's check shows that a pair may work, and ours follows at once. */
	#onCheck(path: IcePath, isNominated: boolean, priority: number, now: number): void {
		let pair = this.#pairs.find((each) => samePath(each, path));
		if (pair === undefined) {
			const local = this.#locals.find(({ id }) => id === path.local);
			if (local === undefined) return;
			// §7.3.1.3: an address that no description has, peer-reflexive
			pair = this.#pair(local, { address: path.address, port: path.port, priority, ...transportOf(local) }, now);
			if (pair === undefined) return;
		}
		if (isNominated && !this.#controlling) {
			pair.nominating = true;
			if (pair.state === "succeeded") return this.#select(pair, now);
		}
		if (this.#remote === undefined) return;
		if (pair.state === "waiting" || pair.state === "failed") {
			pair.attempt = 0;
			this.#check(pair, now);
		}
	}

	#onResponse(packet: Uint8Array, path: IcePath, now: number): void {
		const response = this.#remote === undefined ? undefined : parseBindingResponse(packet);
		if (response === undefined || this.#remote === undefined || !integrityHolds(packet, response, this.#remote.key)) return;
		const { transaction } = response;
		const consent = this.#consent;
		if (consent?.transactions.includes(transaction) === true && this.#selected !== undefined && samePath(this.#selected, path)) {
			if (response.errorCode !== undefined) return;
			consent.transactions.length = 0;
			consent.expiresAt = now + CONSENT_EXPIRES_MS;
			return;
		}
		const pair = this.#pairs.find((each) => each.state === "in-progress" && each.transaction === transaction);
		// RFC 8445 §7.2.5.2.1: an answer from elsewhere is a pair that does not work
		if (pair === undefined || !samePath(pair, path)) return;
		if (response.errorCode === ROLE_CONFLICT) {
			// §7.2.5.1: the other role than the check's, as another check may have changed ours already
			this.#controlling = !pair.asControlling;
			pair.conflicts += 1;
			pair.state = pair.conflicts > MAX_CONFLICTS ? "failed" : "waiting";
			return this.tick(now);
		}
		if (response.errorCode !== undefined) {
			pair.state = "failed";
			return;
		}
		pair.state = "succeeded";
		if (pair.nominating) this.#select(pair, now);
		else if (this.#controlling && this.#selected === undefined && !this.#pairs.some(({ nominating }) => nominating)) {
			// §8.1.1: the first pair that works is good enough; there is nothing better to come between a node and a server
			pair.nominating = true;
			pair.attempt = 0;
			this.#check(pair, now);
		}
	}

	#select(pair: Pair, now: number): void {
		if (this.#selected === pair) return;
		this.#selected = pair;
		this.#consent = { transactions: [], nextAt: now + this.#consentInterval(), expiresAt: now + CONSENT_EXPIRES_MS };
		this.#outputs.push({ kind: "selected", local: pair.local, address: pair.address, port: pair.port });
		// §8.3: what has not been checked need not be any more
		for (const other of this.#pairs) if (other !== pair && other.state !== "succeeded") other.state = "failed";
	}

	#keepConsent(pair: Pair, now: number): void {
		const consent = this.#consent;
		if (consent === undefined || now < consent.nextAt) return;
		if (now >= consent.expiresAt) return this.#fail("the peer does not answer any more (consent has expired, RFC 7675)");
		consent.nextAt = now + this.#consentInterval();
		if (consent.transactions.length === SILENT_AFTER_CHECKS) this.#outputs.push({ kind: "silent" });
		const transaction = this.#options.random(12);
		consent.transactions.push(nameOf(transaction));
		this.#send(pair, transaction, false);
	}

	#consentInterval(): number {
		return CONSENT_MS * (0.8 + (0.4 * (this.#options.random(1)[0] ?? 0)) / 255);
	}

	#pair(local: LocalCandidate, remote: RemoteCandidate, now: number): Pair | undefined {
		if ((local.transport ?? "udp") !== (remote.transport ?? "udp")) return undefined;
		if (local.to !== undefined && (local.to.address !== remote.address || local.to.port !== remote.port)) return undefined;
		const path = { local: local.id, address: remote.address, port: remote.port };
		if (this.#pairs.length >= MAX_PAIRS || this.#pairs.some((each) => samePath(each, path))) return undefined;
		const pair: Pair = {
			...path,
			priority: Math.min(local.priority, remote.priority) * 2 ** 20 + Math.max(local.priority, remote.priority) / 2 ** 12,
			// once there is a way, others are checked only when the peer does
			state: this.#selected === undefined ? "waiting" : "failed",
			transaction: "",
			attempt: 0,
			nextAt: now,
			nominating: false,
			asControlling: false,
			conflicts: 0,
		};
		this.#pairs.push(pair);
		return pair;
	}

	#check(pair: Pair, now: number): void {
		const transaction = this.#options.random(12);
		pair.transaction = nameOf(transaction);
		pair.state = "in-progress";
		pair.attempt = 0;
		pair.asControlling = this.#controlling;
		// A lite peer follows what we nominate, and has one address: there is nothing to choose.
		if (this.#controlling && this.#remote?.isLite === true) pair.nominating = true;
		this.#pending.set(pair, transaction);
		this.#repeat(pair, now);
	}

	/** the bytes of `Pair.transaction` */
	readonly #pending = new WeakMap<Pair, Uint8Array>();

	#repeat(pair: Pair, now: number): void {
		const transaction = this.#pending.get(pair);
		// Until there is a way none is given up, but slowly: where much is lost, all of nine may be, and the peer does not check what works for it.
		if (transaction === undefined || (pair.attempt >= MAX_ATTEMPTS && this.#selected !== undefined)) {
			pair.state = "failed";
			return;
		}
		pair.nextAt = now + Math.min(FIRST_RTO_MS * 2 ** pair.attempt, LONGEST_RTO_MS);
		pair.attempt += 1;
		this.#send(pair, transaction, pair.asControlling && pair.nominating, pair.asControlling);
	}

	#send(pair: Pair, transaction: Uint8Array, useCandidate: boolean, controlling = this.#controlling): void {
		const remote = this.#remote;
		if (remote === undefined) return;
		const packet = bindingRequest(
			{
				transaction,
				// RFC 8445 §7.2.2: the receiver's fragment comes first
				username: `${remote.ufrag}:${this.#options.ufrag}`,
				priority: this.#locals.find(({ id }) => id === pair.local)?.priority ?? 0,
				controlling,
				tieBreaker: this.#options.tieBreaker,
				useCandidate,
			},
			remote.key,
		);
		this.#outputs.push({ kind: "send", packet, local: pair.local, address: pair.address, port: pair.port });
	}

	/** RFC 8445 §7.3.1.1. True: the peer has to change its role; when we have to, we have. */
	#isConflict(peerControls: boolean | undefined, tieBreaker: Uint8Array): boolean {
		if (peerControls === undefined || peerControls !== this.#controlling) return false;
		const isOursLarger = compare(this.#options.tieBreaker, tieBreaker) >= 0;
		if (isOursLarger === this.#controlling) return true;
		this.#controlling = !this.#controlling;
		return false;
	}

	#fail(reason: string): void {
		this.#over = true;
		this.#outputs.push({ kind: "failed", reason });
	}
}

function transportOf({ transport }: LocalCandidate): Pick<RemoteCandidate, "transport"> {
	return transport === undefined ? {} : { transport };
}

function samePath(a: IcePath, b: IcePath): boolean {
	return a.port === b.port && a.address === b.address && a.local === b.local;
}

function nameOf(transaction: Uint8Array): string {
	return transaction.join();
}

function compare(a: Uint8Array, b: Uint8Array): number {
	for (let i = 0; i < 8; i++) {
		const difference = (a[i] ?? 0) - (b[i] ?? 0);
		if (difference !== 0) return difference;
	}
	return 0;
}
