import type { LocalDescription } from "./local-description.ts";
import type { HeaderList, MediaSession, SipLeg, SipLegEvent } from "./ports.ts";
import type { CallEvent } from "./state.ts";

export interface Renegotiating {
	local: LocalDescription;
	media(): MediaSession | undefined;
	leg(): SipLeg | undefined;
	/** network source of the telephone's signalling */
	peerAddress(): string;
	dispatch(event: CallEvent): void;
}

/** Names of our re-INVITEs for hold and resume. */
const HOLD = "hold";
const RESUME = "resume";

/** Offers and answers of an answered call (RFC 3264 §8): the peer's re-INVITEs, and ours. Media goes on while they are under way. */
export class Renegotiation {
	readonly #call: Renegotiating;

	constructor(call: Renegotiating) {
		this.#call = call;
	}

	/** What cannot be answered is refused, and the session stays as it was (RFC 3261 §14.2). */
	onReinvite({ transaction, sdp }: Extract<SipLegEvent, { type: "reinvite" }>): void {
		const { local, media, leg, peerAddress } = this.#call;
		const result = local.renegotiate(sdp, media(), peerAddress());
		if (!result.ok) {
			leg()?.respond(transaction, 488, "Not Acceptable Here", undefined, warning(result.reason));
			return;
		}
		leg()?.respond(transaction, 200, "OK", result.sdp);
		if (result.heldByPeer !== undefined) this.#call.dispatch({ type: "media-changed", heldByPeer: result.heldByPeer });
	}

	/** UPDATE (RFC 3311): with an offer it is like a re-INVITE; without one there is nothing to settle. */
	onUpdate(event: Extract<SipLegEvent, { type: "update" }>): void {
		if (event.sdp === undefined) this.#call.leg()?.respond(event.transaction, 200, "OK");
		else this.onReinvite({ ...event, type: "reinvite" });
	}

	/** PRACK (RFC 3262 §5): the answer to an offer of ours in a reliable 1xx, or a new offer. */
	onPracked({ transaction, sdp }: Extract<SipLegEvent, { type: "pracked" }>): void {
		if (sdp === undefined) return;
		if (transaction === undefined) this.onAcknowledged(sdp);
		else this.onReinvite({ type: "reinvite", transaction, sdp });
	}

	/** The answer to an offer that went out in a 200 (RFC 3261 §13.2.1). */
	onAcknowledged(sdp: string | undefined): void {
		const { local, media, peerAddress, dispatch } = this.#call;
		const result = local.acknowledged(sdp, media(), peerAddress());
		if (result === undefined) return;
		if (result.ok) dispatch({ type: "media-changed", heldByPeer: result.heldByPeer });
		else dispatch({ type: "answer-unusable", message: `the SDP answer in the ACK cannot be used: ${result.reason}` });
	}

	/** Tells the telephone that its voice is not wanted for now (`sendonly`), or is again. `hold-answered` follows. */
	hold(on: boolean): void {
		const { local, media, leg, dispatch } = this.#call;
		const session = media();
		if (session === undefined || leg() === undefined) return dispatch({ type: "hold-answered", on, ok: false });
		leg()?.reinvite(on ? HOLD : RESUME, local.reoffer(session, on ? "sendonly" : "sendrecv"));
	}

	/** The end of a re-INVITE of ours. */
	onAnswered({ name, status, sdp, retryAfterMs }: Extract<SipLegEvent, { type: "reinvite-answered" }>): void {
		const { local, media, peerAddress, dispatch } = this.#call;
		const on = name === HOLD;
		const session = media();
		// The offer is withdrawn unless a 2xx took it (RFC 3261 §14.1: "as if no re-INVITE had been issued").
		const taken = status !== undefined && status < 300 && sdp !== undefined && session !== undefined;
		const result = taken ? local.reanswered(sdp, session, peerAddress()) : local.withdraw();
		if (retryAfterMs !== undefined) return dispatch({ type: "hold-answered", on, ok: false, retryAfterMs });
		dispatch({ type: "hold-answered", on, ok: result?.ok === true });
		if (result?.ok === true) dispatch({ type: "media-changed", heldByPeer: result.heldByPeer });
	}

	/** The peer has answered a refresh (RFC 4028) whose offer was our description of before; it may have moved meanwhile. */
	onRefreshed(sdp: string | undefined): void {
		const { local, media, peerAddress, dispatch } = this.#call;
		const session = media();
		if (sdp === undefined || session === undefined) return;
		const result = local.refreshed(sdp, session, peerAddress());
		if (result?.ok === true) dispatch({ type: "media-changed", heldByPeer: result.heldByPeer });
	}
}

/** RFC 3261 §20.43: 399 says it in words. */
function warning(reason: string): HeaderList {
	const text = reason
		.replace(/[^\x20-\x7e]/g, "?")
		.replace(/["\\]/g, "'")
		.slice(0, 200);
	return [["Warning", `399 trunkline "${text}"`]];
}
