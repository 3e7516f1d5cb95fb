/** The way to a TURN server: a UDP socket, or a TCP or TLS connection with messages out of its stream. */
import { lookup } from "node:dns/promises";
import { connect, isIP, isIPv6 } from "node:net";
import { connect as connectTls } from "node:tls";
import { TurnDeframer } from "@trunkline/ice";
import type { TurnServer } from "./ice-servers.ts";
import { openPeerSocket, type PeerSocket } from "./udp-socket.ts";

export interface TurnLink {
	send(message: Uint8Array): void;
	/** Idempotent. */
	close(): Promise<void>;
}

export interface TurnLinkEvents {
	open(): void;
	message(message: Buffer): void;
	/** not after `close`; once */
	closed(reason: string): void;
}

/** More is not kept for a server that does not take it: audio that waits is of no use. */
const MAX_WAITING_BYTES = 64 * 1024;

export function openTurnLink(server: TurnServer, events: TurnLinkEvents): TurnLink {
	return server.transport === "udp" ? openUdp(server, events) : openStream(server, events);
}

function openUdp({ host, port }: TurnServer, events: TurnLinkEvents): TurnLink {
	let isClosed = false;
	let opened: { socket: PeerSocket; address: string } | undefined;
	const opening = (async () => {
		const address = isIP(host) === 0 ? (await lookup(host)).address : host;
		if (isClosed) return;
		const isLocal = address.startsWith("127.") || address === "::1";
		const socket = await openPeerSocket(isLocal ? address : isIPv6(address) ? "::" : "0.0.0.0", (message, from, fromPort) => {
			if (!isClosed && fromPort === port && from === address) events.message(message);
		});
		opened = { socket, address };
		if (isClosed) await socket.close();
		else events.open();
	})().catch((error: unknown) => {
		if (!isClosed) events.closed(textOf(error));
	});
	return {
		send: (message) => opened?.socket.send(message, port, opened.address),
		close: async () => {
			isClosed = true;
			await opening;
			await opened?.socket.close();
		},
	};
}

function openStream({ host, port, transport }: TurnServer, events: TurnLinkEvents): TurnLink {
	const isTls = transport === "tls";
	// authorities beside the public ones: NODE_EXTRA_CA_CERTS
	const name = isIP(host) === 0 ? { servername: host } : {};
	const socket = isTls ? connectTls({ host, port, ...name, rejectUnauthorized: true }) : connect({ host, port, noDelay: true });
	socket.setNoDelay(true);
	const deframer = new TurnDeframer();
	let isClosed = false;
	let reason = "the connection was closed";
	socket.on(isTls ? "secureConnect" : "connect", () => {
		if (!isClosed) events.open();
	});
	socket.on("data", (chunk: Buffer) => {
		const messages = deframer.take(chunk);
		if (messages === undefined) {
			reason = "what answers there is no TURN server";
			socket.destroy();
			return;
		}
		for (const message of messages) if (!isClosed) events.message(Buffer.from(message.buffer, message.byteOffset, message.length));
	});
	socket.on("error", (error) => (reason = textOf(error)));
	const gone = new Promise<void>((resolve) => {
		socket.on("close", () => {
			resolve();
			if (!isClosed) events.closed(reason);
		});
	});
	return {
		send: (message) => {
			if (!isClosed && socket.writableLength < MAX_WAITING_BYTES) socket.write(message);
		},
		close: () => {
			isClosed = true;
			socket.destroy();
			return gone;
		},
	};
}

function textOf(error: unknown): string {
	return error instanceof Error ? error.message : String(error);
}
