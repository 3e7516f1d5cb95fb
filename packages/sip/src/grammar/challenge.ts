import { isToken, quote, splitOutside, unquote } from "./tokens.ts";

/** A challenge or credentials: scheme and auth-params (RFC 3261 §25.1, RFC 7235 §2.1). */
export interface AuthField {
	/** lower case */
	readonly scheme: string;
	/** by lower-case name, without quotes; of a name that comes twice the first */
	readonly params: ReadonlyMap<string, string>;
}

export function parseAuthField(value: string): AuthField | undefined {
	const space = value.search(/\s/);
	const scheme = space < 0 ? value : value.slice(0, space);
	const parts = splitOutside(space < 0 ? "" : value.slice(space + 1), ",");
	if (!isToken(scheme) || parts === undefined) return undefined;
	const params = new Map<string, string>();
	for (const part of parts) {
		const equals = part.indexOf("=");
		const name = part.slice(0, Math.max(equals, 0)).trim().toLowerCase();
		if (!isToken(name)) return undefined;
		if (!params.has(name)) params.set(name, unquote(part.slice(equals + 1).trim()));
	}
	return { scheme: scheme.toLowerCase(), params };
}

// RFC 7616 §3.3, §3.4: these are written without quotes, all others with.
const BARE = new Set(["algorithm", "nc", "stale", "qop"]);

export function writeAuthField(scheme: string, params: Iterable<readonly [name: string, value: string]>, quotedQop: boolean): string {
	const written: string[] = [];
	for (const [name, value] of params) {
		const bare = BARE.has(name) && !(name === "qop" && quotedQop);
		written.push(`${name}=${bare ? value : quote(value)}`);
	}
	return `${scheme} ${written.join(", ")}`;
}
