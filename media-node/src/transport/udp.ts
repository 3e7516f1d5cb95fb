import { createSocket } from "node:dgram";
import { isIPv6 } from "node:net";
import type { Address } from "@trunkline/sip";

export interface DatagramTransport {
	/** where the socket is bound */
	readonly local: { host: string; port: number };
	send(bytes: Uint8Array, to: Address): void;
	close(): Promise<void>;
}

export interface DatagramListener {
	onMessage(bytes: Uint8Array, remote: Address): void;
	/** the address cannot be reached (ICMP, no route) */
	onUnreachable(remote: Address, message: string): void;
}

/**
 * SIP over UDP. Rejects with the system's error (EADDRINUSE, EACCES, …) when the port cannot be had.
 */
export async function openUdp(host: string, port: number, listener: DatagramListener): Promise<DatagramTransport> {
	const socket = createSocket({
		type: isIPv6(host) ? "udp6" : "udp4",
		// Every destination is an IP literal; without this Node asks the resolver for each datagram.
		lookup: (address, _options, callback) => callback(null, address, isIPv6(address) ? 6 : 4),
		recvBufferSize: 1 << 20,
		sendBufferSize: 1 << 20,
	});
	await new Promise<void>((resolve, reject) => {
		socket.once("error", reject);
		socket.bind(port, host, () => {
			socket.off("error", reject);
			resolve();
		});
	});
	socket.on("message", (bytes, from) => listener.onMessage(bytes, { host: from.address, port: from.port, transport: "UDP" }));
	// Errors of single sends arrive at their callbacks; the socket itself stays usable.
	socket.on("error", () => {});
	const bound = socket.address();
	let open = true;
	return {
		local: { host: bound.address, port: bound.port },
		send: (bytes, to) => {
			if (!open) return;
			socket.send(bytes, to.port, to.host, (error) => {
				if (error !== null) listener.onUnreachable(to, error.message);
			});
		},
		close: () =>
			new Promise((resolve) => {
				if (!open) return resolve();
				open = false;
				socket.close(() => resolve());
			}),
	};
}
