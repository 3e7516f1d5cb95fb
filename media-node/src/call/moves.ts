import type { CallRooms } from "./call-rooms.ts";
import type { MediaSession } from "./ports.ts";
import type { RoomLink } from "./room-link.ts";
import type { RoomIdentity } from "./room-identity.ts";
import type { DialledLeg, DialSecondLeg, SecondLegRequest } from "./second-leg-types.ts";
import type { CallEvent } from "./state.ts";

export interface MovesOptions {
	rooms: CallRooms;
	media(): MediaSession | undefined;
	join(link: RoomLink, identity: RoomIdentity): Promise<unknown>;
	dispatch(event: CallEvent): void;
	run(what: string, work: Promise<unknown>): void;
}

/** A call that goes to another room, or to another telephone, while its own telephone leg stays up. */
export class Moves {
	readonly #options: MovesOptions;
	#dialled: DialledLeg | undefined;
	/** the room that the call was moved to */
	#movedTo: string | undefined;

	constructor(options: MovesOptions) {
		this.#options = options;
	}

	/** Calls somebody beside the room that the call is in; `target-*` events tell how it goes. */
	dialTarget(dial: DialSecondLeg | undefined, request: SecondLegRequest): void {
		const { rooms, dispatch, run } = this.#options;
		const link = dial === undefined ? undefined : rooms.prepare();
		if (dial === undefined || link === undefined) {
			const message = dial === undefined ? "this node joins no calls" : "the call is being moved to another room";
			return dispatch({ type: "target-failed", end: { by: "node", reason: "internal-error", message } });
		}
		this.#dialled = dial(request, (event) => {
			// Of one that was given up: there may be another by now.
			if (!rooms.isPrepared(link)) return;
			if (event.type === "target-failed") rooms.abandon();
			dispatch(event);
		});
		const nowhere = { url: "", token: "", publishCodecs: ["PCMU"], trackName: "", place: request.place } as const;
		run("joining the second leg", link.join(this.#dialled.rooms, nowhere));
	}

	/** The two telephones hear each other, and the room is left. */
	joinTarget(): void {
		const { rooms, media, dispatch } = this.#options;
		if (!rooms.change(media())) dispatch({ type: "fault", message: "a second leg was answered that is not there" });
	}

	/** The target has the room from now on, and the participant in it; this call's telephone is in none. */
	giveRoom(identity: RoomIdentity): void {
		const { rooms, dispatch } = this.#options;
		const dialled = this.#dialled;
		if (dialled?.takeRoom({ link: rooms.give(), identity: { ...identity, roomName: this.#movedTo ?? identity.roomName } }) !== true)
			dispatch({ type: "fault", message: "a second leg was answered that is not there" });
		rooms.abandon();
	}

	/** Joins the other room, changes over, leaves the one before; `moved` or `move-failed` comes back. */
	toRoom(identity: RoomIdentity): void {
		this.#options.run("moving to another room", this.#toRoom(identity));
	}

	async #toRoom(identity: RoomIdentity): Promise<void> {
		const { rooms, media, join, dispatch } = this.#options;
		const link = rooms.prepare();
		if (link === undefined) return dispatch({ type: "move-failed", message: "the call is being joined to somebody else, or is over" });
		try {
			await join(link, identity);
		} catch (error) {
			rooms.abandon();
			return dispatch({ type: "move-failed", message: error instanceof Error ? error.message : String(error) });
		}
		const { session } = link;
		if (session === undefined || !rooms.change(media())) return dispatch({ type: "move-failed", message: "the call ended meanwhile" });
		this.#movedTo = identity.roomName;
		dispatch({ type: "moved", roomName: identity.roomName, participantId: session.participantSid });
	}
}
