import { createHmac } from "node:crypto";

/**
 * What may stand in a log for a telephone number, SIP URI, room name or identity: the last characters alone, two of a short value, four of a
 * longer one, none of a value that they would give away. With `key`, eight hexadecimal digits of a keyed hash follow, the same for the same
 * value, so that log lines about one caller can be found together by whoever has one of them.
 */
export function pii(value: string, key?: string): string {
	if (value === "") return "";
	const readable = visiblePart(value);
	const shown = readable.length > 8 ? 4 : readable.length > 5 ? 2 : 0;
	const masked = `***${shown === 0 ? "" : readable.slice(-shown)}`;
	return key === undefined ? masked : `${masked}#${createHmac("sha256", key).update(value).digest("hex").slice(0, 8)}`;
}

/** Of a URI, the user part: the end of a host or of parameters tells nothing, and may be long enough to hide nothing. */
function visiblePart(value: string): string {
	const user = /^(?:<?(?:sips?|tel):)?([^@;>]*)/i.exec(value)?.[1] ?? value;
	return user.replace(/[ \-()]/g, "");
}
