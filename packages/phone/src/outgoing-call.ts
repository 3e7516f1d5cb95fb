import { answerOffer, createOffer, type Negotiated, readAnswer } from "@trunkline/sdp";
import {
	type Body,
	header,
	type HeaderInput,
	parseSessionExpires,
	type SipEvent,
	type SipInput,
	type SipResponse,
	tagOf,
} from "@trunkline/sip";
import { PhoneCall } from "./call.ts";
import { sdpBody, sdpOf, withoutTelephoneEvent } from "./text.ts";

export class OutgoingCall extends PhoneCall {
	readonly direction = "outgoing";
	#delayedOffer = false;
	/** what a 183 with SDP has settled already */
	#early: Negotiated | undefined;

	/** @internal */
	async dial(
		invite: Omit<Extract<SipInput, { kind: "call" }>, "kind" | "leg" | "body">,
		timeoutMs: number | undefined,
		telephoneEvent = true,
	): Promise<void> {
		const media = await this.openMedia();
		this.#delayedOffer = invite.delayedOffer === true;
		const offer = createOffer(this.describe(media));
		const body = this.#delayedOffer ? {} : { body: sdpBody(telephoneEvent ? offer : withoutTelephoneEvent(offer)) };
		this.timing.startedAt = performance.now();
		if (timeoutMs !== undefined) this.giveUpAfter(timeoutMs);
		this.line.feed({ kind: "call", leg: this.leg, ...invite, ...body });
	}

	/** Takes the call back before it is answered (after that, hangs up). */
	cancel(headers: readonly HeaderInput[] = []): void {
		if (this.state !== "ended") this.line.feed({ kind: this.state === "answered" ? "bye" : "cancel", leg: this.leg, headers });
	}

	/** what names the call on both sides, once it is answered: for a Replaces (RFC 3891) */
	dialog: { callId: string; localTag: string; remoteTag: string } | undefined;

	protected override onAnswered(response: SipResponse): void {
		const [localTag, remoteTag] = [tagOf(response, "from"), tagOf(response, "to")];
		this.dialog = { callId: header(response, "call-id") ?? "", localTag, remoteTag };
		this.sessionSeconds = parseSessionExpires(header(response, "session-expires"))?.seconds;
		const sdp = sdpOf(response);
		if (this.#delayedOffer && this.#early === undefined)
			return this.#answerOffer(sdp ?? "", (body) => ({ kind: "ack", leg: this.leg, ...(body && { body }) }));
		if (sdp === undefined && this.#early !== undefined) return this.connected(this.#early);
		const answer = this.local === undefined ? undefined : readAnswer(sdp ?? "", this.local);
		if (answer === undefined) return;
		if (answer.ok) this.connected(answer.negotiated);
		else this.endForMedia(answer);
	}

	/** The answer to our offer in a reliable 1xx holds for the 200 too; an offer in one is answered by PRACK (RFC 3262 §5). */
	protected override onEarly({ response, reliable, prack }: Extract<SipEvent, { type: "provisional" }>): void {
		const sdp = sdpOf(response);
		if (!reliable || sdp === undefined) return;
		if (prack !== undefined) return this.#answerOffer(sdp, (body) => ({ kind: "prack", leg: this.leg, prack, ...(body && { body }) }));
		const answer = this.local === undefined ? undefined : readAnswer(sdp, this.local);
		if (answer?.ok === true) this.#early = answer.negotiated;
	}

	#answerOffer(offer: string, command: (body: Body | undefined) => Extract<SipInput, { kind: "ack" | "prack" }>): void {
		const answer = answerOffer(offer, this.describe(this.requireMedia()));
		const sent = command(answer.ok ? sdpBody(answer.answerSdp) : undefined);
		this.line.feed(sent);
		if (!answer.ok) this.endForMedia(answer);
		else if (sent.kind === "prack") this.#early = answer.negotiated;
		else this.connected(answer.negotiated);
	}
}
