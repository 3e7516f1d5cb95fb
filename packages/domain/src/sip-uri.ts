import type { Transport } from "@trunkline/contracts";
import { checkText, invalid } from "./check.ts";
import { checkHost } from "./host.ts";

/** `livekit.SIPUri` */
export interface UriParts {
	user: string;
	host: string;
	ip: string;
	/** 0 = none */
	port: number;
	transport: Transport;
}

/** `livekit.SIPRequestDest`: the text of a URI, `<…>` or not, or its parts. */
export type UriChoice = { raw: string } | { parts: UriParts };

const MAX_URI_LENGTH = 512;

// RFC 3261 §25.1: user = 1*( unreserved / escaped / user-unreserved ); uri-parameters of paramchar; headers ("?…") have no place in a request URI.
const SIP_URI =
	/^(sips?):(?:((?:[A-Za-z0-9\-_.!~*'()&=+$,;?/]|%[0-9A-Fa-f]{2})+)@)?([^;?@]+)((?:;[A-Za-z0-9\-_.!~*'()[\]/:&+$%]+(?:=[A-Za-z0-9\-_.!~*'()[\]/:&+$%]+)?)*)$/i;

/** One text of the URI, which may stand in `<…>`. Throws `invalid_argument` that names the field. */
export function sipUriText(field: string, choice: UriChoice): string {
	if ("parts" in choice) return uriOfParts(field, choice.parts);
	const raw = choice.raw.trim();
	const uri = raw.startsWith("<") && raw.endsWith(">") ? raw.slice(1, -1) : raw;
	checkText(field, uri, MAX_URI_LENGTH);
	const [, , , hostport] = SIP_URI.exec(uri) ?? [];
	if (hostport === undefined) throw invalid(`${field} must be a SIP or SIPS URI, like sip:+15550100@sip.example.com:5060;transport=tcp`);
	checkHost(`host of ${field}`, hostport);
	return uri;
}

/** The user part of a URI that `sipUriText` gave, unescaped; "" when it has none. */
export function userOfSipUri(uri: string): string {
	const [, , user = ""] = SIP_URI.exec(uri) ?? [];
	return user.replace(/(?:%[0-9A-Fa-f]{2})+/g, (escaped) => {
		try {
			return decodeURIComponent(escaped);
		} catch {
			return escaped;
		}
	});
}

/** RFC 3261 §25.1: what may not stand in a user part as it is stands there escaped: `#` above all. */
export function escapeUser(user: string): string {
	return user.replace(/[^A-Za-z0-9\-_.!~*'()&=+$,;?/%]/gu, (character) => encodeURIComponent(character));
}

function uriOfParts(field: string, { user, host, ip, port, transport }: UriParts): string {
	const name = host === "" ? ip : host;
	if (name === "") throw invalid(`${field} has no host`);
	if (port < 0 || port > 65_535) throw invalid(`port of ${field} must be from 1 to 65535`);
	const hostname = name.includes(":") && !name.startsWith("[") ? `[${name}]` : name;
	const parameter = transport === "AUTO" ? "" : `;transport=${transport.toLowerCase()}`;
	return sipUriText(field, {
		raw: `sip:${user === "" ? "" : `${escapeUser(user)}@`}${hostname}${port === 0 ? "" : `:${port}`}${parameter}`,
	});
}
