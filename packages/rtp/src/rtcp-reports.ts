import { ntpFromUnixMs, parseRtcp, type ReportBlock, writeBye, writeReceiverReport, writeSenderReport } from "./rtcp.ts";
import { rtcpIntervalMs } from "./rtcp-interval.ts";
import type { ReceptionReport } from "./sequence.ts";

/** Our reports whose answers may still come: their times tell the round trip. */
const REMEMBERED = 4;
/** A round trip that is longer is no round trip. */
const MAX_ROUND_TRIP_MS = 30_000;
/** of audio, 8 kHz G.711 or G.722 */
const BANDWIDTH = 64_000;
/** SR with one block, SDES, UDP and IP headers */
const AVERAGE_BYTES = 120;

/** What we have sent, for a sender report (RFC 3550 §6.4.1). */
export interface SentStream {
	packets: number;
	/** of payload */
	octets: number;
	/** RTP timestamp that a sample would have that is sent now */
	timestamp: number;
}

/** What the peer says of what we send it. */
export interface FarEnd {
	/** cumulative; negative when packets came twice */
	lost: number;
	/** 0..255 of 256, in the peer's latest interval */
	fractionLost: number;
	/** in ticks of the RTP clock */
	jitterTicks: number;
	/** extended highest sequence number that it received */
	extendedHighest: number;
	/** ms; undefined until it has answered a sender report of ours */
	roundTripMs: number | undefined;
	/** monotonic ms of the report */
	at: number;
}

/**
 * RTCP of one RTP stream in each direction between two parties: when reports are due, what they say, and what those of the peer tell. Times are monotonic
 * ms, and `unixMs` for the NTP times that only the peer's lip-sync would read: a clock that is set meanwhile does not disturb the round trip.
 */
export class RtcpReports {
	readonly #ssrc: number;
	readonly #cname: string;
	#dueAt = Number.POSITIVE_INFINITY;
	#sent = false;
	/** sender reports of ours: the middle of their NTP times, and when */
	readonly #ours: { ntpMiddle: number; at: number }[] = [];
	#theirs: { ssrc: number; ntpMiddle: number; at: number } | undefined;
	#farEnd: FarEnd | undefined;

	/** `cname`: RFC 7022, the same for all of a session, and nothing that tells who it is */
	constructor(ssrc: number, cname: string) {
		this.#ssrc = ssrc;
		this.#cname = cname;
	}

	/** what the peer said last of what we send */
	get farEnd(): FarEnd | undefined {
		return this.#farEnd;
	}

	get dueAt(): number {
		return this.#dueAt;
	}

	/** The session begins, or goes on after a pause. */
	begin(now: number, random: number): void {
		if (this.#dueAt === Number.POSITIVE_INFINITY) this.#schedule(now, random);
	}

	/** The report that is due: a compound of SR, or RR before anything was sent, and SDES (RFC 3550 §6.1). */
	report(
		now: number,
		unixMs: number,
		random: number,
		sent: SentStream | undefined,
		received: ReceptionReport | undefined,
		peerSsrc: number,
	): Uint8Array {
		this.#sent = true;
		this.#schedule(now, random);
		const blocks = received === undefined || received.expected === 0 ? [] : [this.#block(peerSsrc, received, now)];
		if (sent === undefined || sent.packets === 0) return writeReceiverReport(this.#ssrc, blocks, this.#cname);
		const ntp = ntpFromUnixMs(unixMs);
		this.#ours.push({ ntpMiddle: ntpMiddle(ntp.ntpSeconds, ntp.ntpFraction), at: now });
		if (this.#ours.length > REMEMBERED) this.#ours.shift();
		const sender = { ...ntp, rtpTimestamp: sent.timestamp, packetCount: sent.packets >>> 0, octetCount: sent.octets >>> 0 };
		return writeSenderReport(this.#ssrc, sender, blocks, this.#cname);
	}

	/** RFC 3550 §6.6 */
	bye(): Uint8Array {
		return writeBye(this.#ssrc, this.#cname);
	}

	/**
	 * A compound of the peer; `peerSsrc` is that of its RTP, -1 before any came. False: it says nothing of this session. A BYE ends nothing: the signalling
	 * does, and a forged one must not.
	 */
	receive(bytes: Uint8Array, peerSsrc: number, now: number): boolean {
		const packets = parseRtcp(bytes);
		// RFC 3550 A.2: a compound begins with SR or RR
		const [first] = packets ?? [];
		if (packets === undefined || (first?.type !== "sr" && first?.type !== "rr")) return false;
		let known = peerSsrc < 0 || first.ssrc === peerSsrc;
		for (const packet of packets) {
			if (packet.type !== "sr" && packet.type !== "rr") continue;
			if (packet.type === "sr" && (peerSsrc < 0 || packet.ssrc === peerSsrc)) {
				const { ntpSeconds, ntpFraction } = packet.sender;
				this.#theirs = { ssrc: packet.ssrc, ntpMiddle: ntpMiddle(ntpSeconds, ntpFraction), at: now };
			}
			for (const block of packet.reports) {
				if (block.ssrc !== this.#ssrc) continue;
				// Whoever only receives may report under an SSRC of its own; it knows ours.
				known = true;
				this.#onBlock(block, now);
			}
		}
		return known;
	}

	#schedule(now: number, random: number): void {
		this.#dueAt = now + rtcpIntervalMs(random, { bandwidth: BANDWIDTH, averageBytes: AVERAGE_BYTES, initial: !this.#sent });
	}

	#onBlock(block: ReportBlock, now: number): void {
		const { cumulativeLost: lost, fractionLost, jitterTicks, extendedHighest } = block;
		const roundTripMs = this.#roundTrip(block, now) ?? this.#farEnd?.roundTripMs;
		this.#farEnd = { lost, fractionLost, jitterTicks, extendedHighest, roundTripMs, at: now };
	}

	/** RFC 3550 §6.4.1; only for a report that we did send: the peer's word alone gives no time. */
	#roundTrip({ lastSr, delaySinceLastSr }: ReportBlock, now: number): number | undefined {
		const ours = lastSr === 0 ? undefined : this.#ours.find(({ ntpMiddle: middle }) => middle === lastSr);
		if (ours === undefined) return undefined;
		const roundTrip = now - ours.at - (delaySinceLastSr * 1000) / 65_536;
		if (roundTrip > MAX_ROUND_TRIP_MS || roundTrip < -1000) return undefined;
		// clocks that differ a little, in units of 1/65536 s
		return Math.max(0, roundTrip);
	}

	#block(ssrc: number, { fractionLost, cumulativeLost, extendedHighest, jitterTicks }: ReceptionReport, now: number): ReportBlock {
		const theirs = this.#theirs?.ssrc === ssrc ? this.#theirs : undefined;
		return {
			ssrc,
			fractionLost,
			cumulativeLost,
			extendedHighest: extendedHighest >>> 0,
			jitterTicks,
			lastSr: theirs?.ntpMiddle ?? 0,
			delaySinceLastSr: theirs === undefined ? 0 : Math.round(((now - theirs.at) * 65_536) / 1000) >>> 0,
		};
	}
}

function ntpMiddle(ntpSeconds: number, ntpFraction: number): number {
	return (((ntpSeconds & 0xffff) << 16) | (ntpFraction >>> 16)) >>> 0;
}
