import type { Address, SipTransport } from "../endpoint-types.ts";
import { isIpv4, isIpv6 } from "../grammar/host.ts";
import type { Machine, Millis } from "../machine.ts";
import type { Destination } from "./destination.ts";
import { type DnsAnswer, type DnsQuestion, questionKey } from "./dns.ts";
import { orderNaptr, orderSrv } from "./order.ts";

export interface ResolutionOptions {
	/** those that we have, the preferred first; never empty */
	readonly transports: readonly SipTransport[];
	/** address families that we have, the preferred first */
	readonly families: readonly (4 | 6)[];
	/** numbers in 0..1, 1 excluded */
	readonly random: () => number;
	/** for all questions together, 5000 */
	readonly patience?: Millis;
}

export interface ResolutionInput {
	readonly kind: "answer";
	readonly question: DnsQuestion;
	readonly answer: DnsAnswer;
}

export type ResolutionOutput =
	| { readonly kind: "query"; readonly question: DnsQuestion }
	/** at least one; to be tried in this order */
	| { readonly kind: "resolved"; readonly targets: readonly Address[] }
	| { readonly kind: "failed"; readonly message: string };

/** Records of one answer that are looked at; a zone may hold thousands. */
const MAX_NAPTR = 16;
const MAX_SRV = 16;
const MAX_HOSTS = 16;
const MAX_ADDRESSES = 8;
const MAX_TARGETS = 24;
const PATIENCE: Millis = 5_000;

/**
 * RFC 3263 §4: from a name to the addresses that a request is tried at. It asks in three rounds at most (NAPTR, SRV, addresses) and follows no
 * chain of its own, so no zone can lead it in circles.
 */
export class Resolution implements Machine<ResolutionInput, ResolutionOutput> {
	readonly #destination: Destination;
	readonly #options: ResolutionOptions;
	readonly #answers = new Map<string, DnsAnswer>();
	readonly #asked = new Set<string>();
	readonly #outputs: ResolutionOutput[] = [];
	readonly #deadline: Millis;
	#over = false;

	constructor(destination: Destination, options: ResolutionOptions, now: Millis) {
		this.#destination = destination;
		this.#options = options;
		this.#deadline = now + (options.patience ?? PATIENCE);
		this.#advance(false);
	}

	handle({ question, answer }: ResolutionInput, _now: Millis): void {
		const key = questionKey(question);
		if (this.#over || !this.#asked.has(key) || this.#answers.has(key)) return;
		this.#answers.set(key, answer);
		this.#advance(false);
	}

	pollOutput(): ResolutionOutput | undefined {
		return this.#outputs.shift();
	}

	nextTimeout(): Millis | undefined {
		return this.#over ? undefined : this.#deadline;
	}

	/** What has not been answered by then counts as not answered at all; what is known is used. */
	handleTimeout(now: Millis): void {
		if (!this.#over && now >= this.#deadline) this.#advance(true);
	}

	#advance(late: boolean): void {
		const unanswered: DnsQuestion[] = [];
		const failures: string[] = [];
		const ask = (question: DnsQuestion): DnsAnswer | undefined => {
			const answer = this.#answers.get(questionKey(question)) ?? (late ? LATE : undefined);
			if (answer === undefined) unanswered.push(question);
			else if (answer.failure !== undefined) failures.push(answer.failure);
			return answer;
		};
		const targets = resolve(this.#destination, this.#options, ask);
		if (typeof targets === "string") return this.#finish({ kind: "failed", message: targets });
		if (unanswered.length > 0) {
			for (const question of unanswered) {
				const key = questionKey(question);
				if (this.#asked.has(key)) continue;
				this.#asked.add(key);
				this.#outputs.push({ kind: "query", question });
			}
			return;
		}
		if (targets.length > 0) return this.#finish({ kind: "resolved", targets });
		const why = failures.at(-1) ?? "it has no address that this node can reach";
		this.#finish({ kind: "failed", message: `the name ${this.#destination.host} cannot be resolved: ${why}` });
	}

	#finish(output: ResolutionOutput): void {
		this.#over = true;
		this.#outputs.push(output);
	}
}

const LATE: DnsAnswer = { ttl: 0, failure: "the name service did not answer in time" };

type Ask = (question: DnsQuestion) => DnsAnswer | undefined;

/** One host to be looked up, with what the records before it have settled. */
interface Server {
	readonly host: string;
	readonly port: number;
	readonly transport: SipTransport;
}

/** Targets as far as the answers go, or why there can be none. Complete only when every question was answered. */
function resolve(destination: Destination, options: ResolutionOptions, ask: Ask): Address[] | string {
	const wanted = transportsFor(destination, options);
	const [preferred] = wanted;
	if (preferred === undefined) {
		const transport = destination.transport ?? "TLS";
		return `SIP over ${transport} cannot be sent; this node has ${options.transports.join(", ")} only`;
	}
	const { host, port } = destination;
	// §4.1, §4.2: a numeric address or a port of its own is taken as it is; names that RFC 6761 §6.3 keeps on this machine have no SRV records.
	if (isIp(host)) return [{ host, port: port ?? defaultPort(preferred), transport: preferred }];
	if (port !== undefined || isLocalhost(host)) {
		return addresses([{ host, port: port ?? defaultPort(preferred), transport: preferred }], options, ask);
	}
	const servers = bySrv(destination, wanted, options, ask);
	if (servers === undefined) return [];
	// §4.2: "If no SRV records were found, the client performs an A or AAAA record lookup of the domain name" with the default port.
	return addresses(servers.length > 0 ? servers : [{ host, port: defaultPort(preferred), transport: preferred }], options, ask);
}

/** The preferred first. §4.1: UDP for a SIP URI and TLS for a SIPS URI when nothing else says which. */
function transportsFor({ transport, secure }: Destination, { transports }: ResolutionOptions): SipTransport[] {
	const only = transport ?? (secure ? "TLS" : undefined);
	// Never another transport than the one asked for: over UDP everybody on the way could read what was to go over TLS.
	if (only !== undefined) return transports.includes(only) ? [only] : [];
	return [...transports];
}

/** undefined: answers are missing, or the domain says that it has no such service. */
function bySrv(destination: Destination, wanted: readonly SipTransport[], options: ResolutionOptions, ask: Ask): Server[] | undefined {
	const services = servicesOf(destination, wanted, ask);
	if (services === undefined) return undefined;
	const servers: Server[] = [];
	let missing = false;
	let refused = false;
	for (const { name, transport } of services) {
		const answer = ask({ type: "SRV", name });
		if (answer === undefined) missing = true;
		const records = (answer?.srv ?? []).slice(0, MAX_SRV);
		// RFC 2782: "A Target of "." means that the service is decidedly not available at this domain."
		if (records.length > 0 && records.every(({ name: target }) => target === "" || target === ".")) refused = true;
		for (const { name: target, port } of orderSrv(records, options.random)) {
			if (isName(target) && isPort(port)) servers.push({ host: target, port, transport });
		}
	}
	if (missing) return undefined;
	return refused && servers.length === 0 ? undefined : servers;
}

interface Service {
	readonly name: string;
	readonly transport: SipTransport;
}

/** RFC 3263 §4.1. undefined: the NAPTR answer is missing. */
function servicesOf({ host, transport }: Destination, wanted: readonly SipTransport[], ask: Ask): Service[] | undefined {
	const guessed = wanted.map((one) => ({ name: `${SRV_PREFIX[one]}.${host}`, transport: one }));
	// §4.1: a transport that was named is not looked for in NAPTR records.
	if (transport !== undefined) return guessed;
	const answer = ask({ type: "NAPTR", name: host });
	if (answer === undefined) return undefined;
	const named: Service[] = [];
	for (const { flags, service, replacement } of orderNaptr((answer.naptr ?? []).slice(0, MAX_NAPTR))) {
		const offered = NAPTR_SERVICES.get(service.toUpperCase());
		// §4.1: "The resulting record … the flag is "s""; others would need another NAPTR round or a regular expression.
		if (offered === undefined || !wanted.includes(offered) || flags.toUpperCase() !== "S" || !isName(replacement)) continue;
		named.push({ name: replacement, transport: offered });
	}
	// "If no NAPTR records are found, the client constructs SRV queries for those transport protocols it supports"
	return named.length > 0 ? named : guessed;
}

const SRV_PREFIX: Readonly<Record<SipTransport, string>> = { UDP: "_sip._udp", TCP: "_sip._tcp", TLS: "_sips._tcp" };
const NAPTR_SERVICES: ReadonlyMap<string, SipTransport> = new Map([
	["SIP+D2U", "UDP"],
	["SIP+D2T", "TCP"],
	["SIPS+D2T", "TLS"],
]);

function addresses(servers: readonly Server[], { families }: ResolutionOptions, ask: Ask): Address[] {
	const targets: Address[] = [];
	const seen = new Set<string>();
	for (const { host, port, transport } of servers.slice(0, MAX_HOSTS)) {
		const found = isIp(host)
			? [host]
			: families.flatMap((family) => (ask({ type: family === 4 ? "A" : "AAAA", name: host })?.addresses ?? []).slice(0, MAX_ADDRESSES));
		for (const address of found) {
			const key = `${transport} ${address} ${port}`;
			if (!isIp(address) || seen.has(key) || targets.length >= MAX_TARGETS) continue;
			seen.add(key);
			targets.push({ host: address, port, transport });
		}
	}
	return targets;
}

function defaultPort(transport: SipTransport): number {
	return transport === "TLS" ? 5061 : 5060;
}

function isIp(host: string): boolean {
	return isIpv4(host) || isIpv6(host);
}

function isLocalhost(host: string): boolean {
	return host === "localhost" || host.endsWith(".localhost");
}

function isPort(port: number): boolean {
	return Number.isInteger(port) && port > 0 && port < 65_536;
}

function isName(name: string): boolean {
	return /^[A-Za-z0-9._-]{1,255}$/.test(name) && name !== ".";
}
