export { type DigestAlgorithm, digestResponse } from "./auth/digest.ts";
export type { Hashes } from "./auth/hashes.ts";
export { challenge, type NonceScope, type Verdict, verifyAuthorization, type VerifyOptions } from "./auth/server.ts";
export {
	type Ban,
	Defence,
	DEFENCE_LIMITS,
	type DefenceCounts,
	type DefenceLimits,
	type DefenceOptions,
	type DropReason,
	type Strike,
} from "./defence/defence.ts";
export { type FirstSight, firstSight } from "./defence/scan.ts";
export { sourceOf } from "./defence/source.ts";
export { contactUri, tagOf } from "./dialog/dialog.ts";
export { SipEndpoint } from "./endpoint.ts";
export * from "./endpoint-types.ts";
export { SipUsageError } from "./errors.ts";
export { isIpv4, isIpv6 } from "./grammar/host.ts";
export { type NameAddr, parseNameAddr, writeNameAddr } from "./grammar/name-addr.ts";
export { type Param, param } from "./grammar/params.ts";
export { isHeaderName, isHeaderValue, isToken } from "./grammar/tokens.ts";
export { parseUri, type SipUri, writeUri } from "./grammar/uri.ts";
export { parseVia, type Via } from "./grammar/via.ts";
export type { Machine, Millis } from "./machine.ts";
export { isReservedHeader } from "./message/header-names.ts";
export { header, headerList, headers } from "./message/headers.ts";
export { LIMITS } from "./message/limits.ts";
export type { Body, HeaderField, HeaderInput, SipMessage, SipRequest, SipResponse } from "./message/message.ts";
export { type ParseErrorCode, type ParseResult, parseMessage } from "./message/parse.ts";
export { parseReasons, type Reason, writeReason } from "./message/reason-header.ts";
export { reasonPhrase } from "./message/reason.ts";
export { writeMessage } from "./message/write.ts";
export { type IncomingRefer, type ReadRefer, readRefer, referAcceptedHeaders, referNotifyHeaders } from "./refer/receive.ts";
export { parseReplaces, type ReadReplaces, readReplaces, type Replaces, writeReplaces } from "./refer/replaces.ts";
export { reliability } from "./ua/reliable.ts";
export { readReferNotify, type ReferProgress } from "./refer/notify.ts";
export { parseSipfrag, sipfragBody, type SipfragStatus } from "./refer/sipfrag.ts";
export {
	DEFAULT_SESSION_TIMER,
	parseMinSe,
	parseSessionExpires,
	type Refresher,
	type SessionTimerOptions,
	tooSmall,
} from "./ua/session-timer.ts";
export { type StreamFault, StreamFramer, type StreamItem, type StreamResult } from "./stream/framer.ts";
export { STREAM_LIMITS } from "./stream/limits.ts";
export { dtmfRelay, type InfoRead, readInfo } from "./ua/info.ts";
export { DeadTargets, targetName } from "./resolve/dead-targets.ts";
export { type Destination, destinationOf, destinationOfUri } from "./resolve/destination.ts";
export {
	AnswerCache,
	type DnsAnswer,
	type DnsQuestion,
	type DnsType,
	type NaptrRecord,
	questionKey,
	type SrvRecord,
} from "./resolve/dns.ts";
export { type RedirectContact, redirectContacts } from "./resolve/redirect.ts";
export { Resolution, type ResolutionOptions, type ResolutionOutput } from "./resolve/resolution.ts";
