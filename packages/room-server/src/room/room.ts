import {
	type DataPacket,
	DataPacket_Kind,
	DisconnectReason,
	MuteTrackRequest,
	ParticipantInfo_State,
	type ParticipantPermission,
	ParticipantUpdate,
	Room as RoomInfo,
	RoomUpdate,
	ParticipantInfo,
	SpeakersChanged,
	type SubscriptionPermission,
	SubscriptionPermissionUpdate,
	TrackSubscribed,
	TrackUnpublishedResponse,
} from "@livekit/protocol";
import { newSid } from "../ids.ts";
import { limits } from "../limits.ts";
import type { DataKind } from "../transport/data-channels.ts";
import { publishCodecs } from "./codecs.ts";
import { nameSender } from "./data-packet.ts";
import type { RoomEvent, RoomObserver } from "./events.ts";
import { NonceMemory } from "./nonce-memory.ts";
import type { Participant, PublishedTrack, SignalMessage } from "./participant.ts";
import { SpeakerDetector } from "./speakers.ts";
import { lets, subscribersOf } from "./subscription-permission.ts";

export interface RoomOptions {
	name: string;
	metadata?: string;
	/** 0 = this server's limit */
	maxParticipants?: number;
	/** ms until a room that nobody has joined closes */
	emptyTimeoutMs: number;
	/** ms until a room that the last participant has left closes */
	departureTimeoutMs: number;
	/** Unix time, ms */
	createdAt: number;
	/** hears of participants and tracks */
	onEvent?: RoomObserver;
}

/**
 * Who is in a room, who sees whom and who hears what. No sockets, no clock: it acts on participants' links. Participants and their tracks are
 * shown to others once their connection is up (ACTIVE), so that nobody is sent a track of somebody unknown.
 */
export class Room {
	readonly sid = newSid("RM");
	readonly name: string;
	readonly emptyTimeoutMs: number;
	readonly departureTimeoutMs: number;
	metadata: string;
	/** true once somebody has been in it */
	visited = false;
	closed = false;
	readonly #maxParticipants: number;
	readonly #createdAt: number;
	/** by identity */
	readonly #participants = new Map<string, Participant>();
	readonly #speakers = new SpeakerDetector();
	readonly #nonces = new NonceMemory();
	readonly #onEvent: RoomObserver;

	constructor(options: RoomOptions) {
		this.name = options.name;
		this.metadata = options.metadata ?? "";
		this.emptyTimeoutMs = options.emptyTimeoutMs;
		this.departureTimeoutMs = options.departureTimeoutMs;
		this.#maxParticipants = options.maxParticipants ?? 0;
		this.#createdAt = options.createdAt;
		this.#onEvent = options.onEvent ?? (() => undefined);
	}

	get size(): number {
		return this.#participants.size;
	}

	get trackCount(): number {
		return this.participants().reduce((sum, participant) => sum + participant.tracks.size, 0);
	}

	participants(): Participant[] {
		return [...this.#participants.values()];
	}

	participant(identity: string): Participant | undefined {
		return this.#participants.get(identity);
	}

	/** True when one more with this identity may come in; the same identity again takes the place of the old one. */
	hasPlaceFor(identity: string): boolean {
		const most = this.#maxParticipants > 0 ? Math.min(this.#maxParticipants, limits.participantsPerRoom) : limits.participantsPerRoom;
		return this.#participants.has(identity) || this.#participants.size < most;
	}

	/** Lets somebody in; an older participant of the same identity is put out. */
	join(participant: Participant): void {
		const older = this.#participants.get(participant.identity);
		if (older !== undefined) this.removeParticipant(older, DisconnectReason.DUPLICATE_IDENTITY);
		this.#participants.set(participant.identity, participant);
		participant.state = ParticipantInfo_State.JOINED;
		this.visited = true;
	}

	/** Everybody that `participant` may see: connected and not hidden. */
	othersSeenBy(participant: Participant): Participant[] {
		return this.participants().filter((other) => other !== participant && other.active && !other.grants.hidden);
	}

	/** Subscribes a newcomer to what is published already. */
	subscribeToExisting(participant: Participant): void {
		if (!participant.autoSubscribe) return;
		for (const other of this.participants()) {
			if (other !== participant && other.active) for (const track of other.tracks.values()) this.#subscribe(participant, track);
		}
	}

	/** The participant's connection is up: others see it and hear what it has published by now. */
	activate(participant: Participant): void {
		if (participant.state !== ParticipantInfo_State.JOINED) return;
		participant.state = ParticipantInfo_State.ACTIVE;
		participant.touch();
		this.#broadcastInfo(participant, { includeSelf: true });
		this.#tell("participant_joined", participant);
		for (const track of participant.tracks.values()) {
			this.#tellOfTrack("track_published", track);
			this.#offerToOthers(track);
		}
		this.#broadcastRoom();
	}

	/** Somebody is gone. Safe to call twice. `reason` is what others are told. */
	leave(participant: Participant, reason: DisconnectReason): void {
		if (this.#participants.get(participant.identity) !== participant) return;
		this.#participants.delete(participant.identity);
		const wasSeen = participant.active;
		for (const track of participant.tracks.values()) {
			this.#takeFromOthers(track);
			if (wasSeen) this.#tellOfTrack("track_unpublished", track);
		}
		participant.tracks.clear();
		participant.state = ParticipantInfo_State.DISCONNECTED;
		participant.touch();
		// LiveKit: who was never connected has not joined
		this.#tell(wasSeen ? "participant_left" : "participant_connection_aborted", participant, reason);
		if (wasSeen && !participant.grants.hidden) {
			this.#broadcast({ case: "update", value: new ParticipantUpdate({ participants: [participant.toInfo(reason)] }) }, participant);
		}
		this.#speakers.forget(participant.sid);
		this.#broadcastRoom();
	}

	/** Puts somebody out with a reason. */
	removeParticipant(participant: Participant, reason: DisconnectReason): void {
		this.leave(participant, reason);
		participant.link.disconnect(reason);
	}

	publish(track: PublishedTrack): void {
		const { publisher } = track;
		publisher.tracks.set(track.info.sid, track);
		publisher.touch();
		if (!publisher.active) return;
		this.#tellOfTrack("track_published", track);
		this.#broadcastInfo(publisher, { includeSelf: false });
		this.#offerToOthers(track);
	}

	unpublish(track: PublishedTrack): void {
		const { publisher } = track;
		if (!publisher.tracks.delete(track.info.sid)) return;
		publisher.touch();
		this.#takeFromOthers(track);
		if (!publisher.active) return;
		this.#tellOfTrack("track_unpublished", track);
		this.#broadcastInfo(publisher, { includeSelf: false });
	}

	/** `byServer`: the publisher is told too (RoomService); else it was the publisher who asked. */
	setMuted(track: PublishedTrack, muted: boolean, byServer: boolean): void {
		track.info.muted = muted;
		track.source.muted = muted;
		track.publisher.touch();
		if (byServer) track.publisher.link.send({ case: "mute", value: new MuteTrackRequest({ sid: track.info.sid, muted }) });
		if (track.publisher.active) this.#broadcastInfo(track.publisher, { includeSelf: byServer });
	}

	/** Somebody chooses what to hear. Unknown tracks are ignored: they may have just gone. */
	setSubscribed(participant: Participant, trackSids: readonly string[], subscribed: boolean): void {
		for (const trackSid of trackSids) {
			const track = this.findTrack(trackSid);
			if (subscribed && track !== undefined) this.#subscribe(participant, track);
			else if (!subscribed) this.#unsubscribe(participant, trackSid);
		}
	}

	/** A publisher says who may subscribe to its tracks: who may not any more is unsubscribed, who waits for it is subscribed. */
	setSubscribers(publisher: Participant, permission: SubscriptionPermission): void {
		const subscribers = subscribersOf(permission, this.participants());
		// LiveKit's leaves things as they were, too
		if (subscribers === "invalid") return;
		publisher.subscribers = subscribers;
		for (const track of publisher.tracks.values()) {
			const { sid } = track.info;
			for (const other of this.#participants.values()) {
				const allowed = lets(track, other);
				if (!allowed && other.subscriptions.has(sid)) {
					this.#unsubscribe(other, sid);
					this.#withhold(other, track);
				} else if (allowed && other.withheld.delete(sid)) {
					this.#tellAllowed(other, track, true);
					this.#subscribe(other, track);
				}
			}
		}
	}

	findTrack(trackSid: string): PublishedTrack | undefined {
		for (const participant of this.#participants.values()) {
			const track = participant.tracks.get(trackSid);
			if (track !== undefined) return track;
		}
		return undefined;
	}

	/** Name, metadata or attributes of somebody have changed. */
	updateParticipant(participant: Participant, change: { name: string; metadata: string; attributes: Record<string, string> }): void {
		participant.update(change);
		participant.link.claimsChanged();
		this.#broadcastInfo(participant, { includeSelf: true });
	}

	/** What somebody may do has changed: tracks and subscriptions that are not allowed any more end, those that are now begin. */
	setPermission(participant: Participant, permission: ParticipantPermission): void {
		const { grants } = participant;
		const [heard, wasHidden] = [grants.canSubscribe, grants.hidden];
		grants.canPublish = permission.canPublish;
		grants.canSubscribe = permission.canSubscribe;
		grants.canPublishData = permission.canPublishData;
		grants.canPublishSources = [...permission.canPublishSources];
		grants.canUpdateOwnMetadata = permission.canUpdateMetadata;
		grants.hidden = permission.hidden;
		participant.link.claimsChanged();
		participant.touch();
		for (const track of participant.tracks.values()) {
			if (participant.mayPublish(track.info.source)) continue;
			this.unpublish(track);
			participant.link.send({ case: "trackUnpublished", value: new TrackUnpublishedResponse({ trackSid: track.info.sid }) });
		}
		if (!grants.canSubscribe) this.setSubscribed(participant, [...participant.subscriptions, ...participant.withheld], false);
		else if (!heard) this.subscribeToExisting(participant);
		if (grants.hidden && !wasHidden && participant.active) {
			const gone = participant.toInfo(DisconnectReason.UNKNOWN_REASON);
			gone.state = ParticipantInfo_State.DISCONNECTED;
			this.#broadcast({ case: "update", value: new ParticipantUpdate({ participants: [gone] }) }, participant);
		}
		this.#broadcastInfo(participant, { includeSelf: true });
	}

	setMetadata(metadata: string): void {
		this.metadata = metadata;
		this.#broadcastRoom();
	}

	/**
	 * A data packet on its way to others under its sender's name; undefined = from the API. Goes to the identities it names, else to all others; a user packet with a nonce seen before goes nowhere.
	 */
	relayData(sender: Participant | undefined, packet: DataPacket, kind: DataKind): void {
		packet.kind = kind === "reliable" ? DataPacket_Kind.RELIABLE : DataPacket_Kind.LOSSY;
		nameSender(packet, sender);
		let identities = packet.destinationIdentities;
		let sids: string[] = [];
		if (packet.value.case === "user") {
			const user = packet.value.value;
			if (this.#nonces.has(user.nonce)) return;
			user.participantIdentity = packet.participantIdentity;
			user.participantSid = packet.participantSid;
			// older clients name the receivers in the user packet
			if (identities.length === 0) identities = user.destinationIdentities;
			sids = user.destinationSids;
		}
		const everybody = identities.length === 0 && sids.length === 0;
		const bytes = packet.toBinary();
		for (const receiver of this.#participants.values()) {
			if (receiver === sender || !receiver.active) continue;
			if (everybody || identities.includes(receiver.identity) || sids.includes(receiver.sid)) receiver.link.sendData(kind, bytes);
		}
	}

	/** Looks at who speaks and tells everybody what changed since the last look. To be called a few times per second. */
	updateSpeakers(): void {
		const changed = this.#speakers.update(this.participants());
		if (changed.length > 0) this.#broadcast({ case: "speakersChanged", value: new SpeakersChanged({ speakers: changed }) });
	}

	/** Puts everybody out. */
	close(reason: DisconnectReason): void {
		this.closed = true;
		for (const participant of this.participants()) this.removeParticipant(participant, reason);
	}

	toInfo(): RoomInfo {
		return new RoomInfo({
			sid: this.sid,
			name: this.name,
			emptyTimeout: Math.round(this.emptyTimeoutMs / 1000),
			departureTimeout: Math.round(this.departureTimeoutMs / 1000),
			maxParticipants: this.#maxParticipants,
			creationTime: BigInt(Math.floor(this.#createdAt / 1000)),
			creationTimeMs: BigInt(this.#createdAt),
			enabledCodecs: publishCodecs(),
			metadata: this.metadata,
			// as LiveKit: those that are there because of others do not count, those that hide do
			numParticipants: this.participants().filter(({ grants }) => grants.kind !== "agent" && grants.kind !== "egress").length,
			numPublishers: this.participants().filter((participant) => participant.tracks.size > 0).length,
		});
	}

	#tell(event: RoomEvent["event"], participant: Participant, reason?: DisconnectReason): void {
		this.#onEvent({ event, room: this.toInfo(), participant: participant.toInfo(reason) });
	}

	/** As LiveKit: of room and participant no more than says which. */
	#tellOfTrack(event: RoomEvent["event"], { info, publisher }: PublishedTrack): void {
		const room = new RoomInfo({ sid: this.sid, name: this.name });
		this.#onEvent({ event, room, participant: new ParticipantInfo({ sid: publisher.sid, identity: publisher.identity }), track: info });
	}

	#offerToOthers(track: PublishedTrack): void {
		for (const other of this.#participants.values()) if (other !== track.publisher && other.autoSubscribe) this.#subscribe(other, track);
	}

	#takeFromOthers(track: PublishedTrack): void {
		for (const other of this.#participants.values()) this.#unsubscribe(other, track.info.sid);
	}

	#subscribe(participant: Participant, track: PublishedTrack): void {
		if (!participant.grants.canSubscribe || participant === track.publisher || participant.subscriptions.has(track.info.sid)) return;
		if (!lets(track, participant)) {
			this.#withhold(participant, track);
			return;
		}
		participant.subscriptions.add(track.info.sid);
		participant.link.subscribe(track);
		const speaker = this.#speakers.speaking(track.publisher.sid);
		if (speaker !== undefined) participant.link.send({ case: "speakersChanged", value: new SpeakersChanged({ speakers: [speaker] }) });
		if (track.subscribedOnce) return;
		track.subscribedOnce = true;
		track.publisher.link.send({ case: "trackSubscribed", value: new TrackSubscribed({ trackSid: track.info.sid }) });
	}

	#withhold(participant: Participant, track: PublishedTrack): void {
		if (participant.withheld.has(track.info.sid)) return;
		participant.withheld.add(track.info.sid);
		this.#tellAllowed(participant, track, false);
	}

	#tellAllowed({ link }: Participant, { publisher, info }: PublishedTrack, allowed: boolean): void {
		const value = new SubscriptionPermissionUpdate({ participantSid: publisher.sid, trackSid: info.sid, allowed });
		link.send({ case: "subscriptionPermissionUpdate", value });
	}

	#unsubscribe(participant: Participant, trackSid: string): void {
		participant.withheld.delete(trackSid);
		if (participant.subscriptions.delete(trackSid)) participant.link.unsubscribe(trackSid);
	}

	#broadcastInfo(participant: Participant, options: { includeSelf: boolean }): void {
		const message: SignalMessage = { case: "update", value: new ParticipantUpdate({ participants: [participant.toInfo()] }) };
		if (participant.grants.hidden || !participant.active) {
			if (options.includeSelf) participant.link.send(message);
			return;
		}
		this.#broadcast(message, options.includeSelf ? undefined : participant);
	}

	#broadcastRoom(): void {
		if (!this.closed) this.#broadcast({ case: "roomUpdate", value: new RoomUpdate({ room: this.toInfo() }) });
	}

	#broadcast(message: SignalMessage, except?: Participant): void {
		for (const participant of this.#participants.values()) if (participant !== except) participant.link.send(message);
	}
}
