import { answerOffer, createOffer, type LocalMedia, type Negotiated, readAnswer } from "@trunkline/sdp";
import type { MediaSession, NegotiatedAudio, PhoneCodec } from "./ports.ts";

export type DescriptionResult = { ok: true; sdp: string; negotiated: NegotiatedAudio } | { ok: false; reason: string };

/** Our side of a call's offers and answers: one session id, a version that grows with each description (RFC 3264 §8). */
export class LocalDescription {
	readonly #sessionId: number;
	#version = 0;
	#sdp = "";
	#local: LocalMedia | undefined;
	#awaitsAnswer = false;

	constructor(random: (length: number) => Uint8Array) {
		// RFC 4566 §5.2: numeric, unique on this host
		this.#sessionId = random(4).reduce((id, byte) => id * 256 + byte, 0);
	}

	offer(media: MediaSession): string {
		this.#local = this.#describe(media);
		this.#sdp = createOffer(this.#local);
		return this.#sdp;
	}

	answer(offer: string, media: MediaSession): DescriptionResult {
		const answer = answerOffer(offer, this.#describe(media));
		if (!answer.ok) return answer;
		this.#sdp = answer.answerSdp;
		return { ok: true, sdp: answer.answerSdp, negotiated: negotiatedAudio(answer.negotiated) };
	}

	/** The peer's answer to our offer. */
	answered(answer: string): DescriptionResult {
		if (this.#local === undefined) throw new Error("an answer came without an offer of ours");
		const result = readAnswer(answer, this.#local);
		return result.ok ? { ok: true, sdp: this.#sdp, negotiated: negotiatedAudio(result.negotiated) } : result;
	}

	/**
	 * A re-INVITE: a new offer is answered and takes effect at once. One without SDP asks for an offer of ours, a full one (RFC 3261 §14.2, RFC 6337
	 * §5.2.5): that is how some PBXs take a call off hold; the answer comes with the ACK (`acknowledged`).
	 */
	renegotiate(offer: string | undefined, media: MediaSession | undefined, peerAddress: string): string | undefined {
		if (media === undefined) return undefined;
		if (offer === undefined) {
			this.#awaitsAnswer = true;
			return this.offer(media);
		}
		this.#awaitsAnswer = false;
		const answer = this.answer(offer, media);
		if (!answer.ok) return undefined;
		media.start(answer.negotiated, peerAddress);
		return answer.sdp;
	}

	/** The ACK of a 200 that held an offer of ours. Gives the problem when its answer cannot be used: the call has no audio then. */
	acknowledged(answer: string | undefined, media: MediaSession | undefined, peerAddress: string): string | undefined {
		if (!this.#awaitsAnswer || media === undefined) return undefined;
		this.#awaitsAnswer = false;
		const result = answer === undefined ? { ok: false as const, reason: "the ACK has no SDP" } : this.answered(answer);
		if (!result.ok) return result.reason;
		media.start(result.negotiated, peerAddress);
		return undefined;
	}

	#describe(media: MediaSession): LocalMedia {
		this.#version += 1;
		return {
			address: media.localAddress,
			port: media.localPort,
			codecs: CODECS,
			sessionId: this.#sessionId,
			sessionVersion: this.#version,
		};
	}
}

const CODECS: readonly PhoneCodec[] = ["PCMU", "PCMA"];

/** The law that an offer asks for first, without a port yet; PCMU when it cannot be read. */
export function preferredCodec(offer: string | undefined): PhoneCodec {
	if (offer === undefined) return "PCMU";
	const answer = answerOffer(offer, { address: "127.0.0.1", port: 9, codecs: CODECS, sessionId: 1, sessionVersion: 1 });
	return answer.ok ? answer.negotiated.codec.name : "PCMU";
}

function negotiatedAudio(negotiated: Negotiated): NegotiatedAudio {
	const { codec, telephoneEvent, direction, onHold } = negotiated;
	return {
		codec: codec.name,
		payloadType: codec.payloadType,
		receivePayloadType: codec.receivePayloadType,
		...(telephoneEvent === undefined
			? {}
			: { telephoneEventPayloadType: telephoneEvent.payloadType, telephoneEventReceivePayloadType: telephoneEvent.receivePayloadType }),
		remote: negotiated.remote,
		sends: !onHold && (direction === "sendrecv" || direction === "sendonly"),
		receives: direction === "sendrecv" || direction === "recvonly",
	};
}
