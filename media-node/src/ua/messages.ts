import {
	type Address,
	header,
	param,
	parseNameAddr,
	parseUri,
	readRefer,
	readReferNotify,
	reliability,
	type SipEvent,
	type SipMessage,
	type SipRequest,
	type SipResponse,
} from "@trunkline/sip";
import type { HeaderList, InboundInvite, SipLegEvent } from "../call/ports.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export const textBytes = (text: string): Uint8Array => encoder.encode(text);

/** What a call needs of an INVITE; undefined when From or To cannot be read. */
export function inboundInvite(request: SipRequest, localTag: string, remote: Address): InboundInvite | undefined {
	const from = party(request, "from");
	const to = party(request, "to");
	if (from === undefined || to === undefined) return undefined;
	const sdp = sdpOf(request);
	return {
		localTag,
		sipCallId: header(request, "call-id") ?? "",
		remoteTag: from.tag,
		requestUri: request.uri,
		from: { user: from.user, host: from.host, displayName: from.displayName },
		to: { user: to.user, host: to.host },
		source: { address: remote.host, port: remote.port, transport: remote.transport },
		headers: headerList(request),
		reliable: reliability(request),
		...(sdp === undefined ? {} : { sdp }),
	};
}

/** An endpoint's event as the call sees it. */
export function legEvent(
	event: Exclude<SipEvent, { type: "incoming" } | { type: "out-of-dialog" } | { type: "registration" }>,
	target: string,
): SipLegEvent {
	switch (event.type) {
		case "provisional":
			return provisionalEvent(event.response, target);
		case "answered":
			return answeredEvent(event.response, target);
		case "failed":
			return failedEvent(event);
		case "cancelled":
			return { type: "cancelled", ...(event.cause === undefined ? {} : { cause: event.cause }) };
		case "acked":
			return { type: "acked", ...withSdp(event.request) };
		case "ack-timeout":
			return { type: "ack-timeout" };
		case "ended":
			return endedEvent(event);
		case "pracked":
			return { type: "pracked", ...(event.transaction === undefined ? {} : { transaction: event.transaction }), ...withSdp(event.request) };
		case "reinvite":
		case "update":
			return { type: event.type, transaction: event.transaction, headers: headerList(event.request), ...withSdp(event.request) };
		case "refreshed":
			return { type: "refreshed", ...withSdp(event.response) };
		case "in-dialog":
			return inDialogEvent(event.transaction, event.request);
		case "in-dialog-response":
			return requestAnswered(event);
	}
}

function inDialogEvent(transaction: string, request: SipRequest): SipLegEvent {
	const progress = request.method === "NOTIFY" ? readReferNotify(request) : undefined;
	if (progress !== undefined) return { type: "refer-progress", transaction, ...progress };
	if (request.method === "REFER") {
		const read = readRefer(request);
		return {
			type: "referred",
			transaction,
			...(read.ok ? { refer: read.refer } : { refused: { status: read.status, reason: read.reason } }),
		};
	}
	return { type: "in-dialog", transaction, method: request.method };
}

/** Names of re-INVITEs of ours are told from those of REFERs by this. */
export const REINVITE = "INVITE ";

/** REFER and re-INVITE are what calls send inside their dialogs. */
function requestAnswered(event: Extract<SipEvent, { type: "in-dialog-response" }>): SipLegEvent {
	return event.transaction.startsWith(REINVITE) ? reinviteAnswered(event) : referAnswered(event);
}

function reinviteAnswered({ transaction, response, cause, retryAfter }: Extract<SipEvent, { type: "in-dialog-response" }>): SipLegEvent {
	return {
		type: "reinvite-answered",
		name: transaction.slice(REINVITE.length),
		headers: response === undefined ? [] : headerList(response),
		...(response === undefined ? {} : { status: response.status, reason: response.reason, ...withSdp(response) }),
		...(cause === undefined ? {} : { cause }),
		...(retryAfter === undefined ? {} : { retryAfterMs: retryAfter }),
	};
}

function referAnswered({ transaction, response, cause }: Extract<SipEvent, { type: "in-dialog-response" }>): SipLegEvent {
	const id = Number.parseInt((response === undefined ? undefined : header(response, "cseq")) ?? "", 10);
	return {
		type: "refer-answered",
		refer: transaction,
		...(Number.isSafeInteger(id) ? { id } : {}),
		...(response === undefined ? {} : { status: response.status, reason: response.reason }),
		...(cause === undefined ? {} : { cause }),
	};
}

function provisionalEvent(response: SipResponse, source: string): SipLegEvent {
	const { status, reason } = response;
	const remoteTag = party(response, "to")?.tag ?? "";
	return { type: "provisional", status, reason, headers: headerList(response), remoteTag, source, ...withSdp(response) };
}

function endedEvent({ by, request, cause }: Extract<SipEvent, { type: "ended" }>): SipLegEvent {
	if (by === "remote") return { type: "bye", headers: request === undefined ? [] : headerList(request) };
	return { type: "bye-done", ...(cause === "gone" || cause === "session-expired" ? { cause } : {}) };
}

function answeredEvent(response: SipResponse, source: string): SipLegEvent {
	const remoteTag = party(response, "to")?.tag ?? "";
	const sipCallId = header(response, "call-id") ?? "";
	return { type: "answered", headers: headerList(response), sipCallId, remoteTag, source, ...withSdp(response) };
}

function failedEvent({ cause, message, status, response }: Extract<SipEvent, { type: "failed" }>): SipLegEvent {
	return {
		type: "failed",
		cause,
		message,
		headers: response === undefined ? [] : headerList(response),
		...(status === undefined ? {} : { status }),
		...(response === undefined ? {} : { reason: response.reason }),
	};
}

const headerList = (message: SipMessage): HeaderList => message.headers.map(({ name, value }) => [name, value] as const);

function withSdp(message: SipMessage): { sdp?: string } {
	const sdp = sdpOf(message);
	return sdp === undefined ? {} : { sdp };
}

function sdpOf(message: SipMessage): string | undefined {
	if (message.body.length === 0) return undefined;
	const type = (header(message, "content-type") ?? "").split(";")[0]?.trim().toLowerCase();
	return type === "application/sdp" ? decoder.decode(message.body) : undefined;
}

function party(message: SipMessage, key: "from" | "to"): { user: string; host: string; displayName: string; tag: string } | undefined {
	const value = header(message, key);
	const parsed = value === undefined ? undefined : parseNameAddr(value);
	const uri = parsed === undefined ? undefined : parseUri(parsed.uri);
	if (parsed === undefined || uri === undefined) return undefined;
	return { user: uri.user ?? "", host: uri.host, displayName: parsed.displayName ?? "", tag: param(parsed.params, "tag") ?? "" };
}
