import type { Address } from "../endpoint-types.ts";
import { type SipUri, writeUri } from "../grammar/uri.ts";
import { writeHost } from "../grammar/host.ts";
import { MAGIC_COOKIE } from "../grammar/via.ts";
import { field } from "../message/headers.ts";
import type { Body, HeaderField, HeaderInput, SipRequest, SipResponse } from "../message/message.ts";
import { reasonPhrase } from "../message/reason.ts";
import type { Core } from "./core.ts";
import { ownAddress } from "./own-address.ts";

const EMPTY = new Uint8Array(0);

export interface RequestParts {
	method: string;
	uri: string;
	from: string;
	to: string;
	callId: string;
	cseq: number;
	routes?: readonly string[];
	/** Contact value, for requests that make or refresh a dialog */
	contact?: string;
	/** further header fields of ours, such as credentials */
	fields?: readonly HeaderField[];
	/** from the driver, checked with `assertCommand` */
	headers?: readonly HeaderInput[] | undefined;
	body?: Body | undefined;
}

/** RFC 3261 §8.1.1. A new branch each time. */
export function buildRequest(core: Core, parts: RequestParts, to: Address): { request: SipRequest; branch: string } {
	const branch = MAGIC_COOKIE + core.token(12);
	const { host, port } = ownAddress(core.options.contact, to);
	const via = `SIP/2.0/${to.transport} ${writeHost(host)}:${port};branch=${branch};rport`;
	const headers: HeaderField[] = [field("Via", via), field("Max-Forwards", "70")];
	for (const route of parts.routes ?? []) headers.push(field("Route", route));
	headers.push(
		field("From", parts.from),
		field("To", parts.to),
		field("Call-ID", parts.callId),
		field("CSeq", `${parts.cseq} ${parts.method}`),
	);
	if (parts.contact !== undefined) headers.push(field("Contact", parts.contact));
	if (parts.method === "INVITE") headers.push(field("Allow", core.allowed.join(", ")));
	if (parts.method !== "ACK") headers.push(field("User-Agent", core.options.userAgent));
	headers.push(...(parts.fields ?? []));
	return { request: { kind: "request", method: parts.method, uri: parts.uri, ...withBody(headers, parts.headers, parts.body) }, branch };
}

export interface ResponseParts {
	status: number;
	/** added to To when it has no tag; none is added to a 100 */
	toTag?: string;
	contact?: string;
	reason?: string | undefined;
	headers?: readonly HeaderInput[] | undefined;
	body?: Body | undefined;
}

/** RFC 3261 §8.2.6: Via, From, To, Call-ID and CSeq are those of the request; Record-Route where the response makes a dialog (§12.1.1). */
export function buildResponse(core: Core, request: SipRequest, parts: ResponseParts): SipResponse {
	const makesDialog = request.method === "INVITE" && parts.status > 100 && parts.status < 300;
	const headers: HeaderField[] = [];
	for (const line of request.headers) {
		if (line.key === "to") headers.push(toWithTag(line, parts));
		else if (COPIED.has(line.key) || (makesDialog && line.key === "record-route")) headers.push(line);
		// §8.2.6.1: "If there is a Timestamp header field in the request, it MUST be copied" into a 100
		else if (parts.status === 100 && line.key === "timestamp") headers.push(line);
	}
	if (parts.contact !== undefined) headers.push(field("Contact", parts.contact));
	// §13.3.1.4: a 2xx to INVITE SHOULD say what is served
	if (request.method === "INVITE" && parts.status >= 200 && parts.status < 300) headers.push(field("Allow", core.allowed.join(", ")));
	headers.push(field("Server", core.options.userAgent));
	return {
		kind: "response",
		status: parts.status,
		reason: parts.reason ?? reasonPhrase(parts.status),
		...withBody(headers, parts.headers, parts.body),
	};
}

const COPIED = new Set(["via", "from", "call-id", "cseq"]);

/** RFC 3261 §17.1.1.3: ACK to a non-2xx response; it goes where the INVITE went, with its Via and Route. */
export function buildAck(invite: SipRequest, response: SipResponse): SipRequest {
	const to = response.headers.find(({ key }) => key === "to");
	return hopByHop(invite, "ACK", to);
}

/** RFC 3261 §9.1. */
export function buildCancel(core: Core, invite: SipRequest, headers: readonly HeaderInput[] | undefined): SipRequest {
	const cancel = hopByHop(invite, "CANCEL", undefined);
	return { ...cancel, ...withBody([...cancel.headers, field("User-Agent", core.options.userAgent)], headers, undefined) };
}

/** Value of our Contact towards an address; `sips` when the other side's URIs are (RFC 3261 §8.1.1.8, §12.1.1). */
export function contactValue(core: Core, user: string | undefined, to: Address, sips = false): string {
	const { contact } = core.options;
	const { host, port } = ownAddress(contact, to);
	const name = contact.user ?? user;
	// RFC 5630 §3.1.4: transport=tls is deprecated, and says nothing new beside sips.
	const params = to.transport === "UDP" || sips ? [] : [{ name: "transport", value: to.transport.toLowerCase() }];
	const uri: SipUri = { scheme: sips ? "sips" : "sip", host, port, params, ...(name === undefined || name === "" ? {} : { user: name }) };
	return `<${writeUri(uri)}>`;
}

function hopByHop(invite: SipRequest, method: string, to: HeaderField | undefined): SipRequest {
	const headers: HeaderField[] = [];
	for (const line of invite.headers) {
		if (line.key === "to") headers.push(to ?? line);
		else if (line.key === "cseq") headers.push(field("CSeq", `${Number.parseInt(line.value, 10)} ${method}`));
		else if (["via", "max-forwards", "route", "from", "call-id"].includes(line.key)) headers.push(line);
	}
	return { kind: "request", method, uri: invite.uri, headers, body: EMPTY };
}

function toWithTag(to: HeaderField, parts: ResponseParts): HeaderField {
	if (parts.toTag === undefined || parts.status === 100 || /;\s*tag\s*=/i.test(to.value.slice(to.value.lastIndexOf(">") + 1))) return to;
	return { ...to, value: `${to.value};tag=${parts.toTag}` };
}

function withBody(
	headers: HeaderField[],
	added: readonly HeaderInput[] | undefined,
	body: Body | undefined,
): { headers: HeaderField[]; body: Uint8Array } {
	for (const [name, value] of added ?? []) headers.push(field(name, value));
	if (body !== undefined) headers.push(field("Content-Type", body.contentType));
	return { headers, body: body?.bytes ?? EMPTY };
}
