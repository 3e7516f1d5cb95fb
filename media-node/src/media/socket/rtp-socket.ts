import { createSocket, type Socket } from "node:dgram";
import { isIPv6 } from "node:net";

export interface RtpSocket {
	readonly port: number;
	/** An offset and a length would have Node make another view. */
	send(bytes: Uint8Array, port: number, address: string): void;
	close(): void;
}

/**
 * Binds one UDP port for RTP. Rejects with the system's error (EADDRINUSE …). `onPacket`'s bytes may be kept: Node allocates them anew.
 */
export async function openRtpSocket(
	host: string,
	port: number,
	onPacket: (bytes: Uint8Array, address: string, port: number) => void,
): Promise<RtpSocket> {
	const socket: Socket = createSocket({
		type: isIPv6(host) ? "udp6" : "udp4",
		// SDP says one address: media of the other family is nobody's.
		ipv6Only: isIPv6(host),
		// Destinations are IP literals; without this Node asks the resolver for each packet.
		lookup: (address, _options, callback) => callback(null, address, isIPv6(address) ? 6 : 4),
	});
	await new Promise<void>((resolve, reject) => {
		socket.once("error", (error) => {
			// A socket that could not be bound holds its handle until it is closed.
			socket.close();
			reject(error);
		});
		socket.bind({ port, address: host, exclusive: true }, () => {
			socket.removeAllListeners("error");
			resolve();
		});
	});
	socket.on("message", (bytes, from) => onPacket(bytes, from.address, from.port));
	// ICMP errors of a peer that is gone: the media time-out decides, not one packet.
	socket.on("error", () => {});
	let open = true;
	return {
		port: socket.address().port,
		send: (bytes, toPort, address) => {
			if (open) socket.send(bytes, toPort, address);
		},
		close: () => {
			if (!open) return;
			open = false;
			socket.close();
		},
	};
}
