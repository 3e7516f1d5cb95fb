import { answerOffer, createOffer, type Direction, type LocalMedia, type Negotiated, readAnswer } from "@trunkline/sdp";
import { MediaTerms } from "./media-terms.ts";
import type { MediaSession, NegotiatedAudio, PhoneCodec } from "./ports.ts";

export type DescriptionResult =
	| { ok: true; sdp: string; negotiated: NegotiatedAudio /** it does not want to hear us for now */; heldByPeer: boolean }
	| { ok: false; reason: string };

/** Of a re-INVITE: `heldByPeer` is unknown while an offer of ours is out in the 200. */
export type RenegotiationResult = { ok: true; sdp: string; heldByPeer?: boolean } | { ok: false; reason: string };

/** Our side of a call's offers and answers: one session id, a version that grows with each changed description (RFC 3264 §8). */
export class LocalDescription {
	/** codecs, encryption and keys */
	readonly terms: MediaTerms;
	readonly #sessionId: number;
	#version = 0;
	#sdp = "";
	/** ours: what we want, apart from what the peer lets us */
	#direction: Direction = "sendrecv";
	/** description that our last offer was made of */
	#local: LocalMedia | undefined;
	/** description that is out, offered or answered */
	#described: LocalMedia | undefined;
	/** what media go by */
	#negotiated: NegotiatedAudio | undefined;
	#awaitsAnswer = false;
	/** direction before the offer that is out, for when nothing comes of it */
	#before: Direction | undefined;

	constructor(random: (length: number) => Uint8Array, terms: MediaTerms = new MediaTerms(random)) {
		this.terms = terms;
		// RFC 4566 §5.2: numeric, unique on this host
		this.#sessionId = random(4).reduce((id, byte) => id * 256 + byte, 0);
	}

	offer(media: MediaSession): string {
		const same = this.#describe(media, Math.max(this.#version, 1), "offer");
		// RFC 3264 §8: "If nothing changes, the version MUST be the same"
		this.#local = this.#version > 0 && createOffer(same) === this.#sdp ? same : this.#describe(media, this.#version + 1, "offer");
		return this.#publish(createOffer(this.#local), this.#local);
	}

	answer(offer: string, media: MediaSession): DescriptionResult {
		const { prefer } = this.terms;
		const asked = answerOffer(offer, this.#describe(media, 1, "answer"), { prefer });
		if (asked.ok) this.terms.meet(asked.negotiated);
		let local = this.#describe(media, Math.max(this.#version, 1), "answer");
		let answer = answerOffer(offer, local, { prefer });
		if (answer.ok && this.#version > 0 && answer.answerSdp !== this.#sdp) {
			local = this.#describe(media, this.#version + 1, "answer");
			answer = answerOffer(offer, local, { prefer });
		}
		if (!answer.ok) return answer;
		const { negotiated } = answer;
		this.terms.agreed(negotiated);
		this.#negotiated = negotiatedAudio(negotiated);
		return { ok: true, sdp: this.#publish(answer.answerSdp, local), negotiated: this.#negotiated, heldByPeer: negotiated.onHold };
	}

	/** The peer's answer to our offer. */
	answered(answer: string): DescriptionResult {
		if (this.#local === undefined) throw new Error("an answer came without an offer of ours");
		const result = readAnswer(answer, this.#local);
		if (!result.ok) return result;
		this.terms.agreed(result.negotiated);
		this.#negotiated = negotiatedAudio(result.negotiated);
		return { ok: true, sdp: this.#sdp, negotiated: this.#negotiated, heldByPeer: result.negotiated.onHold };
	}

	/**
	 * A re-INVITE: a new offer is answered and takes effect at once. One without SDP asks for an offer of ours, a full one (RFC 3261 §14.2, RFC 6337
	 * §5.2.5): that is how some PBXs take a call off hold; the answer comes with the ACK (`acknowledged`).
	 */
	renegotiate(offer: string | undefined, media: MediaSession | undefined, peerAddress: string): RenegotiationResult {
		if (media === undefined) return { ok: false, reason: "the call is over" };
		if (offer === undefined) {
			this.#awaitsAnswer = true;
			return { ok: true, sdp: this.offer(media) };
		}
		const answer = this.answer(offer, media);
		if (!answer.ok) return answer;
		this.#awaitsAnswer = false;
		this.#start(answer.negotiated, media, peerAddress);
		return answer;
	}

	/** The ACK of a 200 that held an offer of ours; undefined when there was none. When the answer cannot be used, the call has no audio. */
	acknowledged(answer: string | undefined, media: MediaSession | undefined, peerAddress: string): DescriptionResult | undefined {
		if (!this.#awaitsAnswer || media === undefined) return undefined;
		this.#awaitsAnswer = false;
		return answer === undefined ? { ok: false, reason: "the ACK has no SDP" } : this.#take(answer, media, peerAddress);
	}

	/** A new offer in the call, with our direction from now on; `reanswered` or `withdraw` follows. */
	reoffer(media: MediaSession, direction: Direction): string {
		this.#before ??= this.#direction;
		this.#direction = direction;
		return this.offer(media);
	}

	/** The peer took the new offer. An answer that cannot be used leaves the media as they were. */
	reanswered(answer: string, media: MediaSession, peerAddress: string): DescriptionResult {
		const result = this.#take(answer, media, peerAddress);
		if (result.ok) this.#before = undefined;
		else this.withdraw();
		return result;
	}

	/** The peer did not take the new offer: what was agreed before stands. The version is spent: a number that was seen is not used for anything else. */
	withdraw(): undefined {
		this.#direction = this.#before ?? this.#direction;
		this.#before = undefined;
	}

	/** The answer to our present description, offered again as it is. */
	refreshed(answer: string, media: MediaSession, peerAddress: string): DescriptionResult {
		this.#local = this.#described;
		const known = this.#negotiated;
		const result = this.answered(answer);
		if (!result.ok || known === undefined) return result;
		// It may have been an answer, with payload types as the peer's offer numbered them: those stay (RFC 3264 §8.3.2).
		const { receivePayloadType, telephoneEventReceivePayloadType } = known;
		const negotiated = { ...result.negotiated, receivePayloadType };
		if (telephoneEventReceivePayloadType !== undefined) negotiated.telephoneEventReceivePayloadType = telephoneEventReceivePayloadType;
		this.#start(negotiated, media, peerAddress);
		return { ...result, negotiated };
	}

	#take(answer: string, media: MediaSession, peerAddress: string): DescriptionResult {
		const result = this.answered(answer);
		if (result.ok) this.#start(result.negotiated, media, peerAddress);
		return result;
	}

	#start(negotiated: NegotiatedAudio, media: MediaSession, peerAddress: string): void {
		this.#negotiated = negotiated;
		media.start(negotiated, peerAddress);
	}

	#publish(sdp: string, local: LocalMedia): string {
		this.#version = local.sessionVersion;
		this.#described = local;
		this.#sdp = sdp;
		return sdp;
	}

	#describe(media: MediaSession, version: number, as: "offer" | "answer"): LocalMedia {
		this.terms.handshake.fingerprint = media.dtlsFingerprint;
		return {
			address: media.localAddress,
			port: media.localPort,
			...this.terms[as],
			// RFC 5761 §5.1: taken up wherever it is offered, and kept; not forced upon telephones that may not know it
			// RFC 8834 §4.5: DTLS and ICE are for one port
			rtcpMux:
				as === "answer" || this.terms[as].dtls !== undefined || this.terms[as].ice !== undefined || this.#negotiated?.rtcp?.mux === true,
			sessionId: this.#sessionId,
			sessionVersion: version,
			direction: this.#direction,
		};
	}
}

/** The codec that an offer will be answered with, without a port yet; PCMU when it cannot be read. */
export function preferredCodec(offer: string | undefined, terms: MediaTerms): PhoneCodec {
	if (offer === undefined) return terms.codecs[0] ?? "PCMU";
	const { prefer } = terms;
	// of either family: where media will be is not known yet
	for (const address of ["127.0.0.1", "::1"]) {
		const ours = terms.answer;
		// no media session yet, and so no certificate: what matters is that there will be one
		const dtls = ours.crypto && { dtls: { required: ours.crypto.required, fingerprint: "" } };
		const answer = answerOffer(offer, { address, port: 9, ...ours, ...dtls, sessionId: 1, sessionVersion: 1 }, { prefer });
		if (answer.ok) return answer.negotiated.codec.name;
	}
	return "PCMU";
}

function negotiatedAudio(negotiated: Negotiated): NegotiatedAudio {
	const { codec, opus, telephoneEvent, direction, onHold, srtp, dtls, ice } = negotiated;
	return {
		codec: codec.name,
		payloadType: codec.payloadType,
		receivePayloadType: codec.receivePayloadType,
		...(telephoneEvent === undefined
			? {}
			: {
					telephoneEventPayloadType: telephoneEvent.payloadType,
					telephoneEventReceivePayloadType: telephoneEvent.receivePayloadType,
					...(telephoneEvent.clockRate !== 8_000 && { telephoneEventClockRate: telephoneEvent.clockRate }),
				}),
		...(opus && { opus }),
		remote: negotiated.remote,
		rtcp: negotiated.rtcp,
		...(srtp && { srtp }),
		...(dtls && { dtls }),
		...(ice && { ice }),
		sends: !onHold && (direction === "sendrecv" || direction === "sendonly"),
		receives: direction === "sendrecv" || direction === "recvonly",
	};
}
