import { parseNetwork } from "./address.ts";
import { checkText, invalid } from "./check.ts";

/** host[:port], never a SIP URI; "" passes. */
export function checkHost(field: string, host: string): void {
	if (host.includes("transport=")) throw invalid(`${field} should not contain transport parameter`);
	if (/[@;]/.test(host) || /^sips?:/i.test(host)) throw invalid(`${field} should be a hostname or IP, not SIP URI`);
	if (host === "") return;
	checkText(field, host);
	// RFC 3261 §25.1 hostport; IPv6 in brackets. Underscores are common in private DNS.
	const [, ipv6, port] = /^(?:[A-Za-z0-9._-]+|\[([0-9A-Fa-f:.]+)\])(?::(\d{1,5}))?$/.exec(host) ?? [undefined, "", "0"];
	if ((ipv6 !== undefined && parseNetwork(ipv6) === undefined) || Number(port ?? 5060) < 1 || Number(port ?? 5060) > 65_535) {
		throw invalid(
			`${field} ${JSON.stringify(host)} should be a hostname or IP, with a port if need be, like sip.example.com:5060 or [2001:db8::1]:5060`,
		);
	}
}

/** "" passes. */
export function checkCountry(field: string, country: string): void {
	if (country !== "" && !/^[A-Z]{2}$/.test(country)) {
		throw invalid(`${field} must be a valid ISO 3166-1 alpha-2 code (2-letter like 'US', 'IN', 'UK')`);
	}
}
