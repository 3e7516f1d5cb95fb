import { createSocket } from "node:dgram";
import { isIPv6 } from "node:net";

/** One connection's way out: a UDP port of its own, as the server tells connections apart by where they come from. */
export interface PeerSocket {
	readonly port: number;
	send(packet: Uint8Array, port: number, address: string): void;
	/** Idempotent; resolves when the port is free. */
	close(): Promise<void>;
}

const RECEIVE_BUFFER_BYTES = 1024 * 1024;

/** Binds a port of the family of `address`, of all interfaces unless it is a loopback address. */
export async function openPeerSocket(
	address: string,
	onPacket: (packet: Buffer, address: string, port: number) => void,
): Promise<PeerSocket> {
	const family = isIPv6(address) ? 6 : 4;
	const socket = createSocket({
		type: family === 6 ? "udp6" : "udp4",
		recvBufferSize: RECEIVE_BUFFER_BYTES,
		// candidates are IP literals; without this Node asks the resolver for each packet
		lookup: (host, _options, callback) => callback(null, host, family),
	});
	const isLoopback = address.startsWith("127.") || address === "::1";
	await new Promise<void>((resolve, reject) => {
		socket.once("error", (error) => {
			socket.close();
			reject(error);
		});
		socket.bind({ port: 0, address: isLoopback ? address : family === 6 ? "::" : "0.0.0.0", exclusive: true }, () => {
			socket.removeAllListeners("error");
			resolve();
		});
	});
	socket.on("message", (packet, from) => onPacket(packet, from.address, from.port));
	// ICMP errors of a server that is gone: consent decides, not one packet
	socket.on("error", () => undefined);
	let closed: Promise<void> | undefined;
	return {
		port: socket.address().port,
		send: (packet, port, to) => {
			if (closed === undefined) socket.send(packet, 0, packet.byteLength, port, to);
		},
		close: () => (closed ??= new Promise<void>((resolve) => socket.close(() => resolve()))),
	};
}
