import {
	type AddTrackRequest,
	DisconnectReason,
	JoinResponse,
	LeaveRequest,
	LeaveRequest_Action,
	MediaSectionsRequirement,
	type MuteTrackRequest,
	ParticipantUpdate,
	Pong,
	ReconnectResponse,
	RequestResponse,
	RequestResponse_Reason,
	RoomMovedResponse,
	type ServerInfo,
	RoomUpdate,
	SessionDescription,
	type SignalRequest,
	type SyncState,
	TrackPublishedResponse,
	type UpdateParticipantMetadata,
} from "@livekit/protocol";
import type { DtlsCertificate } from "@trunkline/dtls";
import type { WebSocket } from "ws";
import { handleFeedback } from "../media/forwarding.ts";
import { publishCodecs } from "../room/codecs.ts";
import { readPacket } from "../room/data-packet.ts";
import { Participant, type ParticipantLink, type PublishedTrack, type SignalMessage } from "../room/participant.ts";
import type { Room } from "../room/room.ts";
import { writeDescription } from "../sdp/local-description.ts";
import { type RpcCall, ServerRpc } from "../room/rpc.ts";
import { parseDescription, type RemoteDescription } from "../sdp/offer.ts";
import type { Grants } from "../tokens.ts";
import type { DataKind } from "../transport/data-channels.ts";
import { PeerTransport } from "../transport/peer-transport.ts";
import type { UdpEndpoint } from "../transport/udp-endpoint.ts";
import type { JoinParameters } from "./join-request.ts";
import { MediaNegotiation } from "./media-negotiation.ts";
import { judgeMetadata } from "./own-metadata.ts";
import { Publications } from "./publications.ts";
import { SignalLink } from "./signal-link.ts";
import { SubscriberConnection } from "./subscriber-connection.ts";

/** seconds, as LiveKit: clients ping this often and give up after that long without an answer */
const PING_INTERVAL_SECONDS = 5;
const PING_TIMEOUT_SECONDS = 15;

/** ms, as LiveKit: half of what the tokens hold */
const TOKEN_INTERVAL_MS = 300_000;

export interface SessionOptions {
	socket: WebSocket;
	room: Room;
	/** the room of this name, which exists */
	findRoom(name: string): Room | undefined;
	grants: Grants;
	join: JoinParameters;
	endpoint: UdpEndpoint;
	certificate: DtlsCertificate;
	serverInfo: ServerInfo;
	/** Unix time, ms */
	now: () => number;
	/** a token with what the participant may do by now */
	refreshedToken(grants: Grants): Promise<string>;
	/** ms that a connected participant whose WebSocket broke stays, for its client to resume */
	resumeGraceMs: number;
	onClosed(session: Session): void;
	log(message: string, fields: Record<string, unknown>): void;
}

/**
 * One participant's connection: signalling, negotiation, transport. Ownership: it closes its WebSocket, its transport and its subscriptions, and
 * takes its participant out of the room; `close()` is idempotent.
 */
export class Session implements ParticipantLink {
	readonly participant: Participant;
	readonly #options: SessionOptions;
	#room: Room;
	readonly #rpc = new ServerRpc((packet) => this.sendData("reliable", packet.toBinary()));
	readonly #signal: SignalLink;
	#resumeTimer: NodeJS.Timeout | undefined;
	#tokenTimer: NodeJS.Timeout | undefined;
	readonly #transport: PeerTransport;
	readonly #negotiation: MediaNegotiation;
	readonly #publications: Publications;
	/** the second connection of the two-connection path, by which the client hears; undefined where one connection does both */
	readonly #subscriber: SubscriberConnection | undefined;
	readonly #descriptionId = String(Math.floor(Math.random() * 2 ** 48));
	#descriptionVersion = 1;
	/** sections already asked for since the last answer */
	#sectionsRequested = { audio: 0, video: 0 };
	#negotiationQueued = false;
	#silentRounds = 0;
	#connected = false;
	#closed = false;

	constructor(options: SessionOptions) {
		this.#options = options;
		this.#room = options.room;
		this.participant = new Participant({
			grants: options.grants,
			link: this,
			joinedAt: options.now(),
			autoSubscribe: options.join.request.connectionSettings?.autoSubscribe ?? true,
			clientProtocol: options.join.request.clientInfo?.clientProtocol ?? 0,
			capabilities: options.join.request.clientInfo?.capabilities ?? [],
		});
		this.#signal = new SignalLink(options.socket, {
			onRequest: (request) => this.#onRequest(request),
			onLost: () => this.#onSignalLost(),
			onBroken: () => this.#leave(DisconnectReason.SIGNAL_CLOSE),
		});
		this.#transport = new PeerTransport(options.endpoint, options.certificate, {
			onConnected: () => this.#onConnected(),
			onRtp: (packet, headerLength, payload) => this.#publications.write(packet, headerLength, payload),
			onRtcp: (rtcp) => handleFeedback(rtcp, this.#negotiation.sinks()),
			onData: (kind, message) => this.#onData(kind, message),
			onFailed: (reason) => this.#onTransportFailed(reason),
		});
		this.#negotiation = new MediaNegotiation(this.#transport);
		this.#publications = new Publications(this.participant, (rtcp) => this.#transport.sendRtcp(rtcp));
		if (options.join.singleConnection) return;
		this.#subscriber = new SubscriberConnection(options.endpoint, options.certificate, {
			sendOffer: (offer) => this.send({ case: "offer", value: offer }),
			onConnected: () => this.#room.activate(this.participant),
			onData: (kind, message) => this.#onData(kind, message),
			onFailed: (reason) => this.#onTransportFailed(reason),
		});
	}

	/** Enters the room, says so to the client, and answers the offer that came with the join. */
	start(): void {
		const { join, serverInfo } = this.#options;
		const room = this.#room;
		room.join(this.participant);
		this.send({
			case: "join",
			value: new JoinResponse({
				room: room.toInfo(),
				participant: this.participant.toInfo(),
				otherParticipants: room.othersSeenBy(this.participant).map((other) => other.toInfo()),
				serverVersion: serverInfo.version,
				serverInfo,
				subscriberPrimary: this.#subscriber !== undefined,
				pingInterval: PING_INTERVAL_SECONDS,
				pingTimeout: PING_TIMEOUT_SECONDS,
				enabledPublishCodecs: publishCodecs(),
				fastPublish: true,
			}),
		});
		room.subscribeToExisting(this.participant);
		for (const request of join.request.addTrackRequests) this.#addTrack(request);
		if (join.request.publisherOffer !== undefined) this.#answer(join.request.publisherOffer);
		this.#subscriber?.start();
		this.claimsChanged();
		this.#tokenTimer = setInterval(() => this.claimsChanged(), TOKEN_INTERVAL_MS).unref();
	}

	/** Where the participant is now. */
	get room(): Room {
		return this.#room;
	}

	/** The client's first token may expire in a minute; with the one that it is given it can come back. */
	claimsChanged(): void {
		this.#options.refreshedToken(this.participant.claims()).then(
			(token) => this.send({ case: "refreshToken", value: token }),
			(error: unknown) => this.#options.log("no token made", { err: error }),
		);
	}

	/**
	 * The client is back with a new WebSocket; its peer connections are as they were, or it restarts their ICE. It hears what changed meanwhile, and how
	 * things are: what was on its way when the old WebSocket broke is lost.
	 */
	resume(socket: WebSocket): void {
		const { serverInfo } = this.#options;
		const room = this.#room;
		clearTimeout(this.#resumeTimer);
		this.#sectionsRequested = { audio: 0, video: 0 };
		this.#signal.resume(socket, { case: "reconnect", value: new ReconnectResponse({ serverInfo }) });
		const participants = [this.participant, ...room.othersSeenBy(this.participant)].map((each) => each.toInfo());
		this.send({ case: "update", value: new ParticipantUpdate({ participants }) });
		this.send({ case: "roomUpdate", value: new RoomUpdate({ room: room.toInfo() }) });
		this.#subscriber?.restart();
		this.claimsChanged();
	}

	tokenFor(room: string): Promise<string> {
		return this.#options.refreshedToken({ ...this.participant.claims(), room });
	}

	moved(name: string, token: string): void {
		const room = this.#options.findRoom(name);
		if (room === undefined) throw new Error("moved to a room that is not there");
		this.#room = room;
		const otherParticipants = room.othersSeenBy(this.participant).map((other) => other.toInfo());
		this.send({
			case: "roomMoved",
			value: new RoomMovedResponse({ room: room.toInfo(), token, participant: this.participant.toInfo(), otherParticipants }),
		});
		// LiveKit's Rust client, which rtc-node and Python have within them, does not look at the token above, and would come back to the first room
		this.send({ case: "refreshToken", value: token });
	}

	performRpc(call: RpcCall): Promise<string> {
		return this.#rpc.perform(call);
	}

	/** To be asked at a steady pace: false when no packet (not even a connectivity check) has come since the last but one time. */
	isAlive(): boolean {
		// both are asked: each forgets what it has heard
		const heard = [this.#transport.takeHeard(), this.#subscriber?.takeHeard() ?? false].includes(true);
		this.#silentRounds = heard ? 0 : this.#silentRounds + 1;
		return this.#silentRounds < 2;
	}

	/** The connection has gone silent. */
	expire(): void {
		this.#onTransportFailed("no packet from the client");
	}

	send(message: SignalMessage): void {
		if (!this.#closed) this.#signal.send(message);
	}

	sendData(kind: DataKind, packet: Uint8Array): void {
		(this.#subscriber ?? this.#transport).sendData(kind, packet);
	}

	subscribe(track: PublishedTrack): void {
		if (this.#subscriber !== undefined) {
			this.#subscriber.subscribe(track);
			return;
		}
		this.#negotiation.subscribe(track);
		this.#negotiate();
	}

	unsubscribe(trackSid: string): void {
		this.#subscriber?.unsubscribe(trackSid);
		const ended = this.#negotiation.unsubscribe(trackSid);
		if (ended?.mid !== undefined) this.#negotiate();
	}

	#pause(trackSid: string, paused: boolean): void {
		(this.#subscriber ?? this.#negotiation).pause(trackSid, paused);
	}

	disconnect(reason: DisconnectReason): void {
		if (this.#closed) return;
		this.send({ case: "leave", value: new LeaveRequest({ reason, action: LeaveRequest_Action.DISCONNECT }) });
		this.#leave(reason);
	}

	/** What the room is told when this connection ends, and everything freed. */
	#leave(reason: DisconnectReason): void {
		if (this.#closed) return;
		this.#closed = true;
		this.#room.leave(this.participant, reason);
		this.#negotiation.close();
		this.#rpc.close();
		clearTimeout(this.#resumeTimer);
		clearInterval(this.#tokenTimer);
		this.#signal.close();
		Promise.all([this.#transport.close(), this.#subscriber?.close()]).catch((error: unknown) =>
			this.#options.log("transport did not close", { err: error }),
		);
		this.#options.onClosed(this);
	}

	/** One that is connected may come back; one that is not yet, has nothing to come back to. */
	#onSignalLost(): void {
		if (!this.participant.active) {
			this.#leave(DisconnectReason.SIGNAL_CLOSE);
			return;
		}
		this.#resumeTimer = setTimeout(() => this.#leave(DisconnectReason.SIGNAL_CLOSE), this.#options.resumeGraceMs).unref();
	}

	/** What a resumed client wants to hear, in case the request for it got lost: all but what it names, or what it names only. */
	#syncState({ subscription, trackSidsDisabled }: SyncState): void {
		if (subscription !== undefined) this.#room.setSubscribed(this.participant, subscription.trackSids, subscription.subscribe);
		for (const trackSid of trackSidsDisabled) this.#pause(trackSid, true);
	}

	/** Others see the participant once it can hear: with two connections that is the subscriber's. */
	#onConnected(): void {
		if (this.#subscriber === undefined) this.#room.activate(this.participant);
		this.#connected = true;
		if (this.#negotiation.waiting().length > 0) this.#negotiate();
	}

	#onTransportFailed(reason: string): void {
		this.#options.log("connection failed", { reason, participantSid: this.participant.sid });
		// the client may try anew from the start: nothing is kept for a resume
		this.send({
			case: "leave",
			value: new LeaveRequest({ reason: DisconnectReason.CONNECTION_TIMEOUT, action: LeaveRequest_Action.RECONNECT, canReconnect: true }),
		});
		this.#leave(DisconnectReason.CONNECTION_TIMEOUT);
	}

	#onRequest({ message }: SignalRequest): void {
		if (this.#closed) return;
		const room = this.#room;
		switch (message.case) {
			case "offer": {
				this.#answer(message.value);
				break;
			}
			case "answer": {
				if (this.#subscriber?.onAnswer(message.value) === false) this.disconnect(DisconnectReason.JOIN_FAILURE);
				break;
			}
			case "addTrack": {
				this.#addTrack(message.value);
				break;
			}
			case "mute": {
				this.#mute(message.value);
				break;
			}
			case "subscription": {
				const trackSids = [...message.value.trackSids, ...message.value.participantTracks.flatMap((each) => each.trackSids)];
				room.setSubscribed(this.participant, trackSids, message.value.subscribe);
				break;
			}
			case "subscriptionPermission": {
				room.setSubscribers(this.participant, message.value);
				break;
			}
			case "trackSetting": {
				for (const trackSid of message.value.trackSids) this.#pause(trackSid, message.value.disabled);
				break;
			}
			case "syncState": {
				this.#syncState(message.value);
				break;
			}
			case "updateMetadata": {
				this.#updateMetadata(message.value);
				break;
			}
			case "ping": {
				this.send({ case: "pong", value: BigInt(this.#options.now()) });
				break;
			}
			case "pingReq": {
				this.send({
					case: "pongResp",
					value: new Pong({ lastPingTimestamp: message.value.timestamp, timestamp: BigInt(this.#options.now()) }),
				});
				break;
			}
			case "leave": {
				this.#leave(DisconnectReason.CLIENT_INITIATED);
				break;
			}
			default: {
				// trickled candidates: an ICE-lite end learns addresses from checks. The rest (simulations) changes nothing here.
				break;
			}
		}
	}

	#addTrack(request: AddTrackRequest): void {
		const refused = (reason: RequestResponse_Reason, message: string): void =>
			this.send({
				case: "requestResponse",
				value: new RequestResponse({ reason, message, request: { case: "addTrack", value: request } }),
			});
		if (!this.participant.mayPublish(request.source)) {
			refused(RequestResponse_Reason.NOT_ALLOWED, "does not have permission to publish");
			return;
		}
		const info = this.#publications.announce(request);
		if (info === "unsupported") refused(RequestResponse_Reason.UNSUPPORTED_TYPE, "only audio and video tracks are supported");
		else if (info === "too many") refused(RequestResponse_Reason.LIMIT_EXCEEDED, "too many tracks");
		else {
			this.send({ case: "trackPublished", value: new TrackPublishedResponse({ cid: request.cid, track: info }) });
			this.#publishClaimed();
		}
	}

	#publishClaimed(): void {
		for (const track of this.#publications.claim()) this.#room.publish(track);
	}

	#mute(request: MuteTrackRequest): void {
		const track = this.participant.tracks.get(request.sid);
		if (track !== undefined) this.#room.setMuted(track, request.muted, false);
		const announced = this.#publications.findAnnounced(request.sid);
		if (announced !== undefined) announced.muted = request.muted;
	}

	#updateMetadata(request: UpdateParticipantMetadata): void {
		const verdict = judgeMetadata(this.participant, request);
		if (verdict.reason === RequestResponse_Reason.OK) this.#room.updateParticipant(this.participant, request);
		const answer = { requestId: request.requestId, ...verdict, request: { case: "updateMetadata" as const, value: request } };
		this.send({ case: "requestResponse", value: new RequestResponse(answer) });
	}

	#onData(kind: DataKind, message: Buffer): void {
		if (!this.participant.grants.canPublishData || !this.participant.active) return;
		const packet = readPacket(message);
		if (packet === undefined || this.#rpc.take(packet)) return;
		// speaker updates are the server's to send
		if (packet.value.case !== "speaker") this.#room.relayData(this.participant, packet, kind);
	}

	/** Offers are answered one after the other: reading, deciding and writing happen in one go. */
	#answer(offer: SessionDescription): void {
		const remote = parseDescription(offer.sdp);
		if (typeof remote === "string" || remote.setup === "passive") {
			this.#options.log("offer refused", {
				reason: typeof remote === "string" ? remote : "the server is DTLS server",
				participantSid: this.participant.sid,
			});
			this.disconnect(DisconnectReason.JOIN_FAILURE);
			return;
		}
		this.#startTransport(remote);
		const answer = this.#negotiation.answer(remote.sections, (cid) => this.#publications.preferredCodec(cid));
		const { ended } = this.#publications.negotiated(answer.published);
		const sdp = writeDescription({
			sessionId: this.#descriptionId,
			version: this.#descriptionVersion++,
			setup: "passive",
			transport: this.#transport,
			sections: answer.sections,
		});
		this.send({ case: "answer", value: new SessionDescription({ type: "answer", sdp, id: offer.id, midToTrackId: answer.midToTrackId }) });
		this.#sectionsRequested = { audio: 0, video: 0 };
		for (const track of ended) this.#room.unpublish(track);
		this.#publishClaimed();
		if (this.#negotiation.waiting().length > 0) this.#negotiate();
	}

	#startTransport(remote: RemoteDescription): void {
		this.#transport.followRestart(remote.iceUfrag);
		if (this.#transport.started) return;
		const data = remote.sections.find((section) => section.kind === "application");
		const sctp = data?.sctpPort === undefined ? undefined : { port: data.sctpPort, maxMessageSize: data.maxMessageSize ?? 65_536 };
		this.#transport.start({ fingerprints: remote.fingerprints, sctp });
	}

	/**
	 * Has the client offer again, with as many more sections as are missing: in the single-connection scheme an offer of the server stays unanswered.
	 * What changes in one turn is negotiated at once.
	 */
	#negotiate(): void {
		// a new offer in the midst of the first connectivity checks upsets clients; what waits is asked for once they are through
		if (this.#negotiationQueued || this.#closed || !this.#connected) return;
		this.#negotiationQueued = true;
		setImmediate(() => {
			this.#negotiationQueued = false;
			const { audio, video } = this.#negotiation.missingSections();
			const asked = this.#sectionsRequested;
			this.#sectionsRequested = { audio: Math.max(audio, asked.audio), video: Math.max(video, asked.video) };
			this.send({
				case: "mediaSectionsRequirement",
				value: new MediaSectionsRequirement({ numAudios: Math.max(0, audio - asked.audio), numVideos: Math.max(0, video - asked.video) }),
			});
		});
	}
}
