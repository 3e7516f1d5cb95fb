export { CallFailedError, PhoneError } from "./errors.ts";
export { IncomingCall, OutgoingCall, PhoneCall } from "./call.ts";
export type { CallEnd } from "./call-end.ts";
export type { CallEvents, CallState, CallTiming } from "./call.ts";
export type { MediaStats, PortRange } from "./media.ts";
export { Phone } from "./phone.ts";
export type { CallOptions, PhoneOptions } from "./phone.ts";
export type { ReceivedPacket, Recording } from "./recording.ts";
export type { AudioSource } from "./sources.ts";
