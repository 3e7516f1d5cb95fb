import { header } from "../message/headers.ts";
import type { Body, SipMessage } from "../message/message.ts";

export function hasSdp(message: SipMessage): boolean {
	return message.body.length > 0 && isSdp(header(message, "content-type") ?? "");
}

export const bodyHasSdp = (body: Body | undefined): boolean => body !== undefined && isSdp(body.contentType);

const isSdp = (contentType: string): boolean => /^\s*application\/sdp\s*(;|$)/i.test(contentType);

/** Which offer of a dialog waits for its answer (RFC 3261 §13.2.1, RFC 3262 §5, RFC 3311 §5; RFC 6337 §2.2 has the table). */
export class OfferAnswer {
	#pending: "ours" | "theirs" | undefined;
	/** the INVITE's own exchange is over: later SDP in responses to it repeats what was agreed */
	#agreed = false;

	get pending(): "ours" | "theirs" | undefined {
		return this.#pending;
	}

	/** A request with SDP, or a message that had to make the offer because its request had none. */
	offered(by: "ours" | "theirs"): void {
		this.#pending = by;
	}

	/** The answer came, was sent, or never will: the request with the offer was refused. */
	settled(): void {
		this.#pending = undefined;
		this.#agreed = true;
	}

	/** A reliable response (2xx, or 1xx of RFC 3262) to the INVITE with SDP, from the side that answers it. */
	responded(by: "ours" | "theirs"): "offer" | "answer" | "repeated" {
		if (this.#pending !== undefined && this.#pending !== by) {
			this.settled();
			return "answer";
		}
		if (this.#agreed || this.#pending === by) return "repeated";
		this.#pending = by;
		return "offer";
	}

	/** PRACK or ACK with SDP of the side that sent the INVITE: the answer to an offer in a response, or (PRACK only) a new offer (RFC 3262 §5). */
	acknowledged(by: "ours" | "theirs"): "offer" | "answer" {
		if (this.#pending !== undefined && this.#pending !== by) {
			this.settled();
			return "answer";
		}
		this.#pending = by;
		return "offer";
	}
}
