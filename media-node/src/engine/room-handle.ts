import type { AudioUplink, JoinOptions, RemoteAudioTrack, RoomCodec, RoomEvent, RoomParticipant, RoomSession } from "../call/ports.ts";
import { RoomRpcError } from "../call/ports.ts";
import type { JoinedRoom, Place, RoomQuestion, WireRoomEvent } from "./protocol.ts";
import type { WorkerLine } from "./worker-line.ts";

/** A room session that lives in a worker. */
export class RoomHandle implements RoomSession {
	participantSid = "";
	roomSid = "";
	readonly #worker: WorkerLine;
	readonly #room: number;
	readonly #options: JoinOptions;
	readonly #onClosed: () => void;
	readonly #participants = new Map<string, RoomParticipant>();
	#attributes: Readonly<Record<string, string>> = {};
	#uplink: UplinkHandle | undefined;
	#phase: "joining" | "joined" | "closed" = "joining";
	#leaving: Promise<void> | undefined;

	constructor(worker: WorkerLine, room: number, options: JoinOptions, onClosed: () => void) {
		this.#worker = worker;
		this.#room = room;
		this.#options = options;
		this.#onClosed = onClosed;
	}

	get uplink(): AudioUplink {
		if (this.#uplink === undefined) throw new Error("the room is not joined yet");
		return this.#uplink;
	}

	participants(): readonly RoomParticipant[] {
		return [...this.#participants.values()];
	}

	attributes(): Readonly<Record<string, string>> {
		return this.#attributes;
	}

	async setAttributes(attributes: Record<string, string>): Promise<void> {
		if (this.#phase === "closed") throw new Error("the room session is closed");
		await this.#worker.ask((request) => ({ to: "set-attributes", request, room: this.#room, attributes }));
	}

	sendDtmf(code: number, digit: string): void {
		this.#worker.post({ to: "dtmf", room: this.#room, code, digit });
	}

	close(): Promise<void> {
		this.#leaving ??= this.#leave();
		return this.#leaving;
	}

	joined({ participantSid, roomSid, codec, takesG711, participants, attributes }: JoinedRoom): void {
		this.participantSid = participantSid;
		this.roomSid = roomSid;
		this.#uplink = new UplinkHandle(this.#worker, { room: this.#room }, codec, takesG711);
		for (const participant of participants) this.#participants.set(participant.sid, participant);
		this.#attributes = attributes;
		if (this.#phase === "joining") this.#phase = "joined";
	}

	/** The join did not come about. */
	failed(): void {
		this.#closed();
	}

	tell(event: WireRoomEvent): void {
		if (event.type === "participant-joined") this.#participants.set(event.participant.sid, event.participant);
		if (event.type === "restored" || event.type === "room-moved") this.participantSid = event.participantSid;
		if (event.type === "participant-left") this.#participants.delete(event.participant.sid);
		this.#options.onEvent(this.#eventOf(event));
		if (event.type === "closed") this.#closed();
	}

	/** Something that only this thread knows. */
	asked(question: number, what: RoomQuestion): void {
		const { renewToken, onRpc } = this.#options;
		const work = what.ask === "token" ? renewToken?.() : onRpc?.(what.method, what.payload, what.callerIdentity);
		(work ?? Promise.reject(new Error("nobody answers that"))).then(
			(value) => this.#worker.post({ to: "answer", question, answer: { value } }),
			(error: unknown) => {
				const code = error instanceof RoomRpcError ? error.code : undefined;
				this.#worker.post({ to: "answer", question, answer: { code, message: error instanceof Error ? error.message : String(error) } });
			},
		);
	}

	sawAttributes(attributes: Readonly<Record<string, string>>): void {
		this.#attributes = attributes;
		this.#options.onAttributes?.(attributes);
	}

	/** The worker has gone. A join that is under way fails by itself. */
	lost(message: string): void {
		if (this.#phase === "joined" && this.#leaving === undefined)
			this.#options.onEvent({ type: "closed", reason: "connection-lost", message });
		this.#closed();
	}

	#eventOf(event: WireRoomEvent): RoomEvent {
		if (event.type !== "track-subscribed") return event;
		const { trackSid, participantIdentity } = event;
		return { type: "track-subscribed", track: new TrackHandle(this.#worker, { room: this.#room, trackSid }, participantIdentity) };
	}

	async #leave(): Promise<void> {
		if (this.#phase === "closed") return;
		// A worker that has gone has left.
		await this.#worker.ask((request) => ({ to: "leave", request, room: this.#room })).catch(() => undefined);
		this.#closed();
	}

	#closed(): void {
		if (this.#phase === "closed") return;
		this.#phase = "closed";
		this.#onClosed();
	}
}

/** Stands for a published track; audio is plugged together in the worker. */
class UplinkHandle implements AudioUplink {
	readonly worker: WorkerLine;
	readonly place: Place;
	readonly codec: RoomCodec;
	readonly takesG711?: boolean;

	constructor(worker: WorkerLine, place: Place, codec: RoomCodec, takesG711: boolean | undefined) {
		this.worker = worker;
		this.place = place;
		this.codec = codec;
		if (takesG711 !== undefined) this.takesG711 = takesG711;
	}

	write(): never {
		throw new Error("audio does not cross threads");
	}
}

class TrackHandle implements RemoteAudioTrack {
	readonly worker: WorkerLine;
	readonly place: Place;
	readonly trackSid: string;
	readonly participantIdentity: string;

	constructor(worker: WorkerLine, place: Place & { trackSid: string }, participantIdentity: string) {
		this.worker = worker;
		this.place = place;
		this.trackSid = place.trackSid;
		this.participantIdentity = participantIdentity;
	}

	onFrame(): never {
		throw new Error("audio does not cross threads");
	}
}

/**
 * Where in that worker an uplink or a track is. Throws for one that is not there: it cannot be plugged in. Each worker counts its rooms by itself, so that
 * another one's number would be the room of somebody else's call.
 */
export function placeOf(end: AudioUplink | RemoteAudioTrack, worker: WorkerLine): Place {
	if (!(end instanceof UplinkHandle || end instanceof TrackHandle))
		throw new Error("audio that is not in a media worker cannot be plugged in there");
	if (end.worker !== worker) throw new Error("audio in another media worker cannot be plugged in here");
	return end.place;
}
