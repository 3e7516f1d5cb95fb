import { createSocket } from "node:dgram";
import { isIPv6 } from "node:net";
import type { Address } from "@trunkline/sip";

export interface DatagramTransport {
	/** where the socket is bound */
	readonly local: { host: string; port: number };
	/** Never throws: what cannot be sent is reported to `onUnreachable` later. After `close` nothing is sent. */
	send(bytes: Uint8Array, to: Address): void;
	/** idempotent */
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
		// A telephone with IPv4 alone could not use the IPv6 address in our SDP: better no answer than a call without sound.
		ipv6Only: isIPv6(host),
		// Every destination is an IP literal; without this Node asks the resolver for each datagram.
		lookup: (address, _options, callback) => callback(null, address, isIPv6(address) ? 6 : 4),
		recvBufferSize: 1 << 20,
		sendBufferSize: 1 << 20,
	});
	await new Promise<void>((resolve, reject) => {
		socket.once("error", (error) => {
			// A socket that could not be bound holds its handle until it is closed.
			socket.close();
			reject(error);
		});
		socket.bind(port, host, () => {
			socket.removeAllListeners("error");
			resolve();
		});
	});
	socket.on("message", (bytes, from) => listener.onMessage(bytes, { host: from.address, port: from.port, transport: "UDP" }));
	// Errors of single sends arrive at their callbacks; the socket itself stays usable.
	socket.on("error", () => {});
	const bound = socket.address();
	let open = true;
	let closed: Promise<void> | undefined;
	return {
		local: { host: bound.address, port: bound.port },
		send: (bytes, to) => {
			if (!open) return;
			const done = (error: Error | null): void => {
				if (error !== null && open) listener.onUnreachable(to, error.message);
			};
			try {
				socket.send(bytes, to.port, to.host, done);
			} catch (error) {
				// Such as port 0, which a peer's Via or Contact may name; reported like any other, not to the one who sends.
				setImmediate(done, error instanceof Error ? error : new Error(String(error)));
			}
		},
		close: () => {
			open = false;
			closed ??= new Promise((resolve) => socket.close(() => resolve()));
			return closed;
		},
	};
}
