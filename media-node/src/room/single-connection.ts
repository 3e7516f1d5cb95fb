/**
 * The newest path of LiveKit servers (`/rtc/v1`): one peer connection for both directions. We make every offer; the first one travels with
 * the join request. The server says with MediaSectionsRequirement when it wants another offer, with room for more tracks.
 */
import {
	type AddTrackRequest,
	type MediaSectionsRequirement,
	type SessionDescription,
	SignalTarget,
	type TrickleRequest,
} from "@livekit/protocol";
import type { RoomCodec } from "../call/ports.ts";
import { receivingSections } from "./downlink.ts";
import { addCandidate, audioTrackRequest, description, Exchanges, type MediaConnection, type MediaHost } from "./media-connection.ts";
import { offeredCodecs, openChannels, peerEvents, type PublishedTrack, returned, type TrackTerms } from "./media-connection.ts";
import { RoomPeer } from "./peer.ts";
import { type MediaSection, parseMediaSections } from "./sdp-sections.ts";
import type { RelaySettings } from "./webrtc/ice-servers.ts";

/** A server may ask for as many sections as a large room has tracks, not for any number. */
const MAX_RECEIVING_SECTIONS = 256;
/** the place of our track's section in the first offer; sections never move (RFC 3264 §8) */
const OWN_SECTION = 1;

export class SingleConnection implements MediaConnection {
	readonly publisher: RoomPeer;
	readonly ready: Promise<PublishedTrack>;
	readonly #host: MediaHost;
	readonly #exchanges: Exchanges;
	readonly #firstAnswer = Promise.withResolvers<MediaSection>();
	readonly #ssrc: number;
	readonly #cid: string;
	#offerId = 0;
	#receivingSections = 0;
	/** asked for, and not in an offer yet */
	#missingSections = 0;
	#isOfferDue = false;
	/** set while an offer of ours is unanswered; undefined gives it up */
	#answered: ((answer: SessionDescription | undefined) => void) | undefined;
	#offer: SessionDescription | undefined;
	#answer: SessionDescription | undefined;
	#closed = false;

	constructor(publishCodecs: readonly RoomCodec[], serverUrl: string, host: MediaHost) {
		this.#host = host;
		this.publisher = new RoomPeer(offeredCodecs(publishCodecs), serverUrl, peerEvents(host, SignalTarget.PUBLISHER));
		this.#exchanges = new Exchanges((error) => {
			this.#firstAnswer.reject(error);
			if (!this.#closed) host.failed(`negotiation with the room server failed: ${String(error)}`);
		});
		// LiveKit's WebRTC stack takes the codecs of the first audio section for all of them, so the one that lists every codec goes first.
		this.#addReceiving(1);
		const track = this.publisher.addSendingTrack(publishCodecs);
		this.#ssrc = track.ssrc;
		this.#cid = track.cid;
		openChannels(this.publisher);
		this.ready = this.#becomeReady();
		this.ready.catch(() => undefined);
	}

	/** What goes into the join request. */
	async start(terms: TrackTerms): Promise<{ track: AddTrackRequest; offer: SessionDescription }> {
		const offer = await this.publisher.offer();
		const id = ++this.#offerId;
		this.#exchanges.run(async () => this.#applyAnswer(await this.#nextAnswer()));
		this.#offer = description("offer", offer, id);
		return { track: audioTrackRequest(this.#cid, terms), offer: this.#offer };
	}

	/** An offer whose answer may have been lost with the WebSocket is made again. */
	async resume(withinMs: number, signal: AbortSignal): Promise<boolean> {
		const unanswered = this.#answered;
		unanswered?.(undefined);
		const isBack = await returned(this.publisher, () => this.#reoffer(true), withinMs, signal);
		if (isBack && unanswered !== undefined) this.#reoffer(false);
		return isBack;
	}

	descriptions(): { offer?: SessionDescription; answer?: SessionDescription } {
		const [offer, answer] = [this.#offer, this.#answer];
		return { ...(offer === undefined ? {} : { offer }), ...(answer === undefined ? {} : { answer }) };
	}

	#reoffer(restart: boolean): void {
		this.#exchanges.run(async () => {
			if (this.#closed) return;
			await this.#exchange(restart);
		});
	}

	async #exchange(restart: boolean): Promise<void> {
		const sdp = await this.publisher.offer(restart);
		this.#offer = description("offer", sdp, ++this.#offerId);
		// before the offer leaves: nothing that comes is missed
		const answer = this.#nextAnswer();
		this.#host.send({ case: "offer", value: this.#offer });
		await this.#applyAnswer(await answer);
	}

	onAnswer(answer: SessionDescription): void {
		this.#answered?.(answer);
	}

	onOffer(): void {
		// On this path offers come from the client only.
	}

	onTrickle(trickle: TrickleRequest): void {
		addCandidate(this.publisher, trickle);
	}

	/** In a room that fills up these come faster than offers are answered: what has come meanwhile goes into one offer. */
	onMediaSections({ numAudios }: MediaSectionsRequirement): void {
		this.#missingSections += numAudios;
		if (this.#isOfferDue) return;
		this.#isOfferDue = true;
		this.#exchanges.run(async () => {
			this.#isOfferDue = false;
			if (this.#closed) return;
			this.#addReceiving(this.#missingSections);
			this.#missingSections = 0;
			await this.#exchange(false);
		});
	}

	useRelays(settings: RelaySettings): void {
		this.publisher.useRelays(settings);
	}

	sendData(label: string, bytes: Uint8Array): void {
		this.publisher.send(label, bytes);
	}

	async close(): Promise<void> {
		this.#closed = true;
		this.#answered = undefined;
		this.#firstAnswer.reject(new Error("closed"));
		await this.publisher.close();
	}

	async #becomeReady(): Promise<PublishedTrack> {
		const section = await this.#firstAnswer.promise;
		await this.publisher.connected;
		return { ssrc: this.#ssrc, section };
	}

	#addReceiving(count: number): void {
		for (let i = 0; i < count && this.#receivingSections < MAX_RECEIVING_SECTIONS; i++) {
			this.#receivingSections++;
			this.publisher.addReceivingTrack();
		}
	}

	#nextAnswer(): Promise<SessionDescription | undefined> {
		return new Promise((resolve) => {
			this.#answered = (answer) => {
				// an answer to an offer that we have given up
				if (answer !== undefined && answer.id !== 0 && answer.id !== this.#offerId) return;
				this.#answered = undefined;
				resolve(answer);
			};
		});
	}

	async #applyAnswer(answer: SessionDescription | undefined): Promise<void> {
		if (this.#closed || answer === undefined) return;
		this.#answer = answer;
		await this.publisher.applyAnswer(answer.sdp);
		const sections = parseMediaSections(answer.sdp);
		const own = sections[OWN_SECTION];
		if (own !== undefined) this.#firstAnswer.resolve(own);
		else this.#firstAnswer.reject(new Error("the room server's answer lacks our section"));
		this.#host.sections(receivingSections(sections, answer.midToTrackId));
	}
}
