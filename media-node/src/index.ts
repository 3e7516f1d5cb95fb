export { ipv6Of, SIP_FIELDS, sipOptions } from "./sip-config.ts";
export { TlsFileError } from "./transport/tls-files.ts";
export { MediaNode, type MediaNodeOptions, type NodeStats, type SipOptions } from "./wire.ts";
