import { connect, createServer, isIPv6, type Server, type Socket } from "node:net";
import type { Address } from "@trunkline/sip";
import type { Accept, StreamListener, StreamSocket, StreamSocketEvents } from "./stream-socket.ts";

/** A dead peer is found by the system, too, where neither SIP nor its keep-alives say anything. */
const TCP_KEEP_ALIVE_MS = 60_000;
const BACKLOG = 512;

export function dialTcp(to: Address, events: StreamSocketEvents): StreamSocket {
	const socket = connect({ host: to.host, port: to.port, keepAlive: true, keepAliveInitialDelay: TCP_KEEP_ALIVE_MS, noDelay: true });
	socket.once("connect", () => events.onOpen());
	return bindSocket(socket, events);
}

/** Rejects with the system's error (EADDRINUSE, EACCES, …) when the port cannot be had. */
export async function listenTcp(host: string, port: number, accept: Accept): Promise<StreamListener> {
	const server = createServer({ keepAlive: true, keepAliveInitialDelay: TCP_KEEP_ALIVE_MS, noDelay: true });
	server.on("connection", (socket) => {
		const events = accept(remoteOf(socket, "TCP"), streamSocket(socket));
		if (events === undefined) {
			socket.destroy();
			return;
		}
		bindSocket(socket, events);
		events.onOpen();
	});
	return listen(server, host, port);
}

/** Opens a TCP or TLS server. */
export async function listen(server: Server, host: string, port: number): Promise<StreamListener> {
	await new Promise<void>((resolve, reject) => {
		server.once("error", reject);
		// IPv6 alone, like the UDP socket beside it: IPv4 has a socket of its own where it is wanted.
		server.listen({ host, port, backlog: BACKLOG, ipv6Only: isIPv6(host) }, () => {
			server.removeListener("error", reject);
			resolve();
		});
	});
	// A single connection that could not be accepted (EMFILE) ends nothing.
	server.on("error", () => {});
	const bound = server.address();
	if (bound === null || typeof bound === "string") throw new Error("a SIP listener without an IP address");
	let closed: Promise<void> | undefined;
	return {
		local: { host: bound.address, port: bound.port },
		close: () => (closed ??= new Promise((resolve) => server.close(() => resolve()))),
	};
}

export function remoteOf(socket: Socket, transport: "TCP" | "TLS"): Address {
	// Both are gone when the peer was quicker with its reset than we with our accept.
	return { host: socket.remoteAddress ?? "", port: socket.remotePort ?? 0, transport };
}

/** Tells what the socket hears; the first reason of an end is the one that counts. */
export function bindSocket(socket: Socket, events: StreamSocketEvents): StreamSocket {
	let reason = "the peer closed the connection";
	let over = false;
	const end = (): void => {
		if (over) return;
		over = true;
		events.onClose(reason);
	};
	socket.on("data", (bytes) => {
		if (!over) events.onBytes(bytes);
	});
	socket.once("error", (error) => {
		reason = error.message;
	});
	socket.once("close", end);
	const stream = streamSocket(socket);
	return {
		write: stream.write,
		get queuedBytes() {
			return stream.queuedBytes;
		},
		destroy: () => {
			over = true;
			stream.destroy();
		},
	};
}

export function streamSocket(socket: Socket): StreamSocket {
	return {
		// Errors come as events; a socket that is over takes nothing.
		write: (bytes) => {
			if (socket.writable) socket.write(bytes);
		},
		get queuedBytes() {
			return socket.writableLength;
		},
		destroy: () => {
			socket.destroy();
		},
	};
}
