import { connect } from "node:net";
import { Deframer, framed } from "./framing.ts";

/** A connection of ours to a server's passive candidate (RFC 6544 §4.5), with packets framed (RFC 4571). */
export interface TcpPath {
	send(packet: Uint8Array): void;
	/** Idempotent. */
	close(): void;
}

/** More is not kept for a server that does not take it: audio that waits is of no use. */
const MAX_WAITING_BYTES = 64 * 1024;

export function openTcpPath(
	{ address, port }: { address: string; port: number },
	events: { open(): void; packet(packet: Buffer): void; closed(): void },
): TcpPath {
	const socket = connect({ host: address, port, noDelay: true });
	const deframer = new Deframer();
	let isClosed = false;
	socket.on("connect", () => events.open());
	socket.on("data", (chunk: Buffer) => {
		for (const packet of deframer.take(chunk)) {
			if (!isClosed) events.packet(Buffer.from(packet.buffer, packet.byteOffset, packet.length));
		}
	});
	socket.on("error", () => undefined);
	socket.on("close", () => {
		if (!isClosed) events.closed();
	});
	return {
		send: (packet) => {
			if (!isClosed && socket.writableLength < MAX_WAITING_BYTES) socket.write(framed(packet));
		},
		close: () => {
			isClosed = true;
			socket.destroy();
		},
	};
}
