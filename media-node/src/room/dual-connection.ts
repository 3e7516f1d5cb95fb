/**
 * The path that every LiveKit server has (`/rtc`): we offer on the publisher connection, the server offers on the subscriber connection.
 * The channels that we send on belong to the publisher, those we receive on to the subscriber.
 */
import { type SessionDescription, SignalTarget, type TrickleRequest } from "@livekit/protocol";
import type { RoomCodec } from "../call/ports.ts";
import { receivingSections } from "./downlink.ts";
import { addCandidate, audioTrackRequest, description, Exchanges, isSubscriber, type MediaConnection } from "./media-connection.ts";
import {
	type MediaHost,
	offeredCodecs,
	openChannels,
	peerEvents,
	type PublishedTrack,
	returned,
	type TrackTerms,
} from "./media-connection.ts";
import { RoomPeer } from "./peer.ts";
import { type MediaSection, parseMediaSections } from "./sdp-sections.ts";
import type { RelaySettings } from "./webrtc/ice-servers.ts";

export class DualConnection implements MediaConnection {
	readonly publisher: RoomPeer;
	readonly ready: Promise<PublishedTrack>;
	readonly #subscriber: RoomPeer;
	readonly #host: MediaHost;
	readonly #publishing: Exchanges;
	readonly #subscribing: Exchanges;
	readonly #answer = Promise.withResolvers<MediaSection>();
	readonly #publishCodecs: readonly RoomCodec[];
	#ssrc = 0;
	#offerId = 0;
	#subscriberOffer: SessionDescription | undefined;
	#subscriberAnswer: SessionDescription | undefined;
	#closed = false;

	/** `waitForSubscriber`: the server makes its first offer at once, so we are connected when both are */
	constructor(publishCodecs: readonly RoomCodec[], serverUrl: string, host: MediaHost, waitForSubscriber: boolean) {
		this.#publishCodecs = publishCodecs;
		this.#host = host;
		this.publisher = new RoomPeer(publishCodecs, serverUrl, peerEvents(host, SignalTarget.PUBLISHER));
		this.#subscriber = new RoomPeer(offeredCodecs([]), serverUrl, peerEvents(host, SignalTarget.SUBSCRIBER));
		const onError = (error: unknown) => {
			this.#answer.reject(error);
			if (!this.#closed) host.failed(`negotiation with the room server failed: ${String(error)}`);
		};
		this.#publishing = new Exchanges(onError);
		this.#subscribing = new Exchanges(onError);
		this.ready = this.#becomeReady(waitForSubscriber);
		this.ready.catch(() => undefined);
	}

	start(terms: TrackTerms): void {
		const track = this.publisher.addSendingTrack(this.#publishCodecs);
		this.#ssrc = track.ssrc;
		openChannels(this.publisher);
		this.#host.send({ case: "addTrack", value: audioTrackRequest(track.cid, terms) });
		this.#offer(false);
	}

	/** The server restarts the subscriber's ICE by an offer of its own. */
	resume(withinMs: number, signal: AbortSignal): Promise<boolean> {
		return returned(this.publisher, () => this.#offer(true), withinMs, signal);
	}

	descriptions(): { offer?: SessionDescription; answer?: SessionDescription } {
		const [offer, answer] = [this.#subscriberOffer, this.#subscriberAnswer];
		return { ...(offer === undefined ? {} : { offer }), ...(answer === undefined ? {} : { answer }) };
	}

	#offer(restart: boolean): void {
		this.#publishing.run(async () => {
			if (this.#closed) return;
			const offer = await this.publisher.offer(restart);
			this.#host.send({ case: "offer", value: description("offer", offer, ++this.#offerId) });
		});
	}

	onAnswer(answer: SessionDescription): void {
		this.#publishing.run(async () => {
			if (this.#closed) return;
			await this.publisher.applyAnswer(answer.sdp);
			const own = parseMediaSections(answer.sdp)[0];
			if (own !== undefined) this.#answer.resolve(own);
			else this.#answer.reject(new Error("the room server's answer has no sections"));
		});
	}

	onOffer(offer: SessionDescription): void {
		this.#subscribing.run(async () => {
			if (this.#closed) return;
			const answer = await this.#subscriber.answer(offer.sdp);
			this.#subscriberOffer = offer;
			this.#subscriberAnswer = description("answer", answer, offer.id);
			this.#host.send({ case: "answer", value: this.#subscriberAnswer });
			this.#host.sections(receivingSections(parseMediaSections(offer.sdp), offer.midToTrackId));
		});
	}

	onTrickle(trickle: TrickleRequest): void {
		addCandidate(isSubscriber(trickle.target) ? this.#subscriber : this.publisher, trickle);
	}

	onMediaSections(): void {
		// Only the single connection has sections to ask for.
	}

	useRelays(settings: RelaySettings): void {
		this.publisher.useRelays(settings);
		this.#subscriber.useRelays(settings);
	}

	sendData(label: string, bytes: Uint8Array): void {
		this.publisher.send(label, bytes);
	}

	async close(): Promise<void> {
		this.#closed = true;
		this.#answer.reject(new Error("closed"));
		await Promise.all([this.publisher.close(), this.#subscriber.close()]);
	}

	async #becomeReady(waitForSubscriber: boolean): Promise<PublishedTrack> {
		const section = await this.#answer.promise;
		await this.publisher.connected;
		if (waitForSubscriber) await this.#subscriber.connected;
		return { ssrc: this.#ssrc, section };
	}
}
