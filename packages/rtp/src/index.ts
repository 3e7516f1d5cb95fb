export {
	emptyRtpPacket,
	isRtcp,
	parseRtp,
	readExtension,
	RTP_FIXED_HEADER_BYTES,
	rtpHeaderLength,
	writeRtp,
	writeRtpHeader,
} from "./packet.ts";
export type { RtpExtension, RtpHeader, RtpPacket } from "./packet.ts";
export { ReceptionStatistics, sequenceDelta, timestampDelta, Unwrapper } from "./sequence.ts";
export type { ReceptionReport, ReceptionTotals } from "./sequence.ts";
export { RTCP_MINIMUM_MS, rtcpIntervalMs } from "./rtcp-interval.ts";
export type { RtcpIntervalOptions } from "./rtcp-interval.ts";
export { RtcpReports } from "./rtcp-reports.ts";
export type { FarEnd, SentStream } from "./rtcp-reports.ts";
export { CODEC_IMPAIRMENTS, meanOpinionScore, transmissionRating } from "./quality/e-model.ts";
export type { CodecImpairment, RatedCodec, Transmission } from "./quality/e-model.ts";
export { DirectionQuality } from "./quality/direction.ts";
export type { QualityCounts, QualitySample, QualitySummary } from "./quality/direction.ts";
export { LossBursts, writeVoipMetrics } from "./rtcp-xr.ts";
export type { VoipMetrics } from "./rtcp-xr.ts";
export { ntpFromUnixMs, parseRtcp, writeBye, writeReceiverReport, writeSenderReport } from "./rtcp.ts";
export type { ReportBlock, RtcpPacket, SenderInfo } from "./rtcp.ts";
export { dtmfCode, dtmfDigit, parseTelephoneEvent, writeTelephoneEvent } from "./dtmf.ts";
export type { TelephoneEvent } from "./dtmf.ts";
export { DtmfReceiver } from "./dtmf-receiver.ts";
export type { DtmfEvent } from "./dtmf-receiver.ts";
export { DtmfSender } from "./dtmf-sender.ts";
export type { DtmfPacket, DtmfSenderOptions } from "./dtmf-sender.ts";
export { JitterBuffer } from "./jitter-buffer.ts";
export type { JitterBufferOptions, JitterBufferStats } from "./jitter-buffer.ts";
