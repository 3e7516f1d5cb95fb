export { DtlnNetwork } from "./dtln/network.ts";
export { DtlnSuppressor } from "./dtln/suppressor.ts";
export { SuppressedStream, type SuppressedStreamOptions } from "./stream.ts";
export type { NoiseSuppressor } from "./suppressor.ts";
