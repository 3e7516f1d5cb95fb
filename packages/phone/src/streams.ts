import { connect, createServer, isIP, isIPv6, type Server, type Socket } from "node:net";
import { connect as connectTls, createServer as createTlsServer } from "node:tls";
import { type Address, StreamFramer } from "@trunkline/sip";

export interface PhoneTls {
	/** certificate authorities of far sides, PEM; default those that everybody trusts */
	ca?: string | readonly string[];
	/** our own certificate and its key, PEM: to be called over TLS, and for far sides that ask for one */
	cert?: string;
	key?: string;
}

export interface StreamsListener {
	onMessage(bytes: Uint8Array, remote: Address): void;
	onUnreachable(to: Address, message: string): void;
}

const PONG = Buffer.from("\r\n");

/** The TCP and TLS connections of one phone: few, all of them trusted to be of a far side that it knows. */
export class Streams {
	readonly #listener: StreamsListener;
	readonly #tls: PhoneTls;
	readonly #sockets = new Map<string, Socket>();
	/** connections of ours by where they lead */
	readonly #routes = new Map<string, string>();
	#server: Server | undefined;
	#nextId = 0;
	#closed = false;

	constructor(listener: StreamsListener, tls: PhoneTls) {
		this.#listener = listener;
		this.#tls = tls;
	}

	/** Takes connections; gives the port. Rejects with the system's error. */
	async listen(transport: "TCP" | "TLS", host: string, port: number): Promise<number> {
		const { cert, key } = this.#tls;
		const take = (socket: Socket): void => {
			this.#add(socket, { host: socket.remoteAddress ?? "", port: socket.remotePort ?? 0, transport });
		};
		const server = transport === "TCP" ? createServer(take) : createTlsServer({ cert, key }, take);
		await new Promise<void>((resolve, reject) => {
			server.once("error", reject);
			server.listen({ host, port, ipv6Only: isIPv6(host) }, resolve);
		});
		server.on("error", () => {});
		server.on("tlsClientError", () => {});
		this.#server = server;
		return (server.address() as { port: number }).port;
	}

	send(bytes: Uint8Array, to: Address): void {
		if (this.#closed) return;
		const route = routeOf(to);
		const known = this.#sockets.get(to.connection ?? "") ?? this.#sockets.get(this.#routes.get(route) ?? "");
		const socket = known ?? this.#dial(to, route);
		if (socket.writable) socket.write(bytes);
	}

	/** Breaks every connection, as a network does; the next message opens a new one. */
	cut(): void {
		for (const socket of this.#sockets.values()) socket.destroy();
		this.#sockets.clear();
		this.#routes.clear();
	}

	/** Resolves when the port is free again. */
	async close(): Promise<void> {
		this.#closed = true;
		const server = this.#server;
		const freed = server === undefined ? undefined : new Promise((resolve) => server.close(resolve));
		// What was said last, such as the answer to a BYE, still goes out.
		for (const socket of this.#sockets.values()) socket.destroySoon();
		await freed;
	}

	#dial(to: Address, route: string): Socket {
		const { ca, cert, key } = this.#tls;
		const name = to.tls?.serverName;
		const socket =
			to.transport === "TCP"
				? connect({ host: to.host, port: to.port })
				: connectTls({
						host: to.host,
						port: to.port,
						...(name !== undefined && isIP(name) === 0 && { servername: name }),
						...(ca !== undefined && { ca: [ca].flat() as string[] }),
						...(cert !== undefined && key !== undefined && { cert, key }),
					});
		this.#routes.set(route, this.#add(socket, { host: to.host, port: to.port, transport: to.transport }, to));
		return socket;
	}

	/** `dialled`: to be told when it cannot be reached, or is lost. */
	#add(socket: Socket, remote: Address, dialled?: Address): string {
		this.#nextId += 1;
		const id = `c${this.#nextId}`;
		const framer = new StreamFramer();
		let reason = "the connection was closed";
		this.#sockets.set(id, socket);
		socket.setNoDelay(true);
		socket.on("data", (chunk) => {
			const { items, fault } = framer.push(chunk);
			for (const item of items) {
				if (item.kind === "message") this.#listener.onMessage(item.bytes, { ...remote, connection: id });
				else if (item.kind === "ping" && socket.writable) socket.write(PONG);
			}
			if (fault !== undefined) socket.destroy();
		});
		socket.on("error", (error) => (reason = error.message));
		socket.once("close", () => {
			if (!this.#sockets.delete(id) || this.#closed || dialled === undefined) return;
			this.#routes.delete(routeOf(dialled));
			this.#listener.onUnreachable(dialled, reason);
		});
		return id;
	}
}

const routeOf = ({ host, port, transport, tls }: Address): string => `${transport} ${host} ${port} ${tls?.serverName ?? ""}`;
