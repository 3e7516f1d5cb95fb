import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { type TurnClientLink, TurnCore, type TurnCoreOptions } from "./turn-core.ts";

export type TurnServerOptions = Partial<Omit<TurnCoreOptions, "now" | "openRelay">> & {
	/** certificate and key, PEM: with them there is TLS as well */
	tls?: { cert: string; key: string };
};

/** A TURN server on 127.0.0.1 over UDP, TCP and, with a certificate, TLS; ports are whichever are free. */
export class TurnServer {
	readonly core: TurnCore;
	readonly #udp: UdpSocket;
	readonly #servers: Server[] = [];
	readonly #sockets = new Set<Socket>();
	readonly #relays = new Set<UdpSocket>();
	readonly #udpClients = new Map<string, TurnClientLink>();

	static async start(options: TurnServerOptions = {}): Promise<TurnServer> {
		const server = new TurnServer(options);
		await new Promise<void>((resolve) => server.#udp.bind(0, "127.0.0.1", resolve));
		for (const each of server.#servers) await new Promise<void>((resolve) => each.listen(0, "127.0.0.1", resolve));
		return server;
	}

	private constructor({ tls, ...options }: TurnServerOptions) {
		this.core = new TurnCore({
			...{ users: { user: "password" }, ...options, now: () => performance.now() },
			openRelay: (onPacket, opened) => this.#openRelay(onPacket, opened),
		});
		this.#udp = createSocket("udp4");
		this.#udp.on("message", (message, { address, port }) => {
			const name = `${address}:${port}`;
			let client = this.#udpClients.get(name);
			if (client === undefined) {
				client = { send: (reply) => this.#udp.send(reply, port, address) };
				this.#udpClients.set(name, client);
			}
			this.core.receive(client, message);
		});
		const onStream = (socket: Socket): void => this.#onStream(socket);
		this.#servers.push(createServer(onStream));
		if (tls !== undefined) this.#servers.push(createTlsServer(tls, onStream).on("tlsClientError", () => undefined));
	}

	get udpPort(): number {
		return this.#udp.address().port;
	}

	get tcpPort(): number {
		return portOf(this.#servers[0]);
	}

	get tlsPort(): number {
		return portOf(this.#servers[1]);
	}

	/** Ends the connections of all clients, and forgets their allocations. */
	cut(): void {
		for (const socket of this.#sockets) socket.destroy();
		this.core.forget();
	}

	async close(): Promise<void> {
		this.cut();
		for (const relay of this.#relays) relay.close();
		await new Promise<void>((resolve) => this.#udp.close(resolve));
		for (const each of this.#servers) await new Promise((resolve) => each.close(resolve));
	}

	#onStream(socket: Socket): void {
		this.#sockets.add(socket);
		const client: TurnClientLink = { send: (message) => void socket.write(message) };
		let held = Buffer.alloc(0);
		socket.on("data", (chunk: Buffer) => {
			held = Buffer.concat([held, chunk]);
			while (held.length >= 4) {
				const end = held.readUInt16BE(2) + ((held[0] ?? 0) >>> 6 === 1 ? 4 : 20);
				// RFC 8656 §12.5: on a stream with padding
				const padded = (end + 3) & ~3;
				if (held.length < padded) return;
				this.core.receive(client, held.subarray(0, end));
				held = held.subarray(padded);
			}
		});
		socket.on("error", () => undefined);
		socket.on("close", () => {
			this.#sockets.delete(socket);
			this.core.gone(client);
		});
	}

	#openRelay(...[onPacket, opened]: Parameters<TurnCoreOptions["openRelay"]>): void {
		const socket = createSocket("udp4");
		this.#relays.add(socket);
		socket.on("message", (data, { address, port }) => onPacket(data, address, port));
		socket.on("error", () => undefined);
		socket.bind(0, "127.0.0.1", () => {
			const close = (): void => {
				if (this.#relays.delete(socket)) socket.close();
			};
			const send = (data: Buffer, address: string, port: number): void => {
				if (this.#relays.has(socket)) socket.send(data, port, address);
			};
			opened({ address: "127.0.0.1", port: socket.address().port, send, close });
		});
	}
}

/** Throws for a transport that the server was not started with. */
function portOf(server: Server | undefined): number {
	const address = server?.address() as AddressInfo | null | undefined;
	if (address === null || address === undefined) throw new Error("the server does not listen to that");
	return address.port;
}
