import type { CallEnd, DialRequest } from "@trunkline/contracts";
import type { BridgeTarget } from "@trunkline/domain";
import type { RoomConnector } from "./ports.ts";

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
}

/** Dials at once; gives where the first leg joins the two, and leaves when it does not want the second one any more. */
export type DialSecondLeg = (request: SecondLegRequest, onEvent: (event: SecondLegEvent) => void) => RoomConnector;
