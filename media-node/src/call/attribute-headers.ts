import { headersFromAttributes } from "@trunkline/domain";
import type { HeaderList } from "./ports.ts";
import { sendableHeaders } from "./sendable-headers.ts";

/**
 * Headers of a final response, with those that the trunk maps from the participant's attributes as they are now, in the place of headers of the same name.
 * What cannot be sent is left out.
 */
export function withAttributes(
	headers: HeaderList,
	attributes: Readonly<Record<string, string>>,
	attributesToHeaders: Readonly<Record<string, string>>,
): HeaderList {
	const given = headersFromAttributes(attributes, attributesToHeaders).map(({ name, value }) => [name, value] as const);
	const mapped = sendableHeaders(given).headers;
	const names = new Set(mapped.map(([name]) => name.toLowerCase()));
	return [...headers.filter(([name]) => !names.has(name.toLowerCase())), ...mapped];
}
