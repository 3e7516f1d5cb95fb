import type { Attempts, DigestClient } from "../auth/client.ts";
import type { Address, RegisterOptions, RegistrationEvent } from "../endpoint-types.ts";
import { writeNameAddr } from "../grammar/name-addr.ts";
import { parseUri, writeUri } from "../grammar/uri.ts";
import type { Millis } from "../machine.ts";
import { field } from "../message/headers.ts";
import type { SipRequest, SipResponse } from "../message/message.ts";
import type { TimerHandle } from "../timers.ts";
import { buildRequest, contactValue } from "../ua/build.ts";
import type { Core } from "../ua/core.ts";
import { ownAddress } from "../ua/own-address.ts";
import { grantedSeconds, minExpires, retryAfter, seenAt } from "./contact.ts";
import { backOff, MAX_BACK_OFF, refreshAfter } from "./schedule.ts";

const MAX_EXPIRES = 86_400;
/** times that one registration is begun anew because the registrar saw us elsewhere */
const MAX_DISCOVERIES = 3;
/** 423s that are met in a row */
const MAX_RAISES = 2;
/** NAT bindings of UDP live for half a minute and more (RFC 4787 REQ-5 asks for two minutes; many give 30 s). */
const KEEP_ALIVE: Millis = 25_000;
const KEEP_ALIVE_BYTES = Uint8Array.of(13, 10, 13, 10);

type Phase = "registering" | "registered" | "waiting" | "unregistering" | "over";
type Cause = Extract<RegistrationEvent, { state: "failed" }>["cause"];

/** One binding at one registrar (RFC 3261 §10), kept up until `unregister`. */
export class Registration {
	readonly #core: Core;
	readonly #name: string;
	readonly #options: RegisterOptions;
	readonly #digest: DigestClient;
	readonly #onOver: () => void;
	// RFC 3261 §10.2: "All registrations from a UAC SHOULD use the same Call-ID header field value for registrations sent to a particular registrar."
	readonly #callId: string;
	readonly #localTag: string;
	#cseq = 0;
	#phase: Phase = "registering";
	#target: Address;
	#expires: number;
	#request: SipRequest | undefined;
	#attempts: Attempts = { rounds: 0, realms: new Set() };
	#raises = 0;
	#discoveries = 0;
	#failures = 0;
	/** where the registrar saw us, when it is not where we thought to be */
	#seen: { host: string; port: number } | undefined;
	/** the binding that counts until then */
	#until: Millis = 0;
	#timer: TimerHandle | undefined;
	#keepAlive: TimerHandle | undefined;

	constructor(core: Core, name: string, options: RegisterOptions, target: Address, onOver: () => void, now: Millis) {
		this.#core = core;
		this.#name = name;
		this.#options = options;
		this.#target = target;
		this.#onOver = onOver;
		this.#digest = core.digest(options.auth);
		this.#callId = core.token(16);
		this.#localTag = core.token(8);
		this.#expires = Math.min(MAX_EXPIRES, options.expiresSeconds);
		this.#begin(now);
	}

	/** After `due`: tries again, there. */
	retry(target: Address, now: Millis): void {
		if (this.#phase !== "waiting") return;
		if (target.host !== this.#target.host || target.port !== this.#target.port) this.#seen = undefined;
		this.#target = target;
		this.#begin(now);
	}

	/**
	 * RFC 5626 §4.5: "When a flow used for registration … fails, the UA needs to form a new flow to replace the old flow and replace any registrations
	 * that were previously sent over this flow." A connection that is gone is one; a datagram that did not arrive is none.
	 */
	onTransportError(remote: Address, message: string, now: Millis): void {
		const { host, port, transport } = this.#target;
		if (this.#phase !== "registered" || transport === "UDP") return;
		if (remote.host !== host || remote.port !== port || remote.transport !== transport) return;
		// The first wait is of no failure yet: 15 to 30 s.
		this.#failures = -1;
		this.#fail("transport", undefined, `the connection to the registrar was lost: ${message}`, now);
	}

	/** RFC 3261 §10.2.2: takes the binding away, and is over. */
	unregister(now: Millis): void {
		if (this.#phase === "unregistering" || this.#phase === "over") return;
		const bound = this.#until > now || this.#phase === "registering";
		this.#stop();
		this.#phase = "unregistering";
		if (!bound) return this.#finish();
		this.#attempts = { rounds: 0, realms: new Set() };
		this.#send(0, now);
	}

	#begin(now: Millis): void {
		this.#phase = "registering";
		this.#attempts = { rounds: 0, realms: new Set() };
		this.#raises = 0;
		this.#send(this.#expires, now);
	}

	#send(expires: number, now: Millis): void {
		const { registrar, aor } = this.#options;
		this.#cseq += 1;
		const { request, branch } = buildRequest(
			this.#core,
			{
				method: "REGISTER",
				uri: registrar,
				from: writeNameAddr({ uri: aor, params: [{ name: "tag", value: this.#localTag }] }),
				to: writeNameAddr({ uri: aor, params: [] }),
				callId: this.#callId,
				cseq: this.#cseq,
				contact: `<${this.#contact()}>;expires=${expires}`,
				fields: [
					field("Expires", String(expires)),
					field("Allow", this.#core.allowed.join(", ")),
					...this.#digest.headersFor("REGISTER", registrar),
				],
			},
			this.#target,
		);
		this.#request = request;
		const current = (): boolean => this.#request === request && this.#phase !== "over";
		this.#core.layer.client(
			request,
			branch,
			this.#target,
			{
				onMessage: (message, at) => {
					if (message.kind === "response" && current()) this.#onResponse(message, expires, at);
				},
				onTimeout: (at) => {
					if (current()) this.#fail("timeout", undefined, "the registrar does not answer", at);
				},
				onTransportError: (message, at) => {
					if (current()) this.#fail("transport", undefined, message, at);
				},
			},
			now,
		);
	}

	#onResponse(response: SipResponse, expires: number, now: Millis): void {
		const { status } = response;
		if (status < 200) return;
		this.#request = undefined;
		if (status < 300) return this.#phase === "unregistering" ? this.#finish() : this.#onBound(response, expires, now);
		if (status === 401 || status === 407) {
			const useless = this.#digest.learn(response, this.#attempts);
			if (useless !== undefined) return this.#fail("auth", response, useless, now);
			return this.#send(expires, now);
		}
		// RFC 3261 §10.2.8: "it MAY retry the registration after making the expiration interval of all contact addresses … equal to or greater than" Min-Expires
		const least = status === 423 ? minExpires(response) : undefined;
		if (least !== undefined && least > expires && least <= MAX_EXPIRES && expires > 0 && this.#raises < MAX_RAISES) {
			this.#raises += 1;
			this.#expires = least;
			return this.#send(least, now);
		}
		this.#fail("status", response, `${status} ${response.reason}`.trim(), now);
	}

	#onBound(response: SipResponse, asked: number, now: Millis): void {
		const granted = grantedSeconds(response, this.#contact(), asked) * 1_000;
		if (granted <= 0) return this.#fail("status", response, "the registrar took the REGISTER but keeps no binding", now);
		this.#until = now + Math.min(granted, MAX_EXPIRES * 1_000);
		if (this.#discover(response)) {
			// The binding that leads nowhere runs out by itself: its Contact may be somebody else's on the registrar's side of the NAT.
			this.#attempts = { rounds: 0, realms: new Set() };
			return this.#send(this.#expires, now);
		}
		this.#phase = "registered";
		this.#failures = 0;
		this.#discoveries = 0;
		this.#wait(refreshAfter(this.#until - now, this.#random()), now, (at) => this.#begin(at));
		this.#keepOpen(now);
		this.#emit({ state: "registered", contact: this.#contact(), until: this.#until });
	}

	/** RFC 3581: behind a NAT our Contact has to be what the registrar sees. True: it is another than before. */
	#discover(response: SipResponse): boolean {
		const seen = seenAt(response);
		if (seen === undefined || this.#discoveries >= MAX_DISCOVERIES) return false;
		const known = this.#seen ?? ownAddress(this.#core.options.contact, this.#target);
		// The port of a connection that we opened is where nobody can connect to; it counts only when the whole address is another.
		const samePort = seen.port === known.port || (this.#target.transport !== "UDP" && this.#seen === undefined);
		if (seen.host === known.host && samePort) return false;
		this.#discoveries += 1;
		this.#seen = seen;
		return true;
	}

	/** RFC 5626 §3.5.1 for a flow over UDP: the NAT forgets it otherwise. Connections keep themselves open. */
	#keepOpen(now: Millis): void {
		this.#core.timers.stop(this.#keepAlive);
		this.#keepAlive = undefined;
		if (this.#seen === undefined || this.#target.transport !== "UDP") return;
		this.#keepAlive = this.#core.timers.set(now + KEEP_ALIVE, (at) => {
			this.#core.layer.transmit(KEEP_ALIVE_BYTES, this.#target);
			this.#keepOpen(at);
		});
	}

	#fail(cause: Cause, response: SipResponse | undefined, message: string, now: Millis): void {
		if (this.#phase === "unregistering") return this.#finish();
		this.#stop();
		this.#phase = "waiting";
		this.#failures += 1;
		const asked = response === undefined ? 0 : Math.min(retryAfter(response) ?? 0, MAX_BACK_OFF);
		// Whoever refuses us will not think otherwise in a minute, and bans those who keep asking.
		const refused =
			cause === "auth" || (response !== undefined && response.status >= 400 && response.status < 500 && response.status !== 408);
		const wait = Math.max(asked, backOff(refused ? Number.MAX_SAFE_INTEGER : this.#failures, this.#random()));
		this.#wait(wait, now, () => this.#emit({ state: "due" }));
		const status = response === undefined ? {} : { status: response.status };
		this.#emit({ state: "failed", cause, message, ...status, until: this.#until, retryAt: now + wait });
	}

	#wait(ms: Millis, now: Millis, then: (now: Millis) => void): void {
		this.#core.timers.stop(this.#timer);
		this.#timer = this.#core.timers.set(now + ms, then);
	}

	#stop(): void {
		this.#request = undefined;
		this.#core.timers.stop(this.#timer);
		this.#core.timers.stop(this.#keepAlive);
		this.#timer = undefined;
		this.#keepAlive = undefined;
	}

	#finish(): void {
		this.#stop();
		this.#phase = "over";
		this.#onOver();
		this.#emit({ state: "unregistered" });
	}

	#contact(): string {
		const { user, registrar } = this.#options;
		const value = contactValue(this.#core, user, this.#target, registrar.startsWith("sips:")).slice(1, -1);
		const parsed = this.#seen === undefined ? undefined : parseUri(value);
		return parsed === undefined || this.#seen === undefined ? value : writeUri({ ...parsed, ...this.#seen });
	}

	/** 0..1 */
	#random(): number {
		const [high = 0, low = 0] = this.#core.options.random(2);
		return (high * 256 + low) / 65_536;
	}

	#emit(event: RegistrationEvent): void {
		this.#core.emit({ type: "registration", registration: this.#name, ...event });
	}
}
