import { randomBytes } from "node:crypto";
import { processCertificate } from "@trunkline/dtls";
import { type MediaEvent, type MediaPort, type MediaSession, MediaUnavailableError } from "../call/ports.ts";
import { type NoiseSuppressorOptions, Suppressors } from "./noise/suppressors.ts";
import { Prompts } from "./prompts.ts";
import { PortsPool } from "./ports-pool.ts";
import { RtpMediaSession } from "./session.ts";
import { openRtpSocket } from "./socket/rtp-socket.ts";
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
	/** the deployment's own prompts, a folder for each language; unset: those that come with us */
	promptsDirectory?: string | undefined;
	portRange: readonly [first: number, last: number];
}

/** A port may be taken by another program; so many others are tried. */
const TRIES = 20;

/** RTP sessions of one thread, which share its clock and what is loaded once. */
export class RtpSessions {
	readonly #options: Omit<MediaPortOptions, "portRange">;
	readonly #ticker: Ticker;
	readonly #suppressors: Suppressors;
	readonly #prompts: Prompts;

	constructor(options: Omit<MediaPortOptions, "portRange">, ticker: Ticker) {
		this.#options = options;
		this.#ticker = ticker;
		this.#suppressors = new Suppressors(options.noiseSuppressor);
		this.#prompts = new Prompts(options.promptsDirectory);
	}

	/** Binds that port. Rejects with the system's error (EADDRINUSE …). `onClose`: its socket is closed. */
	async open(port: number, family: 4 | 6 | undefined, onEvent: (event: MediaEvent) => void, onClose: () => void): Promise<RtpMediaSession> {
		const { bindHost, advertisedAddress, bindHost6, advertisedAddress6 } = this.#options;
		const six = family === 6 && bindHost6 !== undefined && advertisedAddress6 !== undefined;
		const certificate = await processCertificate();
		const session = new RtpMediaSession({
			certificate,
			ticker: this.#ticker,
			advertisedAddress: six ? advertisedAddress6 : advertisedAddress,
			holdMusic: this.#options.holdMusic,
			suppressors: this.#suppressors,
			prompts: this.#prompts,
			now: () => performance.now(),
			random: randomStart,
			openRtcp: (onPacket) => openRtpSocket(six ? bindHost6 : bindHost, port + 1, onPacket),
			onEvent,
			onClose,
		});
		const onPacket = (bytes: Uint8Array, address: string, from: number): void => session.onPacket(bytes, address, from);
		session.attach(await openRtpSocket(six ? bindHost6 : bindHost, port, onPacket));
		return session;
	}
}

export class RtpMediaPort implements MediaPort {
	readonly #portRange: readonly [first: number, last: number];
	readonly #pool: PortsPool;
	readonly #sessions: RtpSessions;
	readonly #ticker = new Ticker();

	constructor(options: MediaPortOptions) {
		this.#portRange = options.portRange;
		this.#pool = new PortsPool(options.portRange[0], options.portRange[1], () => randomBytes(4).readUInt32BE() / 2 ** 32);
		this.#sessions = new RtpSessions(options, this.#ticker);
	}

	get portsInUse(): number {
		return this.#pool.inUse;
	}

	/** frames that came 20 ms late or more, since the start */
	get lateFrames(): number {
		return this.#ticker.lateFrames;
	}

	async open(onEvent: (event: MediaEvent) => void, family?: 4 | 6): Promise<MediaSession> {
		const [first, last] = this.#portRange;
		let lastError: unknown;
		for (let i = 0; i < TRIES; i++) {
			const port = this.#pool.take(performance.now());
			if (port === undefined) break;
			const free = (): void => this.#pool.release(port, performance.now());
			try {
				return await this.#sessions.open(port, family, onEvent, free);
			} catch (error) {
				lastError = error;
				free();
			}
		}
		throw new MediaUnavailableError(`no free RTP port between ${first} and ${last}`, { cause: lastError });
	}
}

function randomStart(): { ssrc: number; sequence: number; timestamp: number; cname: string } {
	const bytes = randomBytes(22);
	// The lower half: when the first packets are lost, SRTP's peer would otherwise not know whether the number has wrapped (RFC 3711 §3.3.1).
	return {
		ssrc: bytes.readUInt32BE(0),
		sequence: bytes.readUInt16BE(4) & 0x7fff,
		timestamp: bytes.readUInt32BE(6),
		cname: bytes.toString("base64url", 10),
	};
}
