import type { DialRequest, Transport } from "@trunkline/contracts";
import { type EffectiveSettings, effectiveSettings } from "../provider/effective.ts";
import { escapeUser, userOfSipUri } from "../sip-uri.ts";

/** The parts of an INVITE that say where it goes and from whom it is. */
export interface InviteTarget {
	/** host[:port] that it is sent to */
	address: string;
	transport: Transport;
	requestUri: string;
	from: { uri: string; displayName?: string };
	to: { uri: string };
	/** P-Asserted-Identity (RFC 3325) and Privacy (RFC 3323), where the trunk asks for them */
	identity: { name: string; value: string }[];
}

/**
 * Where and as whom a call is dialled (RFC 3261 §8.1.1). `ownHost` stands in From when neither request nor trunk name a host. The INVITE is sent to the
 * trunk's address whatever the request URI says: the trunk is the outbound proxy (§8.1.2), and its credentials are for nobody else. How numbers are written
 * and who the caller says to be are the trunk's settings (`uri`, `identity`).
 */
export function inviteTarget(request: DialRequest, ownHost: string): InviteTarget {
	const host = request.address;
	const { uri: dialect, identity } = effectiveSettings(request.settings);
	const dialled = dialledAs(request.callTo, dialect);
	const toUser = request.toUserOverride === "" ? dialled : request.toUserOverride;
	const uriOf = (user: string, at: string): string =>
		`sip:${escapeUser(user)}@${at}${dialect.userPhone && isNumber(user) ? ";user=phone" : ""}`;
	const callingHost = request.fromHost === "" ? ownHost : request.fromHost;
	const number = writtenAs(request.from, dialect.numbers);
	return {
		address: request.address,
		transport: request.transport,
		requestUri: request.requestUri ?? `${uriOf(dialled, host)}${transportParameter(request.transport, dialect.transportParameter)}`,
		from: identity.anonymous ? ANONYMOUS : fromOf(request, uriOf(identity.fromUser ?? number, callingHost)),
		to: { uri: uriOf(toUser, host) },
		identity: identityHeaders(identity, uriOf(number, callingHost)),
	};
}

/** Every user or number that the request could ring, as a carrier may go by To too: what a policy on destinations has to look at. */
export function dialledUsers(request: Pick<DialRequest, "callTo" | "toUserOverride" | "requestUri" | "settings">): string[] {
	const { callTo, toUserOverride, requestUri, settings } = request;
	// A carrier's technical prefix is no part of a number. But what is too short to be a number, and so may be dialled by everybody, is one with it.
	const extension = /^\+?\d{1,6}$/.test(callTo) ? dialledAs(callTo, effectiveSettings(settings).uri) : callTo;
	return [
		callTo,
		...(extension === callTo ? [] : [extension]),
		...(toUserOverride === "" ? [] : [toUserOverride]),
		...(requestUri === undefined ? [] : [userOfSipUri(requestUri)]),
	];
}

/** RFC 3323 §4.1.1.3 */
const ANONYMOUS = { uri: "sip:anonymous@anonymous.invalid", displayName: "Anonymous" };

/** RFC 3325 §9.1: who we are, to those whom the carrier trusts; with `Privacy: id` it tells nobody else. */
function identityHeaders({ assertedIdentity, anonymous }: EffectiveSettings["identity"], caller: string): InviteTarget["identity"] {
	// A carrier that is told nobody's name has nobody to bill: an anonymous call asserts its number all the same.
	const asserted = assertedIdentity ?? (anonymous ? "number" : null);
	const isUri = asserted === "number" || (asserted !== null && /^[^\s<>"]+$/.test(asserted));
	const headers = !isUri ? [] : [{ name: "P-Asserted-Identity", value: `<${asserted === "number" ? caller : asserted}>` }];
	return anonymous ? [...headers, { name: "Privacy", value: "id" }] : headers;
}

/** As the carrier wants the called number: its prefix before the number as it writes numbers. SIP users that are no numbers stay. */
function dialledAs(user: string, { numbers, prefix }: EffectiveSettings["uri"]): string {
	if (!isNumber(user)) return user;
	const written = writtenAs(user, numbers);
	// A "+" stands first or nowhere (RFC 3966 §3).
	return prefix === "" ? written : `${prefix}${written.replace(/^\+/, "")}`;
}

function writtenAs(user: string, numbers: EffectiveSettings["uri"]["numbers"]): string {
	if (!isNumber(user) || numbers === "as-given") return user;
	const digits = user.replace(/^\+/, "");
	// ITU-T E.164: no country code begins with 0, and what is shorter than a subscriber's number is a carrier's own short code.
	if (numbers === "e164") return /^[1-9]\d{6,14}$/.test(digits) ? `+${digits}` : user;
	return digits;
}

const isNumber = (user: string): boolean => /^\+?\d+$/.test(user);

/** RFC 3261 §19.1.1, where it is not UDP; with AUTO the address says it (RFC 3263). */
function transportParameter(transport: Transport, wanted: boolean): string {
	return wanted && (transport === "TCP" || transport === "TLS") ? `;transport=${transport.toLowerCase()}` : "";
}

function fromOf(request: DialRequest, uri: string): InviteTarget["from"] {
	const { fromHeader } = request;
	// A From header in the request is whole: its empty display name is none.
	const displayName = fromHeader === undefined ? (request.displayName ?? request.from) : (request.displayName ?? fromHeader.displayName);
	return { uri: fromHeader?.uri ?? uri, ...(displayName === "" ? {} : { displayName }) };
}
