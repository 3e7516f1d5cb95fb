import { splitOutside } from "../grammar/tokens.ts";
import { headerKey } from "./header-names.ts";
import type { HeaderField, SipMessage } from "./message.ts";

/** Value of the first header field of that name (any case, long or compact). */
export function header(message: SipMessage, name: string): string | undefined {
	const key = headerKey(name);
	for (const field of message.headers) if (field.key === key) return field.value;
	return undefined;
}

/** Values of all header fields of that name, in order, not split at commas. */
export function headers(message: SipMessage, name: string): string[] {
	const key = headerKey(name);
	const values: string[] = [];
	for (const field of message.headers) if (field.key === key) values.push(field.value);
	return values;
}

/** Elements of a comma-separated header over all its lines (RFC 3261 §7.3.1). An unbalanced line is one element. */
export function headerList(message: SipMessage, name: string): string[] {
	const elements: string[] = [];
	for (const value of headers(message, name)) {
		for (const element of splitOutside(value, ",") ?? [value]) if (element !== "") elements.push(element);
	}
	return elements;
}

export function field(name: string, value: string): HeaderField {
	return { name, key: headerKey(name), value };
}
