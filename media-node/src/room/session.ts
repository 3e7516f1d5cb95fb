/** A joined room: what the server says becomes events, what a call wants becomes messages. Owns the WebSocket and the peer connections. */
import {
	DataPacket,
	DataPacket_Kind,
	DisconnectReason,
	LeaveRequest,
	LeaveRequest_Action,
	RequestResponse_Reason,
	SipDTMF,
	UpdateParticipantMetadata,
	UpdateSubscription,
} from "@livekit/protocol";
import type { JoinResponse, ParticipantInfo, RequestResponse } from "@livekit/protocol";
import type { RtpPacket } from "@trunkline/rtp";
import type { AudioUplink, RoomCloseReason, RoomEvent, RoomParticipant, RoomSession } from "../call/ports.ts";
import { Downlink, type ReceivingSection } from "./downlink.ts";
import { type MediaConnection, RELIABLE_CHANNEL } from "./media-connection.ts";
import { closeReason, describeLeave } from "./protocol-map.ts";
import { compoundReport, noteSenderReports, REPORT_INTERVAL_MS } from "./reports.ts";
import { Roster, type RosterChange } from "./roster.ts";
import type { SignalConnection, SignalResponseMessage } from "./signalling.ts";
import type { Uplink } from "./uplink.ts";

const REQUEST_TIMEOUT_MS = 5000;

interface PendingRequest {
	attributes: Record<string, string>;
	settle: (error?: Error) => void;
}

export class LiveKitRoomSession implements RoomSession {
	readonly participantSid: string;
	readonly roomSid: string;
	readonly #identity: string;
	readonly #signal: SignalConnection;
	readonly #media: MediaConnection;
	readonly #onEvent: (event: RoomEvent) => void;
	readonly #onAttributes: ((attributes: Readonly<Record<string, string>>) => void) | undefined;
	readonly #roster: Roster;
	readonly #downlink = new Downlink();
	readonly #requests = new Map<number, PendingRequest>();
	#attributes: Readonly<Record<string, string>>;
	#uplink: Uplink | undefined;
	#reportTimer: NodeJS.Timeout | undefined;
	#requestId = 0;
	#dataSequence = 0;
	#closing: Promise<void> | undefined;

	constructor(
		join: JoinResponse,
		signal: SignalConnection,
		media: MediaConnection,
		onEvent: (event: RoomEvent) => void,
		onAttributes?: (attributes: Readonly<Record<string, string>>) => void,
	) {
		this.#signal = signal;
		this.#media = media;
		this.#onEvent = onEvent;
		this.#onAttributes = onAttributes;
		this.participantSid = join.participant?.sid ?? "";
		this.roomSid = join.room?.sid ?? "";
		this.#identity = join.participant?.identity ?? "";
		this.#attributes = join.participant?.attributes ?? {};
		this.#roster = new Roster(this.#identity);
		if (join.pingInterval > 0 && join.pingTimeout > 0) {
			signal.startPings(join.pingInterval * 1000, join.pingTimeout * 1000, () => this.lost("the room server answers no ping"));
		}
	}

	get uplink(): AudioUplink {
		if (this.#uplink === undefined) throw new Error("the track is not published yet");
		return this.#uplink;
	}

	participants(): readonly RoomParticipant[] {
		return this.#roster.participants();
	}

	/** Starts the clocks of a session whose track is up. */
	published(uplink: Uplink, ssrc: number): void {
		this.#uplink = uplink;
		this.#reportTimer = setInterval(() => {
			const compound = compoundReport(uplink, this.#downlink, ssrc, this.participantSid, performance.now(), Date.now());
			if (compound !== undefined) this.#media.publisher.sendRtcp(compound);
		}, REPORT_INTERVAL_MS);
	}

	attributes(): Readonly<Record<string, string>> {
		return this.#attributes;
	}

	async setAttributes(attributes: Record<string, string>): Promise<void> {
		if (this.#closing !== undefined) throw new Error("the room session is closed");
		const requestId = ++this.#requestId;
		await new Promise<void>((resolve, reject) => {
			const timer = setTimeout(() => settle(new Error("the room server did not answer the attribute update")), REQUEST_TIMEOUT_MS);
			const settle = (error?: Error) => {
				clearTimeout(timer);
				this.#requests.delete(requestId);
				if (error === undefined) resolve();
				else reject(error);
			};
			this.#requests.set(requestId, { attributes, settle });
			// an empty name or metadata leaves that as it is
			this.#signal.send({ case: "updateMetadata", value: new UpdateParticipantMetadata({ attributes, requestId }) });
		});
	}

	sendDtmf(code: number, digit: string): void {
		const packet = new DataPacket({
			kind: DataPacket_Kind.RELIABLE,
			participantIdentity: this.#identity,
			participantSid: this.participantSid,
			// receivers drop a reliable packet whose number is not above the last one's
			sequence: ++this.#dataSequence,
			value: { case: "sipDtmf", value: new SipDTMF({ code, digit }) },
		});
		this.#media.sendData(RELIABLE_CHANNEL, packet.toBinary());
	}

	close(): Promise<void> {
		if (this.#closing === undefined) {
			const leave = new LeaveRequest({ reason: DisconnectReason.CLIENT_INITIATED, action: LeaveRequest_Action.DISCONNECT });
			this.#signal.send({ case: "leave", value: leave });
			this.#end("client", "left the room");
		}
		return this.#closing ?? Promise.resolve();
	}

	/** The connection is gone: nothing to take leave of. */
	lost(message: string): void {
		this.#end("connection-lost", message);
	}

	/** Everybody who was in the room before us. */
	welcome(others: readonly ParticipantInfo[]): void {
		this.#update(others);
	}

	onSignal(message: SignalResponseMessage): void {
		if (this.#closing !== undefined) return;
		switch (message.case) {
			case "answer":
				this.#media.onAnswer(message.value);
				break;
			case "offer":
				this.#media.onOffer(message.value);
				break;
			case "trickle":
				this.#media.onTrickle(message.value);
				break;
			case "mediaSectionsRequirement":
				this.#media.onMediaSections(message.value);
				break;
			case "update":
				this.#update(message.value.participants);
				break;
			case "requestResponse":
				this.#answered(message.value);
				break;
			case "leave":
				this.#end(closeReason(message.value), describeLeave(message.value));
				break;
			default:
			// pong, token refreshes, speakers, quality, subscription answers: nothing for a telephone to do
		}
	}

	onRtp(packet: RtpPacket): void {
		this.#downlink.receive(packet, performance.now());
	}

	onRtcp(compound: Uint8Array): void {
		noteSenderReports(compound, this.#downlink, performance.now());
	}

	onData(bytes: Uint8Array): void {
		if (this.#closing !== undefined) return;
		const packet = decodeDataPacket(bytes);
		if (packet?.value.case !== "sipDtmf" || packet.participantIdentity === this.#identity) return;
		this.#onEvent({ type: "dtmf", digits: packet.value.value.digit, participantIdentity: packet.participantIdentity });
	}

	onSections(sections: readonly ReceivingSection[]): void {
		this.#downlink.setSections(sections);
		this.#reconcile();
	}

	#update(infos: readonly ParticipantInfo[]): void {
		for (const info of infos) if (info.sid === this.participantSid) this.#sawOwnAttributes(info.attributes);
		const changes = this.#roster.apply(infos);
		this.#subscribe(changes);
		for (const change of changes) {
			if (change.type === "joined") this.#onEvent({ type: "participant-joined", participant: change.participant });
			else if (change.type === "track-muted") this.#onEvent(change);
		}
		// A track may be described before its owner is, and must be gone before its owner is.
		this.#reconcile();
		for (const change of changes) {
			if (change.type === "left") this.#onEvent({ type: "participant-left", participant: change.participant });
		}
	}

	#subscribe(changes: readonly RosterChange[]): void {
		const trackSids = changes.flatMap((change) => (change.type === "track-added" ? [change.trackSid] : []));
		if (trackSids.length > 0) this.#signal.send({ case: "subscription", value: new UpdateSubscription({ trackSids, subscribe: true }) });
	}

	#reconcile(): void {
		const { added, removed } = this.#downlink.reconcile((trackSid) => this.#roster.ownerOf(trackSid)?.identity);
		for (const trackSid of removed) this.#onEvent({ type: "track-unsubscribed", trackSid });
		for (const track of added) {
			this.#onEvent({ type: "track-subscribed", track });
			if (this.#roster.isMuted(track.trackSid)) this.#onEvent({ type: "track-muted", trackSid: track.trackSid, muted: true });
		}
	}

	#answered(response: RequestResponse): void {
		// QUEUED: the final answer follows
		if (response.reason === RequestResponse_Reason.QUEUED) return;
		const reason = RequestResponse_Reason[response.reason] ?? String(response.reason);
		const error =
			response.reason === RequestResponse_Reason.OK ? undefined : new Error(`the room server refused: ${reason} ${response.message}`);
		this.#requests.get(response.requestId)?.settle(error);
	}

	/** Servers that do not answer requests that succeed show the result in our own ParticipantInfo. */
	#sawOwnAttributes(attributes: Readonly<Record<string, string>>): void {
		this.#attributes = attributes;
		this.#onAttributes?.(attributes);
		for (const request of this.#requests.values()) {
			if (Object.entries(request.attributes).every(([key, value]) => (attributes[key] ?? "") === value)) request.settle();
		}
	}

	#end(reason: RoomCloseReason, message: string): void {
		if (this.#closing !== undefined) return;
		clearInterval(this.#reportTimer);
		this.#closing = Promise.all([this.#signal.close(), this.#media.close()]).then(() => undefined);
		this.#closing.catch(() => undefined);
		for (const request of this.#requests.values()) request.settle(new Error(`the room session ended: ${message}`));
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
