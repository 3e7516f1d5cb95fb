import type { Millis } from "../machine.ts";
import { header } from "../message/headers.ts";
import type { Body, HeaderInput, SipRequest, SipResponse } from "../message/message.ts";
import type { TimerHandle } from "../timers.ts";
import type { Core } from "./core.ts";
import type { OutgoingRequest } from "./in-dialog.ts";
import type { SessionTimer } from "./session-timer.ts";

/** What the refresh of a session needs of its dialog. */
export interface Refreshed {
	/** Sends it; the response, or undefined when there is none (the dialog is then on its way out already). */
	send(outgoing: OutgoingRequest, done: (response: SipResponse | undefined, now: Millis) => void, now: Millis): void;
	/** an INVITE of either side has no final response yet, or our 2xx no ACK */
	busy(): boolean;
	/** a 2xx to a refresh of ours; one to INVITE has an SDP answer */
	onRefreshed(response: SipResponse): void;
	/** nobody has refreshed the session in time */
	onExpired(now: Millis): void;
}

/** Carries a session timer out (RFC 4028 §10): refreshes when it is due, and ends the session when nobody did. */
export class SessionRefresh {
	readonly timer: SessionTimer;
	/** our latest SDP that the peer has accepted or asked for: what a refresh by INVITE offers again, with its o= line (§7.4) */
	sdp: Body | undefined;
	readonly #core: Core;
	readonly #ownsCallId: boolean;
	readonly #session: Refreshed;
	#handle: TimerHandle | undefined;
	#stopped = false;

	/** `ownsCallId`: we sent the INVITE that made the dialog */
	constructor(core: Core, timer: SessionTimer, ownsCallId: boolean, session: Refreshed) {
		this.#core = core;
		this.timer = timer;
		this.#ownsCallId = ownsCallId;
		this.#session = session;
	}

	/** A 2xx to INVITE or UPDATE of ours is in. */
	answered(response: SipResponse, now: Millis): void {
		this.timer.onAnswer(response, now);
		this.#schedule();
	}

	/** Headers of our 2xx to INVITE or UPDATE. */
	answer(request: SipRequest, now: Millis): HeaderInput[] {
		const headers = this.timer.answer(request, now);
		this.#schedule();
		return headers;
	}

	/** SDP of ours that is in force from now on. */
	keep(body: Body | undefined): void {
		if (body !== undefined && /^application\/sdp\b/i.test(body.contentType)) this.sdp = body;
	}

	stop(): void {
		this.#stopped = true;
		this.#core.timers.stop(this.#handle);
	}

	/**
	 * RFC 3261 §14.1: how long to wait after a 491, in units of 10 ms: 2.1 to 4 s for the owner of the Call-ID, 0 to 2 s for the other, so
	 * that both do not meet again.
	 */
	glareWait(): Millis {
		const [high = 0, low = 0] = this.#core.options.random(2);
		const random = high * 256 + low;
		return this.#ownsCallId ? 2100 + (random % 191) * 10 : (random % 201) * 10;
	}

	#schedule(): void {
		this.#core.timers.stop(this.#handle);
		const next = this.timer.next();
		this.#handle = next === undefined || this.#stopped ? undefined : this.#core.timers.set(next.at, (now) => this.#due(next.what, now));
	}

	#due(what: "refresh" | "end", now: Millis): void {
		if (this.#stopped) return;
		if (what === "end") {
			this.stop();
			this.#session.onExpired(now);
			return;
		}
		this.timer.refreshing();
		if (this.#session.busy()) this.#again(now, this.glareWait());
		else this.#refresh(this.timer.peerTakesUpdate || this.sdp === undefined ? "UPDATE" : "INVITE", now);
		this.#schedule();
	}

	#refresh(method: "UPDATE" | "INVITE", now: Millis): void {
		// RFC 4028 §7.4: by UPDATE without SDP where the peer takes it; else a re-INVITE with the SDP of before, o= line and all.
		const body = method === "INVITE" && this.sdp !== undefined ? { body: this.sdp } : {};
		this.#session.send({ method, ...body }, (response, at) => this.#onResponse(method, response, at), now);
	}

	#onResponse(method: "UPDATE" | "INVITE", response: SipResponse | undefined, now: Millis): void {
		if (response === undefined || this.#stopped) return;
		const { status } = response;
		if (status < 300) {
			this.#session.onRefreshed(response);
			return;
		}
		// A peer whose Allow promised too much.
		if (method === "UPDATE" && (status === 405 || status === 501) && this.sdp !== undefined) {
			this.timer.peerTakesUpdate = false;
			this.#again(now, 0);
		} else if (status === 491) this.#again(now, this.glareWait());
		else this.#again(now, retryAfter(response));
	}

	#again(now: Millis, delay: Millis | undefined): void {
		this.timer.again(now, delay);
		this.#schedule();
	}
}

/** RFC 3261 §20.33, ms */
function retryAfter(response: SipResponse): Millis | undefined {
	const seconds = /^\d{1,4}/.exec(header(response, "retry-after") ?? "")?.[0];
	return seconds === undefined ? undefined : Number(seconds) * 1000;
}
