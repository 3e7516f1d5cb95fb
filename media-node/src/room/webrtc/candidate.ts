import { isIP, isIPv6 } from "node:net";
import { networkInterfaces } from "node:os";

/** RFC 8445 §5.1.2.1: type preference of a host candidate, one address, component 1 */
export const HOST_PRIORITY = 126 * 2 ** 24 + 65_535 * 2 ** 8 + 255;

/** RFC 6544 §4.2: less than UDP's, direction "active" */
export const TCP_PRIORITY = 90 * 2 ** 24 + (6 * 2 ** 13 + 8_191) * 2 ** 8 + 255;

/** RFC 8445 §5.1.2.2: after everything else */
export const RELAY_PRIORITY = 65_535 * 2 ** 8 + 255;

/** An `a=candidate` value for a relayed address of ours (RFC 8839 §5.1); where we are is nobody's business (`raddr`, privacy as WebRTC has it). */
export function relayCandidate(address: string, port: number, ufrag: string): string {
	const any = isIPv6(address) ? "::" : "0.0.0.0";
	return `candidate:2 1 udp ${RELAY_PRIORITY} ${address} ${port} typ relay raddr ${any} rport 0 generation 0 ufrag ${ufrag}`;
}

/** Of another side, one that our sockets reach. */
export interface ServerCandidate {
	address: string;
	port: number;
	priority: number;
	/** unset: UDP; TCP: the server listens (RFC 6544 §4.5, passive) */
	transport?: "tcp";
}

/**
 * Reads an `a=candidate` value (RFC 8839 §5.1), with or without "candidate:". Undefined: one that we cannot use, which ICE wants ignored (RFC 8445 §5.1).
 * A name (which RFC 8839 allows) would be looked up: servers have addresses.
 */
export function parseCandidate(text: string): ServerCandidate | undefined {
	const [, component, transport = "", priority, address = "", port, ...rest] = text.trim().split(" ");
	const isTcp = transport.toLowerCase() === "tcp" && rest[rest.indexOf("tcptype") + 1] === "passive";
	if ((transport.toLowerCase() !== "udp" && !isTcp) || component !== "1" || isIP(address) === 0) return undefined;
	const numbers = [Number(priority), Number(port)] as const;
	if (!Number.isInteger(numbers[0]) || !(numbers[1] > 0 && numbers[1] < 65_536)) return undefined;
	return { address, port: numbers[1], priority: numbers[0], ...(isTcp ? { transport: "tcp" } : {}) };
}

export function sameFamily(a: string, b: string): boolean {
	return isIPv6(a) === isIPv6(b);
}

/**
 * The address that our one host candidate names. A server that is no ICE-lite agent waits a second before it takes a pair whose remote
 * address it was not told, so a server on this machine is told the loopback address and all others an outward one.
 */
export function hostAddress(serverUrl: string): string {
	const { hostname } = new URL(serverUrl);
	if (hostname === "[::1]") return "::1";
	if (hostname === "localhost" || hostname.startsWith("127.")) return "127.0.0.1";
	const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
	const outward = addresses.filter((address) => !address.internal && !address.address.startsWith("fe80:"));
	const families = hostname.startsWith("[") ? ["IPv6"] : ["IPv4", "IPv6"];
	const [chosen] = families.flatMap((family) => outward.filter((address) => address.family === family));
	return chosen?.address ?? "127.0.0.1";
}
