/** An allocation at a TURN server: where the client of `packages/ice` meets a socket and a clock. */
import { createHash, randomBytes } from "node:crypto";
import { TurnClient } from "@trunkline/ice";
import { hmacSha1 } from "./hmac.ts";
import type { TurnServer } from "./ice-servers.ts";
import { openTurnLink, type TurnLink } from "./turn-link.ts";

export interface RelayEvents {
	/** the relayed address is there */
	allocated(address: string, port: number): void;
	packet(packet: Buffer, address: string, port: number): void;
	/** There is none, or none any more; not after `close`. */
	gone(reason: string): void;
}

/** as many bytes as `sendInPlace` needs in front of a packet, and behind it */
export const RELAY_HEADROOM_BYTES = 4;
export const RELAY_TAILROOM_BYTES = 3;

export class Relay {
	readonly #client: TurnClient;
	readonly #link: TurnLink;
	readonly #events: RelayEvents;
	readonly #name: string;
	readonly #closed = Promise.withResolvers<void>();
	#timer: NodeJS.Timeout | undefined;
	#timerAt: number | undefined;
	#state: "live" | "closing" | "over" = "live";

	constructor(server: TurnServer, family: 4 | 6, events: RelayEvents) {
		const { host, port, transport, username, password } = server;
		this.#events = events;
		this.#name = `TURN ${host}:${port} (${transport})`;
		this.#client = new TurnClient({
			...{ username, password, isStream: transport !== "udp", family, hmacSha1 },
			random: (length) => randomBytes(length),
			md5: (bytes) => createHash("md5").update(bytes).digest(),
			onData: (data, address, from) => {
				if (this.#state === "live") events.packet(Buffer.from(data.buffer, data.byteOffset, data.length), address, from);
			},
		});
		this.#link = openTurnLink(server, {
			open: () => this.#do(() => this.#client.start(performance.now())),
			message: (message) => this.#do(() => this.#client.receive(message, performance.now())),
			closed: (reason) => this.#onGone(reason),
		});
	}

	send(packet: Uint8Array, address: string, port: number): void {
		const wrapped = this.#client.wrap(packet, address, port, performance.now());
		if (wrapped !== undefined) this.#link.send(wrapped);
		// a first packet asks for a permission
		else this.#do(() => undefined);
	}

	/** `length` bytes that stand behind RELAY_HEADROOM_BYTES of `buffer`, which has RELAY_TAILROOM_BYTES behind them. */
	sendInPlace(buffer: Uint8Array, length: number, address: string, port: number): void {
		const end = this.#client.wrapInPlace(buffer, length, address, port);
		if (end > 0) this.#link.send(buffer.subarray(0, end));
		else this.send(buffer.subarray(RELAY_HEADROOM_BYTES, RELAY_HEADROOM_BYTES + length), address, port);
	}

	/** Audio goes there from now on. */
	bind(address: string, port: number): void {
		this.#do(() => this.#client.bind(address, port, performance.now()));
	}

	/** Gives the allocation back; resolves when that is done or has taken a second. */
	close(): Promise<void> {
		if (this.#state === "live") {
			this.#state = "closing";
			this.#do(() => this.#client.close(performance.now()));
		}
		return this.#closed.promise;
	}

	#do(step: () => void): void {
		if (this.#state === "over") return;
		step();
		for (let output = this.#client.poll(); output !== undefined; output = this.#client.poll()) {
			if (output.kind === "send") this.#link.send(output.packet);
			else if (output.kind === "allocated") this.#events.allocated(output.address, output.port);
			else return this.#onGone(output.kind === "failed" ? output.reason : "closed");
		}
		this.#schedule();
	}

	#schedule(): void {
		const at = this.#client.nextAt;
		if (at === this.#timerAt) return;
		clearTimeout(this.#timer);
		this.#timerAt = at;
		if (at === undefined) return;
		this.#timer = setTimeout(
			() => {
				this.#timerAt = undefined;
				this.#do(() => this.#client.tick(performance.now()));
			},
			Math.max(1, Math.ceil(at - performance.now())),
		);
	}

	#onGone(reason: string): void {
		if (this.#state === "over") return;
		const wasLive = this.#state === "live";
		this.#state = "over";
		clearTimeout(this.#timer);
		this.#link.close().then(this.#closed.resolve, this.#closed.resolve);
		if (wasLive) this.#events.gone(`${this.#name}: ${reason}`);
	}
}
