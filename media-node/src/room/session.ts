/** A joined room: what the server says becomes events, what a call wants becomes messages. Owns the WebSocket and the peer connections. */
import {
	DataPacket,
	DataPacket_Kind,
	DisconnectReason,
	LeaveRequest,
	LeaveRequest_Action,
	SipDTMF,
	UpdateParticipantMetadata,
	UpdateSubscription,
} from "@livekit/protocol";
import type { MuteTrackRequest, ParticipantInfo, RoomMovedResponse } from "@livekit/protocol";
import { randomInt } from "node:crypto";
import type { RtpPacket } from "@trunkline/rtp";
import type { AudioUplink, JoinOptions, RoomCloseReason, RoomCodec, RoomEvent, RoomParticipant, RoomSession } from "../call/ports.ts";
import { Audible, type AudibleChange } from "./audible.ts";
import { Downlink, type ReceivingSection } from "./downlink.ts";
import type { JoinTokens } from "./join-tokens.ts";
import { type PublishedTrack, RELIABLE_CHANNEL } from "./media-connection.ts";
import { OwnAttributes } from "./own-attributes.ts";
import { closeReason, describeLeave } from "./protocol-map.ts";
import { isFinal, Recovering } from "./recovering.ts";
import { Recovery, type Return } from "./recovery.ts";
import { compoundReport, noteSenderReports, REPORT_INTERVAL_MS } from "./reports.ts";
import type { ConnectionSink, RoomConnection } from "./room-connection.ts";
import { Roster, type RosterChange } from "./roster.ts";
import { RpcResponder } from "./rpc.ts";
import { SignalOpenError, type SignalResponseMessage } from "./signalling.ts";
import { Uplink, type UplinkStream } from "./uplink.ts";

/** Digits and RPC answers that wait for the room to come back. */
const MAX_WAITING_DATA = 64;

export interface SessionOptions extends Pick<JoinOptions, "onEvent" | "onAttributes" | "onRpc"> {
	tokens: JoinTokens;
	/** how long the room may be gone, ms; 0: the session ends with its connection */
	recoveryMs: number;
	/** Joins anew, and publishes with that codec; `url` where it is another than at first. */
	rejoin(terms: { codec: RoomCodec; token: string; url: string | undefined; muted: boolean }, signal: AbortSignal): Promise<RoomConnection>;
	/** what our track is to others, by that connection */
	stream(connection: RoomConnection, track: PublishedTrack): UplinkStream & { codec: RoomCodec };
}

export const SEALED = "the room's audio is encrypted from end to end, and a telephone has no key to it";

export class LiveKitRoomSession implements RoomSession {
	roomSid: string;
	readonly #identity: string;
	readonly #options: SessionOptions;
	readonly #onEvent: (event: RoomEvent) => void;
	readonly #roster: Roster;
	readonly #audible = new Audible();
	readonly #downlink = new Downlink();
	readonly #rpc: RpcResponder;
	readonly #recovering: Recovering;
	readonly #waitingData: DataPacket[] = [];
	#connection: RoomConnection;
	#participantSid: string;
	#ssrc = 0;
	/** where the server would have us go instead */
	#regionUrls: readonly string[] = [];
	readonly #attributes: OwnAttributes;
	#uplink: Uplink | undefined;
	/** by the server */
	#isMuted = false;
	#reportTimer: NodeJS.Timeout | undefined;
	#dataSequence = 0;
	#closing: Promise<void> | undefined;

	constructor(connection: RoomConnection, options: SessionOptions) {
		const { join } = connection;
		this.#connection = connection;
		this.#options = options;
		this.#onEvent = options.onEvent;
		this.#participantSid = join.participant?.sid ?? "";
		this.roomSid = join.room?.sid ?? "";
		this.#identity = join.participant?.identity ?? "";
		this.#attributes = new OwnAttributes(join.participant?.attributes ?? {}, {
			// an empty name or metadata leaves that as it is
			send: (attributes, requestId) =>
				this.#connection.send({ case: "updateMetadata", value: new UpdateParticipantMetadata({ attributes, requestId }) }),
			onChanged: options.onAttributes,
		});
		this.#roster = new Roster(this.#identity);
		this.#rpc = new RpcResponder(options.onRpc, (packet) => this.#sendData(packet));
		this.#recovering = new Recovering({
			recovery: new Recovery(options.recoveryMs, Math.random),
			attempt: (how, attempt, signal) => (how === "resume" ? this.#resume(signal) : this.#rejoin(attempt, signal)),
			restored: (how, afterMs) => this.#restored(how, afterMs),
			giveUp: (reason, message) => this.#end(reason, message),
		});
		this.#update(join.otherParticipants);
		connection.attach(this.#sinkOf(connection));
	}

	get participantSid(): string {
		return this.#participantSid;
	}

	get uplink(): AudioUplink {
		if (this.#uplink === undefined) throw new Error("the track is not published yet");
		return this.#uplink;
	}

	participants(): readonly RoomParticipant[] {
		return this.#roster.participants();
	}

	/** Starts the clocks of a session whose track is up. */
	published(track: PublishedTrack): void {
		const stream = this.#options.stream(this.#connection, track);
		this.#ssrc = stream.ssrc;
		const uplink = new Uplink({
			...stream,
			...{ sequence: randomInt(0x8000), timestamp: randomInt(0x1_0000_0000) },
			now: () => performance.now(),
			send: (payload, header) => this.#connection.media.publisher.sendRtp(header, payload),
		});
		uplink.mute(this.#isMuted);
		this.#uplink = uplink;
		this.#reportTimer = setInterval(() => {
			const compound = compoundReport(uplink, this.#downlink, this.#ssrc, this.participantSid, performance.now(), Date.now());
			if (compound !== undefined) this.#connection.media.publisher.sendRtcp(compound);
		}, REPORT_INTERVAL_MS);
	}

	attributes(): Readonly<Record<string, string>> {
		return this.#attributes.known;
	}

	async setAttributes(attributes: Record<string, string>): Promise<void> {
		if (this.#closing !== undefined) throw new Error("the room session is closed");
		await this.#attributes.set(attributes);
	}

	sendDtmf(code: number, digit: string): void {
		this.#sendData(new DataPacket({ kind: DataPacket_Kind.RELIABLE, value: { case: "sipDtmf", value: new SipDTMF({ code, digit }) } }));
	}

	#sendData(packet: DataPacket): void {
		if (this.#recovering.isUnderWay) {
			if (this.#waitingData.length < MAX_WAITING_DATA) this.#waitingData.push(packet);
			return;
		}
		packet.participantIdentity = this.#identity;
		packet.participantSid = this.participantSid;
		// receivers drop a reliable packet whose number is not above the last one's
		packet.sequence = ++this.#dataSequence;
		this.#connection.media.sendData(RELIABLE_CHANNEL, packet.toBinary());
	}

	close(): Promise<void> {
		this.#leave("client", "left the room");
		return this.#closing ?? Promise.resolve();
	}

	#leave(reason: RoomCloseReason, message: string): void {
		if (this.#closing !== undefined) return;
		const leave = new LeaveRequest({ reason: DisconnectReason.CLIENT_INITIATED, action: LeaveRequest_Action.DISCONNECT });
		this.#connection.send({ case: "leave", value: leave });
		this.#end(reason, message);
	}

	#sinkOf(connection: RoomConnection): ConnectionSink {
		const isCurrent = () => this.#connection === connection && this.#closing === undefined;
		return {
			message: (message) => {
				if (isCurrent()) this.#onSignal(message);
			},
			lost: (what, message) => {
				if (isCurrent()) this.#lost(what === "media" ? "rejoin" : "resume", "connection-lost", message);
			},
			sections: (sections) => {
				if (isCurrent()) this.#onSections(sections);
			},
			rtp: (packet) => {
				if (this.#connection === connection) this.#onRtp(packet);
			},
			rtcp: (compound) => {
				if (this.#connection === connection) this.#onRtcp(compound);
			},
			data: (bytes) => {
				if (isCurrent()) this.#onData(bytes);
			},
		};
	}

	/** Before our track is there the join has failed; after that the room is sought again. */
	#lost(how: Return, reason: RoomCloseReason, message: string): void {
		if (this.#uplink === undefined) this.#end(reason, message);
		else if (this.#recovering.lost(how, reason, message) && this.#options.recoveryMs > 0) this.#onEvent({ type: "interrupted", message });
	}

	async #resume(signal: AbortSignal): Promise<void> {
		const token = await this.#options.tokens.current(Date.now());
		await this.#connection.resume(token, this.#audible.trackSids(), signal);
	}

	async #rejoin(attempt: number, signal: AbortSignal): Promise<void> {
		const uplink = this.#uplink;
		if (uplink === undefined) throw new Error("there is no track to publish again");
		await this.#connection.close();
		// its own address now and then, too: a region that is named may be gone by now
		const url = this.#regionUrls[(attempt - 1) % (this.#regionUrls.length + 1)];
		const connection = await this.#joinAgain(uplink.codec, url, signal);
		if (this.#closing !== undefined) return connection.close();
		this.#connection = connection;
		const { participant, otherParticipants } = connection.join;
		this.#participantSid = participant?.sid ?? "";
		this.#dataSequence = 0;
		this.#downlink.clear();
		this.#reconcile();
		this.#tell(this.#roster.replace(otherParticipants), "anew");
		connection.attach(this.#sinkOf(connection));
		const track = await connection.ready(signal);
		const stream = this.#options.stream(connection, track);
		this.#ssrc = stream.ssrc;
		uplink.changeTo(stream);
	}

	async #joinAgain(codec: RoomCodec, url: string | undefined, signal: AbortSignal): Promise<RoomConnection> {
		const { tokens, rejoin } = this.#options;
		const token = await tokens.fresh(Date.now());
		try {
			return await rejoin({ codec, token, url, muted: this.#isMuted }, signal);
		} catch (error) {
			const isRefused = error instanceof SignalOpenError && (error.status === 401 || error.status === 403);
			if (!isRefused || !tokens.refused(token)) throw error;
		}
		return rejoin({ codec, token: await tokens.fresh(Date.now()), url, muted: this.#isMuted }, signal);
	}

	#restored(how: Return, afterMs: number): void {
		this.#regionUrls = [];
		// what the token of the join says may be old by now
		if (how === "rejoin") this.#attributes.keep(this.#connection.join.participant?.attributes ?? {});
		this.#attributes.sendAgain();
		for (const packet of this.#waitingData.splice(0)) this.#sendData(packet);
		this.#onEvent({ type: "restored", how, afterMs, participantSid: this.participantSid });
	}

	#onLeave(leave: LeaveRequest): void {
		const reason = closeReason(leave);
		const message = describeLeave(leave);
		this.#regionUrls = (leave.regions?.regions ?? []).map(({ url }) => url).filter((url) => url !== "");
		if (leave.action === LeaveRequest_Action.RESUME) this.#lost("resume", reason, message);
		else if (leave.action === LeaveRequest_Action.RECONNECT || leave.canReconnect) this.#lost("rejoin", reason, message);
		else if (isFinal(reason)) this.#end(reason, message);
		else this.#lost("rejoin", reason, message);
	}

	/** MoveParticipant: the connections stay, the room and everybody in it are others. */
	#onMoved({ room, token, participant, otherParticipants }: RoomMovedResponse): void {
		this.#options.tokens.moveTo(token);
		this.roomSid = room?.sid ?? this.roomSid;
		if (participant !== undefined) this.#participantSid = participant.sid;
		this.#tell(this.#roster.replace(otherParticipants), "anew");
		this.#attributes.keep(participant?.attributes ?? {});
		this.#onEvent({ type: "room-moved", roomName: room?.name ?? "", participantSid: this.participantSid });
	}

	/** Somebody who may has muted the telephone in the room, or lets it speak again. The server, and others, see that it was done. */
	#onMute(request: MuteTrackRequest): void {
		this.#isMuted = request.muted;
		this.#uplink?.mute(request.muted);
		this.#connection.send({ case: "mute", value: request });
	}

	#onSignal(message: SignalResponseMessage): void {
		const media = this.#connection.media;
		switch (message.case) {
			case "answer":
				media.onAnswer(message.value);
				break;
			case "offer":
				media.onOffer(message.value);
				break;
			case "trickle":
				media.onTrickle(message.value);
				break;
			case "mediaSectionsRequirement":
				media.onMediaSections(message.value);
				break;
			case "update":
				this.#update(message.value.participants);
				break;
			case "requestResponse":
				this.#attributes.answered(message.value);
				break;
			case "leave":
				this.#onLeave(message.value);
				break;
			case "refreshToken":
				this.#options.tokens.refresh(message.value);
				break;
			case "mute":
				this.#onMute(message.value);
				break;
			case "roomMoved":
				this.#onMoved(message.value);
				break;
			case "speakersChanged":
				this.#subscribe(message.value.speakers.map(({ sid, active }) => this.#audible.spoke(sid, active, performance.now())));
				this.#reconcile();
				break;
			default:
			// pong, quality, subscription answers: nothing for a telephone to do
		}
	}

	#onRtp(packet: RtpPacket): void {
		this.#downlink.receive(packet, performance.now());
	}

	#onRtcp(compound: Uint8Array): void {
		noteSenderReports(compound, this.#downlink, performance.now());
	}

	#onData(bytes: Uint8Array): void {
		const packet = decodeDataPacket(bytes);
		if (packet === undefined || packet.participantIdentity === this.#identity) return;
		if (packet.value.case === "rpcRequest") void this.#rpc.answer(packet.value.value, packet.participantIdentity);
		if (packet.value.case !== "sipDtmf") return;
		this.#onEvent({ type: "dtmf", digits: packet.value.value.digit, participantIdentity: packet.participantIdentity });
	}

	#onSections(sections: readonly ReceivingSection[]): void {
		this.#downlink.setSections(sections);
		this.#reconcile();
	}

	#update(infos: readonly ParticipantInfo[]): void {
		for (const info of infos) if (info.sid === this.participantSid) this.#attributes.saw(info.attributes);
		this.#tell(this.#roster.apply(infos));
	}

	/** `anew`: the server knows of no subscription of ours. */
	#tell(changes: readonly RosterChange[], anew?: "anew"): void {
		const heard = changes.map((change) => this.#heard(change, performance.now()));
		this.#subscribe(anew === undefined ? heard : [{ subscribe: this.#audible.trackSids(), unsubscribe: [] }]);
		for (const change of changes) {
			if (change.type === "joined") this.#onEvent({ type: "participant-joined", participant: change.participant });
			else if (change.type === "track-muted") this.#onEvent(change);
			else if (change.type === "track-encrypted")
				this.#onEvent({ type: "track-encrypted", participantIdentity: change.participant.identity });
		}
		// A track may be described before its owner is, and must be gone before its owner is.
		this.#reconcile();
		for (const change of changes) {
			if (change.type === "left") this.#onEvent({ type: "participant-left", participant: change.participant });
		}
		if (this.#roster.isSealed) this.#leave("encrypted", SEALED);
	}

	#heard(change: RosterChange, nowMs: number): AudibleChange {
		switch (change.type) {
			case "track-added":
				return this.#audible.added(change.trackSid, change.participant, this.#roster.isMuted(change.trackSid), nowMs);
			case "track-removed":
				return this.#audible.removed(change.trackSid);
			case "track-muted":
				return this.#audible.muted(change.trackSid, change.muted, nowMs);
			default:
				return { subscribe: [], unsubscribe: [] };
		}
	}

	/** What several changes come to: who got a place may have lost it again. */
	#subscribe(changes: readonly AudibleChange[]): void {
		const heard = new Set(this.#audible.trackSids());
		const send = (trackSids: string[], subscribe: boolean): void => {
			if (trackSids.length > 0)
				this.#connection.send({ case: "subscription", value: new UpdateSubscription({ trackSids: [...new Set(trackSids)], subscribe }) });
		};
		send(
			changes.flatMap(({ unsubscribe }) => unsubscribe).filter((sid) => !heard.has(sid)),
			false,
		);
		send(
			changes.flatMap(({ subscribe }) => subscribe).filter((sid) => heard.has(sid)),
			true,
		);
	}

	#reconcile(): void {
		const { added, removed } = this.#downlink.reconcile((trackSid) =>
			this.#audible.hears(trackSid) ? this.#roster.ownerOf(trackSid)?.identity : undefined,
		);
		for (const trackSid of removed) this.#onEvent({ type: "track-unsubscribed", trackSid });
		for (const track of added) {
			this.#onEvent({ type: "track-subscribed", track });
			if (this.#roster.isMuted(track.trackSid)) this.#onEvent({ type: "track-muted", trackSid: track.trackSid, muted: true });
		}
	}

	#end(reason: RoomCloseReason, message: string): void {
		if (this.#closing !== undefined) return;
		clearInterval(this.#reportTimer);
		this.#recovering.stop();
		this.#closing = this.#connection.close();
		this.#attributes.end(message);
		this.#onEvent({ type: "closed", reason, message });
	}
}

function decodeDataPacket(bytes: Uint8Array): DataPacket | undefined {
	try {
		return DataPacket.fromBinary(bytes);
	} catch {
		return undefined;
	}
}
