import { randomBytes } from "node:crypto";
import type { SipEndpoint, SipEvent, SipInput } from "@trunkline/sip";
import { createSocket, type Socket } from "node:dgram";
import { endpoint } from "./messages.ts";

/** A SIP endpoint on a UDP socket of 127.0.0.1 with the system's clock; only for measuring. */
export class SocketEndpoint {
	readonly #socket: Socket;
	readonly #sip: SipEndpoint;
	readonly #onEvent: (event: SipEvent) => void;
	#timer: NodeJS.Timeout | undefined;
	#wakeAt = Number.POSITIVE_INFINITY;

	static async open(onEvent: (event: SipEvent) => void): Promise<SocketEndpoint> {
		const socket = createSocket({ type: "udp4", lookup: (host, _options, done) => done(null, host, 4), recvBufferSize: 4 << 20 });
		await new Promise<void>((resolve, reject) => {
			socket.once("error", reject);
			socket.bind(0, "127.0.0.1", resolve);
		});
		return new SocketEndpoint(socket, onEvent);
	}

	private constructor(socket: Socket, onEvent: (event: SipEvent) => void) {
		this.#socket = socket;
		this.#onEvent = onEvent;
		this.#sip = endpoint({ host: "127.0.0.1", port: this.port }, randomBytes);
		socket.on("message", (bytes, { address, port }) =>
			this.handle({ kind: "received", bytes, remote: { host: address, port, transport: "UDP" } }),
		);
	}

	get port(): number {
		return this.#socket.address().port;
	}

	handle(input: SipInput): void {
		this.#sip.handle(input, performance.now());
		this.#drain();
	}

	close(): void {
		clearTimeout(this.#timer);
		this.#socket.close();
	}

	#drain(): void {
		for (let output = this.#sip.pollOutput(); output !== undefined; output = this.#sip.pollOutput()) {
			if (output.kind === "transmit") this.#socket.send(output.bytes, output.to.port, output.to.host);
			else this.#onEvent(output.event);
		}
		const next = this.#sip.nextTimeout() ?? Number.POSITIVE_INFINITY;
		if (next === this.#wakeAt) return;
		clearTimeout(this.#timer);
		this.#wakeAt = next;
		if (next === Number.POSITIVE_INFINITY) return;
		this.#timer = setTimeout(
			() => {
				this.#wakeAt = Number.POSITIVE_INFINITY;
				this.#sip.handleTimeout(performance.now());
				this.#drain();
			},
			Math.max(0, next - performance.now()),
		);
	}
}
