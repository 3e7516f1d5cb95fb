import { createHash, createHmac, randomBytes } from "node:crypto";
import { type Address, type EndpointStats, SipEndpoint, type SipEvent, type SipInput } from "@trunkline/sip";
import { openUdp, type UdpSocket } from "./udp.ts";

export interface SipDriverOptions {
	host: string;
	port: number;
	/** what Contact and Via say; default `host` */
	address: string;
	user: string;
	/** methods inside calls that come as events, beside what the endpoint answers by itself */
	allow: readonly string[];
	onEvent(event: SipEvent): void;
	/** one line per message: direction, method or status, peer */
	trace(line: string): void;
}

/** setTimeout counts in 31 bits; woken early, the endpoint has nothing to do and is asked again. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Runs the SIP endpoint over one UDP socket: bytes and time in, bytes and events out, one timer. */
export class SipDriver {
	readonly port: number;
	readonly #options: SipDriverOptions;
	readonly #endpoint: SipEndpoint;
	readonly #socket: UdpSocket;
	#timer: NodeJS.Timeout | undefined;
	#draining = false;
	#closed = false;

	static async open(options: SipDriverOptions): Promise<SipDriver> {
		let driver: SipDriver | undefined;
		const socket = await openUdp(options.host, options.port, (bytes, host, port) =>
			driver?.feed({ kind: "received", bytes, remote: { host, port, transport: "UDP" } }, bytes),
		);
		driver = new SipDriver(options, socket);
		return driver;
	}

	private constructor(options: SipDriverOptions, socket: UdpSocket) {
		this.#options = options;
		this.#socket = socket;
		this.port = socket.port;
		this.#endpoint = new SipEndpoint({
			userAgent: "Trunkline phone",
			contact: { host: options.address, port: socket.port, user: options.user },
			random: (n) => randomBytes(n),
			hashes: {
				md5: (data) => createHash("md5").update(data).digest(),
				sha256: (data) => createHash("sha256").update(data).digest(),
				hmacSha256: (key, data) => createHmac("sha256", key).update(data).digest(),
			},
			allow: options.allow,
			answerOptions: true,
		});
	}

	feed(input: SipInput, traced?: Uint8Array): void {
		if (this.#closed) return;
		if (input.kind === "received" && traced !== undefined) this.#trace("←", traced, input.remote);
		this.#endpoint.handle(input, performance.now());
		this.#drain();
	}

	stats(): EndpointStats {
		return this.#endpoint.stats();
	}

	async close(): Promise<void> {
		this.#closed = true;
		clearTimeout(this.#timer);
		await this.#socket.close();
	}

	#drain(): void {
		// an event's handler may feed the endpoint again: the outer loop then goes on
		if (this.#draining) return;
		this.#draining = true;
		try {
			for (let output = this.#endpoint.pollOutput(); output !== undefined; output = this.#endpoint.pollOutput()) {
				if (output.kind === "event") this.#options.onEvent(output.event);
				else this.#transmit(output.bytes, output.to);
			}
		} finally {
			this.#draining = false;
		}
		this.#schedule();
	}

	#transmit(bytes: Uint8Array, to: Address): void {
		this.#trace("→", bytes, to);
		this.#socket.send(bytes, to.port, to.host, (error) => this.feed({ kind: "transport-error", remote: to, message: error.message }));
	}

	#schedule(): void {
		clearTimeout(this.#timer);
		const next = this.#endpoint.nextTimeout();
		if (next === undefined || this.#closed) return;
		this.#timer = setTimeout(
			() => {
				this.#endpoint.handleTimeout(performance.now());
				this.#drain();
			},
			Math.min(LONGEST_TIMER_MS, Math.max(0, Math.ceil(next - performance.now()))),
		);
	}

	#trace(arrow: string, bytes: Uint8Array, peer: Address): void {
		const line = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 64)).toString("latin1").split("\r\n", 1)[0] ?? "";
		// the first word of a request, all of a status line: no telephone number
		const what = line.startsWith("SIP/2.0 ") ? line.slice(8) : (line.split(" ", 1)[0] ?? "");
		this.#options.trace(`${arrow} ${what} ${peer.host}:${peer.port}`);
	}
}
