import type { TransferCommand } from "@trunkline/domain";
import type { CallDeps, Referrer } from "./call-deps.ts";
import type { CallRooms } from "./call-rooms.ts";
import { Moves } from "./moves.ts";
import type { HoldMusic, MediaSession } from "./ports.ts";
import { referHeaders } from "./refer-headers.ts";
import type { RoomIdentity } from "./room-identity.ts";
import type { RoomLink } from "./room-link.ts";
import type { CallEvent, Effect } from "./state.ts";
import { countryOf } from "./tone-country.ts";

export interface TransferringCall {
	callId: string;
	deps: CallDeps;
	rooms: CallRooms;
	media(): MediaSession | undefined;
	referrer(): Referrer;
	projectId(): string;
	roomIdentity(): RoomIdentity;
	/** where a target is dialled when the peer refuses REFER */
	bridgeTrunkId(): string | undefined;
	join(link: RoomLink, identity: RoomIdentity): Promise<unknown>;
	dispatch(event: CallEvent): void;
	run(what: string, work: Promise<unknown>): void;
}

/** Carries out what transfers, moves and holds want done. */
export class Transferring {
	readonly #call: TransferringCall;
	readonly #moves: Moves;
	#stopDialtone: (() => void) | undefined;
	#stopMusic: (() => void) | undefined;

	constructor(call: TransferringCall) {
		this.#call = call;
		this.#moves = new Moves(call);
	}

	/** False: the effect is none of these. */
	perform(effect: Effect): boolean {
		const { leg } = this.#call.referrer();
		switch (effect.do) {
			case "dialtone":
				this.#dialtone(effect.on);
				return true;
			case "music":
				this.#music(effect.music);
				return true;
			case "suppress":
				this.#call.media()?.setNoiseSuppression(effect.wanted);
				return true;
			case "refer":
				this.#refer(effect.command);
				return true;
			case "answer-notify":
				leg?.respond(effect.transaction, effect.status);
				return true;
			case "answer-refer":
				leg?.respond(effect.transaction, effect.status, effect.reason, undefined, effect.headers);
				return true;
			case "notify-refer":
				leg?.notify(effect.headers, effect.progress);
				return true;
			case "transfer-outcome":
				this.#call.deps.onTransfer(effect.transferIds, effect.outcome);
				return true;
			case "dial-target":
				this.#dialTarget(effect);
				return true;
			case "join-target":
				this.#moves.joinTarget();
				return true;
			case "give-room":
				this.#moves.giveRoom(this.#identity());
				return true;
			case "drop-target":
				this.#call.rooms.abandon();
				return true;
			case "move-room":
				this.#moveRoom(effect.roomName);
				return true;
			default:
				return false;
		}
	}

	#dialtone(on: boolean): void {
		this.#stopDialtone?.();
		this.#stopDialtone = on ? this.#call.media()?.ringPhone(countryOf(this.#call.referrer())) : undefined;
	}

	#music(music: HoldMusic | undefined): void {
		this.#stopMusic?.();
		this.#stopMusic = music === undefined ? undefined : this.#call.media()?.holdPhone(music);
	}

	#refer(command: TransferCommand): void {
		const { callId, deps, rooms, referrer, bridgeTrunkId, dispatch } = this.#call;
		const { leg, uri, attributesToHeaders, allowsRefer, ...dialect } = referrer();
		const refer = command.transferId;
		// What RFC 3261 §20.5 lets the peer say beforehand it need not be asked for, where there is another way.
		if (allowsRefer === false && bridgeTrunkId() !== undefined)
			return dispatch({ type: "refer-answered", refer, status: 405, reason: "Method Not Allowed" });
		const attributes = rooms.current.session?.attributes() ?? {};
		const { headers, refused } = referHeaders(command, { referredBy: uri, attributes, attributesToHeaders }, dialect);
		if (refused.length > 0) deps.log.warn({ callId, refused }, "headers that cannot be sent were left out");
		// Nothing that comes from outside may end the call for being unfit to be written.
		if (leg === undefined || headers === undefined) return dispatch({ type: "refer-answered", refer, cause: "transport" });
		leg.refer(refer, headers);
	}

	#dialTarget({ target, trunkId, headers, ringingTimeoutMs, inRoom }: Extract<Effect, { do: "dial-target" }>): void {
		const { callId, deps, referrer, projectId } = this.#call;
		const { ownNumber, line } = referrer();
		const request = {
			...{ callId, projectId: projectId(), ownNumber, line, place: deps.place ?? callId },
			...{ target, trunkId, headers: { ...headers }, ringingTimeoutMs, inRoom },
		};
		this.#moves.dialTarget(deps.dialSecondLeg, request);
	}

	#moveRoom(roomName: string): void {
		this.#moves.toRoom({ ...this.#identity(), roomName });
	}

	/** As the participant is now: what was told of him in this room is true in the other one. */
	#identity(): RoomIdentity {
		const { rooms, roomIdentity } = this.#call;
		// A rule's room configuration (agents above all) is for the room that the rule named.
		const { identity, name, metadata, attributes, roomName } = roomIdentity();
		return { identity, name, metadata, attributes: { ...attributes, ...rooms.current.session?.attributes() }, roomName };
	}
}
