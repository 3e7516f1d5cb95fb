import { type Address, DeadTargets, destinationOfUri, redirectContacts, type SipEvent, type SipInput, targetName } from "@trunkline/sip";
import type { OutgoingInvite, SipLegEvent } from "../call/ports.ts";

type Failed = Extract<SipEvent, { type: "failed" }>;

export interface AttemptsHost {
	/** ms */
	now(): number;
	wakeAt(at: number, callback: () => void): () => void;
	/** Sends the INVITE of a leg. Throws when it cannot be written. */
	call(endpointLeg: string, target: Address, invite: OutgoingInvite, cseq: number): void;
	/** Nobody answered there: no repeats, and what still comes is cancelled. */
	abandon(endpointLeg: string): void;
	/** Addresses that the media of an INVITE can be had with. Rejects in words. */
	resolve(uri: string, transport: Address["transport"] | undefined, sdp: string, signal: AbortSignal): Promise<readonly Address[]>;
	emit(leg: string, event: SipLegEvent): void;
}

/** An INVITE that nothing at all has answered is left for the next target after so long; ms. Timer B (32 s) is longer than people wait. */
const NO_ANSWER_MS: Readonly<Record<Address["transport"], number>> = { UDP: 4_000, TCP: 10_000, TLS: 10_000 };
/** A target that was silent or refused is tried last for so long; ms. */
const DEAD_MS = 30_000;
/** However long a 503 says (RFC 3261 §20.33), we look again after this; ms. */
const MAX_DEAD_MS = 300_000;
const MAX_REDIRECTS = 5;
/** One attempt may count up by the rounds of its authentication. */
const CSEQS_PER_ATTEMPT = 10;
const DEFAULT_FAILOVER: readonly number[] = [503];
/** Whoever answers so has decided for the telephone: another target would ring it again. */
const DECISIONS: ReadonlySet<number> = new Set([401, 404, 407, 410, 484, 485, 486, 487]);

interface Walk {
	readonly leg: string;
	readonly invite: OutgoingInvite;
	requestUri: string;
	/** still to be tried, of this Request-URI */
	targets: Address[];
	/** all addresses that the trunk, or where it redirected to, was found at */
	readonly hosts: Set<string>;
	target: Address;
	endpointLeg: string;
	attempts: number;
	redirects: number;
	/** Request-URIs that were tried: no loop */
	readonly visited: Set<string>;
	/** what came of the attempts before this one */
	readonly outcomes: string[];
	/** any response has come of this target */
	heard: boolean;
	/** a 1xx other than 100: the telephone may be ringing, nobody else is called (RFC 3263 §4.3) */
	rang: boolean;
	cancelled: boolean;
	/** a redirect is being looked at: no INVITE is out */
	between: AbortController | undefined;
	stopWaiting: (() => void) | undefined;
}

/**
 * The targets of outbound INVITEs, tried one after the other (RFC 3263 §4.3), and where a 3xx points (RFC 3261 §8.1.3.4). The call sees one leg;
 * the endpoint a new one for each attempt, with a new branch and a higher CSeq.
 */
export class Attempts {
	readonly #host: AttemptsHost;
	readonly #dead: DeadTargets;
	/** by the call's name of the leg, while the leg lives */
	readonly #walks = new Map<string, Walk>();
	/** legs of the endpoint → of the call */
	readonly #legs = new Map<string, string>();

	constructor(host: AttemptsHost, dead = new DeadTargets()) {
		this.#host = host;
		this.#dead = dead;
	}

	get size(): number {
		return this.#walks.size;
	}

	/** Sends the first INVITE. Throws when it cannot be written; nothing is kept then. */
	begin(leg: string, targets: readonly Address[], invite: OutgoingInvite): void {
		const [target, ...rest] = this.#dead.order(targets, this.#host.now());
		if (target === undefined) throw new Error("an INVITE without a target");
		const walk: Walk = {
			...{ leg, invite, requestUri: invite.requestUri, targets: rest, hosts: hostsOf(targets), target, endpointLeg: leg },
			...{ attempts: 0, redirects: 0, visited: new Set([invite.requestUri]), outcomes: [] },
			...{ heard: false, rang: false, cancelled: false, between: undefined, stopWaiting: undefined },
		};
		this.#walks.set(leg, walk);
		try {
			this.#try(walk, target);
		} catch (error) {
			this.#forget(walk);
			throw error;
		}
	}

	/** Where the leg's INVITE is at. */
	targetOf(leg: string): Address | undefined {
		return this.#walks.get(leg)?.target;
	}

	/** Two addresses of the one trunk of a live call: a carrier's edges hang up each other's calls. */
	together(peer: string, source: string): boolean {
		for (const { target, hosts } of this.#walks.values()) if (target.host === peer && hosts.has(source)) return true;
		return false;
	}

	/** A command of the call as the endpoint takes it; undefined when it is done with here. */
	command<T extends SipInput>(input: T): T | undefined {
		const walk = "leg" in input ? this.#walks.get(input.leg) : undefined;
		if (walk === undefined) return input;
		if (input.kind === "cancel" || input.kind === "bye") walk.cancelled = true;
		if (walk.cancelled && walk.between !== undefined) {
			walk.between.abort();
			this.#end(walk, { type: "failed", cause: "cancelled", headers: [], message: "cancelled while a redirect was followed" });
			return undefined;
		}
		return walk.endpointLeg === walk.leg ? input : { ...input, leg: walk.endpointLeg };
	}

	/** An event of the endpoint as the call is to see it; undefined when it is done with here. */
	event(event: SipEvent): SipEvent | undefined {
		if (!("leg" in event)) return event;
		const leg = this.#legs.get(event.leg);
		if (leg === undefined) return event;
		const walk = this.#walks.get(leg);
		if (walk === undefined || walk.endpointLeg !== event.leg) {
			// Of a target that was left: the endpoint cancels whatever still comes from there.
			if (event.type === "failed" || event.type === "ended") this.#legs.delete(event.leg);
			return undefined;
		}
		switch (event.type) {
			case "provisional":
				this.#onHeard(walk);
				// 100 is hop by hop (RFC 3261 §8.2.6.1) and says nothing about the telephone.
				if (event.response.status > 100) this.#onTaken(walk);
				break;
			case "answered":
				this.#onHeard(walk);
				this.#onTaken(walk);
				break;
			case "failed": {
				const message = this.#onFailed(walk, event);
				if (message === undefined) return undefined;
				this.#forget(walk);
				const before = walk.outcomes.length === 0 ? "" : ` (before: ${walk.outcomes.join("; ")})`;
				return { ...event, leg, message: message + before };
			}
			case "ended":
				this.#forget(walk);
				break;
			default:
		}
		return { ...event, leg };
	}

	close(): void {
		for (const walk of [...this.#walks.values()]) {
			walk.between?.abort();
			this.#forget(walk);
		}
		this.#legs.clear();
	}

	#try(walk: Walk, target: Address): void {
		walk.attempts += 1;
		walk.target = target;
		walk.heard = false;
		walk.endpointLeg = walk.attempts === 1 ? walk.leg : `${walk.leg}.${walk.attempts}`;
		this.#legs.set(walk.endpointLeg, walk.leg);
		const { invite, requestUri } = walk;
		// Only while there is somebody else to try; the last one has the whole of Timer B.
		if (walk.targets.length > 0) {
			const { endpointLeg } = walk;
			const at = this.#host.now() + NO_ANSWER_MS[target.transport];
			walk.stopWaiting = this.#host.wakeAt(at, () => this.#onSilence(walk, endpointLeg));
		}
		this.#host.call(walk.endpointLeg, target, { ...invite, requestUri }, 1 + (walk.attempts - 1) * CSEQS_PER_ATTEMPT);
	}

	#onHeard(walk: Walk): void {
		if (walk.heard) return;
		walk.heard = true;
		this.#stopWaiting(walk);
		this.#dead.clear(walk.target);
	}

	#onTaken(walk: Walk): void {
		if (walk.rang) return;
		walk.rang = true;
		if (walk.attempts > 1) this.#tell(walk, "took the call");
	}

	#onSilence(walk: Walk, endpointLeg: string): void {
		if (walk.heard || walk.cancelled || walk.endpointLeg !== endpointLeg) return;
		this.#markDead(walk.target, DEAD_MS);
		this.#host.abandon(endpointLeg);
		this.#next(walk, `no answer within ${NO_ANSWER_MS[walk.target.transport]} ms`);
	}

	/** What the call is told of its end; undefined: it goes on. */
	#onFailed(walk: Walk, event: Failed): string | undefined {
		this.#stopWaiting(walk);
		this.#legs.delete(event.leg);
		const { status, message } = event;
		if (event.cause === "cancelled" || walk.cancelled) return message;
		if (status !== undefined && status >= 300 && status < 400) return this.#redirect(walk, event);
		if (!this.#mayLeave(walk, event)) return message;
		const outcome = status === undefined ? message : `${status} ${event.response?.reason ?? ""}`.trim();
		if (walk.targets.length > 0) {
			this.#next(walk, outcome);
			return undefined;
		}
		if (walk.attempts > 1) this.#tell(walk, outcome);
		return message;
	}

	/** RFC 3263 §4.3: on a 503, a transport failure or a time-out the next target is tried; never once the telephone may be ringing. */
	#mayLeave(walk: Walk, event: Failed): boolean {
		if (walk.rang) return false;
		const { status, cause } = event;
		if (cause === "timeout" || cause === "transport") {
			if (walk.heard) return false;
			this.#markDead(walk.target, DEAD_MS);
			return true;
		}
		if (cause !== "status" || status === undefined || status >= 600 || DECISIONS.has(status)) return false;
		if (!(walk.invite.routing?.failoverStatuses ?? DEFAULT_FAILOVER).includes(status)) return false;
		if (status === 503) this.#markDead(walk.target, retryAfterMs(event) ?? DEAD_MS);
		return true;
	}

	#next(walk: Walk, outcome: string): void {
		this.#stopWaiting(walk);
		this.#tell(walk, outcome);
		walk.outcomes.push(`${targetName(walk.target)}: ${outcome}`);
		const target = walk.targets.shift();
		if (target === undefined) throw new Error("no target is left");
		try {
			this.#try(walk, target);
		} catch (error) {
			// What could be written for the first target can be for the next; if it cannot, the call must hear of it.
			this.#end(walk, { type: "failed", cause: "transport", headers: [], message: error instanceof Error ? error.message : String(error) });
		}
	}

	/** As `#onFailed`. */
	#redirect(walk: Walk, { status = 300, response }: Failed): string | undefined {
		const redirects = walk.invite.routing?.redirects;
		const answer = `${status} ${response?.reason ?? ""}`.trim();
		const contacts = response === undefined ? [] : redirectContacts(response);
		if (redirects === undefined) {
			const to = contacts[0] === undefined ? "" : ` to ${contacts[0].parsed.host}`;
			return `redirected${to} (${answer}); the trunk's setting followRedirects is off`;
		}
		walk.redirects += 1;
		if (walk.redirects > MAX_REDIRECTS) return `redirected more than ${MAX_REDIRECTS} times`;
		this.#tell(walk, answer);
		walk.outcomes.push(`${targetName(walk.target)}: ${answer}`);
		// Whatever rang there rings no more: the Contacts are targets of their own.
		walk.rang = false;
		const between = new AbortController();
		walk.between = between;
		void this.#follow(walk, contacts, between.signal).then((refused) => {
			if (between.signal.aborted || refused === undefined) return;
			const message = `redirected (${answer}): ${refused}`;
			this.#end(walk, { type: "failed", cause: "status", status, reason: response?.reason ?? "", headers: [], message });
		});
		return undefined;
	}

	/** RFC 3261 §8.1.3.4: the Contacts in order of q become the targets. Gives why none of them is tried. Never rejects. */
	async #follow(walk: Walk, contacts: ReturnType<typeof redirectContacts>, signal: AbortSignal): Promise<string | undefined> {
		let why = "it names no SIP address to go to";
		for (const { uri, parsed } of contacts) {
			const refused = await this.#targetsOf(walk, uri, parsed.host, signal);
			if (signal.aborted) return undefined;
			if (typeof refused === "string") {
				why = refused;
				continue;
			}
			const [target, ...rest] = refused;
			if (target === undefined) continue;
			walk.requestUri = uri;
			walk.targets = rest;
			for (const { host } of refused) walk.hosts.add(host);
			walk.between = undefined;
			try {
				this.#try(walk, target);
				return undefined;
			} catch (error) {
				why = error instanceof Error ? error.message : String(error);
			}
		}
		return why;
	}

	async #targetsOf(walk: Walk, uri: string, host: string, signal: AbortSignal): Promise<readonly Address[] | string> {
		const redirects = walk.invite.routing?.redirects;
		if (redirects === undefined) return "redirects are not followed";
		// §8.1.3.4: "the client MUST NOT add any given URI to the target set more than once"
		if (walk.visited.has(uri)) return "it leads back to where the call was";
		if (!isAllowed(host, redirects.hosts)) return `${host} is not among the trunk's setting redirectHosts`;
		const destination = destinationOfUri(uri);
		if (destination === undefined) return "it names no address that can be called";
		// A call that began over TLS ends nowhere else.
		const secure = walk.target.transport === "TLS";
		if (secure && destination.transport !== undefined && destination.transport !== "TLS") return `${host} is not asked over TLS`;
		walk.visited.add(uri);
		const refused = await redirects.mayCall([uri]).catch((error: unknown) => (error instanceof Error ? error.message : String(error)));
		if (refused !== undefined) return refused;
		try {
			const targets = await this.#host.resolve(uri, secure ? "TLS" : undefined, walk.invite.sdp, signal);
			return this.#dead.order(targets, this.#host.now());
		} catch (error) {
			return error instanceof Error ? error.message : String(error);
		}
	}

	#tell(walk: Walk, outcome: string): void {
		this.#host.emit(walk.leg, { type: "attempt", target: targetName(walk.target), outcome });
	}

	/** The call's last event of this leg. */
	#end(walk: Walk, event: Extract<SipLegEvent, { type: "failed" }>): void {
		this.#forget(walk);
		this.#host.emit(walk.leg, event);
	}

	#markDead(target: Address, ms: number): void {
		this.#dead.mark(target, this.#host.now() + Math.min(ms, MAX_DEAD_MS));
	}

	#stopWaiting(walk: Walk): void {
		walk.stopWaiting?.();
		walk.stopWaiting = undefined;
	}

	#forget(walk: Walk): void {
		this.#stopWaiting(walk);
		this.#walks.delete(walk.leg);
		this.#legs.delete(walk.endpointLeg);
	}
}

const hostsOf = (targets: readonly Address[]): Set<string> => new Set(targets.map(({ host }) => host));

/** RFC 3261 §20.33: seconds, before a comment or parameters. */
function retryAfterMs({ response }: Failed): number | undefined {
	const value = response?.headers.find(({ key }) => key === "retry-after")?.value;
	const seconds = /^(\d{1,9})(?![\w.])/.exec(value ?? "")?.[1];
	return seconds === undefined ? undefined : Number(seconds) * 1_000;
}

/** A host itself, a domain as `*.carrier.example`, or `*`. */
function isAllowed(host: string, allowed: readonly string[]): boolean {
	return allowed.some((one) => {
		const pattern = one.toLowerCase();
		if (pattern === "*" || pattern === host) return true;
		return pattern.startsWith("*.") && host.endsWith(pattern.slice(1));
	});
}
