import type { CallEnd, DialRequest } from "@trunkline/contracts";
import type { BridgeTarget } from "@trunkline/domain";
import type { RoomConnector } from "./ports.ts";
import type { RoomIdentity } from "./room-identity.ts";
import type { RoomLink } from "./room-link.ts";

/** How the call to somebody goes whom another call is to be joined to. */
export type SecondLegEvent =
	| { type: "target-ringing"; status: number; reason: string }
	/** both are heard as soon as the first leg is bridged, too */
	| { type: "target-answered"; callId: string }
	/** last event, unless it was answered */
	| { type: "target-failed"; end: CallEnd };

export interface SecondLegRequest extends BridgeTarget {
	/** of the call that is to be joined */
	callId: string;
	projectId: string;
	/** outbound trunk, or "same": the one of the call itself, with its `line` */
	trunkId: string;
	line: DialRequest | undefined;
	/** where the call's media are; the second leg's are to be there too */
	place: string;
}

/** The room of a call, with its participant in it, and who that is there. */
export interface GivenRoom {
	link: RoomLink;
	identity: RoomIdentity;
}

export interface DialledLeg {
	/** where the first leg joins the two, and leaves when it does not want the second one any more */
	rooms: RoomConnector;
	/** After `target-answered`: the second leg has the first one's place in its room from now on. False: it is not there any more. */
	takeRoom(room: GivenRoom): boolean;
}

/** Dials at once. */
export type DialSecondLeg = (request: SecondLegRequest, onEvent: (event: SecondLegEvent) => void) => DialledLeg;
