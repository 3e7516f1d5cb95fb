import { isIpv6 } from "../grammar/host.ts";

/**
 * What counts as one source. An IPv6 host has at least a /64 to choose addresses from (RFC 4291 §2.5.4), so the network is the source; IPv4-mapped
 * addresses (§2.5.5.2) are the IPv4 ones they stand for.
 */
export function sourceOf(host: string): string {
	if (!host.includes(":")) return host;
	const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(host)?.[1];
	if (mapped !== undefined) return mapped;
	const bare = host.replace(/%.*$/, "");
	if (!isIpv6(bare)) return bare;
	const [head = "", tail] = bare.toLowerCase().split("::");
	const first = head === "" ? [] : head.split(":");
	const missing = tail === undefined ? 0 : 8 - first.length - groupsOf(tail);
	const groups = [...first, ...Array.from({ length: missing }, () => "0"), ...(tail ?? "").split(":")];
	const network = groups.slice(0, 4).map((group) => group.replace(/^0+(?=.)/, ""));
	return `${network.join(":")}::/64`;
}

/** A dotted quad at the end stands for two groups. */
function groupsOf(text: string): number {
	if (text === "") return 0;
	const groups = text.split(":");
	return groups.length + (groups.at(-1)?.includes(".") ? 1 : 0);
}
