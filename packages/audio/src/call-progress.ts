import { ToneGenerator } from "./tone.ts";

export type CallProgressTone = "dial" | "ringback" | "busy" | "congestion";

/** What is heard, and when: ms of sound and of silence in turn, again and again; [] = it never stops. */
export interface ProgressTone {
	readonly hz: readonly number[];
	/** the sound swells so many times a second */
	readonly swellHz?: number;
	readonly cadence: readonly number[];
}

type Tones = Readonly<Record<CallProgressTone, ProgressTone>>;

const STEADY: readonly number[] = [];
/** two short rings, as in most networks that began as British ones */
const DOUBLE = [400, 200, 400, 2_000] as const;
/** so many ms on, so many off */
const even = (ms: number): readonly number[] => [ms, ms];

/** One frequency, and the cadence tells what it means: ETSI's recommendation, which most of Europe follows. */
function plain(
	hz: number,
	changes: { dial?: readonly number[]; ring?: readonly number[]; busy?: readonly number[]; congestion?: readonly number[] } = {},
): Tones {
	const { dial = STEADY, ring = [1_000, 4_000], busy = even(500), congestion = even(250) } = changes;
	return {
		dial: { hz: [hz], cadence: dial },
		ringback: { hz: [hz], cadence: ring },
		busy: { hz: [hz], cadence: busy },
		congestion: { hz: [hz], cadence: congestion },
	};
}

/** The precise tone plan (Telcordia GR-506). */
const NORTH_AMERICA: Tones = {
	dial: { hz: [350, 440], cadence: STEADY },
	ringback: { hz: [440, 480], cadence: [2_000, 4_000] },
	busy: { hz: [480, 620], cadence: even(500) },
	congestion: { hz: [480, 620], cadence: even(250) },
};

const ETSI = plain(425);

/** ITU-T E.180 and its Supplement 2 (various tones used in national networks), by ISO 3166 country code. */
const COUNTRIES: Readonly<Record<string, Tones>> = {
	AT: plain(420, { ring: [1_000, 5_000], busy: even(400), congestion: even(200) }),
	AU: {
		dial: { hz: [413, 438], cadence: STEADY },
		ringback: { hz: [413, 438], cadence: DOUBLE },
		busy: { hz: [425], cadence: even(375) },
		congestion: { hz: [425], cadence: even(375) },
	},
	BE: plain(425, { ring: [1_000, 3_000], congestion: even(167) }),
	BR: plain(425, { busy: even(250), congestion: [250, 250, 750, 250] }),
	CA: NORTH_AMERICA,
	CH: plain(425, { congestion: even(200) }),
	CN: plain(450, { busy: even(350), congestion: even(700) }),
	CZ: plain(425, { dial: [330, 330, 660, 660], busy: even(330), congestion: even(165) }),
	DE: plain(425, { busy: even(480), congestion: even(240) }),
	DK: plain(425, { congestion: even(200) }),
	ES: plain(425, { ring: [1_500, 3_000], busy: even(200), congestion: [200, 200, 200, 200, 200, 600] }),
	FI: plain(425, { busy: even(300), congestion: even(200) }),
	FR: plain(440, { ring: [1_500, 3_500] }),
	GB: {
		dial: { hz: [350, 440], cadence: STEADY },
		ringback: { hz: [400, 450], cadence: DOUBLE },
		busy: { hz: [400], cadence: even(375) },
		congestion: { hz: [400], cadence: [400, 350, 225, 525] },
	},
	GR: plain(425, { dial: [200, 300, 700, 800], busy: even(300), congestion: even(200) }),
	HU: plain(425, { ring: [1_250, 3_750], busy: even(300), congestion: even(300) }),
	ID: ETSI,
	IL: plain(414, { ring: [1_000, 3_000] }),
	IN: {
		dial: { hz: [400], swellHz: 25, cadence: STEADY },
		ringback: { hz: [400], swellHz: 25, cadence: DOUBLE },
		busy: { hz: [400], cadence: even(750) },
		congestion: { hz: [400], cadence: even(250) },
	},
	IT: plain(425, { dial: [200, 200, 600, 1_000], congestion: even(200) }),
	JP: {
		...plain(400, { congestion: even(500) }),
		ringback: { hz: [400], swellHz: 16, cadence: [1_000, 2_000] },
	},
	MX: plain(425, { busy: even(250) }),
	MY: plain(425, { ring: DOUBLE, congestion: even(500) }),
	NL: ETSI,
	NO: plain(425, { congestion: even(200) }),
	NZ: { ...plain(400), ringback: { hz: [400, 450], cadence: DOUBLE } },
	PH: { ...NORTH_AMERICA, dial: { hz: [425], cadence: STEADY }, ringback: { hz: [425, 480], cadence: [1_000, 4_000] } },
	PL: plain(425, { congestion: even(500) }),
	PT: plain(425, { ring: [1_000, 5_000], congestion: even(200) }),
	SE: plain(425, { ring: [1_000, 5_000], busy: even(250), congestion: [250, 750] }),
	SG: {
		dial: { hz: [425], cadence: STEADY },
		ringback: { hz: [425], swellHz: 24, cadence: DOUBLE },
		busy: { hz: [425], cadence: even(750) },
		congestion: { hz: [425], cadence: even(250) },
	},
	TW: { ...NORTH_AMERICA, ringback: { hz: [440, 480], cadence: [1_000, 2_000] } },
	US: NORTH_AMERICA,
	ZA: {
		dial: { hz: [400], swellHz: 33, cadence: STEADY },
		ringback: { hz: [400], swellHz: 33, cadence: DOUBLE },
		busy: { hz: [400], cadence: even(500) },
		congestion: { hz: [400], cadence: even(250) },
	},
};

export const CALL_PROGRESS_COUNTRIES: readonly string[] = Object.keys(COUNTRIES);

/** As the network of that country (ISO 3166, "" or unknown: ETSI's) has it. */
export function callProgress(kind: CallProgressTone, country = ""): ProgressTone {
	return (COUNTRIES[country.toUpperCase()] ?? ETSI)[kind];
}

/** ITU-T E.164; the country code 1 is North America's, whose tones are the same everywhere. */
const CODES: Readonly<Record<string, string>> = {
	"1": "US",
	"27": "ZA",
	"30": "GR",
	"31": "NL",
	"32": "BE",
	"33": "FR",
	"34": "ES",
	"351": "PT",
	"358": "FI",
	"36": "HU",
	"39": "IT",
	"41": "CH",
	"420": "CZ",
	"43": "AT",
	"44": "GB",
	"45": "DK",
	"46": "SE",
	"47": "NO",
	"48": "PL",
	"49": "DE",
	"52": "MX",
	"55": "BR",
	"60": "MY",
	"61": "AU",
	"62": "ID",
	"63": "PH",
	"64": "NZ",
	"65": "SG",
	"81": "JP",
	"86": "CN",
	"886": "TW",
	"91": "IN",
	"972": "IL",
};

/** Whose tones a number's callers expect; undefined when it is not written with "+" and a country code that has a table. */
export function callProgressCountry(number: string): string | undefined {
	const digits = /^\+(\d{4,15})$/.exec(number)?.[1] ?? "";
	return CODES[digits.slice(0, 3)] ?? CODES[digits.slice(0, 2)] ?? CODES[digits.slice(0, 1)];
}

/** Whether the tone sounds this long after it began. */
export function cadenceSounds({ cadence }: Pick<ProgressTone, "cadence">, elapsedMs: number): boolean {
	const total = cadence.reduce((sum, ms) => sum + ms, 0);
	if (total === 0) return true;
	let left = elapsedMs % total;
	for (const [index, ms] of cadence.entries()) {
		if (left < ms) return index % 2 === 0;
		left -= ms;
	}
	return false;
}

/** Tones fade in and out over this long, so that switching does not click. */
const RAMP_MS = 4;

/** What a caller hears before the answer, or instead of it. `levelDbov` is of each frequency. */
export class CallProgressGenerator {
	readonly #progress: ProgressTone;
	readonly #rate: number;
	readonly #tone: ToneGenerator;
	#samples = 0;
	#gain = 0;

	constructor(kind: CallProgressTone, rate = 8000, country = "", levelDbov = -20) {
		this.#progress = callProgress(kind, country);
		this.#rate = rate;
		this.#tone = new ToneGenerator(rate, this.#progress.hz, levelDbov);
	}

	fill(out: Int16Array): Int16Array {
		this.#tone.fill(out);
		const step = 1000 / (this.#rate * RAMP_MS);
		const { swellHz } = this.#progress;
		for (let i = 0; i < out.length; i++) {
			const sounds = cadenceSounds(this.#progress, (this.#samples * 1000) / this.#rate);
			this.#gain = sounds ? Math.min(1, this.#gain + step) : Math.max(0, this.#gain - step);
			const swell = swellHz === undefined ? 1 : (1 - Math.cos((2 * Math.PI * swellHz * this.#samples) / this.#rate)) / 2;
			out[i] = Math.round((out[i] ?? 0) * this.#gain * swell);
			this.#samples += 1;
		}
		return out;
	}
}
