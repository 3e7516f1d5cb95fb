export { decodeBytes, encodeBytes } from "./bytes.ts";
export { callIdOf, isInvite } from "./read.ts";
export { ladderOf } from "./ladder.ts";
export { maskMessage } from "./mask.ts";
export { writePcapng } from "./pcapng.ts";
export { writeLadder } from "./text-ladder.ts";
