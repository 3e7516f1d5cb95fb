import { createSocket } from "node:dgram";
import { lookup } from "node:dns/promises";
import { isIP, isIPv6 } from "node:net";
import { type Address, param, parseUri, type SipTransport } from "@trunkline/sip";
import { PhoneError } from "./errors.ts";

const DEFAULT_SIP_PORT = 5060;
const DEFAULT_SIPS_PORT = 5061;

/** Where a SIP URI leads to: its host (looked up when it is a name) and port, 5060 when it says none. PhoneError in one line otherwise. */
export async function resolveUri(text: string, fallback: SipTransport = "UDP"): Promise<Address> {
	const uri = parseUri(text);
	if (uri === undefined || uri.scheme === "tel") throw new PhoneError(`"${text}" is no SIP URI; it looks like sip:+15550100@127.0.0.1`);
	const named = (param(uri.params, "transport") ?? fallback).toUpperCase();
	const transport = uri.scheme === "sips" ? "TLS" : named;
	if (transport !== "UDP" && transport !== "TCP" && transport !== "TLS")
		throw new PhoneError(`this phone speaks SIP over UDP, TCP and TLS, not over ${named}`);
	return {
		host: await resolveHost(uri.host),
		port: uri.port ?? (transport === "TLS" ? DEFAULT_SIPS_PORT : DEFAULT_SIP_PORT),
		transport,
		// RFC 5922 §4: the certificate has to name what was dialled.
		...(transport === "TLS" && isIP(uri.host) === 0 && { tls: { serverName: uri.host } }),
	};
}

/** "host", "host:port" or a SIP URI. */
export async function resolveProxy(text: string, fallback: SipTransport = "UDP"): Promise<Address> {
	return resolveUri(/^sips?:/i.test(text) ? text : `sip:${text}`, fallback);
}

/** The address of this machine that packets to `target` leave from. Sends nothing. */
export async function localAddressFor(target: Address): Promise<string> {
	const socket = createSocket(isIPv6(target.host) ? "udp6" : "udp4");
	try {
		await new Promise<void>((resolve, reject) => {
			socket.once("error", reject);
			socket.connect(target.port, target.host, resolve);
		});
		return socket.address().address;
	} catch (error) {
		throw new PhoneError(`no way to ${target.host}: ${(error as Error).message}`);
	} finally {
		socket.close();
	}
}

async function resolveHost(host: string): Promise<string> {
	if (isIP(host) !== 0) return host;
	try {
		return (await lookup(host, { order: "ipv4first" })).address;
	} catch {
		throw new PhoneError(`there is no host called ${host}`);
	}
}
