import {
	type Address,
	type Destination,
	destinationOf,
	destinationOfUri,
	type EndpointOptions,
	type EndpointStats,
	type HeaderInput,
	type RegisterOptions,
	type RegistrationEvent,
	readInfo,
	SipEndpoint,
	sipfragBody,
	type SipEvent,
	type SipInput,
	type SipRequest,
	type Suspicion,
} from "@trunkline/sip";
import {
	type Clock,
	type HeaderList,
	type InboundInvite,
	type OutgoingInvite,
	type SipLeg,
	type SipLegEvent,
	UnreachableError,
	type UserAgent,
} from "../call/ports.ts";
import { Attempts } from "./attempts.ts";
import type { SourcePolicy } from "./guard.ts";
import { familyOfAddress, familyOfOffer } from "@trunkline/sdp";
import { withTlsOf } from "./tls-target.ts";
import { inboundInvite, legEvent, REINVITE, textBytes } from "./messages.ts";

/** Why nothing new is taken now. */
export interface Refusal {
	why: "draining" | "full" | "late";
	/** reason phrase of the 503 */
	reason: string;
	retryAfterSeconds: number;
}

export interface UserAgentOptions {
	endpoint: Omit<EndpointOptions, "answerOptions">;
	clock: Clock;
	/** RFC 3263: the addresses of a destination in the order in which they are tried, at least one; rejects with UnreachableError */
	resolve(destination: Destination, signal?: AbortSignal): Promise<readonly Address[]>;
	send(bytes: Uint8Array, to: Address): void;
	/** an INVITE that opens a call: give the listener of its leg */
	onInvite(invite: InboundInvite, request: SipRequest, leg: SipLeg): (event: SipLegEvent) => void;
	/** asked before anything is parsed; unset: everybody is listened to */
	guard?: SourcePolicy;
	/** sees every message that is listened to or sent, as it is on the wire */
	observe?(direction: "received" | "sent", bytes: Uint8Array, remote: Address): void;
	/** an INVITE that `refusal` turned away */
	onRefused?(invite: InboundInvite, refusal: { status: number; reason: string }): void;
	/** what becomes of a registration of ours */
	onRegistration?(registration: string, event: RegistrationEvent): void;
	/** refuse new work (draining, full): answered with 503 */
	refusal(): Refusal | undefined;
	/** told of each INVITE that `refusal` kept out */
	onTurnedAway?(why: Refusal["why"]): void;
	log: { warn(fields: Record<string, unknown>, message: string): void; error(fields: Record<string, unknown>, message: string): void };
}

interface Leg {
	listener: (event: SipLegEvent) => void;
	/** IP address of the other side */
	target: string;
	/** an INVITE came in and has no final response yet */
	unanswered: boolean;
	/** a trunk took it, or it is a call of ours */
	trusted: boolean;
}

/**
 * Runs the SIP endpoint: the only place where it meets a clock. One timer whatever the number of calls; outputs are drained after every
 * input.
 */
export class SipUserAgent implements UserAgent {
	readonly advertisedHost: string;
	readonly #options: UserAgentOptions;
	readonly #endpoint: SipEndpoint;
	readonly #legs = new Map<string, Leg>();
	readonly #attempts: Attempts;
	/** addresses by registration */
	readonly #registrars = new Map<string, string>();
	#cancelWake: (() => void) | undefined;
	#wakeAt = Number.POSITIVE_INFINITY;
	#nextLeg = 0;
	#notifies = 0;
	#draining = false;
	#closed = false;

	constructor(options: UserAgentOptions) {
		this.#options = options;
		const { guard } = options;
		this.#endpoint = new SipEndpoint({
			...options.endpoint,
			...(guard !== undefined && { suspect: (remote: Address, what: Suspicion) => guard.strike(remote.host, what) }),
			sameParty: (peer, source) => this.#attempts.together(peer, source) || guard?.sameParty(peer, source) === true,
			answerOptions: false,
		});
		this.#attempts = this.#newAttempts();
		const { host, port } = options.endpoint.contact;
		const literal = host.includes(":") ? `[${host}]` : host;
		this.advertisedHost = port === 5060 ? literal : `${literal}:${port}`;
	}

	received(bytes: Uint8Array, remote: Address): void {
		if (this.#options.guard?.admits(bytes, remote.host) === false) return;
		this.#guard("observe", () => this.#options.observe?.("received", bytes, remote));
		this.#guard("received", () => this.#feed({ kind: "received", bytes, remote }));
	}

	/** A request that another node of the fleet had, or that came back from there because nobody has it: its source was let in before. */
	passedOn(input: Omit<Extract<SipInput, { kind: "received" }>, "kind">): void {
		if (input.passedOnBy !== undefined) this.#guard("observe", () => this.#options.observe?.("received", input.bytes, input.remote));
		this.#guard("received", () => this.#feed({ kind: "received", ...input }));
	}

	unreachable(remote: Address, message: string): void {
		this.#guard("unreachable", () => this.#feed({ kind: "transport-error", remote, message }));
	}

	/** A call is up with this address, or calls come from it by the connection that we registered over (RFC 5626). */
	needsConnectionWith(host: string): boolean {
		if (this.hasLegWith(host)) return true;
		for (const registrar of this.#registrars.values()) if (registrar === host) return true;
		return false;
	}

	/** May this address connect at all? */
	admitsConnection(host: string): boolean {
		return this.#options.guard?.admitsConnection(host) !== false;
	}

	/** Has calls with us, or is on some trunk's list. */
	isKnown(host: string): boolean {
		return this.#options.guard?.isKnown(host) !== false;
	}

	/** Is there a call with this address? */
	hasLegWith(host: string): boolean {
		for (const [leg, { target, trusted }] of this.#legs)
			if (trusted && (this.#attempts.targetOf(leg)?.host ?? target) === host) return true;
		return false;
	}

	stats(): EndpointStats {
		const stats = this.#endpoint.stats();
		// Both keep legs; what only one of them still has is a leak that must be seen.
		return { ...stats, legs: Math.max(stats.legs, this.#legs.size) };
	}

	async invite(
		address: string,
		transport: string,
		invite: OutgoingInvite,
		onEvent: (event: SipLegEvent) => void,
		signal?: AbortSignal,
	): Promise<SipLeg> {
		const destination = destinationOf(address, transport === "AUTO" ? undefined : sipTransport(transport));
		if (destination === undefined) throw new UnreachableError(`"${address}" is not host or host:port`);
		const targets = await this.#targetsOf(destination, invite.sdp, signal);
		this.#nextLeg += 1;
		const leg = `out-${this.#nextLeg}`;
		this.#legs.set(leg, { listener: onEvent, target: "", unanswered: false, trusted: true });
		try {
			this.#attempts.begin(leg, targets, invite);
		} catch (error) {
			// The endpoint could not write it: no event will ever come for this leg.
			this.#legs.delete(leg);
			throw error;
		}
		return this.#leg(leg);
	}

	async #targetsOf(destination: Destination, sdp: string, signal: AbortSignal | undefined): Promise<readonly Address[]> {
		const resolved = await this.#options.resolve(destination, signal);
		if (signal?.aborted === true || this.#closed) throw new UnreachableError("given up before the INVITE left");
		const targets = resolved.filter(({ host }) => familyOfAddress(host) === familyOfOffer(sdp, host));
		// Better no call than one without sound.
		if (targets.length === 0) throw new UnreachableError(`${destination.host} has no address of the IP family that the call's media has`);
		return targets;
	}

	#newAttempts(): Attempts {
		const { clock, log } = this.#options;
		return new Attempts({
			now: () => clock.now(),
			wakeAt: (at, callback) => clock.wakeAt(at, () => this.#guard("attempts", callback)),
			call: (leg, target, invite, cseq) => this.#call(leg, target, invite, cseq),
			abandon: (leg) => this.#handle({ kind: "cancel", leg, abandon: true }),
			resolve: async (uri, transport, sdp, signal) => {
				const destination = destinationOfUri(uri);
				if (destination === undefined) throw new UnreachableError("it names no address that can be called");
				return this.#targetsOf({ ...destination, ...(transport === undefined ? {} : { transport }) }, sdp, signal);
			},
			emit: (name, event) => {
				const leg = this.#legs.get(name);
				if (event.type === "failed") this.#legs.delete(name);
				try {
					leg?.listener(event);
				} catch (error) {
					log.error({ err: error, event: event.type }, "handling a SIP event failed");
				}
			},
		});
	}

	/** One INVITE to one address; `endpointLeg` is a new one for each. */
	#call(endpointLeg: string, target: Address, invite: OutgoingInvite, cseq: number): void {
		this.#options.guard?.trust(target.host);
		this.#handle({
			kind: "call",
			leg: endpointLeg,
			requestUri: invite.requestUri,
			from: invite.from,
			to: invite.to,
			target: withTlsOf(target, invite.tls),
			callId: invite.callId,
			localTag: invite.localTag,
			cseq,
			headers: invite.headers,
			body: sdpBody(invite.sdp),
			...(invite.auth === undefined ? {} : { auth: invite.auth }),
			...(invite.sessionTimer === undefined ? {} : { sessionTimer: invite.sessionTimer }),
			...(invite.reliable === undefined ? {} : { reliable: invite.reliable }),
		});
	}

	/** Begins a registration or, after `due`, goes on with it: from the socket that calls go out from. Throws SipUsageError. */
	register(registration: string, target: Address, options: RegisterOptions): void {
		this.#registrars.set(registration, target.host);
		this.#handle({ kind: "register", registration, target, options });
	}

	unregister(registration: string): void {
		this.#registrars.delete(registration);
		this.#handle({ kind: "unregister", registration });
	}

	/** Stops the timer and takes nothing more; live legs are not told. Idempotent. */
	close(): void {
		this.#closed = true;
		this.#attempts.close();
		this.#legs.clear();
		this.#cancelWake?.();
		this.#cancelWake = undefined;
		this.#wakeAt = Number.POSITIVE_INFINITY;
	}

	/** Throws SipUsageError for a command of ours that cannot be written; nothing has changed then. */
	#feed(input: SipInput): void {
		const command = this.#attempts.command(input);
		if (command !== undefined) this.#handle(command);
	}

	#handle(input: SipInput): void {
		if (this.#closed) return;
		this.#endpoint.handle(input, this.#options.clock.now());
		this.#drain();
	}

	/** For what comes from sockets and timers: nobody there could catch. */
	#guard(what: string, work: () => void): void {
		try {
			work();
		} catch (error) {
			this.#options.log.error({ err: error, what }, "the SIP endpoint failed");
		}
	}

	#drain(): void {
		// A listener may feed the endpoint again while it is being drained; the outer loop then carries on.
		if (this.#draining) return;
		this.#draining = true;
		try {
			for (let output = this.#endpoint.pollOutput(); output !== undefined; output = this.#endpoint.pollOutput()) {
				if (output.kind === "transmit") this.#transmit(output.bytes, output.to);
				else this.#onEvent(output.event);
			}
		} finally {
			this.#draining = false;
		}
		this.#sleep();
	}

	#transmit(bytes: Uint8Array, to: Address): void {
		this.#guard("observe", () => this.#options.observe?.("sent", bytes, to));
		try {
			this.#options.send(bytes, to);
		} catch (error) {
			// One destination's fault must not keep the packets behind it from leaving (RFC 3261 §18.4: the transaction hears of it).
			this.#endpoint.handle(
				{ kind: "transport-error", remote: to, message: error instanceof Error ? error.message : String(error) },
				this.#options.clock.now(),
			);
		}
	}

	#sleep(): void {
		const next = this.#closed ? Number.POSITIVE_INFINITY : (this.#endpoint.nextTimeout() ?? Number.POSITIVE_INFINITY);
		if (next === this.#wakeAt) return;
		this.#cancelWake?.();
		this.#cancelWake = undefined;
		this.#wakeAt = next;
		if (next === Number.POSITIVE_INFINITY) return;
		this.#cancelWake = this.#options.clock.wakeAt(next, () => {
			this.#cancelWake = undefined;
			this.#wakeAt = Number.POSITIVE_INFINITY;
			this.#guard("timer", () => this.#endpoint.handleTimeout(this.#options.clock.now()));
			this.#guard("timer", () => this.#drain());
		});
	}

	#onEvent(given: SipEvent): void {
		const event = this.#attempts.event(given);
		if (event === undefined) return;
		try {
			if (event.type === "incoming") return this.#onIncoming(event);
			if (event.type === "out-of-dialog") return this.#onOutOfDialog(event);
			if (event.type === "registration") return this.#options.onRegistration?.(event.registration, event);
			if (event.type === "in-dialog" && event.request.method === "INFO") return this.#onInfo(event);
			const leg = this.#legs.get(event.leg);
			if (leg === undefined) return;
			leg.target = this.#attempts.targetOf(event.leg)?.host ?? leg.target;
			if (event.type === "failed" || event.type === "ended" || event.type === "cancelled") this.#forget(event.leg, leg);
			leg.listener(legEvent(event, leg.target));
		} catch (error) {
			// One call's fault must not stop the loop that serves all the others; and its peer must not wait for an answer in vain.
			this.#options.log.error({ err: error, event: event.type }, "handling a SIP event failed");
			if (event.type === "incoming") this.#reject(event.leg, 500, "Server Internal Error");
			if (event.type === "reinvite" || event.type === "in-dialog" || event.type === "update")
				this.#feed({ kind: "respond", transaction: event.transaction, status: 500 });
		}
	}

	#onIncoming(event: Extract<SipEvent, { type: "incoming" }>): void {
		const refusal = this.#options.refusal();
		const invite = inboundInvite(event.request, event.localTag, event.remote);
		if (refusal !== undefined) {
			this.#options.onTurnedAway?.(refusal.why);
			if (invite !== undefined) this.#options.onRefused?.(invite, { status: 503, reason: refusal.reason });
			return this.#reject(event.leg, 503, refusal.reason, [["Retry-After", String(refusal.retryAfterSeconds)]]);
		}
		if (invite === undefined) return this.#reject(event.leg, 400, "Bad From or To");
		const leg: Leg = { listener: () => {}, target: event.remote.host, unanswered: true, trusted: false };
		this.#legs.set(event.leg, leg);
		leg.listener = this.#options.onInvite(invite, event.request, this.#leg(event.leg));
	}

	/** The call hears of digits only; everything else about INFO (RFC 6086) is settled here. */
	#onInfo({ leg, transaction, request }: Extract<SipEvent, { type: "in-dialog" }>): void {
		const info = readInfo(request);
		if (info.kind === "refused") {
			this.#feed({ kind: "respond", transaction, status: info.status, headers: info.headers });
			return;
		}
		this.#feed({ kind: "respond", transaction, status: 200 });
		if (info.kind === "digits") this.#legs.get(leg)?.listener({ type: "info-digits", digits: info.digits });
	}

	/** The last word to an INVITE: the endpoint reports nothing more of the leg. */
	#reject(leg: string, status: number, reason: string, headers?: HeaderList): void {
		const host = this.#legs.get(leg)?.target;
		// Strangers are anybody, so that nothing may be sent again and again to an address that was only claimed.
		const { guard } = this.#options;
		const sparing = guard !== undefined && (host === undefined || !guard.isKnown(host));
		this.#legs.delete(leg);
		this.#feed({ kind: "reject", leg, status, reason, sparing, ...withHeaders(headers) });
	}

	#onOutOfDialog(event: Extract<SipEvent, { type: "out-of-dialog" }>): void {
		if (event.request.method !== "OPTIONS") {
			this.#feed({ kind: "respond", transaction: event.transaction, status: 405, reason: "Method Not Allowed" });
			return;
		}
		const refusal = this.#options.refusal();
		const headers: HeaderInput[] = [["Accept", "application/sdp"]];
		if (refusal !== undefined) headers.push(["Retry-After", String(refusal.retryAfterSeconds)]);
		this.#feed({
			kind: "respond",
			transaction: event.transaction,
			status: refusal === undefined ? 200 : 503,
			reason: refusal?.reason ?? "OK",
			headers,
		});
	}

	/** The call is over; its peer may repeat its last requests, or call again. */
	#forget(name: string, leg: Leg): void {
		this.#legs.delete(name);
		if (leg.trusted && leg.target !== "") this.#options.guard?.trust(leg.target);
	}

	/** A trunk took the call. */
	#trust(leg: string): void {
		const taken = this.#legs.get(leg);
		if (taken === undefined || taken.trusted) return;
		taken.trusted = true;
		this.#options.guard?.trust(taken.target);
	}

	#leg(leg: string): SipLeg {
		const feed = (input: SipInput): void => this.#feed(input);
		return {
			ring: (status, headers, sdp, reliable = false) => {
				this.#trust(leg);
				feed({ kind: "ring", leg, status, reliable, ...withHeaders(headers), ...withBody(sdp) });
			},
			accept: (sdp, headers, sessionTimer) => {
				this.#trust(leg);
				const timer = sessionTimer === undefined ? {} : { sessionTimer };
				feed({ kind: "accept", leg, ...withBody(sdp), ...withHeaders(headers), ...timer });
				const accepted = this.#legs.get(leg);
				if (accepted !== undefined) accepted.unanswered = false;
			},
			reject: (status, reason, headers) => this.#reject(leg, status, reason, headers),
			cancel: (headers) => feed({ kind: "cancel", leg, ...withHeaders(headers) }),
			bye: (headers) => {
				const ending = this.#legs.get(leg);
				feed({ kind: "bye", leg, ...withHeaders(headers) });
				if (ending?.unanswered !== true) return;
				// The endpoint has answered 480 and has nothing more to report; the call waits for an end all the same.
				this.#legs.delete(leg);
				ending.listener({ type: "bye-done" });
			},
			refer: (name, headers) => feed({ kind: "request", leg, transaction: name, method: "REFER", headers }),
			reinvite: (name, sdp, headers) =>
				feed({ kind: "request", leg, transaction: REINVITE + name, method: "INVITE", body: sdpBody(sdp), ...withHeaders(headers) }),
			notify: (headers, progress) => {
				this.#notifies += 1;
				const transaction = `${NOTIFY}${this.#notifies}`;
				feed({ kind: "request", leg, transaction, method: "NOTIFY", headers, body: sipfragBody(progress) });
			},
			respond: (transaction, status, reason, sdp, headers) => {
				// A 200 with SDP answers a re-INVITE: the endpoint sends it again until the ACK comes (RFC 3261 §13.3.1.4).
				if (status === 200 && sdp !== undefined)
					return feed({ kind: "accept", leg, transaction, body: sdpBody(sdp), ...withHeaders(headers) });
				feed({
					kind: "respond",
					transaction,
					status,
					...(reason === undefined ? {} : { reason }),
					...withHeaders(headers),
				});
			},
		};
	}
}

/** Names of NOTIFYs of ours, whose answers nobody waits for. */
const NOTIFY = "notify-";

const sdpBody = (sdp: string): { contentType: string; bytes: Uint8Array } => ({ contentType: "application/sdp", bytes: textBytes(sdp) });

const withBody = (sdp: string | undefined) => (sdp === undefined ? {} : { body: sdpBody(sdp) });

const withHeaders = (headers: HeaderList | undefined): { headers?: HeaderList } => (headers === undefined ? {} : { headers });

function sipTransport(text: string): Address["transport"] {
	if (text === "UDP" || text === "TCP" || text === "TLS") return text;
	throw new UnreachableError(`there is no SIP over ${text}`);
}
