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
export type { ReceptionReport } from "./sequence.ts";
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
