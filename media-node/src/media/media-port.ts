import { randomBytes } from "node:crypto";
import { type MediaEvent, type MediaPort, type MediaSession, MediaUnavailableError } from "../call/ports.ts";
import { type NoiseSuppressorOptions, Suppressors } from "./noise/suppressors.ts";
import { PortsPool } from "./ports-pool.ts";
import { RtpMediaSession } from "./session.ts";
import { openRtpSocket, type RtpSocket } from "./socket/rtp-socket.ts";
import { Ticker } from "./ticker.ts";

export interface MediaPortOptions {
	bindHost: string;
	/** the address that SDP advertises */
	advertisedAddress: string;
	/** the same for IPv6, of a node that has both; both or neither */
	bindHost6?: string;
	advertisedAddress6?: string;
	/** what held callers hear, 8 kHz; unset: a tune of our own */
	holdMusic?: Int16Array | undefined;
	noiseSuppressor?: NoiseSuppressorOptions | undefined;
	portRange: readonly [first: number, last: number];
}

/** A port may be taken by another program; so many others are tried. */
const TRIES = 20;

export class RtpMediaPort implements MediaPort {
	readonly #options: MediaPortOptions;
	readonly #ticker = new Ticker();
	readonly #pool: PortsPool;
	readonly #suppressors: Suppressors;

	constructor(options: MediaPortOptions) {
		this.#options = options;
		this.#suppressors = new Suppressors(options.noiseSuppressor);
		this.#pool = new PortsPool(options.portRange[0], options.portRange[1], () => randomBytes(4).readUInt32BE() / 2 ** 32);
	}

	get portsInUse(): number {
		return this.#pool.inUse;
	}

	async open(onEvent: (event: MediaEvent) => void, family?: 4 | 6): Promise<MediaSession> {
		let port = 0;
		const { bindHost, advertisedAddress, bindHost6, advertisedAddress6 } = this.#options;
		const six = family === 6 && bindHost6 !== undefined && advertisedAddress6 !== undefined;
		const session = new RtpMediaSession({
			ticker: this.#ticker,
			advertisedAddress: six ? advertisedAddress6 : advertisedAddress,
			holdMusic: this.#options.holdMusic,
			suppressors: this.#suppressors,
			now: () => performance.now(),
			random: randomStart,
			onEvent,
			onClose: () => this.#pool.release(port, performance.now()),
		});
		const onPacket = (bytes: Uint8Array, address: string, from: number): void => session.onPacket(bytes, address, from);
		const socket = await this.#bind(six ? bindHost6 : bindHost, onPacket);
		port = socket.port;
		session.attach(socket);
		return session;
	}

	async #bind(host: string, onPacket: (bytes: Uint8Array, address: string, port: number) => void): Promise<RtpSocket> {
		const [first, last] = this.#options.portRange;
		let lastError: unknown;
		for (let i = 0; i < TRIES; i++) {
			const port = this.#pool.take(performance.now());
			if (port === undefined) break;
			try {
				return await openRtpSocket(host, port, onPacket);
			} catch (error) {
				lastError = error;
				this.#pool.release(port, performance.now());
			}
		}
		throw new MediaUnavailableError(`no free RTP port between ${first} and ${last}`, { cause: lastError });
	}
}

function randomStart(): { ssrc: number; sequence: number; timestamp: number } {
	const bytes = randomBytes(10);
	// The lower half: when the first packets are lost, SRTP's peer would otherwise not know whether the number has wrapped (RFC 3711 §3.3.1).
	return { ssrc: bytes.readUInt32BE(0), sequence: bytes.readUInt16BE(4) & 0x7fff, timestamp: bytes.readUInt32BE(6) };
}
