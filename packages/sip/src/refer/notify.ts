import { param, parseParams } from "../grammar/params.ts";
import { header } from "../message/headers.ts";
import type { SipRequest } from "../message/message.ts";
import { parseSipfrag, type SipfragStatus } from "./sipfrag.ts";

/** What a NOTIFY says of how a REFER goes. */
export interface ReferProgress {
	/** CSeq number of the REFER; unset for what may be the first one of the dialog (RFC 3515 §2.4.6) */
	id?: number;
	/** nothing more will come (RFC 6665 §4.1.3) */
	terminated: boolean;
	/** of the referred request; unset when the body has none that can be read */
	progress?: SipfragStatus;
}

/** undefined when the NOTIFY is of another event package than "refer". Subscription-State may be missing or strange: it then goes on. */
export function readReferNotify(request: SipRequest): ReferProgress | undefined {
	const event = valueWithParams(header(request, "event"));
	if (event?.value !== "refer") return undefined;
	const id = param(event.params, "id");
	const state = valueWithParams(header(request, "subscription-state"));
	const type = valueWithParams(header(request, "content-type"));
	const progress = type?.value === "message/sipfrag" ? parseSipfrag(request.body) : undefined;
	return {
		...(id !== undefined && /^\d{1,10}$/.test(id) ? { id: Number(id) } : {}),
		terminated: state?.value === "terminated",
		...(progress === undefined ? {} : { progress }),
	};
}

function valueWithParams(text: string | undefined): { value: string; params: NonNullable<ReturnType<typeof parseParams>> } | undefined {
	if (text === undefined) return undefined;
	const semicolon = text.indexOf(";");
	const value = (semicolon < 0 ? text : text.slice(0, semicolon)).trim().toLowerCase();
	// Parameters that nobody can read are none; the value stands without them.
	return { value, params: semicolon < 0 ? [] : (parseParams(text.slice(semicolon)) ?? []) };
}
