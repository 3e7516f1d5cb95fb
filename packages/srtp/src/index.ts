export type { AeadCipher, SrtpCrypto } from "./crypto.ts";
export { SrtpReceiver } from "./receiver.ts";
export { SrtpSender } from "./sender.ts";
export { isSrtpSuite, masterKeyBytes, MAX_OVERHEAD_BYTES, SRTP_SUITES } from "./suites.ts";
export type { SrtpSuite } from "./suites.ts";
