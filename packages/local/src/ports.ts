import { createSocket } from "node:dgram";
import { isIPv6 } from "node:net";
import { SettingError } from "./config.ts";

/** What the system says about a port, as one line that names the setting. */
export function portProblem(
	error: unknown,
	setting: "PORT" | "SIP_PORT" | "SIP_TLS_PORT",
	host: string,
	port: number,
	protocol: "TCP" | "UDP",
): Error {
	const at = `${protocol} port ${port} on ${host}`;
	switch (codeOf(error)) {
		case "EADDRINUSE":
			return new SettingError(`${at} is in use by another program; stop that, or choose another port: ${setting}=… npm start`);
		case "EACCES":
			return new SettingError(`${at} may not be used without more rights; choose one above 1023: ${setting}=… npm start`);
		case "EADDRNOTAVAIL":
			return new SettingError(`HOST=${host}: is not an address of this machine; set HOST to one that is`);
		default:
			return error instanceof Error ? error : new Error(String(error));
	}
}

/**
 * Sees that a call could have an RTP port: better told at the start than to the first caller. Rejects with SettingError when every even port
 * of the range is taken.
 */
export async function findRtpPort(host: string, [first, last]: readonly [number, number]): Promise<void> {
	for (let port = first + (first % 2); port <= last; port += 2) if (await canBind(host, port)) return;
	throw new SettingError(
		`RTP_PORT_RANGE=${first}-${last}: every even UDP port of it is in use by another program; choose another range: RTP_PORT_RANGE=… npm start`,
	);
}

function canBind(host: string, port: number): Promise<boolean> {
	const socket = createSocket(isIPv6(host) ? "udp6" : "udp4");
	return new Promise((resolve) => {
		const done = (free: boolean): void => {
			socket.close(() => resolve(free));
		};
		socket.once("error", () => done(false));
		socket.bind({ port, address: host, exclusive: true }, () => done(true));
	});
}

function codeOf(error: unknown): unknown {
	return error instanceof Error && "code" in error ? error.code : undefined;
}
