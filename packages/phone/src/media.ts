import { randomInt } from "node:crypto";
import { encodeG711, G722Encoder, Resampler } from "@trunkline/audio";
import {
	type DtmfEvent,
	DtmfReceiver,
	DtmfSender,
	emptyRtpPacket,
	isRtcp,
	parseRtp,
	ReceptionStatistics,
	RTP_FIXED_HEADER_BYTES,
	type RtpHeader,
	type RtpPacket,
	writeRtpHeader,
} from "@trunkline/rtp";
import type { AudioCodec, Negotiated } from "@trunkline/sdp";
import { MAX_OVERHEAD_BYTES } from "@trunkline/srtp";
import { Encryption, Handshake } from "./encryption.ts";
import { OpusPacketizer } from "./opus.ts";
import { pacer } from "./pacer.ts";
import { Recording } from "./recording.ts";
import { type AudioSource, silence } from "./sources.ts";
import { openUdp, type UdpSocket } from "./udp.ts";

const FRAME_SAMPLES = 160;
const MAX_PAYLOAD = 1_275;
/** A datagram may wait in the kernel's queue while the next are written; so many are never on their way for one call. */
const SEND_BUFFERS = 8;
const PORT_ATTEMPTS = 20;

export interface PortRange {
	min: number;
	max: number;
}

export interface MediaStats {
	packetsSent: number;
	packetsReceived: number;
	packetsLost: number;
	jitterMs: number;
	/** that could not be decrypted */
	srtpErrors: number;
}

export interface MediaListener {
	onDtmf(event: DtmfEvent): void;
	/** the source said that it is over */
	onPlayed(): void;
}

/** The audio of one call: an RTP socket, 20 ms packets out on the process's clock, packets in to the recording. Symmetric RTP. */
export class CallMedia {
	readonly recording: Recording;
	/** the packet is valid during the call only; its payload may be kept */
	onRtp: ((packet: RtpPacket, arrivalMs: number) => void) | undefined;
	readonly #socket: UdpSocket;
	readonly #listener: MediaListener;
	readonly #record: boolean;
	readonly #encryption: Encryption;
	readonly #handshake = new Handshake();
	readonly #received = emptyRtpPacket();
	#statistics = new ReceptionStatistics(8000);
	#clockRate = 8000;
	#receivedSsrc = -1;
	#dtmfReceiver = new DtmfReceiver();
	#dtmfSender = new DtmfSender();
	readonly #header: RtpHeader = {
		payloadType: 0,
		// the lower half, as the rollover counter could not be told otherwise when the first packets are lost (RFC 3711 §3.3.1)
		sequence: randomInt(0x8000),
		timestamp: randomInt(2 ** 32),
		ssrc: randomInt(2 ** 32),
		marker: true,
	};
	readonly #buffers = Array.from({ length: SEND_BUFFERS }, () => new Uint8Array(RTP_FIXED_HEADER_BYTES + MAX_PAYLOAD + MAX_OVERHEAD_BYTES));
	readonly #frame = new Int16Array(FRAME_SAMPLES);
	#wide: { encoder: G722Encoder; widen: Resampler } | undefined;
	#opus: OpusPacketizer | undefined;
	#nextBuffer = 0;
	#timestamp = this.#header.timestamp;
	#talking = false;
	#negotiated: Negotiated | undefined;
	#remote: { address: string; port: number } | undefined;
	#latched = false;
	#source: AudioSource = silence;
	#sent = 0;
	#unsubscribe: (() => void) | undefined;
	#closed = false;

	static async open(options: {
		host: string;
		ports?: PortRange;
		record: boolean;
		maxRecordMs: number;
		wrongKey: boolean;
		listener: MediaListener;
	}): Promise<CallMedia> {
		let media: CallMedia | undefined;
		const socket = await openRtp(options.host, options.ports, (bytes, host, port) => media?.receive(bytes, host, port, performance.now()));
		media = new CallMedia(socket, options);
		return media;
	}

	private constructor(socket: UdpSocket, options: { record: boolean; maxRecordMs: number; wrongKey: boolean; listener: MediaListener }) {
		this.#encryption = new Encryption(options.wrongKey);
		this.#socket = socket;
		this.#listener = options.listener;
		this.#record = options.record;
		this.recording = new Recording(options.maxRecordMs);
	}

	get port(): number {
		return this.#socket.port;
	}

	/** Where packets go now: what SDP said, or where the peer's packets come from. */
	get remote(): { address: string; port: number } | undefined {
		return this.#remote;
	}

	get negotiated(): Negotiated | undefined {
		return this.#negotiated;
	}

	/** Starts, or goes on with what was agreed anew. */
	start(negotiated: Negotiated): void {
		if (this.#closed) return;
		const { clockRate = 8000 } = negotiated.telephoneEvent ?? {};
		if (clockRate !== (this.#negotiated?.telephoneEvent?.clockRate ?? 8000)) {
			this.#dtmfReceiver = new DtmfReceiver(clockRate);
			this.#dtmfSender = new DtmfSender({ clockRate });
		}
		this.#negotiated = negotiated;
		this.#useClock(negotiated.codec.clockRate);
		if (negotiated.dtls === undefined) this.#encryption.use(negotiated.srtp);
		this.#remote = negotiated.remote;
		this.#handshake.begin(
			negotiated.dtls,
			(packet) => this.sendRaw(packet),
			(keys) => this.#encryption.use(keys),
		);
		this.#latched = false;
		this.#unsubscribe ??= pacer.subscribe(() => this.#tick());
	}

	play(source: AudioSource): void {
		this.#source = source;
	}

	/** False: a character is no digit, or digits cannot be sent in this call. */
	sendDtmf(digits: string, toneMs: number | undefined): boolean {
		return this.#negotiated?.telephoneEvent !== undefined && this.#dtmfSender.enqueue(digits, toneMs);
	}

	/** Sends these bytes as they are from the call's port to the peer, at once. */
	sendRaw(packet: Uint8Array): void {
		if (this.#remote !== undefined) this.#socket.send(packet, this.#remote.port, this.#remote.address);
	}

	stats(): MediaStats {
		const report = this.#statistics.report();
		return {
			packetsSent: this.#sent,
			packetsReceived: report.received,
			packetsLost: Math.max(0, report.cumulativeLost),
			jitterMs: report.jitterMs,
			srtpErrors: this.#encryption.errors,
		};
	}

	async close(): Promise<void> {
		if (this.#closed) return;
		this.#closed = true;
		this.#unsubscribe?.();
		this.#handshake.close();
		this.#tellDtmf(this.#dtmfReceiver.reset());
		await this.#socket.close();
	}

	receive(bytes: Uint8Array, address: string, port: number, arrivalMs: number): void {
		if (this.#closed) return;
		// RFC 7983 §7
		if ((bytes[0] ?? 0) < 64) return this.#handshake.receive(bytes);
		if (isRtcp(bytes) || this.#handshake.pending) return;
		const plain = this.#encryption.unprotect(bytes);
		const packet = plain && parseRtp(plain, this.#received);
		if (packet === undefined) return;
		const codec = this.#codecOf(packet.payloadType);
		const isEvent = packet.payloadType === this.#negotiated?.telephoneEvent?.receivePayloadType;
		if (codec === undefined && !isEvent) return;
		this.#latch(address, port);
		if (packet.ssrc !== this.#receivedSsrc) this.#newSource(packet.ssrc);
		this.#statistics.onPacket(packet.sequence, packet.timestamp, arrivalMs);
		if (isEvent) this.#tellDtmf(this.#dtmfReceiver.receive(packet.payload, packet.timestamp, packet.marker, arrivalMs));
		else if (codec !== undefined && this.#record) this.recording.add(codec, packet.payload, packet, arrivalMs);
		this.onRtp?.(packet, arrivalMs);
	}

	/** Static numbers are understood before an answer, too: early media. */
	#codecOf(payloadType: number): AudioCodec | undefined {
		if (payloadType === this.#negotiated?.codec.receivePayloadType) return this.#negotiated.codec.name;
		if (payloadType === 0) return "PCMU";
		return payloadType === 8 ? "PCMA" : undefined;
	}

	/** Symmetric RTP: send where the peer's packets come from, as what it wrote into SDP may lie behind NAT. Once per agreement. */
	#latch(address: string, port: number): void {
		if (this.#latched || this.#negotiated === undefined) return;
		this.#latched = true;
		this.#remote = { address, port };
	}

	/** Of what is sent and received: another codec may have another. */
	#useClock(clockRate: number): void {
		if (clockRate === this.#clockRate) return;
		this.#clockRate = clockRate;
		this.#statistics = new ReceptionStatistics(clockRate);
	}

	#newSource(ssrc: number): void {
		if (this.#receivedSsrc !== -1) this.#statistics = new ReceptionStatistics(this.#clockRate);
		this.#receivedSsrc = ssrc;
		this.#tellDtmf(this.#dtmfReceiver.reset());
	}

	#tick(): void {
		this.#tellDtmf(this.#dtmfReceiver.handleTimeout(performance.now()));
		const negotiated = this.#negotiated;
		if (negotiated === undefined) return;
		const sends = !negotiated.onHold && (negotiated.direction === "sendrecv" || negotiated.direction === "sendonly");
		const event = sends && negotiated.telephoneEvent ? this.#dtmfSender.next(this.#timestamp) : undefined;
		// the source is asked all the same: what it plays goes on while a digit is sent
		if (!this.#source(this.#frame)) {
			this.#source = silence;
			this.#listener.onPlayed();
		}
		if (event !== undefined && negotiated.telephoneEvent) {
			this.#send(negotiated.telephoneEvent.payloadType, event.timestamp, event.marker, event.payload);
			this.#talking = false;
		} else if (sends) {
			this.#sendFrame(negotiated);
		} else {
			this.#talking = false;
		}
		this.#timestamp = (this.#timestamp + this.#clockRate / 50) >>> 0;
	}

	#sendFrame(negotiated: Negotiated): void {
		const buffer = this.#buffers[this.#nextBuffer];
		if (buffer === undefined) return;
		if (negotiated.codec.name === "opus") {
			this.#opus ??= new OpusPacketizer();
			this.#send(negotiated.codec.payloadType, this.#timestamp, !this.#talking, this.#opus.encode(this.#frame));
			this.#talking = true;
			return;
		}
		if (negotiated.codec.name === "G722") {
			this.#wide ??= { encoder: new G722Encoder(), widen: new Resampler(8_000, 16_000) };
			this.#wide.encoder.encode(this.#wide.widen.process(this.#frame), buffer, RTP_FIXED_HEADER_BYTES);
		} else encodeG711(negotiated.codec.name, this.#frame, buffer, RTP_FIXED_HEADER_BYTES);
		// RFC 3551 §4.1: the marker tells the first packet of a talkspurt
		this.#send(
			negotiated.codec.payloadType,
			this.#timestamp,
			!this.#talking,
			buffer.subarray(RTP_FIXED_HEADER_BYTES, RTP_FIXED_HEADER_BYTES + FRAME_SAMPLES),
		);
		this.#talking = true;
	}

	#send(payloadType: number, timestamp: number, marker: boolean, payload: Uint8Array): void {
		const buffer = this.#buffers[this.#nextBuffer];
		if (buffer === undefined || this.#remote === undefined || this.#handshake.pending) return;
		this.#nextBuffer = (this.#nextBuffer + 1) % SEND_BUFFERS;
		const header = this.#header;
		header.payloadType = payloadType;
		header.timestamp = timestamp;
		header.marker = marker;
		const start = writeRtpHeader(buffer, 0, header);
		buffer.set(payload, start);
		header.sequence = (header.sequence + 1) & 0xffff;
		const length = this.#encryption.protect(buffer, start + payload.length);
		if (length === 0) return;
		this.#sent += 1;
		this.#socket.send(buffer.subarray(0, length), this.#remote.port, this.#remote.address);
	}

	#tellDtmf(events: readonly DtmfEvent[]): void {
		for (const event of events) this.#listener.onDtmf(event);
	}
}

/** An even port of the range that is free (RFC 3550 §11), or any port when there is no range. */
async function openRtp(host: string, ports: PortRange | undefined, onMessage: Parameters<typeof openUdp>[2]): Promise<UdpSocket> {
	if (ports === undefined) return openUdp(host, 0, onMessage);
	for (let attempt = 1; ; attempt++) {
		const port = randomInt(Math.ceil(ports.min / 2), Math.floor(ports.max / 2) + 1) * 2;
		try {
			return await openUdp(host, port, onMessage);
		} catch (error) {
			if (attempt >= PORT_ATTEMPTS) throw error;
		}
	}
}
