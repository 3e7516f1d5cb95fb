import type { CallRooms } from "./call-rooms.ts";
import type { MediaSession } from "./ports.ts";
import type { RoomLink } from "./room-link.ts";
import type { RoomIdentity } from "./room-identity.ts";
import type { DialSecondLeg, SecondLegRequest } from "./second-leg-types.ts";
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
		run("joining the second leg", link.join(dial(request, dispatch), { url: "", token: "", publishCodecs: ["PCMU"], trackName: "" }));
	}

	/** The two telephones hear each other, and the room is left. */
	joinTarget(): void {
		const { rooms, media, dispatch } = this.#options;
		if (!rooms.change(media())) dispatch({ type: "fault", message: "a second leg was answered that is not there" });
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
		dispatch({ type: "moved", roomName: identity.roomName, participantId: session.participantSid });
	}
}
