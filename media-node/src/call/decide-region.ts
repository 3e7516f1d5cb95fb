import type { Elsewhere } from "@trunkline/domain";
import { parseUri, writeUri } from "@trunkline/sip";
import type { InboundOutcome } from "./inbound-call.ts";
import type { HeaderList } from "./ports.ts";

/** What becomes of an INVITE whose call must not be in this region: its caller is told, and nothing of the call is kept here. */
export function turnAway({ answer, pin }: Elsewhere, { trunkId, called }: { trunkId: string; called: string }): InboundOutcome {
	const { status, reason } = answer;
	const headers: HeaderList = answer.status === 302 ? answer.contacts.flatMap((address) => contactOf(address, called)) : [];
	return { decision: { kind: "elsewhere", status, reason, headers, regions: pin.regions }, steps: [], trunkId };
}

/** RFC 3261 §21.3.3: where the caller may try instead. `address`: host or host:port, IPv6 in brackets; what is none is left out. */
function contactOf(address: string, user: string): HeaderList {
	const uri = parseUri(`sip:${address}`);
	return uri === undefined ? [] : [["Contact", `<${writeUri(user === "" ? uri : { ...uri, user })}>`]];
}
