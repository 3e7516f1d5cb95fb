export { IceAgent } from "./ice-agent.ts";
export type { IceAgentOptions, IceOutput, IcePath, LocalCandidate, RemoteCandidate } from "./ice-agent.ts";
export { IceLite } from "./ice-lite.ts";
export type { IceCheck, IceCredentials } from "./ice-lite.ts";
export { bindingSuccess, integrityHolds, isStun, keyOfPassword, parseBindingRequest } from "./stun.ts";
export type { BindingRequest, HmacSha1, KeyedHmac } from "./stun.ts";
export { TurnClient } from "./turn/client.ts";
export type { TurnClientOptions, TurnOutput } from "./turn/client.ts";
export { TurnDeframer } from "./turn/deframer.ts";
