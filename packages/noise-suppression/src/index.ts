export { DtlnNetwork } from "./dtln/network.ts";
export { DtlnSuppressor } from "./dtln/suppressor.ts";
export { DTLN_WEIGHTS } from "./dtln/weights.ts";
export { SuppressedStream, type SuppressedStreamOptions } from "./stream.ts";
export type { NoiseSuppressor } from "./suppressor.ts";
export { SwitchedSuppression } from "./switched.ts";
