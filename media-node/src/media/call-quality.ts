import {
	DirectionQuality,
	type FarEnd,
	type QualityCounts,
	type QualitySample,
	type QualitySummary,
	type RatedCodec,
	type ReceptionTotals,
} from "@trunkline/rtp";

/** how often */
const QUALITY_INTERVAL_MS = 5_000;
/** of audio in a packet: it is spoken before it is sent */
const PACKET_MS = 20;
/** A receiver waits for nearly all of what jitter delays: J of RFC 3550 is a mean. */
const JITTERS_WAITED = 2;

/** What one direction of a call is judged by. */
export interface QualitySource {
	codec: RatedCodec;
	/** of the telephone's packets */
	received: ReceptionTotals;
	/** made up on the way to the room */
	concealedUp: number;
	levelUp: number | undefined;
	packetsSent: number;
	/** what the telephone reports, if it does */
	farEnd: FarEnd | undefined;
	/** of the room's audio, where it is decoded */
	room: { missing: number; late: number; delayMs: number };
	levelDown: number | undefined;
}

export interface CallQualitySample {
	uplink: QualitySample;
	downlink: QualitySample;
}

export interface CallQualitySummary {
	uplink: QualitySummary;
	downlink: QualitySummary;
}

/** Both directions of a call: uplink = telephone → room, downlink = room → telephone. */
export class CallQuality {
	readonly #up = new DirectionQuality(QUALITY_INTERVAL_MS);
	readonly #down = new DirectionQuality(QUALITY_INTERVAL_MS);
	#next = Number.POSITIVE_INFINITY;

	/** The first interval begins. */
	begin(now: number): void {
		if (this.#next === Number.POSITIVE_INFINITY) this.#next = now + QUALITY_INTERVAL_MS;
	}

	isDue(now: number): boolean {
		return now >= this.#next;
	}

	sample(source: QualitySource, now: number): CallQualitySample {
		// On the beat, but not to make up for a process that stood still.
		this.#next = Math.max(this.#next + QUALITY_INTERVAL_MS, now + QUALITY_INTERVAL_MS / 2);
		const { codec, received, farEnd, room } = source;
		const roundTripMs = farEnd?.roundTripMs;
		const farJitterMs = farEnd === undefined ? undefined : farEnd.jitterTicks / (codec === "opus" ? 48 : 8);
		return {
			uplink: this.#up.sample(uplinkCounts(source), {
				...{ codec, jitterMs: received.jitterMs, roundTripMs, level: source.levelUp },
				bufferMs: PACKET_MS + JITTERS_WAITED * received.jitterMs,
			}),
			downlink: this.#down.sample(downlinkCounts(source), {
				...{ codec, jitterMs: farJitterMs, roundTripMs, level: source.levelDown },
				bufferMs: PACKET_MS + room.delayMs + JITTERS_WAITED * (farJitterMs ?? 0),
			}),
		};
	}

	/** Undefined: the call was over before there was anything to judge. */
	summary(source: QualitySource): CallQualitySummary | undefined {
		if (this.#next === Number.POSITIVE_INFINITY) return undefined;
		return { uplink: this.#up.summary(uplinkCounts(source)), downlink: this.#down.summary(downlinkCounts(source)) };
	}
}

function uplinkCounts({ received, concealedUp }: QualitySource): QualityCounts {
	const { received: packets, lost, reordered: late, duplicates } = received;
	return { ...{ packets, lost, late, duplicates, concealed: concealedUp }, expected: packets - duplicates + lost, unheard: lost };
}

/** What the telephone did not get, and what we had to make up before: both are not what was said. */
function downlinkCounts({ packetsSent, farEnd, room }: QualitySource): QualityCounts {
	const lost = Math.max(0, farEnd?.lost ?? 0);
	return {
		...{ packets: packetsSent, lost, late: room.late, duplicates: 0, concealed: room.missing },
		...{ expected: packetsSent, unheard: lost + room.missing },
	};
}
