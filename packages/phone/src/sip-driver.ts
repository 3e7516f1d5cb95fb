import { createHash, createHmac, randomBytes } from "node:crypto";
import { type Address, type EndpointStats, SipEndpoint, type SipEvent, type SipInput, type SipTransport } from "@trunkline/sip";
import { type PhoneTls, Streams } from "./streams.ts";
import { openUdp, type UdpSocket } from "./udp.ts";

export interface SipDriverOptions {
	host: string;
	port: number;
	/** what the phone is called by; over TLS only with a certificate. UDP is always there, and TCP and TLS to call by. */
	transport?: SipTransport;
	tls?: PhoneTls;
	/** what Contact and Via say; default `host` */
	address: string;
	user: string;
	/** methods inside calls that come as events, beside what the endpoint answers by itself */
	allow: readonly string[];
	/** option tags that we know (RFC 3261 §19.2) */
	supported?: readonly string[];
	onEvent(event: SipEvent): void;
	/** one line per message: direction, method or status, peer */
	trace(line: string): void;
}

/** setTimeout counts in 31 bits; woken early, the endpoint has nothing to do and is asked again. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** A free port of UDP may be taken in TCP. */
const PORT_TRIES = 20;

/** Runs the SIP endpoint over one UDP socket and its connections: bytes and time in, bytes and events out, one timer. */
export class SipDriver {
	readonly port: number;
	readonly #options: SipDriverOptions;
	readonly #endpoint: SipEndpoint;
	readonly #socket: UdpSocket;
	readonly #streams: Streams;
	#timer: NodeJS.Timeout | undefined;
	#draining = false;
	#closed = false;

	static async open(options: SipDriverOptions): Promise<SipDriver> {
		let driver: SipDriver | undefined;
		const received = (bytes: Uint8Array, remote: Address): void => driver?.feed({ kind: "received", bytes, remote }, bytes);
		for (let left = PORT_TRIES; ; left--) {
			const streams = new Streams(
				{
					onMessage: received,
					onUnreachable: (remote, message) => driver?.feed({ kind: "transport-error", remote, message }),
				},
				options.tls ?? {},
			);
			// Over TLS the port is the one of TLS, and UDP has any.
			const isTls = options.transport === "TLS";
			const socket = await openUdp(options.host, isTls ? 0 : options.port, (bytes, host, port) =>
				received(bytes, { host, port, transport: "UDP" }),
			);
			try {
				const listens = options.transport === "TCP" || (isTls && options.tls?.cert !== undefined);
				const port = listens ? await streams.listen(isTls ? "TLS" : "TCP", options.host, isTls ? options.port : socket.port) : socket.port;
				driver = new SipDriver(options, socket, streams, port);
				return driver;
			} catch (error) {
				await socket.close();
				if (options.port !== 0 || left === 0 || (error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
			}
		}
	}

	private constructor(options: SipDriverOptions, socket: UdpSocket, streams: Streams, port: number) {
		this.#options = options;
		this.#socket = socket;
		this.#streams = streams;
		this.port = port;
		this.#endpoint = new SipEndpoint({
			userAgent: "Trunkline phone",
			contact: { host: options.address, port: socket.port, tlsPort: port, user: options.user },
			random: (n) => randomBytes(n),
			hashes: {
				md5: (data) => createHash("md5").update(data).digest(),
				sha256: (data) => createHash("sha256").update(data).digest(),
				hmacSha256: (key, data) => createHmac("sha256", key).update(data).digest(),
			},
			allow: options.allow,
			...(options.supported && { supported: options.supported }),
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
		await Promise.all([this.#socket.close(), this.#streams.close()]);
	}

	/** Breaks the connections, as a network does. */
	cutConnections(): void {
		this.#streams.cut();
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
		if (to.transport !== "UDP") {
			this.#streams.send(bytes, to);
			return;
		}
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
