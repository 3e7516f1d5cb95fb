import type { DigestClient } from "../auth/client.ts";
import { type Dialog, routing } from "../dialog/dialog.ts";
import { nextHop } from "../dialog/next-hop.ts";
import type { Address } from "../endpoint-types.ts";
import type { Millis } from "../machine.ts";
import { field } from "../message/headers.ts";
import type { Body, HeaderField, HeaderInput, SipRequest } from "../message/message.ts";
import { writeMessage } from "../message/write.ts";
import { buildRequest, contactValue } from "./build.ts";
import type { Core } from "./core.ts";
import { isSipsDialog } from "./own-address.ts";

export interface OutgoingRequest {
	method: string;
	headers?: readonly HeaderInput[] | undefined;
	body?: Body | undefined;
}

/** ACK to a 2xx in a dialog; sent now, and again by the function it gives. `body`: the answer, when the 2xx had the offer. */
export function acknowledge(core: Core, dialog: Dialog, invite: SipRequest, body?: Body): () => void {
	// §13.2.2.4: "The ACK MUST contain the same credentials as the INVITE"
	const fields = invite.headers.filter(({ key }) => key === "authorization" || key === "proxy-authorization");
	const cseq = Number.parseInt(invite.headers.find(({ key }) => key === "cseq")?.value ?? "0", 10);
	const { uri, routes, nextHop: hop } = routing(dialog);
	const to = nextHop(hop, dialog.peer);
	const { callId, local, remote } = dialog;
	const { request } = buildRequest(core, { method: "ACK", uri, from: local, to: remote, callId, cseq, routes, fields, body }, to);
	const bytes = writeMessage(request);
	const send = (): void => core.layer.transmit(bytes, to);
	send();
	return send;
}

/** Ends a dialog that nobody wants: a second fork's 2xx, or one that came after CANCEL (RFC 3261 §9.1, §13.2.2.4). */
export function byeAtOnce(core: Core, dialog: Dialog, digest: DigestClient, now: Millis): void {
	const { request, branch, to } = buildInDialog(core, dialog, { method: "BYE" }, digest, undefined);
	core.layer.client(request, branch, to, {}, now);
}

/** A request inside the dialog, with the next CSeq number. */
export function buildInDialog(
	core: Core,
	dialog: Dialog,
	outgoing: OutgoingRequest,
	digest: DigestClient,
	localUser: string | undefined,
): { request: SipRequest; branch: string; to: Address } {
	const { uri, routes, nextHop: hop } = routing(dialog);
	const to = nextHop(hop, dialog.peer);
	const { callId, local, remote } = dialog;
	dialog.localSeq++;
	const fields: HeaderField[] = digest.headersFor(outgoing.method, uri, outgoing.body?.bytes);
	// All three refresh the dialog's target: RFC 3515 §2.2, RFC 3311 §5.1, RFC 6665 §8.2.1.
	if (outgoing.method === "REFER" || outgoing.method === "UPDATE" || outgoing.method === "NOTIFY")
		fields.push(field("Contact", contactValue(core, localUser, to, isSipsDialog(dialog))));
	const contact = outgoing.method === "INVITE" ? { contact: contactValue(core, localUser, to, isSipsDialog(dialog)) } : {};
	const parts = { method: outgoing.method, uri, from: local, to: remote, callId, cseq: dialog.localSeq, routes, fields, ...contact };
	return { ...buildRequest(core, { ...parts, headers: outgoing.headers, body: outgoing.body }, to), to };
}
