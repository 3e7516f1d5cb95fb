import type { DisconnectReason } from "@livekit/protocol";
import { limits } from "../limits.ts";
import { Room } from "./room.ts";

export interface RoomsOptions {
	emptyTimeoutMs: number;
	departureTimeoutMs: number;
	/** Unix time, ms */
	now: () => number;
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
		const { emptyTimeoutMs, departureTimeoutMs, now } = this.#options;
		const room = new Room({
			name: request.name,
			metadata: request.metadata ?? "",
			maxParticipants: request.maxParticipants ?? 0,
			emptyTimeoutMs: request.emptyTimeoutMs || emptyTimeoutMs,
			departureTimeoutMs: request.departureTimeoutMs || departureTimeoutMs,
			createdAt: now(),
		});
		this.#rooms.set(room.name, room);
		this.#closeWhenEmpty(room, room.emptyTimeoutMs);
		return room;
	}

	delete(room: Room, reason: DisconnectReason): void {
		if (this.#rooms.get(room.name) === room) this.#rooms.delete(room.name);
		clearTimeout(this.#closing.get(room));
		this.#closing.delete(room);
		room.close(reason);
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
				// nobody is in it who could be told
				if (room.size === 0 && this.#rooms.get(room.name) === room) {
					this.#rooms.delete(room.name);
					room.closed = true;
				}
			},
			Math.min(afterMs, LONGEST_TIMER_MS),
		);
		this.#closing.set(room, timer.unref());
	}
}
