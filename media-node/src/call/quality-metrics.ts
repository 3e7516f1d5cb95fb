import type { Metrics } from "@trunkline/observability";
import type { MediaEvent } from "./ports.ts";

const DIRECTIONS = ["uplink", "downlink"] as const;

/** The latest 5 s of a call as measurements. */
export function recordQuality(metrics: Metrics, event: Extract<MediaEvent, { type: "quality" }>): void {
	for (const direction of DIRECTIONS) {
		const { mos, lossPercent, jitterMs, concealed, late } = event[direction];
		// Nothing was to be heard: the figures are those of nothing.
		if (mos === undefined) continue;
		metrics.record("CallMos", mos, { direction });
		metrics.record("CallPacketLoss", lossPercent, { direction });
		metrics.record("CallConcealedFrames", concealed, { direction });
		metrics.record("CallLatePackets", late, { direction });
		if (jitterMs !== undefined) metrics.record("CallJitter", jitterMs, { direction });
	}
	const { roundTripMs } = event.uplink;
	if (roundTripMs !== undefined) metrics.record("CallRoundTrip", roundTripMs);
}
