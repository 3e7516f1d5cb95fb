import type { MediaSession, RoomEvent } from "./ports.ts";
import { RoomLink, type RoomLinkOptions } from "./room-link.ts";

/**
 * The room that a call is in, and the one it goes to while the telephone leg stays up: the next one is joined beside the current one, and the audio changes
 * over from one packet to the next.
 */
export class CallRooms {
	readonly #options: RoomLinkOptions;
	#current: RoomLink;
	#next: RoomLink | undefined;
	#left: Promise<unknown> = Promise.resolve();

	/** `onEvent` is told of the current room alone. */
	constructor(options: RoomLinkOptions) {
		this.#options = options;
		this.#current = this.#newLink();
	}

	get current(): RoomLink {
		return this.#current;
	}

	/** A link for the next room, not joined yet; undefined while there is one already, or when the call has left its rooms. */
	prepare(): RoomLink | undefined {
		if (this.#next !== undefined || this.#current.left) return undefined;
		this.#next = this.#newLink();
		return this.#next;
	}

	/** False once it is the current one, or not wanted any more. */
	isPrepared(link: RoomLink): boolean {
		return this.#next === link;
	}

	/** The prepared room is the current one from now on, and the one before is left. False: nothing is prepared, or it is not joined. */
	change(media: MediaSession | undefined): boolean {
		const next = this.#next;
		if (next?.session === undefined || media === undefined) return false;
		this.#next = undefined;
		this.#changeTo(next, media);
		return true;
	}

	/** The room goes to another call, with the participant in it; this one is in none any more. */
	give(): RoomLink {
		const given = this.#current;
		given.unbridge();
		this.#current = this.#newLink();
		this.#current.leave();
		return given;
	}

	/** Another call's room in the place of the current one, which is left. */
	take(given: RoomLink, media: MediaSession): void {
		given.giveTo(this.#optionsOf(() => given));
		this.#changeTo(given, media);
	}

	/** The prepared room is not wanted any more. */
	abandon(): void {
		const next = this.#next;
		this.#next = undefined;
		next?.leave();
		if (next !== undefined) this.#left = Promise.all([this.#left, next.gone]);
	}

	/** Idempotent. */
	leave(): void {
		this.abandon();
		this.#current.leave();
	}

	/** All rooms that were left are. */
	get gone(): Promise<unknown> {
		return Promise.all([this.#left, this.#current.gone]);
	}

	#changeTo(next: RoomLink, media: MediaSession): void {
		const previous = this.#current;
		this.#current = next;
		previous.unbridge();
		next.bridge(media);
		previous.leave();
		this.#left = Promise.all([this.#left, previous.gone]);
	}

	#newLink(): RoomLink {
		const link: RoomLink = new RoomLink(this.#optionsOf(() => link));
		return link;
	}

	#optionsOf(link: () => RoomLink): RoomLinkOptions {
		return {
			...this.#options,
			onEvent: (event: RoomEvent) => {
				if (this.#current === link()) this.#options.onEvent(event);
			},
		};
	}
}
