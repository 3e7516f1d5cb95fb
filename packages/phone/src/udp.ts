import { createSocket } from "node:dgram";
import { isIPv6 } from "node:net";

export interface UdpSocket {
	readonly port: number;
	/** `onError` hears of an address that cannot be reached */
	send(bytes: Uint8Array, port: number, host: string, onError?: (error: Error) => void): void;
	/** resolves when the port is free again */
	close(): Promise<void>;
}

/** Binds a UDP port (0 = any). Rejects with the system's error. The bytes given to `onMessage` may be kept. */
export async function openUdp(
	host: string,
	port: number,
	onMessage: (bytes: Uint8Array, host: string, port: number) => void,
): Promise<UdpSocket> {
	const socket = createSocket({
		type: isIPv6(host) ? "udp6" : "udp4",
		// destinations are IP literals: without this Node asks the resolver for each packet
		lookup: (address, _options, callback) => callback(null, address, isIPv6(address) ? 6 : 4),
	});
	await new Promise<void>((resolve, reject) => {
		socket.once("error", (error) => {
			socket.close(); // a socket that could not be bound is open all the same
			reject(error);
		});
		socket.bind({ port, address: host, exclusive: true }, () => {
			socket.removeAllListeners("error");
			resolve();
		});
	});
	socket.on("message", (bytes, from) => onMessage(bytes, from.address, from.port));
	// errors of single packets reach their senders; the socket stays usable
	socket.on("error", () => {});
	let open = true;
	return {
		port: socket.address().port,
		send: (bytes, toPort, toHost, onError) => {
			if (!open) return;
			if (onError === undefined) socket.send(bytes, toPort, toHost);
			else socket.send(bytes, toPort, toHost, (error) => error && onError(error));
		},
		close: () =>
			new Promise((resolve) => {
				if (!open) return resolve();
				open = false;
				socket.close(() => resolve());
			}),
	};
}
