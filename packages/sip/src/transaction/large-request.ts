import type { Address } from "../endpoint-types.ts";
import { parseVia, writeVia } from "../grammar/via.ts";
import { replaceTopVia, topVia } from "../message/envelope.ts";
import { header } from "../message/headers.ts";
import type { SipRequest } from "../message/message.ts";

/** RFC 3261 §18.1.1: "If a request is within 200 bytes of the path MTU, or if it is larger than 1300 bytes and the path MTU is unknown". We never know it. */
const LARGEST_BY_UDP = 1_300;

/**
 * The request and where it goes when it is too large for UDP: "the request MUST be sent using an RFC 2914 congestion controlled transport
 * protocol, such as TCP. If this causes a change in the transport protocol from the one indicated in the top Via, the value in the top Via MUST
 * be changed." undefined when it stays as it is, so for a peer that was set to UDP: many of those have no TCP at all.
 */
export function largeByTcp(request: SipRequest, length: number, to: Address): { request: SipRequest; remote: Address } | undefined {
	if (to.transport !== "UDP" || to.largeByTcp !== true || length <= LARGEST_BY_UDP) return undefined;
	const via = parseVia(topVia(header(request, "via") ?? ""));
	if (via === undefined) return undefined;
	const headers = replaceTopVia(request.headers, writeVia({ ...via, transport: "TCP" }));
	return { request: { ...request, headers }, remote: { host: to.host, port: to.port, transport: "TCP" } };
}
