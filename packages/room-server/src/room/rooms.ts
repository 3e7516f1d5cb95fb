import { DisconnectReason } from "@livekit/protocol";
import { limits } from "../limits.ts";
import type { RoomObserver } from "./events.ts";
import type { Participant } from "./participant.ts";
import { Room } from "./room.ts";

export interface RoomsOptions {
	emptyTimeoutMs: number;
	departureTimeoutMs: number;
	/** Unix time, ms */
	now: () => number;
	/** hears of rooms, participants and tracks */
	onEvent?: RoomObserver;
}

/** How a room is to be made; what is 0 or unset takes the server's defaults. */
export interface RoomRequest {
	name: string;
	metadata?: string;
	maxParticipants?: number;
	emptyTimeoutMs?: number;
	departureTimeoutMs?: number;
}

/** ms; setTimeout counts in 31 bits, and takes what is longer for 1 ms */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** All rooms, by name; closes those that stay empty. */
export class Rooms {
	readonly #options: RoomsOptions;
	readonly #rooms = new Map<string, Room>();
	readonly #closing = new Map<Room, NodeJS.Timeout>();

	constructor(options: RoomsOptions) {
		this.#options = options;
	}

	get full(): boolean {
		return this.#rooms.size >= limits.rooms;
	}

	all(): Room[] {
		return [...this.#rooms.values()];
	}

	get(name: string): Room | undefined {
		return this.#rooms.get(name);
	}

	getOrCreate(request: RoomRequest): Room {
		const known = this.#rooms.get(request.name);
		if (known !== undefined) return known;
		const { emptyTimeoutMs, departureTimeoutMs, now, onEvent } = this.#options;
		const room = new Room({
			name: request.name,
			metadata: request.metadata ?? "",
			maxParticipants: request.maxParticipants ?? 0,
			emptyTimeoutMs: request.emptyTimeoutMs || emptyTimeoutMs,
			departureTimeoutMs: request.departureTimeoutMs || departureTimeoutMs,
			createdAt: now(),
			...(onEvent === undefined ? {} : { onEvent }),
		});
		this.#rooms.set(room.name, room);
		this.#closeWhenEmpty(room, room.emptyTimeoutMs);
		onEvent?.({ event: "room_started", room: room.toInfo() });
		return room;
	}

	delete(room: Room, reason: DisconnectReason): void {
		if (room.closed) return;
		if (this.#rooms.get(room.name) === room) this.#rooms.delete(room.name);
		clearTimeout(this.#closing.get(room));
		this.#closing.delete(room);
		room.close(reason);
		this.#options.onEvent?.({ event: "room_finished", room: room.toInfo() });
	}

	/**
	 * Takes somebody from one room to another, with what they publish; their connection stays. To others they leave the one and join the other. `token`
	 * is what their client comes back with. The rooms are not the same, and there is a place in the second one.
	 */
	move(participant: Participant, from: Room, to: Room, token: string): void {
		const { active } = participant;
		const tracks = [...participant.tracks.values()];
		from.setSubscribed(participant, [...participant.subscriptions, ...participant.withheld], false);
		from.leave(participant, DisconnectReason.CLIENT_INITIATED);
		participant.grants.room = to.name;
		for (const track of tracks) {
			track.subscribedOnce = false;
			participant.tracks.set(track.info.sid, track);
		}
		to.join(participant);
		participant.link.moved(to.name, token);
		to.subscribeToExisting(participant);
		if (active) to.activate(participant);
		this.onDeparture(from);
	}

	/** Somebody has left the room. */
	onDeparture(room: Room): void {
		if (room.size === 0 && !room.closed) this.#closeWhenEmpty(room, room.departureTimeoutMs);
	}

	updateSpeakers(): void {
		for (const room of this.#rooms.values()) room.updateSpeakers();
	}

	close(reason: DisconnectReason): void {
		for (const room of this.all()) this.delete(room, reason);
	}

	#closeWhenEmpty(room: Room, afterMs: number): void {
		clearTimeout(this.#closing.get(room));
		const timer = setTimeout(
			() => {
				this.#closing.delete(room);
				if (afterMs > LONGEST_TIMER_MS) {
					this.#closeWhenEmpty(room, afterMs - LONGEST_TIMER_MS);
					return;
				}
				// nobody is in it who could be told why
				if (room.size === 0) this.delete(room, DisconnectReason.ROOM_CLOSED);
			},
			Math.min(afterMs, LONGEST_TIMER_MS),
		);
		this.#closing.set(room, timer.unref());
	}
}
