import { param, parseParams } from "../grammar/params.ts";
import { isToken, quote, splitOutside } from "../grammar/tokens.ts";

/** RFC 3326: why a request was sent. `cause` is a SIP status or a Q.850 cause, by `protocol`. */
export interface Reason {
	/** upper case: "SIP", "Q.850" or another token */
	protocol: string;
	cause?: number;
	text?: string;
}

const MAX_REASONS = 8;
const MAX_TEXT = 128;

/** Values of Reason headers, in order. What is none is left out. */
export function parseReasons(values: readonly string[]): Reason[] {
	const reasons: Reason[] = [];
	for (const value of values) {
		for (const one of splitOutside(value, ",") ?? []) {
			const reason = parseReason(one);
			if (reason !== undefined && reasons.length < MAX_REASONS) reasons.push(reason);
		}
	}
	return reasons;
}

/** Throws nothing: text is quoted, and shortened to 128 characters. */
export function writeReason({ protocol, cause, text }: Reason): string {
	const parts = [protocol];
	if (cause !== undefined) parts.push(`;cause=${cause}`);
	if (text !== undefined && text !== "") parts.push(`;text=${quote(text.toWellFormed().slice(0, MAX_TEXT).toWellFormed())}`);
	return parts.join(" ");
}

function parseReason(value: string): Reason | undefined {
	const semicolon = value.indexOf(";");
	const protocol = (semicolon < 0 ? value : value.slice(0, semicolon)).trim();
	const params = semicolon < 0 ? [] : parseParams(value.slice(semicolon));
	if (!isToken(protocol) || protocol.length > 32 || params === undefined) return undefined;
	const cause = param(params, "cause");
	const text = param(params, "text");
	return {
		protocol: protocol.toUpperCase(),
		...(cause !== undefined && /^\d{1,3}$/.test(cause) ? { cause: Number(cause) } : {}),
		...(text === undefined || text === "" ? {} : { text: text.slice(0, MAX_TEXT) }),
	};
}
