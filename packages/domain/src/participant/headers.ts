import type { IncludeHeaders } from "@trunkline/contracts";
import { providerProfiles } from "../provider/profiles.ts";

export interface SipHeader {
	name: string;
	value: string;
}

/** Headers of carriers that become attributes whatever the trunk says, in lower case: the profiles', and Amazon Connect's. LiveKit's names. */
const BUILT_IN: Readonly<Record<string, string>> = {
	...Object.fromEntries(
		providerProfiles().flatMap(({ headersToAttributes }) =>
			Object.entries(headersToAttributes).map(([header, attribute]) => [header.toLowerCase(), attribute] as const),
		),
	),
	"x-amzn-connectcontactid": "sip.amazon.contactId",
	"x-amzn-connectinitialcontactid": "sip.amazon.initialContactId",
	"x-amzn-sourceaccount": "sip.amazon.sourceAccount",
	"x-amzn-sourcearn": "sip.amazon.sourceArn",
	"x-amzn-targetarn": "sip.amazon.targetArn",
	"x-lk-test-id": "lktest.id",
};

/** Headers that carry telephone numbers (RFC 3261, 3325, 5806, 7044); LiveKit includes them even where the rule hides the number. */
const NUMBER_HEADERS = new Set([
	..."from to contact reply-to via record-route p-asserted-identity p-preferred-identity p-called-party-id".split(" "),
	..."remote-party-id diversion history-info referred-by call-info identity authorization proxy-authorization".split(" "),
]);

/** RFC 3261 §7.3.3 and §20, and what later RFCs added: one header under two names. */
const COMPACT: Readonly<Record<string, string>> = {
	a: "accept-contact",
	b: "referred-by",
	c: "content-type",
	d: "request-disposition",
	e: "content-encoding",
	f: "from",
	i: "call-id",
	j: "reject-contact",
	k: "supported",
	l: "content-length",
	m: "contact",
	n: "identity-info",
	o: "event",
	r: "refer-to",
	s: "subject",
	t: "to",
	u: "allow-events",
	v: "via",
	x: "session-expires",
	y: "identity",
};

/** No more than this many headers of a message become attributes. */
const MAX_ATTRIBUTES = 64;
const MAX_VALUE_LENGTH = 1024;

/**
 * Participant attributes from a message's headers: the built-in ones, then `includeHeaders` as `sip.h.<name in lower case>`, then the trunk's own map.
 * The first occurrence of a header counts. With `hidePhoneNumber`, headers that carry numbers are not included, unless the map names them.
 */
export function attributesFromHeaders(
	headers: readonly SipHeader[],
	trunk: { includeHeaders: IncludeHeaders; headersToAttributes: Readonly<Record<string, string>>; hidePhoneNumber: boolean },
): Record<string, string> {
	const first = new Map<string, string>();
	for (const { name, value } of headers) {
		const key = longName(name);
		if (!first.has(key) && first.size < MAX_ATTRIBUTES) first.set(key, value.slice(0, MAX_VALUE_LENGTH));
	}
	const attributes: Record<string, string> = {};
	for (const [name, value] of first) {
		const builtIn = Object.hasOwn(BUILT_IN, name) ? BUILT_IN[name] : undefined;
		if (builtIn !== undefined) attributes[builtIn] = value;
		if (isIncluded(name, trunk.includeHeaders, trunk.hidePhoneNumber)) attributes[`sip.h.${name}`] = value;
	}
	for (const [header, attribute] of Object.entries(trunk.headersToAttributes)) {
		const value = first.get(longName(header));
		if (value !== undefined) attributes[attribute] = value;
	}
	return attributes;
}

/**
 * Headers from a participant's attributes, for 200, error answers, BYE and REFER. Attributes are written by people in the room: control characters,
 * with which they could add headers or messages of their own, become spaces.
 */
export function headersFromAttributes(
	attributes: Readonly<Record<string, string>>,
	attributesToHeaders: Readonly<Record<string, string>>,
): SipHeader[] {
	const headers: SipHeader[] = [];
	for (const [attribute, name] of Object.entries(attributesToHeaders)) {
		const value = Object.hasOwn(attributes, attribute) ? attributes[attribute] : undefined;
		if (value !== undefined && value !== "") headers.push({ name, value: oneLine(value).slice(0, MAX_VALUE_LENGTH) });
	}
	return headers;
}

function longName(name: string): string {
	const key = name.toLowerCase();
	return Object.hasOwn(COMPACT, key) ? (COMPACT[key] ?? key) : key;
}

function isIncluded(name: string, include: IncludeHeaders, hidePhoneNumber: boolean): boolean {
	if (hidePhoneNumber && NUMBER_HEADERS.has(name)) return false;
	return include === "ALL" || (include === "X_HEADERS" && name.startsWith("x-"));
}

function oneLine(text: string): string {
	let line = "";
	for (const character of text) {
		const code = character.codePointAt(0) ?? 0;
		line += code < 0x20 || code === 0x7f ? " " : character;
	}
	return line;
}
