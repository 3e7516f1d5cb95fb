import { type Address, type Arrival, type HeaderField, isIpv6, parseVia, type SipRequest, type SipResponse } from "@trunkline/sip";
import { fromText, isSame, type Mac, macOf, toText } from "./keys.ts";

const COOKIE = "z9hG4bK";
const PARAM = "tl";

/**
 * RFC 3261 §16.11: the branch of a proxy that keeps nothing is the same for every copy of a request, for the CANCEL of an INVITE and for the ACK of its refusal,
 * and different for any other.
 */
export function branchOf({ branch, callId, fromTag, cseq }: Arrival, mac: Mac): string {
	return COOKIE + toText(macOf(mac, "branch", branch, callId, fromTag, String(cseq))).replace(/[^0-9A-Za-z]/g, ".");
}

/** The request with our Via on top, which says where its responses go; one hop less is left. Undefined: none is left (RFC 3261 §16.3), or it is no number. */
export function withOurVia(
	request: SipRequest,
	arrival: Arrival,
	own: { address: string; port: number },
	mac: Mac,
): SipRequest | undefined {
	const hops = request.headers.find(({ key }) => key === "max-forwards");
	// What is no number is for the endpoint to answer, not to be made one.
	if (hops !== undefined && !/^\d{0,5}[1-9]\d{0,4}$/.test(hops.value)) return undefined;
	const branch = branchOf(arrival, mac);
	const back = JSON.stringify(arrival.responseTo);
	const said = `${toText(new TextEncoder().encode(back))}.${toText(macOf(mac, "via", branch, back))}`;
	const host = isIpv6(own.address) ? `[${own.address}]` : own.address;
	const via: HeaderField = { name: "Via", key: "via", value: `SIP/2.0/UDP ${host}:${own.port};branch=${branch};${PARAM}=${said}` };
	const headers = request.headers.map((field) => (field === hops ? { ...field, value: String(Number(field.value) - 1) } : field));
	return { ...request, headers: [via, ...headers] };
}

/** The response without our Via, and where it goes. Undefined when its topmost Via is none of ours. */
export function withoutOurVia(response: SipResponse, mac: Mac): { response: SipResponse; to: Address } | undefined {
	const index = response.headers.findIndex(({ key }) => key === "via");
	const top = response.headers[index];
	// Ours is a line of its own; whoever joined lines has changed what is not his.
	const via = top === undefined ? undefined : parseVia(top.value);
	const said = via?.params.find(({ name }) => name === PARAM)?.value;
	if (via?.branch === undefined || said === undefined) return undefined;
	const [backText = "", sealText = ""] = said.split(".");
	const back = fromText(backText);
	const seal = fromText(sealText);
	if (back === undefined || seal === undefined) return undefined;
	const text = new TextDecoder().decode(back);
	if (!isSame(seal, macOf(mac, "via", via.branch, text))) return undefined;
	return { response: { ...response, headers: response.headers.filter((_, at) => at !== index) }, to: JSON.parse(text) as Address };
}
