import { isRtcp, type ReceptionStatistics, RtcpReports, type SentStream } from "@trunkline/rtp";
import type { NegotiatedAudio, PhoneCodec } from "../call/ports.ts";
import type { SecureAudio } from "./secure-audio.ts";
import type { RtpSocket } from "./socket/rtp-socket.ts";
import { SourceGuard } from "./source-guard.ts";
import { voipMetrics } from "./voip-metrics.ts";

/** Opens the port after RTP's. Rejects when it is taken. */
export type OpenRtcp = (onPacket: (bytes: Uint8Array, address: string, port: number) => void) => Promise<RtpSocket>;

export interface CallRtcpOptions {
	/** of what we send */
	ssrc: number;
	/** RFC 7022: tells nothing of who it is */
	cname: string;
	secure: SecureAudio;
	/** of RTP; with RFC 5761 of RTCP too */
	rtpGuard: SourceGuard;
	/** unset: only what comes and goes by RTP's port */
	open?: OpenRtcp | undefined;
	/** by RTP's port */
	send(packet: Uint8Array, port: number, address: string): void;
	/** what is received of the peer */
	statistics(): ReceptionStatistics;
	/** of the peer's RTP, -1 before any */
	peerSsrc(): number;
	/** what is sent by now */
	sent(now: number): SentStream;
	/** monotonic ms */
	now(): number;
	/** ms since 1970 */
	unixNow(): number;
	/** 0 ≤ x < 1 */
	random(): number;
}

/** longer than a compound with one report, SRTCP's index and tag */
const BUFFER_BYTES = 512;

/** RTCP of one call towards the telephone: on RTP's port where both sides want that, else on the one after it, which is opened when it is first needed. */
export class CallRtcp {
	readonly #options: CallRtcpOptions;
	readonly #reports: RtcpReports;
	readonly #guard = new SourceGuard();
	#mux = false;
	/** the peer asks for VoIP metrics (RFC 3611) of what it sends in this codec */
	#rated: PhoneCodec | undefined;
	#socket: RtpSocket | "opening" | "none" = "none";
	#sentAny = false;
	#closed = false;
	/** packets that were not the peer's */
	refused = 0;

	constructor(options: CallRtcpOptions) {
		this.#options = options;
		this.#reports = new RtcpReports(options.ssrc, options.cname);
	}

	/** what the telephone says of what we send it */
	get farEnd(): RtcpReports["farEnd"] {
		return this.#reports.farEnd;
	}

	/** After each offer/answer. */
	negotiated({ rtcp, remote, codec }: NegotiatedAudio, signallingAddress: string): void {
		this.#mux = rtcp?.mux === true;
		this.#rated = rtcp?.voipMetrics === true ? codec : undefined;
		this.#guard.reset(rtcp?.address ?? remote.address, rtcp?.port ?? Math.min(65_535, remote.port + 1), signallingAddress);
		if (!this.#mux && this.#socket === "none" && this.#options.open !== undefined) this.#open(this.#options.open);
	}

	/** Every 20 ms once something may be sent. */
	tick(now: number): void {
		const { random, unixNow, statistics, sent, peerSsrc } = this.#options;
		// Random bytes are not free, and this is each call's every 20 ms.
		if (this.#reports.dueAt === Number.POSITIVE_INFINITY) this.#reports.begin(now, random());
		if (now < this.#reports.dueAt) return;
		const peer = peerSsrc();
		const received = peer < 0 ? undefined : statistics().report();
		const report = this.#reports.report(now, unixNow(), random(), sent(now), received, peer);
		if (this.#rated === undefined || received === undefined || received.expected === 0) return this.#send(report);
		const { ssrc } = this.#options;
		this.#send(joined(report, voipMetrics(ssrc, peer, this.#rated, received, statistics(), this.#reports.farEnd?.roundTripMs)));
	}

	/** One datagram of RTP's port. */
	onRtpPort(bytes: Uint8Array, address: string, port: number): void {
		if (this.#mux && this.#options.rtpGuard.isAt(address, port)) this.#read(bytes);
		else this.refused += 1;
	}

	/** BYE, and the end. */
	close(): void {
		if (this.#closed) return;
		if (this.#sentAny) this.#send(this.#reports.bye());
		this.#closed = true;
		if (typeof this.#socket !== "string") this.#socket.close();
		this.#socket = "none";
	}

	#open(open: OpenRtcp): void {
		this.#socket = "opening";
		open((bytes, address, port) => this.#onRtcpPort(bytes, address, port)).then(
			(socket) => {
				if (this.#closed) return socket.close();
				this.#socket = socket;
			},
			// Another program has the port: reports go out by RTP's, and none comes in. No call is worse for it.
			() => undefined,
		);
	}

	#onRtcpPort(bytes: Uint8Array, address: string, port: number): void {
		if (this.#closed || this.#mux || !isRtcp(bytes) || !this.#guard.admits(address, port)) {
			this.refused += 1;
			return;
		}
		if (this.#read(bytes)) this.#guard.latch(address, port);
	}

	#read(bytes: Uint8Array): boolean {
		const plain = this.#options.secure.unprotectRtcp(bytes);
		const isPeer = plain !== undefined && this.#reports.receive(plain, this.#options.peerSsrc(), this.#options.now());
		if (!isPeer) this.refused += 1;
		return isPeer;
	}

	#send(packet: Uint8Array): void {
		const { secure, send, rtpGuard } = this.#options;
		const buffer = new Uint8Array(BUFFER_BYTES);
		buffer.set(packet);
		const length = secure.protectRtcp(buffer, packet.length);
		if (length === 0) return;
		this.#sentAny = true;
		const bytes = buffer.subarray(0, length);
		if (this.#mux) send(bytes, rtpGuard.port, rtpGuard.address);
		else if (typeof this.#socket === "string") send(bytes, this.#guard.port, this.#guard.address);
		else this.#socket.send(bytes, this.#guard.port, this.#guard.address);
	}
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
	const both = new Uint8Array(first.length + second.length);
	both.set(first);
	both.set(second, first.length);
	return both;
}
