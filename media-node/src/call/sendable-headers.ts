import { isHeaderName, isHeaderValue, isReservedHeader } from "@trunkline/sip";
import type { HeaderList } from "./ports.ts";

/**
 * Headers that may go into a message as configured or mapped. Left out is what would break the message or add to it: a name that is no token or
 * that belongs to the endpoint (Via, From, Content-Length, …), a value with a line break. `refused` are their names, for the log.
 */
export function sendableHeaders(given: HeaderList): { headers: HeaderList; refused: string[] } {
	const sendable = ([name, value]: readonly [string, string]): boolean =>
		isHeaderName(name) && isHeaderValue(value) && !isReservedHeader(name);
	return { headers: given.filter(sendable), refused: given.filter((one) => !sendable(one)).map(([name]) => name) };
}

/** With what the trunk says of the caller (RFC 3325, RFC 3323); headers of the request's own stand for those. */
export function withIdentity(headers: HeaderList, identity: readonly { name: string; value: string }[]): HeaderList {
	const given = new Set(headers.map(([name]) => name.toLowerCase()));
	const added = identity.filter(({ name }) => !given.has(name.toLowerCase())).map(({ name, value }) => [name, value] as const);
	return [...headers, ...sendableHeaders(added).headers];
}
