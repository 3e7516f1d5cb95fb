/** How audio and data reach the server: one peer connection (`/rtc/v1`) or two (`/rtc`). The session sees no difference. */
import { AddTrackRequest, SessionDescription, SignalTarget, TrackSource, TrackType, TrickleRequest } from "@livekit/protocol";
import type { MediaSectionsRequirement } from "@livekit/protocol";
import type { RtpPacket } from "@trunkline/rtp";
import type { RoomCodec } from "../call/ports.ts";
import type { ReceivingSection } from "./downlink.ts";
import type { PeerEvents, RoomPeer } from "./peer.ts";
import type { MediaSection } from "./sdp-sections.ts";
import type { SignalRequestMessage } from "./signalling.ts";
import type { RelaySettings } from "./webrtc/ice-servers.ts";

export const RELIABLE_CHANNEL = "_reliable";
const LOSSY_CHANNEL = "_lossy";

/** What a media connection asks of the session that owns it. */
export interface MediaHost {
	send(message: SignalRequestMessage): void;
	/** the remote description has changed */
	sections(sections: readonly ReceivingSection[]): void;
	rtp(packet: RtpPacket): void;
	rtcp(compound: Uint8Array): void;
	data(bytes: Uint8Array): void;
	/** The server does not answer on a peer connection for now. */
	stalled(message: string): void;
	failed(message: string): void;
}

export interface PublishedTrack {
	ssrc: number;
	/** our section in the server's newest description */
	section: MediaSection;
}

export interface MediaConnection {
	/** the peer that our packets leave by */
	readonly publisher: RoomPeer;
	/** Resolves when every connection of this kind is up and the server has answered our track. */
	readonly ready: Promise<PublishedTrack>;
	onAnswer(description: SessionDescription): void;
	onOffer(description: SessionDescription): void;
	onTrickle(trickle: TrickleRequest): void;
	onMediaSections(requirement: MediaSectionsRequirement): void;
	/** for connections that are made, or restarted, from now on */
	useRelays(settings: RelaySettings): void;
	/** There is a new WebSocket. Restarts ICE unless the server still answers; says whether the peer connection is back within that time. */
	resume(withinMs: number, signal: AbortSignal): Promise<boolean>;
	/** the newest exchange, for SyncState: of the publisher where there is one connection, of the subscriber otherwise */
	descriptions(): { offer?: SessionDescription; answer?: SessionDescription };
	sendData(label: typeof RELIABLE_CHANNEL, bytes: Uint8Array): void;
	close(): Promise<void>;
}

/** Codecs that we offer: those we publish with in their order, then all others that we can receive. */
export function offeredCodecs(publishCodecs: readonly RoomCodec[]): readonly RoomCodec[] {
	return [...new Set<RoomCodec>([...publishCodecs, "opus", "PCMU", "PCMA"])];
}

/** How our track is published. */
export interface TrackTerms {
	name: string;
	/** the server has muted it before */
	muted: boolean;
}

export function audioTrackRequest(cid: string, { name, muted }: TrackTerms): AddTrackRequest {
	return new AddTrackRequest({
		...{ cid, name, muted },
		type: TrackType.AUDIO,
		source: TrackSource.MICROPHONE,
		disableRed: true,
	});
}

export function openChannels(peer: RoomPeer): void {
	peer.openChannel(RELIABLE_CHANNEL, { ordered: true });
	// never written to, but a LiveKit server sends data to nobody who has not opened both
	peer.openChannel(LOSSY_CHANNEL, { ordered: false, maxRetransmits: 0 });
}

export function description(type: "offer" | "answer", sdp: string, id: number): SessionDescription {
	return new SessionDescription({ type, sdp, id });
}

const ANSWERS_WITHIN_MS = 700;

/** Waits for the server's answer to a check; `restart` when there is none at first. */
export async function returned(peer: RoomPeer, restart: () => void, withinMs: number, signal: AbortSignal): Promise<boolean> {
	if (await peer.answers(ANSWERS_WITHIN_MS)) return true;
	restart();
	const until = performance.now() + withinMs;
	while (performance.now() < until) {
		signal.throwIfAborted();
		if (await peer.answers(ANSWERS_WITHIN_MS)) return true;
		if (!peer.isConnected) return false;
	}
	return false;
}

/** Runs description exchanges one after the other (RFC 3264 §4). */
export class Exchanges {
	#last: Promise<void> = Promise.resolve();
	readonly #onError: (error: unknown) => void;

	constructor(onError: (error: unknown) => void) {
		this.#onError = onError;
	}

	run(exchange: () => Promise<void>): void {
		this.#last = this.#last.then(exchange).catch(this.#onError);
	}
}

/** Hands a server's candidate to its peer. A candidate that cannot be parsed is no candidate (RFC 8445 §5.1): others may work. */
export function addCandidate(peer: RoomPeer, trickle: TrickleRequest): void {
	peer.addCandidate(trickle.candidateInit);
}

/** What a peer tells its host, and its candidates to the server. */
export function peerEvents(host: MediaHost, target: SignalTarget): PeerEvents {
	return {
		...{ rtp: host.rtp, rtcp: host.rtcp, data: host.data, stalled: host.stalled, failed: host.failed },
		candidate: (candidateInit) => host.send({ case: "trickle", value: new TrickleRequest({ candidateInit, target }) }),
	};
}

export function isSubscriber(target: SignalTarget): boolean {
	return target === SignalTarget.SUBSCRIBER;
}
