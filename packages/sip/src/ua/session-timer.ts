import type { Millis } from "../machine.ts";
import { header, headerList } from "../message/headers.ts";
import type { HeaderInput, SipMessage, SipRequest, SipResponse } from "../message/message.ts";

/** RFC 4028: how sure a side wants to be that the other is still there. */
export interface SessionTimerOptions {
	/** "off": not spoken of; "accept": as the peer wishes; "always": we ask for it, and refresh alone where the peer does not know it */
	mode: "off" | "accept" | "always";
	/** session interval that we ask for, in seconds */
	expiresSeconds: number;
	/** shortest interval that we take, in seconds; RFC 4028 §4 allows none below 90 */
	minSeconds: number;
}

export const DEFAULT_SESSION_TIMER: SessionTimerOptions = { mode: "accept", expiresSeconds: 1800, minSeconds: 90 };

/** RFC 4028 §5: "the absolute minimum … is 90 seconds", which also stands for a Min-SE that is not there. */
const LEAST_SECONDS = 90;
/** An interval that nobody will see the end of; more would only overflow. */
const MOST_SECONDS = 10 * 86_400;
const MAX_RAISES = 3;

export type Refresher = "uac" | "uas";

/** Session-Expires (RFC 4028 §4); undefined when it is none. */
export function parseSessionExpires(value: string | undefined): { seconds: number; refresher?: Refresher } | undefined {
	const read = /^(\d{1,9})\s*((?:;[^;]*)*)$/.exec(value?.trim() ?? "");
	if (read === null) return undefined;
	const seconds = Math.min(Number(read[1]), MOST_SECONDS);
	const refresher = /;\s*refresher\s*=\s*(uac|uas)\s*(?:;|$)/i.exec(read[2] ?? "")?.[1]?.toLowerCase();
	return { seconds, ...(refresher === "uac" || refresher === "uas" ? { refresher } : {}) };
}

/** Min-SE (RFC 4028 §5), in seconds; undefined when it is none. */
export function parseMinSe(value: string | undefined): number | undefined {
	const read = /^(\d{1,9})\s*(?:;.*)?$/.exec(value?.trim() ?? "");
	return read === null ? undefined : Math.min(Number(read[1]), MOST_SECONDS);
}

/** The 422 to a request whose interval is too short for us (RFC 4028 §9); undefined when it may go on. */
export function tooSmall(request: SipRequest, options: SessionTimerOptions): { status: 422; headers: readonly HeaderInput[] } | undefined {
	const expires = parseSessionExpires(header(request, "session-expires"));
	// §9: only a UAC that knows the extension can make something of a 422; one that does not had the header put in by a proxy.
	if (options.mode === "off" || expires === undefined || expires.seconds >= options.minSeconds || !knowsTimer(request)) return undefined;
	return { status: 422, headers: [["Min-SE", String(options.minSeconds)]] };
}

/** The session timer of one dialog, or of the INVITE that is to make it: what headers say, and when something is due. Holds no clock. */
export class SessionTimer {
	/** the driver may know better once it knows who calls */
	options: SessionTimerOptions;
	/** the largest Min-SE that was asked for so far (§7.1, §7.4) */
	#least: number;
	#raises = 0;
	#seconds: number | undefined;
	#weRefresh = false;
	/** refreshes so far, by either side */
	refreshes = 0;
	/** the peer's Allow has UPDATE (RFC 3311 §4) */
	peerTakesUpdate = false;
	#refreshAt: Millis | undefined;
	#endAt: Millis | undefined;

	constructor(options: SessionTimerOptions) {
		this.options = options;
		this.#least = options.minSeconds;
	}

	/** of the session interval, in seconds; undefined = no timer runs */
	get seconds(): number | undefined {
		return this.#seconds;
	}

	get weRefresh(): boolean {
		return this.#weRefresh;
	}

	/** For an INVITE or UPDATE of ours. */
	requestHeaders(): HeaderInput[] {
		if (this.options.mode === "off") return [];
		// §7.1: "a UAC … MUST include … Supported … with the option tag 'timer'"
		const lines: HeaderInput[] = [["Supported", "timer"]];
		const asks = this.#asks();
		// §7.4: a later request names who refreshes now, so that the roles stay as they are.
		const refresher = this.#seconds === undefined ? "" : `;refresher=${this.#weRefresh ? "uac" : "uas"}`;
		if (asks !== undefined) lines.push(["Session-Expires", `${asks}${refresher}`]);
		// §7.1, §7.3: 90 need not be said; what a 422 has asked for must be.
		if (this.#least > LEAST_SECONDS || this.#raises > 0) lines.push(["Min-SE", String(this.#least)]);
		return lines;
	}

	/** A 422 came (§7.3): true when the request is to be sent again, with the larger interval. */
	raise(response: SipResponse): boolean {
		const wanted = parseMinSe(header(response, "min-se"));
		if (this.options.mode === "off" || wanted === undefined || this.#raises >= MAX_RAISES) return false;
		const asked = this.#asks();
		// What is long enough already will not please by being said again.
		if (asked !== undefined && asked >= wanted) return false;
		this.#raises++;
		this.#least = Math.max(this.#least, wanted);
		return true;
	}

	/** A 2xx to our INVITE or UPDATE (§7.2). */
	onAnswer(response: SipResponse, now: Millis): void {
		if (this.options.mode === "off") return;
		this.learn(response);
		const expires = parseSessionExpires(header(response, "session-expires"));
		if (expires !== undefined) {
			// §7.2: a 2xx says who refreshes; where a peer forgot it, the side that asked does.
			this.#run(expires.seconds, expires.refresher !== "uas", now);
			return;
		}
		// §7.2: the UAS does not know the extension; "the UAC MAY … act as though … refresher=uac": for its benefit alone.
		if (this.options.mode === "always") this.#run(this.#seconds ?? Math.max(this.options.expiresSeconds, this.#least), true, now);
		else this.#stop();
	}

	/** What the 2xx to a peer's INVITE or UPDATE says (§9, table 2); the timer runs from now. */
	answer(request: SipRequest, now: Millis): HeaderInput[] {
		const { mode, expiresSeconds, minSeconds } = this.options;
		if (mode === "off") return [];
		this.learn(request);
		const knows = knowsTimer(request);
		const asked = parseSessionExpires(header(request, "session-expires"));
		const least = Math.max(parseMinSe(header(request, "min-se")) ?? 0, minSeconds);
		this.#least = Math.max(this.#least, least);
		// A re-INVITE that is about something else ends no timer that runs, where the peer can have one, or we refresh alone.
		const goesOn = this.#seconds !== undefined && (knows || this.#weRefresh);
		if ((asked === undefined && mode === "accept" && !goesOn) || (asked !== undefined && asked.seconds < minSeconds)) {
			// §9: no Session-Expires in the 2xx = no timer, also one that ran so far (§7.2).
			this.#stop();
			return [];
		}
		// §9: "The UAS MUST NOT … increase"; it may be less, never less than Min-SE.
		const wanted = Math.max(this.#seconds ?? expiresSeconds, least);
		const seconds = asked === undefined ? wanted : mode === "always" ? Math.min(asked.seconds, wanted) : asked.seconds;
		const refresher = this.#refresherFor(knows, asked?.refresher);
		this.#run(seconds, refresher === "uas", now);
		const lines: HeaderInput[] = [["Session-Expires", `${seconds};refresher=${refresher}`]];
		// §9: "the UAS MUST place a Require header field into the response" when the UAC refreshes, and SHOULD whenever it knows how.
		if (knows) lines.push(["Require", "timer"]);
		return lines;
	}

	/** Allow of the peer's INVITE, UPDATE or answer to ours. */
	learn(message: SipMessage): void {
		const allow = headerList(message, "allow");
		if (allow.length > 0) this.peerTakesUpdate = allow.some((method) => method.toUpperCase() === "UPDATE");
	}

	/** What is due next; undefined = nothing. */
	next(): { what: "refresh" | "end"; at: Millis } | undefined {
		if (this.#endAt === undefined) return undefined;
		if (this.#refreshAt !== undefined && this.#refreshAt < this.#endAt) return { what: "refresh", at: this.#refreshAt };
		return { what: "end", at: this.#endAt };
	}

	/** A refresh is on its way. */
	refreshing(): void {
		this.#refreshAt = undefined;
	}

	/** The refresh came to nothing: once more, after `delay`, or half-way to the end (§10: "the refresher … SHOULD continue"). */
	again(now: Millis, delay?: Millis): void {
		if (this.#endAt === undefined) return;
		this.#refreshAt = now + (delay ?? Math.max(1000, (this.#endAt - now) / 2));
	}

	/** Session-Expires of our next request; undefined = it has none */
	#asks(): number | undefined {
		const { mode, expiresSeconds } = this.options;
		if (this.#seconds !== undefined) return Math.max(this.#seconds, this.#least);
		return mode === "always" || this.#raises > 0 ? Math.max(expiresSeconds, this.#least) : undefined;
	}

	/** Table 2: refresher of the 2xx. */
	#refresherFor(knows: boolean, asked: Refresher | undefined): Refresher {
		if (!knows) return "uas";
		if (asked !== undefined) return asked;
		// Whoever refreshed so far goes on; at the start it is the UAC, who has shown that it can.
		return this.#seconds !== undefined && this.#weRefresh ? "uas" : "uac";
	}

	#run(seconds: number, weRefresh: boolean, now: Millis): void {
		if (this.#seconds !== undefined) this.refreshes++;
		// A peer that answers with less than it may (§9: never below Min-SE) must not make us refresh all the time.
		this.#seconds = Math.max(seconds, Math.min(this.options.minSeconds, LEAST_SECONDS));
		this.#weRefresh = weRefresh;
		const interval = this.#seconds * 1000;
		// §10: "It is RECOMMENDED that this refresh be sent once half the session interval has elapsed"
		this.#refreshAt = weRefresh ? now + interval / 2 : undefined;
		// §10: BYE "slightly before the session expiration … the minimum of 32 seconds and one third of the session interval"
		this.#endAt = now + interval - Math.min(32_000, interval / 3);
	}

	#stop(): void {
		this.#seconds = undefined;
		this.#weRefresh = false;
		this.#refreshAt = undefined;
		this.#endAt = undefined;
	}
}

function knowsTimer(message: SipMessage): boolean {
	return ["supported", "require"].some((name) => headerList(message, name).some((tag) => tag.toLowerCase() === "timer"));
}
