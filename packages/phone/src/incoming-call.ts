import { answerOffer, type AudioCodec, createOffer, type Negotiated, readAnswer } from "@trunkline/sdp";
import type { HeaderInput, SipMessage, SipRequest } from "@trunkline/sip";
import { type CallLine, PhoneCall } from "./call.ts";
import { PhoneError } from "./errors.ts";
import { sdpBody, sdpOf } from "./text.ts";

export class IncomingCall extends PhoneCall {
	readonly direction = "incoming";
	readonly request: SipRequest;
	/** who calls, and which number: the user parts of From and of the Request-URI; "" when there is none */
	readonly from: string;
	readonly to: string;
	#answering = false;
	/** what our 183 said */
	#early: { sdp: string; negotiated: Negotiated } | undefined;

	constructor(line: CallLine, leg: string, codecs: readonly AudioCodec[], request: SipRequest, parties: { from: string; to: string }) {
		super(line, leg, codecs);
		this.request = request;
		this.from = parties.from;
		this.to = parties.to;
	}

	/** 180 Ringing, or another provisional status. */
	ring(status = 180, headers: readonly HeaderInput[] = []): void {
		if (this.state === "answered" || this.state === "ended") return;
		this.line.feed({ kind: "ring", leg: this.leg, status, headers });
		this.ringsNow();
	}

	/** 183 with our answer: the caller hears us before we answer. `reliably`: where the caller can (RFC 3262). */
	async earlyMedia(options: { reliably?: boolean } = {}): Promise<void> {
		const offer = sdpOf(this.request);
		if (offer === undefined || this.#answering || this.state === "answered" || this.state === "ended") return;
		const media = await this.openMedia();
		if (this.#isOver()) return media.close();
		const answer = answerOffer(offer, this.describe(media));
		if (!answer.ok) throw new PhoneError(`there is no early media: ${answer.reason}`);
		this.#early = { sdp: answer.answerSdp, negotiated: answer.negotiated };
		this.line.feed({ kind: "ring", leg: this.leg, status: 183, body: sdpBody(answer.answerSdp), reliable: options.reliably === true });
		media.start(answer.negotiated);
	}

	/** 200 OK, audio flows. Without a codec in common the call is refused with 488, and this rejects with PhoneError. */
	async answer(options: { codecs?: readonly AudioCodec[]; headers?: readonly HeaderInput[] } = {}): Promise<void> {
		if (this.#answering || this.state === "answered" || this.state === "ended") return;
		this.#answering = true;
		this.codecs = options.codecs ?? this.codecs;
		const media = await this.openMedia();
		if (this.#isOver()) return media.close(); // the caller gave up meanwhile
		const headers = options.headers ?? [];
		if (this.#early !== undefined) {
			this.line.feed({ kind: "accept", leg: this.leg, headers, body: sdpBody(this.#early.sdp) });
			return this.connected(this.#early.negotiated);
		}
		const local = this.describe(media);
		const offer = sdpOf(this.request);
		if (offer === undefined) {
			// RFC 3261 §13.2.1: no offer in the INVITE: ours goes into the 200, the answer comes with the ACK
			this.line.feed({ kind: "accept", leg: this.leg, headers, body: sdpBody(createOffer(local)) });
			return;
		}
		const answer = answerOffer(offer, local);
		if (!answer.ok) {
			this.reject(488, "Not Acceptable Here");
			throw new PhoneError(`the call cannot be answered: ${answer.reason}`);
		}
		this.line.feed({ kind: "accept", leg: this.leg, headers, body: sdpBody(answer.answerSdp) });
		this.connected(answer.negotiated);
	}

	/** A final status 300..699: 486 busy, 603 declined, ... */
	reject(status: number, reason?: string, headers: readonly HeaderInput[] = []): void {
		if (this.state === "answered" || this.state === "ended") return;
		this.line.feed({ kind: "reject", leg: this.leg, status, ...(reason !== undefined && { reason }), headers });
		this.finish({ answered: false, by: "local", cause: "rejected", status, reason: reason ?? "rejected" });
	}

	override hangup(headers: readonly HeaderInput[] = []): void {
		if (this.state === "answered") super.hangup(headers);
		else this.reject(480, undefined, headers);
	}

	protected override onAcked(request: SipMessage): void {
		if (this.state === "answered" || this.local === undefined) return;
		const answer = readAnswer(sdpOf(request) ?? "", this.local);
		if (answer.ok) this.connected(answer.negotiated);
		else this.endForMedia(answer);
	}

	#isOver(): boolean {
		return this.state === "ended";
	}
}
