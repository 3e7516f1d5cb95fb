/** RFC 3550 §6.2: seconds are long enough for two parties; the first report comes after half of it (§6.3.1) */
export const RTCP_MINIMUM_MS = 5_000;
/** §6.2: reports may have a twentieth of what the audio has */
const SHARE = 0.05;
/** §6.3.1: reconsideration makes the mean longer than what was aimed at, by e − 3/2 */
const COMPENSATION = Math.E - 1.5;

export interface RtcpIntervalOptions {
	/** of the audio, bits per second */
	bandwidth: number;
	/** of a compound with its headers, bytes */
	averageBytes: number;
	/** who takes part; default 2 */
	members?: number;
	/** no report was sent yet */
	initial?: boolean;
	/** RFC 3550 §6.2: 360 s divided by the bandwidth in kbit/s may be the minimum, which is less for much more bandwidth than a telephone's */
	reducedMinimum?: boolean;
}

/** When the next report is due, ms from now (RFC 3550 §6.3.1, A.7). `random` is 0 ≤ x < 1: parties that begin together shall not stay in step. */
export function rtcpIntervalMs(random: number, options: RtcpIntervalOptions): number {
	const { bandwidth, averageBytes, members = 2, initial = false, reducedMinimum = false } = options;
	const least = reducedMinimum ? Math.min(RTCP_MINIMUM_MS, 360_000 / (bandwidth / 1000)) : RTCP_MINIMUM_MS;
	const fair = (members * averageBytes * 8 * 1000) / (bandwidth * SHARE);
	return (Math.max(initial ? least / 2 : least, fair) * (0.5 + random)) / COMPENSATION;
}
