import { headersFromAttributes, type ReferDialectOfCall, referInDialect, type TransferCommand } from "@trunkline/domain";
import type { HeaderList } from "./ports.ts";
import { sendableHeaders } from "./sendable-headers.ts";

/**
 * Headers of a REFER: Refer-To (RFC 3515 §2.1), Referred-By (RFC 3892) unless the request brings its own, its headers, and those that the trunk maps from
 * the participant's attributes; in the dialect of the trunk's provider. `headers` is undefined when the target cannot be written into a header; `refused` are names that were left out.
 */
export function referHeaders(
	{ transferTo, headers }: Pick<TransferCommand, "transferTo" | "headers">,
	from: { referredBy: string; attributes: Readonly<Record<string, string>>; attributesToHeaders: Readonly<Record<string, string>> },
	dialect?: ReferDialectOfCall,
): { headers: HeaderList | undefined; refused: string[] } {
	const given = Object.entries(headers).filter(([name]) => !IS_TARGET.test(name));
	const names = new Set(given.map(([name]) => name.toLowerCase()));
	const referredBy: HeaderList = names.has("referred-by") || names.has("b") ? [] : [["Referred-By", `<${from.referredBy}>`]];
	const mapped = headersFromAttributes(from.attributes, from.attributesToHeaders)
		.map(({ name, value }) => [name, value] as const)
		.filter(([name]) => !IS_TARGET.test(name) && !names.has(name.toLowerCase()));
	const { referTo, diversion } = dialect === undefined ? { referTo: transferTo } : referInDialect(transferTo, dialect);
	const divertedBy: HeaderList = diversion === undefined || names.has("diversion") ? [] : [["Diversion", diversion]];
	const target = sendableHeaders([["Refer-To", referTo]]);
	const { headers: rest, refused } = sendableHeaders([...referredBy, ...divertedBy, ...given, ...mapped]);
	return { headers: target.refused.length > 0 ? undefined : [...target.headers, ...rest], refused };
}

/** The one target is the one that the policy on destinations has seen. */
const IS_TARGET = /^(refer-to|r)$/i;
