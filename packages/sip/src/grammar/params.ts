import { isToken, splitOutside, unquote } from "./tokens.ts";

export interface Param {
	/** lower case */
	readonly name: string;
	/** as written, quotes included; unset for a flag such as `lr` */
	readonly value?: string;
}

/** Parses `;a=b;c` (the leading semicolon may be missing). undefined when it does not follow RFC 3261 generic-param. */
export function parseParams(text: string): Param[] | undefined {
	const params: Param[] = [];
	if (text === "") return params;
	const parts = splitOutside(text.startsWith(";") ? text.slice(1) : text, ";");
	if (parts === undefined) return undefined;
	for (const part of parts) {
		const equals = part.indexOf("=");
		const name = (equals < 0 ? part : part.slice(0, equals)).trim();
		if (!isToken(name)) return undefined;
		if (equals < 0) params.push({ name: name.toLowerCase() });
		else params.push({ name: name.toLowerCase(), value: part.slice(equals + 1).trim() });
	}
	return params;
}

export function writeParams(params: readonly Param[]): string {
	let text = "";
	for (const { name, value } of params) text += value === undefined ? `;${name}` : `;${name}=${value}`;
	return text;
}

/** Value of the first parameter of that (lower-case) name, without quotes; "" for a flag; undefined when it is not there. */
export function param(params: readonly Param[], name: string): string | undefined {
	for (const candidate of params) if (candidate.name === name) return unquote(candidate.value ?? "");
	return undefined;
}
