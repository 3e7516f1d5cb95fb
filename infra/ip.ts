import { isIPv4 } from "node:net";

/**
 * A CIDR block of IPv4 with its host bits cleared, as AWS wants it; undefined for anything else. Of our own, as SST turns every .js file that it bundles into an
 * ES module, which the library of the domain is not.
 */
export function blockOf(text: string): string | undefined {
	const [, address = "", length = "32"] = /^([\d.]+)(?:\/(\d|[12]\d|3[012]))?$/.exec(text) ?? [];
	if (!isIPv4(address)) return undefined;
	const bits = address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
	const size = 2 ** (32 - Number(length));
	const first = Math.floor(bits / size) * size;
	const parts = [24, 16, 8, 0].map((shift) => Math.floor(first / 2 ** shift) % 256);
	return `${parts.join(".")}/${length}`;
}
