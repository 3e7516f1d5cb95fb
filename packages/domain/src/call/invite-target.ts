import type { DialRequest, Transport } from "@trunkline/contracts";
import { escapeUser, userOfSipUri } from "../sip-uri.ts";

/** The parts of an INVITE that say where it goes and from whom it is. */
export interface InviteTarget {
	/** host[:port] that it is sent to */
	address: string;
	transport: Transport;
	requestUri: string;
	from: { uri: string; displayName?: string };
	to: { uri: string };
}

/**
 * Where and as whom a call is dialled (RFC 3261 §8.1.1). `ownHost` stands in From when neither request nor trunk name a host. The INVITE is sent to the
 * trunk's address whatever the request URI says: the trunk is the outbound proxy (§8.1.2), and its credentials are for nobody else.
 */
export function inviteTarget(request: DialRequest, ownHost: string): InviteTarget {
	const host = request.address;
	const toUser = request.toUserOverride === "" ? request.callTo : request.toUserOverride;
	return {
		address: request.address,
		transport: request.transport,
		requestUri: request.requestUri ?? `sip:${escapeUser(request.callTo)}@${host}`,
		from: fromOf(request, ownHost),
		to: { uri: `sip:${escapeUser(toUser)}@${host}` },
	};
}

/** Every user or number that the request could ring, as a carrier may go by To too: what a policy on destinations has to look at. */
export function dialledUsers(request: Pick<DialRequest, "callTo" | "toUserOverride" | "requestUri">): string[] {
	const { callTo, toUserOverride, requestUri } = request;
	return [callTo, ...(toUserOverride === "" ? [] : [toUserOverride]), ...(requestUri === undefined ? [] : [userOfSipUri(requestUri)])];
}

function fromOf(request: DialRequest, ownHost: string): InviteTarget["from"] {
	const { fromHeader } = request;
	// A From header in the request is whole: its empty display name is none.
	const displayName = fromHeader === undefined ? (request.displayName ?? request.from) : (request.displayName ?? fromHeader.displayName);
	const uri = fromHeader?.uri ?? `sip:${escapeUser(request.from)}@${request.fromHost === "" ? ownHost : request.fromHost}`;
	return { uri, ...(displayName === "" ? {} : { displayName }) };
}
