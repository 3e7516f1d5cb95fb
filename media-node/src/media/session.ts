import type { NoiseSuppression } from "@trunkline/contracts";
import type { DtlsCertificate } from "@trunkline/dtls";
import { dtmfCode, DtmfReceiver, emptyRtpPacket, isRtcp, parseRtp, ReceptionStatistics, type RtpPacket } from "@trunkline/rtp";
import type {
	AudioUplink,
	HoldMusic,
	MediaEvent,
	MediaSession,
	MediaStats,
	NegotiatedAudio,
	PhoneCodec,
	ProgressToneName,
	PromptName,
	RemoteAudioTrack,
} from "../call/ports.ts";
import { CallQuality, type QualitySource } from "./call-quality.ts";
import { CallRtcp, type OpenRtcp } from "./call-rtcp.ts";
import { Downlink } from "./downlink.ts";
import { CallHandshake, isHandshake } from "./handshake.ts";
import { HeardDigits } from "./heard-digits.ts";
import { holdMusic } from "./hold-music.ts";
import { LevelMeter } from "./level-meter.ts";
import { CallSuppression } from "./noise/call-suppression.ts";
import { Suppressors } from "./noise/suppressors.ts";
import { PromptPlayer } from "./prompt-player.ts";
import { Prompts } from "./prompts.ts";
import { CallRecording } from "./recording/call-recording.ts";
import { playRingback } from "./ringback.ts";
import { RtpSender } from "./rtp-sender.ts";
import { SecureAudio } from "./secure-audio.ts";
import type { RtpSocket } from "./socket/rtp-socket.ts";
import { SourceGuard } from "./source-guard.ts";
import type { Ticker } from "./ticker.ts";
import { Uplink } from "./uplink.ts";

export interface SessionOptions {
	ticker: Ticker;
	/** what SDP says */
	advertisedAddress: string;
	/** what held callers hear, 8 kHz; unset: a tune of our own */
	holdMusic?: Int16Array | undefined;
	/** of all calls of the thread; unset: DTLN, for this call alone */
	suppressors?: Suppressors | undefined;
	/** of all calls of the thread; unset: those that come with us, for this call alone */
	prompts?: Prompts | undefined;
	/** monotonic ms */
	now(): number;
	/** ms since 1970; unset: the system's */
	unixNow?: (() => number) | undefined;
	/** `cname` (RFC 7022) of RTCP; drawn once, the rest of it also for what shall not keep in step with others */
	random(): { ssrc: number; sequence: number; timestamp: number; cname?: string };
	/** unset: RTCP by RTP's port alone */
	openRtcp?: OpenRtcp | undefined;
	/** for DTLS-SRTP; unset: there is none */
	certificate?: DtlsCertificate | undefined;
	onEvent(event: MediaEvent): void;
	onClose(): void;
}

/** RFC 3551 §6 */
const COMFORT_NOISE = 13;
/** Shorter than any NAT keeps a binding: who still speaks has not moved. */
const PAUSE_MS = 500;
const FRAME_MS = 20;

/** RFC 3551 §4.5.2, RFC 7587 §4.1 */
const rtpClock = (codec: PhoneCodec): number => (codec === "opus" ? 48_000 : 8_000);

/** One call's RTP: telephone ⇄ room. */
export class RtpMediaSession implements MediaSession {
	readonly localAddress: string;
	readonly dtlsFingerprint: string | undefined;
	#socket: RtpSocket | undefined;
	readonly #options: SessionOptions;
	readonly #guard = new SourceGuard();
	readonly #secure = new SecureAudio();
	readonly #handshake: CallHandshake;
	readonly #packet = emptyRtpPacket();
	#dtmf = new DtmfReceiver();
	readonly #statistics = new ReceptionStatistics(8_000);
	readonly #sender: RtpSender;
	readonly #downlink: Downlink;
	readonly #noise: CallSuppression;
	readonly #prompts: PromptPlayer;
	readonly #rtcp: CallRtcp;
	readonly #quality = new CallQuality();
	/** on the way to rooms before this one */
	#concealedMs = 0;
	/** of what the telephone says */
	readonly #levels = new LevelMeter();
	#recording: CallRecording | undefined;
	#heardDigits: HeardDigits | undefined;
	#uplink: Uplink | undefined;
	#negotiated: NegotiatedAudio | undefined;
	#ssrc = -1;
	#unsubscribe: (() => void) | undefined;
	readonly #ringbacks = new Set<() => void>();
	/** holds of ours that are not over: the telephone is not heard */
	#held = 0;
	/** nobody at the address in the SDP has said anything yet */
	#unproven = false;
	/** the call is answered: what we send is expected */
	#sending = false;

	/** a fault of ours: the call is being ended */
	#failed = false;

	#packetsReceived = 0;
	#lastPacketAt = 0;
	#watch: { first: number; later: number; since: number } | undefined;

	constructor(options: SessionOptions) {
		this.#options = options;
		this.localAddress = options.advertisedAddress;
		this.dtlsFingerprint = options.certificate?.fingerprint;
		const { ssrc, sequence, timestamp, cname } = options.random();
		this.#sender = new RtpSender(
			ssrc,
			(packet) => {
				if (this.#maySend) this.#socket?.send(packet, this.#guard.port, this.#guard.address);
			},
			(packet, length) => this.#secure.protect(packet, length),
		);
		this.#noise = new CallSuppression(options.suppressors ?? new Suppressors(), (message) =>
			options.onEvent({ type: "suppression-unavailable", message }),
		);
		this.#downlink = new Downlink(this.#sender, sequence, timestamp, options.now, this.#noise.downlink);
		this.#prompts = new PromptPlayer(options.prompts ?? new Prompts(), (audio) => this.#downlink.play(audio));
		const send = (packet: Uint8Array, port: number, address: string): void => this.#socket?.send(packet, port, address);
		const { certificate, onEvent } = options;
		this.#handshake = new CallHandshake({ guard: this.#guard, secure: this.#secure, certificate, send, onEvent });
		this.#rtcp = new CallRtcp({
			...{ ssrc, cname: cname ?? ssrc.toString(16), secure: this.#secure, rtpGuard: this.#guard, open: options.openRtcp, now: options.now },
			send,
			statistics: () => this.#statistics,
			peerSsrc: () => this.#ssrc,
			sent: (now) => ({
				packets: this.#sender.packetsSent,
				octets: this.#sender.octetsSent,
				timestamp: this.#downlink.mediaTime(now),
			}),
			unixNow: options.unixNow ?? Date.now,
			random: () => options.random().ssrc / 2 ** 32,
		});
	}

	/** The socket's packets come to `onPacket`; the session closes it. */
	attach(socket: RtpSocket): void {
		this.#socket = socket;
	}

	get localPort(): number {
		return this.#socket?.port ?? 0;
	}

	start(negotiated: NegotiatedAudio, signallingAddress: string, anotherPeer = false): void {
		if (anotherPeer) this.#guard.replaced();
		const clockRate = negotiated.telephoneEventClockRate ?? 8_000;
		if (clockRate !== (this.#negotiated?.telephoneEventClockRate ?? 8_000)) this.#dtmf = new DtmfReceiver(clockRate);
		if ((negotiated.codec === "opus") !== (this.#negotiated?.codec === "opus")) this.#statistics.restart(rtpClock(negotiated.codec));
		this.#negotiated = negotiated;
		this.#guard.reset(negotiated.remote.address, negotiated.remote.port, signallingAddress);
		this.#handshake.negotiated(negotiated, anotherPeer);
		this.#rtcp.negotiated(negotiated, signallingAddress);
		this.#downlink.negotiated(negotiated);
		// Where RFC 4733 is agreed, tones in the audio are not looked for: they would be the same presses, or none.
		if (negotiated.telephoneEventReceivePayloadType !== undefined) this.#heardDigits = undefined;
		else this.#heardDigits ??= new HeardDigits();
		if (this.#watch !== undefined) this.#watch.since = this.#options.now();
		this.#unsubscribe ??= this.#options.ticker.subscribe(() => this.#step());
	}

	connect(uplink: AudioUplink): void {
		this.listen(uplink);
		this.speak();
	}

	listen(uplink: AudioUplink): void {
		this.#concealedMs += this.#uplink?.concealedMs ?? 0;
		this.#uplink?.close();
		this.#uplink = new Uplink(uplink, this.#noise.uplink, this.#levels);
	}

	speak(): void {
		this.#sending = true;
	}

	addTrack(track: RemoteAudioTrack): void {
		this.#downlink.addTrack(track);
	}

	removeTrack(trackSid: string): void {
		this.#downlink.removeTrack(trackSid);
	}

	muteTrack(trackSid: string, muted: boolean): void {
		this.#downlink.muteTrack(trackSid, muted);
	}

	sendDigits(digits: string): Promise<void> {
		if (this.#socket === undefined) return Promise.resolve();
		this.#sending = true;
		return this.#downlink.sendDigits(digits);
	}

	ringPhone(country?: string): () => void {
		return this.#downlink.ring(country);
	}

	holdPhone(music: HoldMusic): () => void {
		const stop = this.#downlink.play(holdMusic(music, this.#options.holdMusic));
		this.#held += 1;
		return () => {
			this.#held -= 1;
			stop();
		};
	}

	setNoiseSuppression(wanted: NoiseSuppression): void {
		this.#noise.set(wanted);
	}

	playRingback(uplink: AudioUplink, country?: string, tone?: ProgressToneName): () => void {
		const stop = playRingback(this.#options.ticker, uplink, country, tone);
		this.#ringbacks.add(stop);
		return () => {
			this.#ringbacks.delete(stop);
			stop();
		};
	}

	playPrompts(names: readonly PromptName[], language: string): Promise<void> {
		if (this.#socket === undefined) return Promise.resolve();
		this.#sending = true;
		return this.#prompts.play(names, language);
	}

	stopPrompts(): void {
		this.#prompts.stop();
	}

	record(file: string, notice: boolean): void {
		this.stopRecording();
		const { now, onEvent } = this.#options;
		if (this.#socket === undefined || this.#negotiated === undefined)
			return onEvent({ type: "recorded", file, durationMs: 0, bytes: 0, problem: "there was no audio to record" });
		const recording = new CallRecording(file, this.#negotiated.codec, notice, now());
		this.#recording = recording;
		this.#sender.tap = (payloadType, timestamp, payload) => {
			const negotiated = this.#negotiated;
			if (payloadType !== negotiated?.payloadType) return payload;
			return recording.toTelephone(negotiated.codec, payload, timestamp, now());
		};
	}

	stopRecording(): void {
		const recording = this.#recording;
		if (recording === undefined) return;
		this.#recording = this.#sender.tap = undefined;
		const { now, onEvent } = this.#options;
		void recording.finish(now()).then((result) => onEvent({ type: "recorded", file: recording.file, ...result }));
	}

	awaitProof(): void {
		this.#unproven = true;
	}

	proven(): void {
		this.#unproven = false;
	}

	watch(firstPacketMs: number, laterMs: number): void {
		this.#watch = { first: firstPacketMs, later: laterMs, since: this.#options.now() };
	}

	stats(): MediaStats {
		const { lost, jitterMs } = this.#statistics.totals();
		const quality = this.#quality.summary(this.#judged());
		return {
			packetsReceived: this.#packetsReceived,
			packetsSent: this.#sender.packetsSent,
			packetsLost: lost,
			packetsRefused: this.#guard.refused + this.#rtcp.refused,
			srtpErrors: this.#secure.errors,
			jitterMs,
			...(quality && { quality }),
		};
	}

	close(): void {
		if (this.#socket === undefined) return;
		this.#unsubscribe?.();
		for (const stop of this.#ringbacks) stop();
		this.#ringbacks.clear();
		this.#uplink?.close();
		this.#uplink = undefined;
		this.stopRecording();
		this.#prompts.close();
		this.#downlink.close();
		this.#noise.close();
		this.#handshake.close();
		this.#rtcp.close();
		this.#socket.close();
		this.#socket = undefined;
		this.#options.onClose();
	}

	/** One datagram; the hot path. Throws once at most: a fault of ours that ends the call. */
	onPacket(bytes: Uint8Array, address: string, port: number): void {
		if (this.#failed) return;
		try {
			this.#take(bytes, address, port);
		} catch (error) {
			this.#fail(error);
		}
	}

	#take(bytes: Uint8Array, address: string, port: number): void {
		const negotiated = this.#negotiated;
		// Before the answer nobody is known to be the peer.
		if (negotiated === undefined) return;
		if (isHandshake(bytes)) return this.#handshake.onPacket(bytes, address, port);
		if (isRtcp(bytes)) return this.#rtcp.onRtpPort(bytes, address, port);
		// SRTP leaves the header in the clear: what is none of the call's costs no decryption.
		const kind = kindOf((bytes[1] ?? 0) & 0x7f, negotiated);
		if (kind === undefined) return;
		const packet = this.#admitted(bytes, address, port);
		if (packet !== undefined) this.#received(packet, kind, negotiated);
	}

	/** The packet, when it is the peer's; from here on the peer is where it came from. */
	#admitted(bytes: Uint8Array, address: string, port: number): RtpPacket | undefined {
		const isElsewhere = !this.#guard.admits(address, port);
		if (isElsewhere && !this.#mayHaveMoved(address)) return undefined;
		const plain = this.#secure.unprotect(bytes);
		const packet = plain && parseRtp(plain, this.#packet);
		// Whatever else comes from the peer's machine (probes, another program, a browser's STUN, packets without the key) must not decide where its audio is.
		if (packet === undefined || (isElsewhere && packet.ssrc !== this.#ssrc)) return undefined;
		if (isElsewhere) this.#guard.move(address, port);
		else this.#guard.latch(address, port);
		return packet;
	}

	#received(packet: RtpPacket, kind: "audio" | "event" | "comfort", negotiated: NegotiatedAudio): void {
		const now = this.#options.now();
		if (packet.ssrc !== this.#ssrc) this.#newSource(packet.ssrc);
		this.#lastPacketAt = now;
		this.#packetsReceived += 1;
		this.#statistics.onPacket(packet.sequence, packet.timestamp, now, kind !== "event");
		if (this.#packetsReceived === 1) this.#options.onEvent({ type: "media-started" });
		if (!negotiated.receives) return;
		if (kind === "audio" && this.#held === 0) return this.#heard(packet, now, negotiated.codec);
		if (kind === "comfort" && this.#held === 0) return this.#uplink?.comfortNoise(packet.payload, packet.timestamp, packet.sequence);
		this.#uplink?.passOver(packet.sequence);
		if (kind === "event") this.#report(this.#dtmf.receive(packet.payload, packet.timestamp, packet.marker, now));
	}

	#heard({ payload, timestamp, sequence, marker }: RtpPacket, now: number, codec: PhoneCodec): void {
		const heard = this.#recording?.fromTelephone(codec, payload, timestamp, now) ?? payload;
		this.#uplink?.write(codec, heard, timestamp, sequence, marker);
		if (this.#heardDigits !== undefined) for (const digit of this.#heardDigits.process(codec, payload)) this.#tellHeard(digit);
	}

	#tellHeard(digit: string): void {
		const code = dtmfCode(digit);
		if (code !== undefined) this.#options.onEvent({ type: "digit", code, digit, inBand: true });
	}

	/** RFC 3550 §8: another SSRC is another stream, with its own sequence and timestamps. */
	#newSource(ssrc: number): void {
		this.#ssrc = ssrc;
		this.#statistics.restart();
		this.#report(this.#dtmf.reset());
	}

	#report(events: ReturnType<DtmfReceiver["receive"]>): void {
		for (const event of events) if (event.type === "start") this.#options.onEvent({ type: "digit", code: event.code, digit: event.digit });
	}

	#step(): void {
		try {
			this.#tick();
		} catch (error) {
			this.#fail(error);
		}
	}

	/** Without its clock a call would be silent, and no media time-out would end it; with each packet's fault in the log it would fill the disk. */
	#fail(error: unknown): never {
		this.#failed = true;
		this.#options.onEvent({ type: "media-lost", message: error instanceof Error ? error.message : String(error) });
		throw error;
	}

	#tick(): void {
		if (this.#sending) this.#downlink.tick();
		const now = this.#options.now();
		this.#handshake.tick(now, this.#sending && (!this.#unproven || this.#guard.latched));
		if (this.#held === 0 && this.#negotiated?.receives === true) this.#uplink?.tick();
		if (this.#sending) this.#checkHealth(now);
		this.#recording?.tick(now);
		const due = this.#dtmf.nextTimeout();
		if (due !== undefined && now >= due) this.#report(this.#dtmf.handleTimeout(now));
		this.#checkSilence(now);
	}

	get #maySend(): boolean {
		return this.#handshake.hasWay && (!this.#unproven || this.#guard.latched);
	}

	/** After a pause, and where SRTP tells the peer from others: its NAT may have given it another port. */
	#mayHaveMoved(address: string): boolean {
		return this.#secure.isOn && this.#guard.mayMove(address) && this.#options.now() - this.#lastPacketAt >= PAUSE_MS;
	}

	#checkHealth(now: number): void {
		if (this.#maySend) this.#rtcp.tick(now);
		this.#quality.begin(now);
		if (this.#quality.isDue(now)) this.#options.onEvent({ type: "quality", ...this.#quality.sample(this.#judged(true), now) });
	}

	/** `ends`: an interval ends here, and so do its levels. */
	#judged(ends = false): QualitySource {
		return {
			codec: this.#negotiated?.codec ?? "PCMU",
			received: this.#statistics.totals(),
			concealedUp: Math.round((this.#concealedMs + (this.#uplink?.concealedMs ?? 0)) / FRAME_MS),
			levelUp: ends ? this.#levels.take() : undefined,
			packetsSent: this.#sender.packetsSent,
			farEnd: this.#rtcp.farEnd,
			room: this.#downlink.roomReception(),
			levelDown: ends ? this.#downlink.levels.take() : undefined,
		};
	}

	#checkSilence(now: number): void {
		const watch = this.#watch;
		// Nobody owes packets while the call is on hold, by either side; a peer that holds may send music, or nothing.
		if (watch === undefined || this.#negotiated?.receives !== true || !this.#negotiated.sends) return;
		const beforeFirstPacket = this.#packetsReceived === 0;
		const since = beforeFirstPacket ? watch.since : Math.max(this.#lastPacketAt, watch.since);
		if (now - since < (beforeFirstPacket ? watch.first : watch.later)) return;
		this.#watch = undefined;
		this.#options.onEvent({ type: "media-timeout", beforeFirstPacket });
	}
}

/** Undefined: none of the call's. */
function kindOf(type: number, negotiated: NegotiatedAudio): "audio" | "event" | "comfort" | undefined {
	if (type === negotiated.receivePayloadType) return "audio";
	if (type === negotiated.telephoneEventReceivePayloadType) return "event";
	// Telephones that suppress silence send it whether it was agreed upon or not.
	return type === COMFORT_NOISE ? "comfort" : undefined;
}
