import {
	type Address,
	type EndpointOptions,
	type EndpointStats,
	type HeaderInput,
	SipEndpoint,
	type SipEvent,
	type SipInput,
	type SipRequest,
} from "@trunkline/sip";
import type { Clock, HeaderList, InboundInvite, OutgoingInvite, SipLeg, SipLegEvent, UserAgent } from "../call/ports.ts";
import { inboundInvite, legEvent, textBytes } from "./messages.ts";
import { type Lookup, resolveTarget } from "./resolve.ts";

export interface UserAgentOptions {
	endpoint: Omit<EndpointOptions, "answerOptions">;
	clock: Clock;
	lookup: Lookup;
	send(bytes: Uint8Array, to: Address): void;
	/** an INVITE that opens a call: give the listener of its leg */
	onInvite(invite: InboundInvite, request: SipRequest, leg: SipLeg): (event: SipLegEvent) => void;
	/** refuse new work (draining, full): answered with 503 */
	refusal(): { reason: string; retryAfterSeconds: number } | undefined;
	log: { warn(fields: Record<string, unknown>, message: string): void; error(fields: Record<string, unknown>, message: string): void };
}

/**
 * Runs the SIP endpoint: the only place where it meets a clock. One timer whatever the number of calls; outputs are drained after every
 * input.
 */
export class SipUserAgent implements UserAgent {
	readonly advertisedHost: string;
	readonly #options: UserAgentOptions;
	readonly #endpoint: SipEndpoint;
	readonly #legs = new Map<string, { listener: (event: SipLegEvent) => void; target: string }>();
	#cancelWake: (() => void) | undefined;
	#wakeAt = Number.POSITIVE_INFINITY;
	#nextLeg = 0;
	#draining = false;

	constructor(options: UserAgentOptions) {
		this.#options = options;
		this.#endpoint = new SipEndpoint({ ...options.endpoint, answerOptions: false });
		const { host, port } = options.endpoint.contact;
		const literal = host.includes(":") ? `[${host}]` : host;
		this.advertisedHost = port === 5060 ? literal : `${literal}:${port}`;
	}

	received(bytes: Uint8Array, remote: Address): void {
		this.#feed({ kind: "received", bytes, remote });
	}

	unreachable(remote: Address, message: string): void {
		this.#feed({ kind: "transport-error", remote, message });
	}

	stats(): EndpointStats {
		return this.#endpoint.stats();
	}

	async invite(address: string, _transport: string, invite: OutgoingInvite, onEvent: (event: SipLegEvent) => void): Promise<SipLeg> {
		const { host, port } = await resolveTarget(address, this.#options.lookup);
		this.#nextLeg += 1;
		const leg = `out-${this.#nextLeg}`;
		this.#legs.set(leg, { listener: onEvent, target: host });
		this.#feed({
			kind: "call",
			leg,
			requestUri: invite.requestUri,
			from: invite.from,
			to: invite.to,
			target: { host, port, transport: "UDP" },
			callId: invite.callId,
			localTag: invite.localTag,
			headers: invite.headers,
			body: sdpBody(invite.sdp),
			...(invite.auth === undefined ? {} : { auth: invite.auth }),
		});
		return this.#leg(leg);
	}

	/** Stops the timer; live legs are not told. */
	close(): void {
		this.#cancelWake?.();
		this.#cancelWake = undefined;
		this.#wakeAt = Number.POSITIVE_INFINITY;
	}

	#feed(input: SipInput): void {
		this.#endpoint.handle(input, this.#options.clock.now());
		this.#drain();
	}

	#drain(): void {
		// A listener may feed the endpoint again while it is being drained; the outer loop then carries on.
		if (this.#draining) return;
		this.#draining = true;
		try {
			for (let output = this.#endpoint.pollOutput(); output !== undefined; output = this.#endpoint.pollOutput()) {
				if (output.kind === "transmit") this.#options.send(output.bytes, output.to);
				else this.#onEvent(output.event);
			}
		} finally {
			this.#draining = false;
		}
		const next = this.#endpoint.nextTimeout() ?? Number.POSITIVE_INFINITY;
		if (next === this.#wakeAt) return;
		this.#cancelWake?.();
		this.#wakeAt = next;
		if (next === Number.POSITIVE_INFINITY) {
			this.#cancelWake = undefined;
			return;
		}
		this.#cancelWake = this.#options.clock.wakeAt(next, () => {
			this.#wakeAt = Number.POSITIVE_INFINITY;
			this.#endpoint.handleTimeout(this.#options.clock.now());
			this.#drain();
		});
	}

	#onEvent(event: SipEvent): void {
		try {
			if (event.type === "incoming") return this.#onIncoming(event);
			if (event.type === "out-of-dialog") return this.#onOutOfDialog(event);
			const leg = this.#legs.get(event.leg);
			if (leg === undefined) return;
			if (event.type === "failed" || event.type === "ended" || event.type === "cancelled") this.#legs.delete(event.leg);
			const translated = legEvent(event, leg.target);
			if (translated !== undefined) leg.listener(translated);
		} catch (error) {
			// One call's fault must not stop the loop that serves all the others.
			this.#options.log.error({ err: error, event: event.type }, "handling a SIP event failed");
		}
	}

	#onIncoming(event: Extract<SipEvent, { type: "incoming" }>): void {
		const refusal = this.#options.refusal();
		if (refusal !== undefined) {
			this.#feed({
				kind: "reject",
				leg: event.leg,
				status: 503,
				reason: refusal.reason,
				headers: [["Retry-After", String(refusal.retryAfterSeconds)]],
			});
			return;
		}
		const invite = inboundInvite(event.request, event.localTag, event.remote);
		if (invite === undefined) {
			this.#feed({ kind: "reject", leg: event.leg, status: 400, reason: "Bad From or To" });
			return;
		}
		const leg = { listener: (_event: SipLegEvent) => {}, target: event.remote.host };
		this.#legs.set(event.leg, leg);
		leg.listener = this.#options.onInvite(invite, event.request, this.#leg(event.leg));
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

	#leg(leg: string): SipLeg {
		const feed = (input: SipInput): void => this.#feed(input);
		return {
			ring: (status, headers) => feed({ kind: "ring", leg, status, ...withHeaders(headers) }),
			accept: (sdp, headers) => feed({ kind: "accept", leg, body: sdpBody(sdp), ...withHeaders(headers) }),
			reject: (status, reason, headers) => {
				this.#legs.delete(leg);
				feed({ kind: "reject", leg, status, reason, ...withHeaders(headers) });
			},
			cancel: (headers) => feed({ kind: "cancel", leg, ...withHeaders(headers) }),
			bye: (headers) => feed({ kind: "bye", leg, ...withHeaders(headers) }),
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

const sdpBody = (sdp: string): { contentType: string; bytes: Uint8Array } => ({ contentType: "application/sdp", bytes: textBytes(sdp) });

const withHeaders = (headers: HeaderList | undefined): { headers?: HeaderList } => (headers === undefined ? {} : { headers });
