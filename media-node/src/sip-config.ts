import { isIpv4, isIpv6 } from "@trunkline/sip";
import * as z from "zod";
import type { SipOptions } from "./sip-options.ts";

const port = z
	.string()
	.regex(/^\d{1,5}$/, "must be a port number, 0 to 65535")
	.default("5061")
	.transform(Number)
	.pipe(z.number().max(65_535, "must be a port number, 0 to 65535"));
const atMost = (most: number) =>
	z
		.string()
		.regex(/^[1-9]\d{0,5}$/, `must be a number from 1 to ${most}`)
		.transform(Number)
		.pipe(z.number().max(most, `must be at most ${most}`))
		.optional();

/** As node:dns takes them: 192.0.2.1, 192.0.2.1:5353, 2001:db8::1, [2001:db8::1]:5353. */
function isNameServer(text: string): boolean {
	const [, bracketed, plain] = /^(?:\[([^\]]+)\](?::\d{1,5})?|([\d.]+)(?::\d{1,5})?)$/.exec(text) ?? [];
	const address = bracketed ?? plain ?? text;
	return isIpv4(address) || isIpv6(address);
}

/** Settings of SIP over connections and IPv6, the same for a node in a container and on a laptop. */
export const SIP_FIELDS = {
	/** name servers for RFC 3263, with commas between; unset = the system's */
	SIP_DNS_SERVERS: z
		.string()
		.transform((text) => text.split(",").map((server) => server.trim()))
		.refine((servers) => servers.every(isNameServer), "must be name servers, ip or ip:port, with commas between")
		.optional(),
	ADVERTISED_ADDRESS_6: z.ipv6({ error: "must be an IPv6 address that others reach this machine at" }).optional(),
	SIP_TLS_PORT: port,
	SIP_TLS_CERT_FILE: z.string().optional(),
	SIP_TLS_KEY_FILE: z.string().optional(),
	SIP_TLS_CA_FILE: z.string().optional(),
	SIP_TLS_CLIENT_CA_FILE: z.string().optional(),
	SIP_TLS_CLIENT_DIR: z.string().optional(),
	SIP_MAX_CONNECTIONS: atMost(100_000),
	SIP_MAX_CONNECTIONS_PER_SOURCE: atMost(100_000),
};

type SipSettings = z.infer<z.ZodObject<typeof SIP_FIELDS>>;

/** What of a node's SIP options these settings say. `wrong` is one line that names a setting that is missing. */
export function sipOptions(settings: SipSettings, host: string): { options: Partial<SipOptions>; wrong?: string } {
	const { SIP_TLS_CERT_FILE: certFile, SIP_TLS_KEY_FILE: keyFile, ADVERTISED_ADDRESS_6: advertisedHost6 } = settings;
	const options: Partial<SipOptions> = {
		...(settings.SIP_DNS_SERVERS !== undefined && { dnsServers: settings.SIP_DNS_SERVERS }),
		tlsPort: settings.SIP_TLS_PORT,
		tls: {
			...(certFile !== undefined && { certFile }),
			...(keyFile !== undefined && { keyFile }),
			...(settings.SIP_TLS_CA_FILE !== undefined && { caFile: settings.SIP_TLS_CA_FILE }),
			...(settings.SIP_TLS_CLIENT_CA_FILE !== undefined && { clientCaFile: settings.SIP_TLS_CLIENT_CA_FILE }),
			...(settings.SIP_TLS_CLIENT_DIR !== undefined && { clientDir: settings.SIP_TLS_CLIENT_DIR }),
		},
		connections: {
			...(settings.SIP_MAX_CONNECTIONS !== undefined && { inbound: settings.SIP_MAX_CONNECTIONS }),
			...(settings.SIP_MAX_CONNECTIONS_PER_SOURCE !== undefined && { perSource: settings.SIP_MAX_CONNECTIONS_PER_SOURCE }),
		},
		// Every address of IPv4 means every address of IPv6; whoever chose one gets the one.
		...(advertisedHost6 !== undefined && { advertisedHost6, bindHost6: host === "0.0.0.0" ? "::" : advertisedHost6 }),
	};
	const wrong = fault(settings, host);
	return wrong === undefined ? { options } : { options, wrong };
}

/** The same addresses for media. */
export function ipv6Of({ bindHost6, advertisedHost6 }: Partial<SipOptions>): { bindHost6?: string; advertisedAddress6?: string } {
	return bindHost6 === undefined || advertisedHost6 === undefined ? {} : { bindHost6, advertisedAddress6: advertisedHost6 };
}

function fault(settings: SipSettings, host: string): string | undefined {
	const { SIP_TLS_CERT_FILE: certFile, SIP_TLS_KEY_FILE: keyFile, SIP_TLS_CLIENT_CA_FILE: clientCaFile } = settings;
	if (certFile !== undefined && keyFile === undefined) return "SIP_TLS_KEY_FILE must be set, because SIP_TLS_CERT_FILE is";
	if (keyFile !== undefined && certFile === undefined) return "SIP_TLS_CERT_FILE must be set, because SIP_TLS_KEY_FILE is";
	// Whoever asks for certificates of peers would think that he has a TLS listener.
	if (clientCaFile !== undefined && certFile === undefined) return "SIP_TLS_CERT_FILE must be set, because SIP_TLS_CLIENT_CA_FILE is";
	if (settings.ADVERTISED_ADDRESS_6 !== undefined && host.includes(":"))
		return "ADVERTISED_ADDRESS_6 is for a node that has IPv4 too: set ADVERTISED_ADDRESS where it has IPv6 alone";
	return undefined;
}
