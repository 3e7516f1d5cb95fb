export interface HostPort {
	/** lower case; IPv6 without brackets */
	readonly host: string;
	readonly port?: number;
}

/** `host[:port]` with the host a name, an IPv4 address or an IPv6 address in brackets; white space around the colon is allowed (RFC 3261 COLON). */
export function parseHostPort(text: string): HostPort | undefined {
	let host: string;
	let rest: string;
	if (text.startsWith("[")) {
		const close = text.indexOf("]");
		host = text.slice(1, close);
		if (close < 0 || !isIpv6(host)) return undefined;
		rest = text.slice(close + 1).trim();
	} else {
		const colon = text.indexOf(":");
		host = (colon < 0 ? text : text.slice(0, colon)).trim();
		if (!isHostName(host)) return undefined;
		rest = colon < 0 ? "" : text.slice(colon);
	}
	host = host.toLowerCase();
	if (rest === "") return { host };
	if (!rest.startsWith(":")) return undefined;
	const port = parsePort(rest.slice(1).trim());
	return port === undefined ? undefined : { host, port };
}

export function writeHost(host: string): string {
	return host.includes(":") ? `[${host}]` : host;
}

export function isIpv4(text: string): boolean {
	const parts = text.split(".");
	return parts.length === 4 && parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) <= 255);
}

/** IPv6 address without brackets and zone. */
export function isIpv6(text: string): boolean {
	if (text.length < 2 || text.length > 45 || !/^[0-9A-Fa-f:.]+$/.test(text)) return false;
	const halves = text.split("::");
	if (halves.length > 2) return false;
	let groups = 0;
	for (const half of halves) {
		if (half === "") continue;
		const parts = half.split(":");
		const last = parts[parts.length - 1] ?? "";
		const embedded = last.includes(".") && half === halves[halves.length - 1];
		if (embedded && !isIpv4(last)) return false;
		if (!(embedded ? parts.slice(0, -1) : parts).every((part) => /^[0-9A-Fa-f]{1,4}$/.test(part))) return false;
		groups += embedded ? parts.length + 1 : parts.length;
	}
	return halves.length === 2 ? groups < 8 : groups === 8;
}

// The underscore is not in RFC 3261's hostname but is in DNS names people use.
function isHostName(text: string): boolean {
	return text.length > 0 && text.length <= 255 && /^[A-Za-z0-9._-]+$/.test(text);
}

function parsePort(text: string): number | undefined {
	if (!/^\d{1,5}$/.test(text)) return undefined;
	const port = Number(text);
	return port >= 1 && port <= 65535 ? port : undefined;
}
