import { createSocket } from "node:dgram";
import { createServer, isIPv6 } from "node:net";
import { networkInterfaces } from "node:os";
import { type Finding, ok, warning, wrong } from "./finding.ts";

/** What `npm start` would be given; the names are its variables. */
export interface MachineSettings {
	host: string;
	port: number;
	sipPort: number;
	rtpRange: readonly [number, number];
	/** unset: as npm start would have it */
	advertised: string | undefined;
}

export function machineSettings(env: Readonly<Record<string, string | undefined>>): MachineSettings {
	const [, first, last] = /^(\d{1,5})-(\d{1,5})$/.exec(env["RTP_PORT_RANGE"] ?? "") ?? [];
	return {
		host: env["HOST"] || "127.0.0.1",
		port: Number(env["PORT"] || 7880),
		sipPort: Number(env["SIP_PORT"] || 5060),
		rtpRange: [Number(first ?? 10_000), Number(last ?? 20_000)],
		advertised: env["ADVERTISED_ADDRESS"] || undefined,
	};
}

/** Ports that a start would want. */
export async function checkPorts({ host, port, sipPort, rtpRange }: MachineSettings): Promise<Finding[]> {
	const [firstRtp] = rtpRange;
	const wanted = [
		{ setting: "PORT", kind: "TCP", number: port },
		{ setting: "SIP_PORT", kind: "UDP", number: sipPort },
		{ setting: "SIP_PORT", kind: "TCP", number: sipPort },
		{ setting: "RTP_PORT_RANGE", kind: "UDP", number: firstRtp + (firstRtp % 2) },
	] as const;
	return Promise.all(
		wanted.map(async ({ setting, kind, number }) => {
			const check = `${kind} port ${number}`;
			const problem = await (kind === "TCP" ? bindTcp(host, number) : bindUdp(host, number));
			if (problem === undefined) return ok(check, `free on ${host}`);
			if (problem === "EADDRINUSE")
				return wrong(check, `somebody else has it on ${host}`, `Stop that program, or choose another port: ${setting}=… npm start`);
			if (problem === "EACCES")
				return wrong(check, "this user may not have it", `Ports below 1024 are for administrators: choose another one with ${setting}`);
			return wrong(check, `it cannot be had on ${host} (${problem})`, "HOST must be an address of this machine, or 0.0.0.0 for all.");
		}),
	);
}

/** Who can reach the address that SIP and SDP name. */
export function checkAddress({ host, advertised }: MachineSettings): Finding {
	const check = "advertised address";
	const address = advertised ?? (isWildcard(host) ? firstAddress(isIPv6(host)) : host);
	if (address === undefined)
		return wrong(check, "this machine has no address but loopback", "Connect it to a network, or set ADVERTISED_ADDRESS.");
	if (isLoopback(address))
		return warning(check, `${address}: only programs on this machine can call`, "For telephones of the network: HOST=0.0.0.0 npm start");
	if (isLoopback(host))
		return warning(check, `${address}, but it listens on ${host} alone`, "Set HOST=0.0.0.0, so that what comes to that address is heard.");
	if (isPrivate(address))
		return warning(
			check,
			`${address} is an address of a private network: telephones there can call, providers on the internet cannot`,
			"For providers: set ADVERTISED_ADDRESS to the router's public address, and have it forward SIP_PORT and RTP_PORT_RANGE (UDP) to this machine; or register with the provider (trunk settings).",
		);
	const own = Object.values(networkInterfaces()).some((list) => list?.some((one) => one.address === address));
	return ok(
		check,
		own
			? `${address}, an address of this machine`
			: `${address}: this machine does not have it itself, so a router must forward SIP and RTP to it`,
	);
}

function bindTcp(host: string, port: number): Promise<string | undefined> {
	return new Promise((resolve) => {
		const server = createServer();
		server.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
		server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(undefined)));
	});
}

function bindUdp(host: string, port: number): Promise<string | undefined> {
	return new Promise((resolve) => {
		const socket = createSocket(isIPv6(host) ? "udp6" : "udp4");
		socket.once("error", (error: NodeJS.ErrnoException) => {
			socket.close();
			resolve(error.code ?? error.message);
		});
		socket.bind({ port, address: host, exclusive: true }, () => socket.close(() => resolve(undefined)));
	});
}

const isWildcard = (host: string): boolean => host === "0.0.0.0" || host === "::";
const isLoopback = (host: string): boolean => host === "::1" || host === "localhost" || host.startsWith("127.");

/** RFC 1918, RFC 6598 (carriers' NAT), RFC 3927, RFC 4193 */
function isPrivate(address: string): boolean {
	return /^(?:10\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.|100\.(?:6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.|169\.254\.|f[cd]|fe80)/i.test(address);
}

function firstAddress(six: boolean): string | undefined {
	const all = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
	return all.find(({ family, internal, address }) => family === (six ? "IPv6" : "IPv4") && !internal && !address.startsWith("fe80"))
		?.address;
}
