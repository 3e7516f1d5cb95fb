import { BlockList, isIP } from "node:net";

/** Where webhooks may go beside https to public addresses. Whoever can set webhooks makes us send requests from inside the network we are in. */
export interface TargetPolicy {
	/** this machine, over http too; never where other services listen there, as in Lambda */
	loopback: boolean;
	/** private networks (RFC 1918, RFC 4193), over http too */
	private: boolean;
}

const LOOPBACK = list(["127.0.0.0/8", "::1/128"]);
const PRIVATE = list(["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"]);
/** IANA's special-purpose registries (RFC 6890): link-local, where clouds have their metadata, shared, documentation, benchmarks, multicast, … */
const SPECIAL_IPV4 = list([
	..."0.0.0.0/8 100.64.0.0/10 169.254.0.0/16 192.0.0.0/24 192.0.2.0/24 192.88.99.0/24 198.18.0.0/15".split(" "),
	..."198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4".split(" "),
]);
const GLOBAL_IPV6 = list(["2000::/3"]);
/** inside 2000::/3; Teredo and 6to4 have IPv4 addresses in them, of any kind */
const SPECIAL_IPV6 = list(["2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"]);

/** What is wrong with a URL as far as it can be seen without a look-up; undefined = nothing. */
export function targetProblem(url: URL, policy: TargetPolicy): string | undefined {
	const host = hostOf(url);
	if (url.protocol !== "https:" && url.protocol !== "http:") return "must be an http or https URL";
	if (url.username !== "" || url.password !== "") return "must not have a user name or password in it";
	if (isIP(host) !== 0) {
		const problem = addressProblem(host, policy);
		if (problem !== undefined) return problem;
	}
	if (url.protocol === "http:" && !mayBePlain(host, policy)) return "must be an https URL";
	return undefined;
}

/** Why nothing is sent to an address; undefined = it may be. */
export function addressProblem(address: string, policy: TargetPolicy): string | undefined {
	const family = isIP(address) === 6 ? "ipv6" : "ipv4";
	if (LOOPBACK.check(address, family))
		return policy.loopback ? undefined : `${address} is this machine itself, which webhooks may not reach`;
	if (PRIVATE.check(address, family))
		return policy.private ? undefined : `${address} is in a private network, which webhooks may not reach`;
	const isPublic =
		family === "ipv4" ? !SPECIAL_IPV4.check(address, family) : GLOBAL_IPV6.check(address, family) && !SPECIAL_IPV6.check(address, family);
	return isPublic ? undefined : `${address} is no public address, and webhooks may not reach it`;
}

/** Host of a URL without the brackets of IPv6. */
function hostOf(url: URL): string {
	return url.hostname.replace(/^\[(.*)\]$/, "$1");
}

/** A name other than localhost may lead anywhere, so without TLS it has to be an address that can be judged. */
function mayBePlain(host: string, policy: TargetPolicy): boolean {
	if (host === "localhost") return policy.loopback;
	if (isIP(host) === 0) return policy.private;
	const family = isIP(host) === 6 ? "ipv6" : "ipv4";
	return LOOPBACK.check(host, family) || PRIVATE.check(host, family);
}

function list(networks: readonly string[]): BlockList {
	const blocks = new BlockList();
	for (const network of networks) {
		const [address = "", prefix = "0"] = network.split("/");
		blocks.addSubnet(address, Number(prefix), address.includes(":") ? "ipv6" : "ipv4");
	}
	return blocks;
}
