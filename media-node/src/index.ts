export { ENGINE_FIELDS, engineOptions } from "./engine/settings.ts";
export { yieldToMedia } from "./engine/yield-to-media.ts";
export { readHoldMusic } from "./media/hold-file.ts";
export { KeptRecordings } from "./recordings/kept-recordings.ts";
export { ipv6Of, SIP_FIELDS, sipOptions } from "./sip-config.ts";
export type { SipOptions } from "./sip-options.ts";
export { TRACE_FIELDS, type TraceSettings, traceSettings } from "./trace/settings.ts";
export { TlsFileError } from "./transport/tls-files.ts";
export { MediaNode, type MediaNodeOptions, type NodeStats } from "./wire.ts";
