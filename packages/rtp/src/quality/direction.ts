import { CODEC_IMPAIRMENTS, meanOpinionScore, type RatedCodec, transmissionRating } from "./e-model.ts";

/** So many scores of a call are kept; when there are more, neighbours become one. Even. */
const MAX_SCORES = 60;

/** Of one direction since the call began; each only ever grows. */
export interface QualityCounts {
	packets: number;
	lost: number;
	/** came after a later one, or too late to be played */
	late: number;
	duplicates: number;
	/** pieces of audio that were made up because nothing was there to be played */
	concealed: number;
	/** of the packets that should have been heard, and those of them that were not: what the score is made of */
	expected: number;
	unheard: number;
}

export interface QualityConditions {
	codec: RatedCodec;
	/** RFC 3550 §6.4.1; undefined: nobody told */
	jitterMs: number | undefined;
	/** undefined until the peer has answered a report */
	roundTripMs: number | undefined;
	/** that audio waits on our way and at its receiver, packets' own length included */
	bufferMs: number;
	/** −dBov, 0 (loudest) .. 127; undefined: not measured, or nothing heard */
	level?: number | undefined;
}

/** One interval of one direction. */
export interface QualitySample {
	packets: number;
	lost: number;
	late: number;
	duplicates: number;
	concealed: number;
	lossPercent: number;
	jitterMs?: number;
	roundTripMs?: number;
	level?: number;
	/** 1..4.5; unset when nothing was to be heard */
	mos?: number;
}

/** One direction of a call that is over; of bounded size however long it was. */
export interface QualitySummary {
	packets: number;
	lost: number;
	late: number;
	duplicates: number;
	concealed: number;
	/** mean and worst interval */
	jitterMs?: number;
	maxJitterMs?: number;
	roundTripMs?: number;
	maxRoundTripMs?: number;
	/** mean of the intervals that had speech to carry, −dBov */
	level?: number;
	mos?: number;
	minMos?: number;
	/** over time, at most 60 values, each the mean of `everyMs` */
	scores: QualityScores;
}

export interface QualityScores {
	everyMs: number;
	mos: readonly number[];
	lossPercent: readonly number[];
	/** dBov: 0 is loudest; null: nobody spoke */
	levelDbov: readonly (number | null)[];
}

/** One interval, as far as it is kept. */
interface Score {
	mos: number;
	lossPercent: number;
	levelDbov: number | null;
}

const COUNTED = ["packets", "lost", "late", "duplicates", "concealed"] as const;

/** Turns counters into an interval's figures, and intervals into the summary of a call. Pure. */
export class DirectionQuality {
	readonly #intervalMs: number;
	#before: QualityCounts = { packets: 0, lost: 0, late: 0, duplicates: 0, concealed: 0, expected: 0, unheard: 0 };
	readonly #jitter = new Mean();
	readonly #roundTrip = new Mean();
	readonly #level = new Mean();
	readonly #mos = new Mean();
	#scores: Score[] = [];
	/** intervals in one of `#scores`, and those that wait to be one */
	#perScore = 1;
	#waiting: Score[] = [];

	constructor(intervalMs: number) {
		this.#intervalMs = intervalMs;
	}

	/** The interval that ends now. */
	sample(counts: QualityCounts, conditions: QualityConditions): QualitySample {
		const { expected, unheard } = counts;
		const expectedNow = expected - this.#before.expected;
		const lossPercent = expectedNow <= 0 ? 0 : Math.min(100, Math.max(0, (100 * (unheard - this.#before.unheard)) / expectedNow));
		const sample: QualitySample = { packets: 0, lost: 0, late: 0, duplicates: 0, concealed: 0, lossPercent: rounded(lossPercent) };
		for (const name of COUNTED) sample[name] = Math.max(0, counts[name] - this.#before[name]);
		this.#before = { ...counts };
		const { jitterMs, roundTripMs, level } = conditions;
		if (jitterMs !== undefined) sample.jitterMs = this.#jitter.add(jitterMs);
		if (roundTripMs !== undefined) sample.roundTripMs = this.#roundTrip.add(roundTripMs);
		if (level !== undefined) sample.level = this.#level.add(level);
		// An interval in which nobody should have sent is neither good nor bad.
		if (expectedNow > 0) sample.mos = this.#score(lossPercent, conditions);
		return sample;
	}

	/** After the last sample; `counts` as they are at the end. */
	summary({ packets, lost, late, duplicates, concealed }: QualityCounts): QualitySummary {
		const [jitterMs, maxJitterMs] = [this.#jitter.mean, this.#jitter.max];
		const [roundTripMs, maxRoundTripMs] = [this.#roundTrip.mean, this.#roundTrip.max];
		const [level, mos, minMos] = [this.#level.mean, this.#mos.mean, this.#mos.min];
		const scores = this.#waiting.length > 0 ? [...this.#scores, meanScore(this.#waiting)] : this.#scores;
		return {
			...{ packets, lost, late, duplicates, concealed },
			...(jitterMs !== undefined && maxJitterMs !== undefined && { jitterMs, maxJitterMs }),
			...(roundTripMs !== undefined && maxRoundTripMs !== undefined && { roundTripMs, maxRoundTripMs }),
			...(level !== undefined && { level }),
			...(mos !== undefined && minMos !== undefined && { mos, minMos }),
			scores: {
				everyMs: this.#intervalMs * this.#perScore,
				mos: scores.map((score) => score.mos),
				lossPercent: scores.map((score) => score.lossPercent),
				levelDbov: scores.map((score) => score.levelDbov),
			},
		};
	}

	#score(lossPercent: number, { codec, roundTripMs, bufferMs, level }: QualityConditions): number {
		const delayMs = (roundTripMs ?? 0) / 2 + bufferMs;
		const mos = this.#mos.add(meanOpinionScore(transmissionRating(CODEC_IMPAIRMENTS[codec], { delayMs, lossPercent })));
		this.#waiting.push({ mos, lossPercent: rounded(lossPercent), levelDbov: level === undefined ? null : -rounded(level) });
		if (this.#waiting.length < this.#perScore) return mos;
		this.#scores.push(meanScore(this.#waiting));
		this.#waiting = [];
		if (this.#scores.length >= MAX_SCORES) {
			const scores = this.#scores;
			this.#scores = Array.from({ length: scores.length / 2 }, (_, i) => meanScore(scores.slice(2 * i, 2 * i + 2)));
			this.#perScore *= 2;
		}
		return mos;
	}
}

class Mean {
	#count = 0;
	#sum = 0;
	#min = Number.POSITIVE_INFINITY;
	#max = Number.NEGATIVE_INFINITY;

	/** Gives it as it is told. */
	add(value: number): number {
		this.#count += 1;
		this.#sum += value;
		this.#min = Math.min(this.#min, value);
		this.#max = Math.max(this.#max, value);
		return rounded(value);
	}

	get mean(): number | undefined {
		return this.#count === 0 ? undefined : rounded(this.#sum / this.#count);
	}

	get min(): number | undefined {
		return this.#count === 0 ? undefined : rounded(this.#min);
	}

	get max(): number | undefined {
		return this.#count === 0 ? undefined : rounded(this.#max);
	}
}

/** Two digits are more than anybody hears, and a record is not to be filled with the rest. */
const rounded = (value: number): number => Math.round(value * 100) / 100;
const mean = (values: readonly number[]): number => rounded(values.reduce((sum, value) => sum + value, 0) / values.length);

function meanScore(scores: readonly Score[]): Score {
	const levels = scores.flatMap(({ levelDbov }) => levelDbov ?? []);
	return {
		mos: mean(scores.map(({ mos }) => mos)),
		lossPercent: mean(scores.map(({ lossPercent }) => lossPercent)),
		levelDbov: levels.length === 0 ? null : mean(levels),
	};
}
