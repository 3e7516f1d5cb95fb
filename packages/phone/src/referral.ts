import { header, type HeaderInput, parseNameAddr, reasonPhrase, sipfragBody, type SipInput, type SipRequest } from "@trunkline/sip";
import type { PhoneCall } from "./call.ts";
import type { OutgoingCall } from "./outgoing-call.ts";
import { PhoneError } from "./errors.ts";
import type { CallOptions } from "./call-options.ts";

export interface FollowOptions extends CallOptions {
	/** "host:port" that telephone numbers (tel: URIs) are dialled at; default the `proxy` */
	gateway?: string;
	/** with the new call before it is dialled out: what it says, who listens */
	onCall?(call: OutgoingCall): void;
}

interface ReferralLine {
	feed(input: SipInput): void;
	call(uri: string, options: CallOptions): Promise<OutgoingCall>;
}

/** The far side's wish that somebody else be called in its place (RFC 3515). Answer it once: `follow`, or `accept` and `notify`, or `reject`. */
export class Referral {
	/** the call that is to be replaced */
	readonly call: PhoneCall;
	readonly request: SipRequest;
	/** URI of Refer-To, without brackets; "" when there is none */
	readonly target: string;
	readonly #transaction: string;
	readonly #line: ReferralLine;
	#notifies = 0;
	#over = false;

	/** @internal */
	constructor(call: PhoneCall, transaction: string, request: SipRequest, line: ReferralLine) {
		this.call = call;
		this.request = request;
		this.target = parseNameAddr(header(request, "refer-to") ?? "")?.uri ?? "";
		this.#transaction = transaction;
		this.#line = line;
	}

	/** 202: from now on NOTIFYs say how it goes. */
	accept(status = 202): void {
		this.#line.feed({ kind: "respond", transaction: this.#transaction, status });
	}

	reject(status = 603, reason?: string): void {
		this.#over = true;
		this.#line.feed({ kind: "respond", transaction: this.#transaction, status, ...(reason !== undefined && { reason }) });
	}

	/** NOTIFY with the status of the new call (RFC 3515 §2.4.4); from 200 on it is the last one, unless `last` says otherwise. */
	notify(status: number, reason = reasonPhrase(status), last = status >= 200): void {
		if (this.#over || this.call.state === "ended") return;
		this.#over = last;
		this.#notifies += 1;
		const cseq = Number.parseInt(header(this.request, "cseq") ?? "", 10);
		const headers: HeaderInput[] = [
			// RFC 3515 §2.4.6
			["Event", Number.isNaN(cseq) ? "refer" : `refer;id=${cseq}`],
			["Subscription-State", last ? "terminated;reason=noresource" : "active;expires=60"],
		];
		const transaction = `notify-${this.#transaction}-${this.#notifies}`;
		this.#line.feed({
			kind: "request",
			leg: this.call.leg,
			transaction,
			method: "NOTIFY",
			headers,
			body: sipfragBody({ status, reason }),
		});
	}

	/**
	 * Calls the target, tells how that goes, and hangs the old call up when it is answered. Resolves with the new call once it is dialled; rejects with
	 * PhoneError when it cannot be, which the far side is told of too.
	 */
	async follow({ gateway, onCall, ...options }: FollowOptions = {}): Promise<OutgoingCall> {
		const uri = dialable(this.target, gateway ?? options.proxy);
		if (uri === undefined) {
			this.reject(400, "Bad Refer-To");
			throw new PhoneError(`"${this.target}" cannot be called`);
		}
		this.accept();
		this.notify(100);
		let dialled: OutgoingCall;
		try {
			dialled = await this.#line.call(uri, options);
		} catch (error) {
			this.notify(503);
			throw error;
		}
		onCall?.(dialled);
		dialled.on("provisional", ({ status, reason }) => this.notify(status, reason));
		dialled.once("answered", () => {
			this.notify(200);
			this.call.hangup();
		});
		dialled.once("ended", (end) => {
			if (!end.answered) this.notify(end.status ?? 503, end.status === undefined ? undefined : end.reason);
		});
		return dialled;
	}
}

/** RFC 3966 numbers become SIP URIs at the gateway. */
function dialable(target: string, gateway: string | undefined): string | undefined {
	if (/^sip:/i.test(target)) return target;
	const number = /^tel:([^;]+)/i.exec(target)?.[1];
	if (number === undefined || gateway === undefined) return undefined;
	return `sip:${number}@${gateway.replace(/^sips?:/, "")}`;
}
