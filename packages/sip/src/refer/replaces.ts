import { param, parseParams } from "../grammar/params.ts";
import { headers } from "../message/headers.ts";
import type { SipRequest } from "../message/message.ts";

/** The dialog that an INVITE is to take the place of (RFC 3891 §6.1), as its receiver sees it. */
export interface Replaces {
	callId: string;
	/** to-tag: ours */
	localTag: string;
	/** from-tag: the peer's */
	remoteTag: string;
	/** only while it is early, that is not answered */
	earlyOnly: boolean;
}

export type ReadReplaces = { ok: true; replaces: Replaces | undefined } | { ok: false; status: 400; reason: string };

const MAX_LENGTH = 1024;

/** What an INVITE says that it replaces; undefined when it replaces nothing. `ok: false` is the answer to one that cannot be read. */
export function readReplaces(request: SipRequest): ReadReplaces {
	const values = headers(request, "replaces");
	const [value] = values;
	if (value === undefined) return { ok: true, replaces: undefined };
	// RFC 3891 §3: "If more than one Replaces header field is present in an INVITE … the UAS MUST reject the request with a 400 Bad Request response."
	if (values.length > 1) return bad("two Replaces");
	const replaces = value.length > MAX_LENGTH ? undefined : parseReplaces(value);
	if (replaces === undefined) return bad("Replaces");
	// §3: a Join (RFC 3911) beside it asks for the contrary.
	if (headers(request, "join").length > 0) return bad("Replaces and Join");
	return { ok: true, replaces };
}

/** `callid;to-tag=…;from-tag=…;early-only`; undefined when it does not follow the grammar. */
export function parseReplaces(value: string): Replaces | undefined {
	const semicolon = value.indexOf(";");
	const callId = (semicolon < 0 ? value : value.slice(0, semicolon)).trim();
	const params = semicolon < 0 ? undefined : parseParams(value.slice(semicolon).trim());
	if (params === undefined || callId === "" || /[\s,]/.test(callId)) return undefined;
	const once = (name: string): string | undefined =>
		params.filter((one) => one.name === name).length === 1 ? param(params, name) : undefined;
	const localTag = once("to-tag");
	const remoteTag = once("from-tag");
	// §6.1: both tags are mandatory, each once.
	if (localTag === undefined || localTag === "" || remoteTag === undefined || remoteTag === "") return undefined;
	return { callId, localTag, remoteTag, earlyOnly: params.some(({ name }) => name === "early-only") };
}

/** The header's value for a dialog as we see it, for whoever is to replace it: to-tag is the tag of the one who will get the INVITE. */
export function writeReplaces({ callId, localTag, remoteTag, earlyOnly }: Replaces): string {
	return `${callId};to-tag=${localTag};from-tag=${remoteTag}${earlyOnly ? ";early-only" : ""}`;
}

const bad = (what: string): ReadReplaces => ({ ok: false, status: 400, reason: `Bad Request (${what})` });
