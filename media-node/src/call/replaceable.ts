import type { Replaces } from "@trunkline/sip";
import type { ReplaceableCall } from "./ports.ts";

/** A dialog of a live call, as a Replaces names it (RFC 3891). */
export interface DialogName {
	callId: string;
	localTag: string;
	remoteTag: string;
}

/** The answer to an INVITE that is to take the place of this call; undefined: it may. RFC 3891 §3. */
export function replacesRefusal(
	replaces: Replaces,
	call: Pick<ReplaceableCall, "allowed" | "confirmed"> | undefined,
	trunkAllows: boolean,
): readonly [status: number, reason: string] | undefined {
	// "If no match is found, the UAS rejects the INVITE and returns a 481 Call/Transaction Does Not Exist response."
	if (call === undefined) return [481, "Call/Transaction Does Not Exist"];
	// "the UA … is not authorized … 603": both trunks must have it, the one that the INVITE comes by and the one of the call.
	if (!call.allowed || !trunkAllows) return [603, "Decline"];
	// "If the flag is present, the UA rejects the request with a 486 Busy response."
	if (call.confirmed && replaces.earlyOnly) return [486, "Busy Here"];
	// "If the Replaces header field matches an early dialog that was not initiated by this UA, it returns a 481". Of those that we began none is given away
	// while it rings.
	if (!call.confirmed) return [481, "Call/Transaction Does Not Exist"];
	return undefined;
}

export const isSameDialog = (name: DialogName | undefined, replaces: Replaces): boolean =>
	name !== undefined && name.callId === replaces.callId && name.localTag === replaces.localTag && name.remoteTag === replaces.remoteTag;
