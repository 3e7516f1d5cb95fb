/** The E-model, ITU-T G.107 (narrow-band), with its default values for all that a network does not see: rooms, handsets, loudness, echo. */

/** What a codec costs: equipment impairment factor, and robustness against lost packets (ITU-T G.113). */
export interface CodecImpairment {
	ie: number;
	/** packet-loss robustness factor */
	bpl: number;
}

export type RatedCodec = "PCMU" | "PCMA" | "G722" | "opus";

/** ITU-T G.113 Appendix I: G.711 whose receiver conceals losses, as every telephone and every browser does. */
const G711: CodecImpairment = { ie: 0, bpl: 25.1 };

/**
 * G.113 has no narrow-band values for the last two. G.722 is rated as G.711: more band is no impairment on this scale. Opus at the rates of a telephone
 * is rated as AMR 12.2 (Ie 5), which it is not worse than, with the robustness of G.729A (19): an assumption on the careful side.
 */
export const CODEC_IMPAIRMENTS: Readonly<Record<RatedCodec, CodecImpairment>> = {
	PCMU: G711,
	PCMA: G711,
	G722: G711,
	opus: { ie: 5, bpl: 19 },
};

export interface Transmission {
	/** mouth to ear, one way */
	delayMs: number;
	/** of packets that could not be played, 0..100 */
	lossPercent: number;
	/** how much losses cluster: 1 = random, more = in bursts (G.107 §3.5) */
	burstRatio?: number;
}

/** G.107 Table 2: default values */
const SLR = 8;
const RLR = 2;
const OLR = SLR + RLR;
const STMR = 15;
const LSTR = 18;
const DS = 3;
const TELR = 65;
const WEPL = 110;
const QDU = 1;
const NC = -70;
const NFOR = -64;
const PS = 35;
const PR = 35;

/** Noises (§7.2) and what depends on nothing but the defaults. */
const NO = totalNoise();
const RO = 15 - 1.5 * (SLR + NO);

/** Transmission rating R (G.107 §7.1): 93.2 for a perfect line, 0 for a useless one. */
export function transmissionRating(codec: CodecImpairment, { delayMs, lossPercent, burstRatio = 1 }: Transmission): number {
	const delay = Math.max(0, delayMs);
	return RO - simultaneousImpairment(delay) - delayImpairment(delay) - effectiveEquipment(codec, lossPercent, burstRatio);
}

/** Mean opinion score of a conversation, 1..4.5 (G.107 Annex B). */
export function meanOpinionScore(rating: number): number {
	if (rating <= 0) return 1;
	if (rating >= 100) return 4.5;
	// Below R = 6.5 the cubic dips under 1, which no score is.
	return Math.max(1, 1 + 0.035 * rating + rating * (rating - 60) * (100 - rating) * 7e-6);
}

/** §7.5, Ie,eff */
function effectiveEquipment({ ie, bpl }: CodecImpairment, lossPercent: number, burstRatio: number): number {
	const loss = Math.min(100, Math.max(0, lossPercent));
	return loss === 0 ? ie : ie + (95 - ie) * (loss / (loss / Math.max(1, burstRatio) + bpl));
}

/** §7.2 */
function totalNoise(): number {
	const nos = PS - SLR - DS - 100 + 0.004 * (PS - OLR - DS - 14) ** 2;
	const pre = PR + 10 * Math.log10(1 + 10 ** ((10 - LSTR) / 10));
	const nor = RLR - 121 + pre + 0.008 * (pre - 35) ** 2;
	const nfo = NFOR + RLR;
	return 10 * Math.log10([NC, nos, nor, nfo].reduce((sum, level) => sum + 10 ** (level / 10), 0));
}

/** §7.3, Is: loudness, sidetone, quantizing */
function simultaneousImpairment(delayMs: number): number {
	const xolr = OLR + 0.2 * (64 + NO - RLR);
	const iolr = 20 * ((1 + (xolr / 8) ** 8) ** (1 / 8) - xolr / 8);
	const stmro = -10 * Math.log10(10 ** (-STMR / 10) + Math.exp(-delayMs / 4) * 10 ** (-TELR / 10));
	const ist =
		12 * (1 + ((stmro - 13) / 6) ** 8) ** (1 / 8) -
		28 * (1 + ((stmro + 1) / 19.4) ** 35) ** (1 / 35) -
		13 * (1 + ((stmro - 3) / 33) ** 13) ** (1 / 13) +
		29;
	const q = 37 - 15 * Math.log10(QDU);
	const g = 1.07 + 0.258 * q + 0.0602 * q ** 2;
	const y = (RO - 100) / 15 + 46 / 8.4 - g / 9;
	const z = 46 / 30 - g / 40;
	return iolr + ist + 15 * Math.log10(1 + 10 ** y + 10 ** z);
}

/** §7.4, Id: talker echo, listener echo, absolute delay */
function delayImpairment(delayMs: number): number {
	const terv = TELR - 40 * Math.log10((1 + delayMs / 10) / (1 + delayMs / 150)) + 6 * Math.exp(-0.3 * delayMs ** 2);
	const roe = -1.5 * (NO - RLR);
	const re = 80 + 2.5 * (terv - 14);
	const idte = ((roe - re) / 2 + Math.sqrt((roe - re) ** 2 / 4 + 100) - 1) * (1 - Math.exp(-delayMs));
	const rle = 10.5 * (WEPL + 7) * (2 * delayMs + 1) ** -0.25;
	const idle = (RO - rle) / 2 + Math.sqrt((RO - rle) ** 2 / 4 + 169);
	return idte + idle + absoluteDelay(delayMs);
}

/** Idd: nobody minds up to 100 ms */
function absoluteDelay(delayMs: number): number {
	if (delayMs <= 100) return 0;
	const x = Math.log2(delayMs / 100);
	return 25 * ((1 + x ** 6) ** (1 / 6) - 3 * (1 + (x / 3) ** 6) ** (1 / 6) + 2);
}
