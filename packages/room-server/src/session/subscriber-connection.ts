import { SessionDescription } from "@livekit/protocol";
import type { DtlsCertificate } from "@trunkline/dtls";
import { limits } from "../limits.ts";
import { audioCodecOf } from "../media/audio-codec.ts";
import { handleFeedback } from "../media/forwarding.ts";
import { videoCodecOf } from "../media/video-codec.ts";
import type { PublishedTrack } from "../room/participant.ts";
import { AUDIO_LEVEL, type LocalSection, MID, writeDescription } from "../sdp/local-description.ts";
import { type OfferedCodec, parseDescription } from "../sdp/offer.ts";
import type { DataKind } from "../transport/data-channels.ts";
import { PeerTransport } from "../transport/peer-transport.ts";
import type { UdpEndpoint } from "../transport/udp-endpoint.ts";
import { newSubscription, startForwarding, stopForwarding, type Subscription } from "./media-negotiation.ts";

const DATA_MID = "0";

/** Numbers as WebRTC implementations use them; RFC 3551 fixes those of G.711. */
const audioCodecs: readonly OfferedCodec[] = [
	{ payloadType: 111, rtpmap: "opus/48000/2", fmtp: "minptime=10;useinbandfec=1", audio: audioCodecOf("opus", 48_000), video: undefined },
	{ payloadType: 0, rtpmap: "PCMU/8000", fmtp: "", audio: audioCodecOf("PCMU", 8_000), video: undefined },
	{ payloadType: 8, rtpmap: "PCMA/8000", fmtp: "", audio: audioCodecOf("PCMA", 8_000), video: undefined },
];
const videoCodecs: readonly OfferedCodec[] = [
	videoCodec(96, "VP8", ""),
	videoCodec(98, "VP9", "profile-id=0"),
	// RFC 7742 §6.2: constrained baseline with packetization mode 1; the others are what browsers' encoders choose
	videoCodec(102, "H264", "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"),
	videoCodec(104, "H264", "level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=42e01f"),
	videoCodec(106, "H264", "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f"),
	videoCodec(108, "H264", "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=4d001f"),
	videoCodec(110, "H264", "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=64001f"),
	videoCodec(45, "AV1", "level-idx=5;profile=0;tier=0"),
];
const midExtension = { id: 4, uri: MID };
const audioExtensions = [{ id: 1, uri: AUDIO_LEVEL }, midExtension];

export interface SubscriberHandlers {
	sendOffer(offer: SessionDescription): void;
	onConnected(): void;
	onData(kind: DataKind, message: Buffer): void;
	onFailed(reason: string): void;
}

/**
 * The connection by which a client of the two-connection path (`/rtc`) hears: this server offers, the client answers; one offer is under way at a
 * time, and what changes meanwhile goes into the next one.
 */
export class SubscriberConnection {
	readonly #transport: PeerTransport;
	readonly #handlers: SubscriberHandlers;
	/** by track sid */
	readonly #subscriptions = new Map<string, Subscription>();
	/** what each media section carries, in order; sections are never removed, only emptied and filled again */
	readonly #sections: { mid: string; media: "audio" | "video"; subscription: Subscription | undefined }[] = [];
	readonly #descriptionId = String(Math.floor(Math.random() * 2 ** 48));
	#offerId = 0;
	#offering = false;
	#changed = false;
	#scheduled = false;

	constructor(endpoint: UdpEndpoint, certificate: DtlsCertificate, handlers: SubscriberHandlers) {
		this.#handlers = handlers;
		this.#transport = new PeerTransport(
			endpoint,
			certificate,
			{
				onConnected: () => handlers.onConnected(),
				onRtp: () => undefined,
				onRtcp: (rtcp) =>
					handleFeedback(
						rtcp,
						[...this.#subscriptions.values()].map(({ sink }) => sink),
					),
				onData: (kind, message) => handlers.onData(kind, message),
				onFailed: (reason) => handlers.onFailed(reason),
			},
			{ opensChannels: true },
		);
	}

	/** Sends the first offer: it has at least the data channels. */
	start(): void {
		this.#offer();
	}

	/** The client has lost its signalling: offers anew, with new ICE credentials, whatever became of the last offer. */
	restart(): void {
		this.#transport.restartIce();
		this.#offer();
	}

	subscribe(track: PublishedTrack): void {
		if (this.#subscriptions.has(track.info.sid)) return;
		this.#subscriptions.set(track.info.sid, newSubscription(track, this.#transport));
		this.#negotiate();
	}

	unsubscribe(trackSid: string): void {
		const subscription = this.#subscriptions.get(trackSid);
		if (subscription === undefined) return;
		this.#subscriptions.delete(trackSid);
		stopForwarding(subscription);
		const section = this.#sections.find((each) => each.subscription === subscription);
		if (section !== undefined) section.subscription = undefined;
		this.#negotiate();
	}

	pause(trackSid: string, paused: boolean): void {
		const subscription = this.#subscriptions.get(trackSid);
		if (subscription !== undefined) subscription.sink.paused = paused;
	}

	sendData(kind: DataKind, packet: Uint8Array): boolean {
		return this.#transport.sendData(kind, packet);
	}

	takeHeard(): boolean {
		return this.#transport.takeHeard();
	}

	/** False when the answer can't be used: the session is over then. */
	onAnswer(answer: SessionDescription): boolean {
		const remote = parseDescription(answer.sdp);
		// this end is always the DTLS server
		if (typeof remote === "string" || remote.setup === "passive") return false;
		const data = remote.sections.find((section) => section.mid === DATA_MID);
		const sctp = data?.sctpPort === undefined ? undefined : { port: data.sctpPort, maxMessageSize: data.maxMessageSize ?? 65_536 };
		this.#transport.start({ fingerprints: remote.fingerprints, sctp });
		for (const { mid, subscription } of this.#sections) {
			const section = remote.sections.find((each) => each.mid === mid);
			if (subscription !== undefined && section !== undefined && section.port !== 0) startForwarding(subscription, section);
		}
		this.#offering = false;
		if (this.#changed) this.#negotiate();
		return true;
	}

	async close(): Promise<void> {
		for (const subscription of this.#subscriptions.values()) stopForwarding(subscription);
		this.#subscriptions.clear();
		await this.#transport.close();
	}

	/** What changes in one turn goes into one offer. */
	#negotiate(): void {
		this.#changed = true;
		if (this.#scheduled || this.#offering || this.#offerId === 0) return;
		this.#scheduled = true;
		setImmediate(() => {
			this.#scheduled = false;
			if (!this.#offering) this.#offer();
		});
	}

	#offer(): void {
		this.#changed = false;
		this.#offering = true;
		this.#fillSections();
		const midToTrackId: Record<string, string> = {};
		const sections: LocalSection[] = [{ kind: "data", mid: DATA_MID, maxMessageSize: limits.dataPacketBytes }];
		for (const { mid, media, subscription } of this.#sections) {
			if (subscription !== undefined) midToTrackId[mid] = subscription.track.info.sid;
			sections.push(mediaSection(mid, media, subscription));
		}
		const id = ++this.#offerId;
		const sdp = writeDescription({ sessionId: this.#descriptionId, version: id, setup: "actpass", transport: this.#transport, sections });
		this.#handlers.sendOffer(new SessionDescription({ type: "offer", sdp, id, midToTrackId }));
	}

	#fillSections(): void {
		for (const subscription of this.#subscriptions.values()) {
			if (this.#sections.some((section) => section.subscription === subscription)) continue;
			const free = this.#sections.find((section) => section.subscription === undefined && section.media === subscription.sink.kind);
			if (free !== undefined) free.subscription = subscription;
			else this.#sections.push({ mid: String(this.#sections.length + 1), media: subscription.sink.kind, subscription });
		}
	}
}

function videoCodec(payloadType: number, name: string, fmtp: string): OfferedCodec {
	return { payloadType, rtpmap: `${name}/90000`, fmtp, audio: undefined, video: videoCodecOf(name, fmtp) };
}

function mediaSection(mid: string, media: "audio" | "video", subscription: Subscription | undefined): LocalSection {
	const sent =
		subscription === undefined
			? undefined
			: { participantSid: subscription.track.publisher.sid, trackSid: subscription.track.info.sid, ssrc: subscription.sink.ssrc };
	return {
		kind: "media",
		mid,
		media,
		direction: sent === undefined ? "inactive" : "sendonly",
		codecs: media === "audio" ? audioCodecs : videoCodecs,
		extensions: media === "audio" ? audioExtensions : [midExtension],
		sent,
		rid: undefined,
	};
}
