import { UnreachableError } from "../call/ports.ts";

export type Lookup = (host: string) => Promise<string>;

const IPV4 = /^\d{1,3}(\.\d{1,3}){3}$/;

/** `host`, `host:port`, `[v6]` or `[v6]:port` → IP and port. RFC 3261 §19.1.2: the default port is 5060. */
export async function resolveTarget(address: string, lookup: Lookup): Promise<{ host: string; port: number }> {
	const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:[\]]+))(?::(\d{1,5}))?$/.exec(address.trim());
	const host = match?.[1] ?? match?.[2];
	const port = Number(match?.[3] ?? 5060);
	if (host === undefined || port < 1 || port > 65_535) throw new UnreachableError(`"${address}" is not host or host:port`);
	if (IPV4.test(host) || host.includes(":")) return { host, port };
	try {
		return { host: await lookup(host), port };
	} catch (error) {
		throw new UnreachableError(`the name ${host} cannot be resolved: ${error instanceof Error ? error.message : String(error)}`, {
			cause: error,
		});
	}
}
