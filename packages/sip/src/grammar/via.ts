import { parseHostPort, writeHost } from "./host.ts";
import { type Param, param, parseParams, writeParams } from "./params.ts";
import { isToken } from "./tokens.ts";

/** One Via element (RFC 3261 §20.42). */
export interface Via {
	/** upper case: UDP, TCP, TLS, … */
	readonly transport: string;
	readonly host: string;
	readonly port?: number;
	readonly params: readonly Param[];
	/** unset in RFC 2543 */
	readonly branch?: string;
}

/** RFC 3261 §8.1.1.7: a branch that begins so is unique in space and time. */
export const MAGIC_COOKIE = "z9hG4bK";

export function parseVia(text: string): Via | undefined {
	const semicolon = text.indexOf(";");
	const head = /^SIP\s*\/\s*2\.0\s*\/\s*([^\s/]+)\s+(\S.*)$/i.exec((semicolon < 0 ? text : text.slice(0, semicolon)).trim());
	const transport = head?.[1];
	if (transport === undefined || !isToken(transport)) return undefined;
	const sentBy = parseHostPort(head?.[2] ?? "");
	const params = semicolon < 0 ? [] : parseParams(text.slice(semicolon));
	if (sentBy === undefined || params === undefined) return undefined;
	const branch = param(params, "branch");
	return { transport: transport.toUpperCase(), ...sentBy, params, ...(branch === undefined || branch === "" ? {} : { branch }) };
}

export function writeVia(via: Via): string {
	const port = via.port === undefined ? "" : `:${via.port}`;
	return `SIP/2.0/${via.transport} ${writeHost(via.host)}${port}${writeParams(via.params)}`;
}
