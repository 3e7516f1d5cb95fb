import ipaddr from "ipaddr.js";

type Address = ipaddr.IPv4 | ipaddr.IPv6;

/** An IP network; a single address has the longest prefix of its family. IPv4-mapped IPv6 is IPv4 here. */
export interface Network {
	readonly address: Address;
	readonly prefixLength: number;
}

/**
 * An IP address, `undefined` when the text is none. IPv4 only in four decimal parts: octal, hexadecimal and short forms mean different addresses
 * to different software. `[…]` around IPv6 and a zone are taken off; IPv4-mapped IPv6 (RFC 4291 §2.5.5.2) becomes IPv4.
 */
export function parseAddress(text: string): Address | undefined {
	const bare = text.startsWith("[") && text.endsWith("]") ? text.slice(1, -1) : text;
	if (ipaddr.IPv4.isValidFourPartDecimal(bare)) return ipaddr.IPv4.parse(bare);
	const withoutZone = bare.replace(/%[^%]*$/, "");
	if (!withoutZone.includes(":") || !ipaddr.IPv6.isValid(withoutZone)) return undefined;
	const address = ipaddr.IPv6.parse(withoutZone);
	return address.isIPv4MappedAddress() ? address.toIPv4Address() : address;
}

/** An IP address or CIDR block; `undefined` when it is neither. Host bits of a block are cleared. */
export function parseNetwork(text: string): Network | undefined {
	const slash = text.indexOf("/");
	const address = parseAddress(slash < 0 ? text : text.slice(0, slash));
	if (address === undefined) return undefined;
	const bits = address.kind() === "ipv4" ? 32 : 128;
	if (slash < 0) return { address, prefixLength: bits };
	const lengthText = text.slice(slash + 1);
	if (!/^(0|[1-9]\d{0,2})$/.test(lengthText)) return undefined;
	// ::ffff:10.0.0.0/104 is 10.0.0.0/8: the first 96 bits are the mapping.
	const mapped = bits === 32 && text.slice(0, slash).includes(":");
	const prefixLength = Number(lengthText) - (mapped ? 96 : 0);
	if (prefixLength < 0 || prefixLength > bits) return undefined;
	return { address: maskHostBits(address, prefixLength), prefixLength };
}

/** One text per network, however it was written: the form in which networks are compared as strings. */
export function formatNetwork(network: Network): string {
	return `${network.address.toString()}/${network.prefixLength}`;
}

export function networkContains(network: Network, address: Address): boolean {
	if (network.address.kind() !== address.kind()) return false;
	return equalBytes(maskHostBits(address, network.prefixLength).toByteArray(), network.address.toByteArray());
}

function maskHostBits(address: Address, prefixLength: number): Address {
	const bytes = address.toByteArray().map((byte, index) => {
		const kept = Math.min(8, Math.max(0, prefixLength - index * 8));
		return byte & (0xff00 >> kept) & 0xff;
	});
	return ipaddr.fromByteArray(bytes);
}

function equalBytes(a: readonly number[], b: readonly number[]): boolean {
	return a.length === b.length && a.every((byte, index) => byte === b[index]);
}
