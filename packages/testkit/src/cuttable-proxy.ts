import { connect, createServer, type Server, type Socket } from "node:net";
import type { AddressInfo } from "node:net";

/** A TCP proxy on loopback whose cable can be pulled: what is connected breaks, what comes is refused, until it is mended. */
export class CuttableProxy {
	readonly port: number;
	readonly #server: Server;
	readonly #sockets = new Set<Socket>();
	#isCut = false;

	static async to(targetPort: number, targetHost = "127.0.0.1"): Promise<CuttableProxy> {
		const server = createServer();
		await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
		return new CuttableProxy(server, targetPort, targetHost);
	}

	private constructor(server: Server, targetPort: number, targetHost: string) {
		this.#server = server;
		this.port = (server.address() as AddressInfo).port;
		server.on("connection", (socket) => {
			if (this.#isCut) return void socket.resetAndDestroy();
			const target = connect(targetPort, targetHost);
			for (const [from, to] of [
				[socket, target],
				[target, socket],
			] as const) {
				this.#sockets.add(from);
				from.on("error", () => to.destroy());
				from.on("close", () => {
					this.#sockets.delete(from);
					to.destroy();
				});
				from.pipe(to);
			}
		});
	}

	cut(): void {
		this.#isCut = true;
		for (const socket of this.#sockets) socket.resetAndDestroy();
	}

	mend(): void {
		this.#isCut = false;
	}

	async close(): Promise<void> {
		this.cut();
		await new Promise((resolve) => this.#server.close(resolve));
	}
}
