import { Resolver } from "node:dns/promises";
import { isIP } from "node:net";
import { type Finding, ok, warning, wrong } from "./finding.ts";
import { type Answer, askOptions, type Target } from "./options-request.ts";

export interface Provider {
	trunkId: string;
	name?: string;
	/** host or host:port */
	address: string;
	transport: "AUTO" | "UDP" | "TCP" | "TLS";
}

/** DNS and an OPTIONS request to the address that a trunk names; nothing else is contacted. */
export async function checkProvider(
	{ trunkId, name, address, transport }: Provider,
	dnsServers: readonly string[] = [],
): Promise<Finding[]> {
	const check = `trunk ${name ? `${JSON.stringify(name)} ` : ""}${trunkId}`;
	const parts = /^(?:\[([0-9a-f:.]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/i.exec(address);
	const host = parts?.[1] ?? parts?.[2];
	if (host === undefined)
		return [wrong(check, `its address ${JSON.stringify(address)} is not host or host:port`, "Set it: trunk set … --address")];
	const port = parts?.[3] === undefined ? undefined : Number(parts[3]);
	const found: Finding[] = [];
	const target: Target = {
		host,
		port: port ?? (transport === "TLS" ? 5061 : 5060),
		transport: transport === "AUTO" ? "UDP" : transport,
		name: host,
	};
	if (isIP(host) === 0) {
		const resolved = await look(host, port, transport, dnsServers);
		if (typeof resolved === "string") {
			const todo = "Check the trunk's address for a typing mistake, and that this machine's DNS servers know the name.";
			return [wrong(check, `the name ${host} leads nowhere: ${resolved}`, todo)];
		}
		found.push(ok(`${check}: DNS`, resolved.words));
		Object.assign(target, resolved.target);
	}
	found.push(finding(check, target, await askOptions(target)));
	return found;
}

function finding(check: string, { host, port, transport }: Target, answer: Answer): Finding {
	const where = `${host}:${port} (${transport})`;
	if (answer.kind === "failed") {
		const todo = answer.certificate
			? "Use the name that the certificate is for as the trunk's address, or name its authority in SIP_TLS_CA_FILE."
			: "Check address, port and transport of the trunk, and that no firewall is between.";
		return wrong(check, `no connection to ${where}: ${answer.message}`, todo);
	}
	if (answer.kind === "silence")
		return wrong(
			check,
			`${where} does not answer OPTIONS`,
			"Check address, port and transport; the provider may also answer only addresses that you have named in its portal, or nobody's OPTIONS: then only a call shows more.",
		);
	const { status, reason, ms } = answer;
	const said = `${where} answers OPTIONS with ${status} ${reason} after ${ms} ms`;
	if (status === 503) return warning(check, said, "It takes no calls now: look at the provider's status page.");
	// Whatever else it says of OPTIONS: it speaks SIP, and hears us.
	return ok(check, said);
}

interface Looked {
	words: string;
	target: Partial<Target>;
}

/** RFC 3263 §4.1, §4.2, as far as one target goes; gives the reason in words when there is none. */
async function look(
	host: string,
	port: number | undefined,
	transport: Provider["transport"],
	dnsServers: readonly string[],
): Promise<Looked | string> {
	const resolver = new Resolver({ timeout: 2_000, tries: 2 });
	if (dnsServers.length > 0) resolver.setServers([...dnsServers]);
	const said: string[] = [];
	let name = host;
	const target: Partial<Target> = {};
	if (port === undefined) {
		const naptr = await resolver.resolveNaptr(host).catch(() => []);
		if (naptr.length > 0) said.push(`NAPTR ${naptr.map(({ service }) => service).join(", ")}`);
		for (const kind of kinds(transport)) {
			const [first, ...others] = (await resolver.resolveSrv(`${kind.prefix}.${host}`).catch(() => [])).sort(
				(a, b) => a.priority - b.priority,
			);
			if (first === undefined) continue;
			said.push(`SRV ${kind.prefix}: ${first.name}:${first.port}${others.length > 0 ? ` and ${others.length} more` : ""}`);
			name = first.name;
			Object.assign(target, { port: first.port, transport: kind.transport });
			break;
		}
	}
	const addresses = await resolver
		.resolve4(name)
		.catch(() => resolver.resolve6(name).catch((error: NodeJS.ErrnoException) => error.code ?? error.message));
	if (typeof addresses === "string") {
		const local = await import("node:dns/promises").then(({ lookup }) => lookup(name).catch(() => undefined));
		if (local === undefined || dnsServers.length > 0)
			return `${said.join("; ")}${said.length > 0 ? "; " : ""}${name} has no address (${addresses})`;
		return { words: [...said, `${name} is ${local.address} (hosts file)`].join("; "), target: { ...target, host: local.address } };
	}
	const [first = ""] = addresses;
	return { words: [...said, `${name} is ${addresses.join(", ")}`].join("; "), target: { ...target, host: first } };
}

function kinds(transport: Provider["transport"]): { prefix: string; transport: Target["transport"] }[] {
	const all = [
		{ prefix: "_sip._udp", transport: "UDP" },
		{ prefix: "_sip._tcp", transport: "TCP" },
		{ prefix: "_sips._tcp", transport: "TLS" },
	] as const;
	return all.filter((kind) => transport === "AUTO" || kind.transport === transport);
}
